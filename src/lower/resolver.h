// Resolves names and types over a plan. One Resolver lowers one statement; one thread.
#pragma once

#include <spark/connect/expressions.pb.h>
#include <spark/connect/relations.pb.h>

#include <map>
#include <string>
#include <vector>

#include "functions/coercion.h"
#include "lower/lower.h"
#include "lower/query.h"
#include "plan/names.h"

namespace firesteel {

namespace proto = spark::connect;

/// Where an expression stands, and what resolving it found.
struct Scope {
  /// Columns by name, nearest first: `levels[1]` is asked when `levels[0]` has none.
  std::vector<const std::vector<Attribute>*> levels;
  bool aggregates = false;  // aggregate functions may stand here
  /// Their arguments' columns, when they are not those of `levels`.
  const std::vector<Attribute>* aggregate_input = nullptr;
  /// Computed columns are put in as their expressions, not by name.
  bool inlines = false;
  bool windowed = false;                        // directly below an OVER clause
  const std::vector<Resolved>* keys = nullptr;  // grouping keys: anything else must be aggregated
  /// The order of the rows that are aggregated: what ORDER BY left to a block that is now grouped.
  const std::vector<std::string>* rows_order = nullptr;
  bool is_key = false;     // the expression is itself a grouping key
  bool is_column = false;  // the expression is of a SELECT list
  /// What grouping() and grouping_id() may name: the keys, when they form grouping sets.
  const std::vector<Resolved>* grouping = nullptr;
  /// The column that numbers the rows; a window function where it is empty.
  std::string row = {};

  // Found:
  bool uses_computed = false, uses_aggregate = false, uses_window = false;
  bool uses_row = false;  // rows' numbers: of no clause but a SELECT list
  int level_used = 0;     // the deepest level a name came from
  std::vector<Resolved> ungrouped;
  bool inside_aggregate = false;
  std::vector<std::map<std::string, Resolved>> lambdas;
};

class Resolver {
 public:
  Resolver(Environment& catalog, const LowerSettings& settings)
      : catalog_(&catalog), settings_(settings), names_{settings.database, settings.temporary} {}

  Query relation(const proto::Relation& relation);
  /// `WITH …` of what `relation` has made so far; empty when there is nothing.
  std::string common_tables() const;
  /// The tables that were made of observed rows.
  const std::vector<std::string>& observed_tables() const { return observed_tables_; }
  Resolved expression(const proto::Expression& expression, Scope& scope);

 private:
  // relation.cpp: one per kind.
  Query read(const proto::Read& read);
  Query named_table(const proto::Read& read, const proto::Relation& relation);
  Query view(const NamedRelation& view);
  Query recursive(size_t named_plan);
  Query shared(size_t named_plan);
  Query scan(const Scan& scan, std::vector<std::string> qualifiers);
  Query project(const proto::Project& project);
  Query filter(const proto::Filter& filter);
  Query join(const proto::Join& join, const proto::Relation& relation);
  Query lateral_join(const proto::LateralJoin& join);
  std::optional<Query> joined_rows(const Query& left, const Query& right);
  Query set_operation(const proto::SetOperation& operation, const proto::Relation& relation);
  Query sort(const proto::Sort& sort);
  Query limit(const proto::Limit& limit);
  Query offset(const proto::Offset& offset);
  Query aggregate(const proto::Aggregate& aggregate, bool select_list);
  Query pivot(const proto::Aggregate& aggregate);
  void find_pivot_values(const proto::Relation& input, proto::Aggregate::Pivot& pivot);
  Query unpivot(const proto::Unpivot& unpivot);
  Query sample(const proto::Sample& sample);
  Query deduplicate(const proto::Deduplicate& deduplicate);
  Query range(const proto::Range& range);
  Query subquery_alias(const proto::SubqueryAlias& alias);
  Query to_df(const proto::ToDF& to_df);
  Query with_columns(const proto::WithColumns& with_columns, bool existing);
  Query with_columns_renamed(const proto::WithColumnsRenamed& renamed);
  Query drop(const proto::Drop& drop);
  Query na_fill(const proto::NAFill& fill);
  Query na_drop(const proto::NADrop& drop);
  Query with_relations(const proto::WithRelations& with);
  Query with_watermark(const proto::WithWatermark& watermark);
  Query parse(const proto::Parse& parse);
  Query collect_metrics(const proto::CollectMetrics& metrics, const proto::Relation& relation);

  // side_by_side.cpp
  Query as_of_join(const proto::AsOfJoin& join);
  Query nearest_by_join(const proto::NearestByJoin& join);
  Query nearest_rows(Query left, Query right, const std::vector<std::string>& conditions,
                     const std::string& order, int rows, const std::string& join_type);
  Query zip(const proto::Zip& zip);

  /// Puts expressions on a query as its new columns.
  Query project_onto(Query input, const std::vector<proto::Expression>& expressions);
  /// Stars and several-name aliases written out; generators taken into a lateral join.
  std::vector<proto::Expression> expand(const std::vector<proto::Expression>& expressions,
                                        const std::vector<Attribute>& columns,
                                        const std::vector<Attribute>& hidden);
  std::string order_term(const proto::Expression::SortOrder& order, Scope& scope,
                         const std::vector<Attribute>& output);
  /// Numbers the rows from 1 in a column of the block below, which `output` leaves out.
  Attribute number_rows(Query& query);
  void add_filter(Query& query, const Resolved& condition, const Scope& scope);
  Attribute fresh(std::string name, DataType type, bool nullable);
  Attribute made(const Resolved& expression, std::string name);
  const Attribute& column_named(const std::vector<Attribute>& columns, const std::string& name,
                                Span span = {}) const;
  bool same_name(const std::string& a, const std::string& b) const;

  // statistics.cpp
  Query summary(const proto::Relation& input, std::vector<std::string> statistics,
                const std::vector<std::string>& names);
  proto::Expression statistics_of(const Attribute& column,
                                  const std::vector<std::string>& statistics);
  Query crosstab(const proto::StatCrosstab& crosstab);
  Query pair_statistic(const proto::Relation& input, const std::string& function,
                       const std::string& name, const std::string& a, const std::string& b);
  Query approx_quantile(const proto::StatApproxQuantile& quantile);
  Query freq_items(const proto::StatFreqItems& items);
  Query sample_by(const proto::StatSampleBy& sample);
  Query tail(const proto::Tail& tail);
  Query to_schema(const proto::ToSchema& to_schema);
  Query na_replace(const proto::NAReplace& replace);
  Query transpose(const proto::Transpose& transpose);

  // python.cpp
  Resolved python_function(const proto::CommonInlineUserDefinedFunction& function, Scope& scope,
                           Span span);
  Query map_partitions(const proto::MapPartitions& map);
  Query group_map(const proto::GroupMap& map);
  Query co_group_map(const proto::CoGroupMap& map);
  /// The grouping keys, and behind them all columns.
  PythonTask python_task_of(const proto::CommonInlineUserDefinedFunction& function,
                            Span span) const;
  std::vector<Resolved> python_keys(
      Query& input, const google::protobuf::RepeatedPtrField<proto::Expression>& keys);
  std::string python_input(const Query& input, const std::vector<Resolved>& columns,
                           size_t keys_begin, size_t keys_end,
                           const std::string& further_order) const;
  Query python_output(const PythonTask& task, const std::vector<Attribute>& kept);

  // python_columns.cpp
  std::optional<proto::CommonInlineUserDefinedFunction> python_called(
      const proto::Expression& expression) const;
  void take_python_columns(Query& input, std::vector<proto::Expression>& expressions);
  Attribute python_iterator_column(Query& input,
                                   const proto::CommonInlineUserDefinedFunction& function,
                                   Span span);
  Attribute python_window_column(Query& input, const proto::Expression& expression,
                                 const proto::CommonInlineUserDefinedFunction& function);
  PythonTask python_call_task(const proto::CommonInlineUserDefinedFunction& function, Scope& scope,
                              Span span, std::vector<Resolved>& columns);
  Attribute python_beside(Query& input, PythonTask task, std::vector<Resolved> keys,
                          std::vector<Resolved> sent, const std::string& order);

  // python_table.cpp
  Query python_table(const proto::CommonInlineUserDefinedTableFunction& function,
                     const std::vector<proto::Expression>& arguments, Span span);
  /// A function registered by name or stored as text, whose arguments are then cast as it says.
  std::shared_ptr<const proto::CommonInlineUserDefinedTableFunction> python_table_named(
      const std::vector<std::string>& parts, std::vector<proto::Expression>& arguments);
  std::optional<Query> python_lateral(const proto::LateralJoin& join);
  PythonTask table_task(const proto::CommonInlineUserDefinedTableFunction& function,
                        std::optional<AnalyzedTable> analyzed);
  AnalyzedTable analyze_table(const proto::CommonInlineUserDefinedTableFunction& function,
                              const std::vector<proto::Expression>& arguments, const Query* beside,
                              Span span);
  const proto::Relation& table_plan(const proto::SubqueryExpression& table, Span span) const;
  Resolved table_row(const proto::SubqueryExpression& table, Query& input, PythonTask& task,
                     const AnalyzedTable* analyzed, std::string& order, Span span);
  void add_table_argument(PythonTask& task, const proto::Expression& argument,
                          const Resolved& value);

  // routines.cpp
  Query table_function(const proto::UnresolvedTableValuedFunction& function, Span span);
  Query range_rows(const std::vector<Resolved>& arguments, Span span);
  Query keyword_rows();
  Query element_rows(const std::string& list);
  /// A block with a generator's rows beside those that they are of; nothing when that needs a join.
  static std::optional<std::string> beside(const std::string& from, const Query& generated,
                                           bool outer);
  Query exploded_rows(const std::string& base, const std::string& name, Resolved& list, bool outer,
                      Span span);
  Query stack_rows(std::vector<Resolved>& arguments, Span span);
  Query json_tuple_rows(const std::vector<Resolved>& arguments, Span span);
  Query table_routine(const Routine& routine, const std::vector<proto::Expression>& arguments,
                      const std::string& name, Span span);
  Resolved scalar_routine(const Routine& routine, const proto::Expression::UnresolvedFunction& call,
                          const std::string& name, Scope& scope, Span span);
  std::vector<Attribute> bound_parameters(const Routine& routine,
                                          const std::vector<proto::Expression>& arguments,
                                          const std::string& name, Scope& scope, Span span,
                                          std::string* written);
  template <typename Body>
  auto in_body(const Routine& routine, const std::vector<Attribute>& parameters,
               const std::string& name, Span span, Body body);

  // expression.cpp
  Resolved attribute(const proto::Expression& expression, Scope& scope);
  std::optional<Resolved> find_name(const std::vector<std::string>& parts,
                                    std::optional<int64_t> plan_id, Scope& scope, Span span,
                                    int* level);
  Resolved literal(const proto::Expression::Literal& literal);
  Resolved timestamp_literal(const std::string& sql, TypeKind kind);
  Resolved typed_literal(const proto::Expression::Cast& cast, Span span);
  Resolved internal_function(const std::string& name,
                             const proto::Expression::UnresolvedFunction& call, Scope& scope,
                             Span span);
  Resolved within_group(const proto::Expression::UnresolvedFunction& call, Scope& scope, Span span);
  Resolved grouping(const std::string& name, const proto::Expression::UnresolvedFunction& call,
                    Scope& scope, Span span);
  std::string row_number(const std::string& name, Scope& scope, Span span);
  std::string seed(const std::string& name, const Resolved& given, Span span);
  Resolved numbered(const std::string& name, const proto::Expression::UnresolvedFunction& call,
                    Scope& scope, Span span);
  Resolved drawn(const std::string& name, const proto::Expression::UnresolvedFunction& call,
                 Scope& scope, Span span);
  /// input_file_name() and its like.
  static const Attribute* hidden_column(const Scope& scope, const char* name);
  Resolved of_input_file(const std::string& name, Scope& scope, Span span);
  Resolved shuffled(const proto::Expression::UnresolvedFunction& call, Scope& scope, Span span);
  Resolved session_window(const proto::Expression::UnresolvedFunction& call, Scope& scope,
                          Span span);
  void merge_sessions(Query& input, const std::vector<proto::Expression>& keys,
                      const proto::Expression& session);
  Resolved time_window(const proto::Expression::UnresolvedFunction& call, Scope& scope, Span span);
  int64_t duration(const proto::Expression& expression, const std::string& function, Span span);
  void enter_aggregate(const std::string& name, Scope& scope, Span span);
  Resolved function(const proto::Expression::UnresolvedFunction& call, Scope& scope, Span span);
  std::vector<proto::Expression> in_order(const FunctionSpec& spec,
                                          const proto::Expression::UnresolvedFunction& call,
                                          Span span) const;
  /// Makes an expression of constants a literal.
  void fold_constant(Resolved& value);
  Resolved lambda(const proto::Expression::LambdaFunction& lambda,
                  const std::vector<DataType>& types, Scope& scope);
  Resolved window(const proto::Expression::Window& window, Scope& scope, Span span);
  Resolved extract_value(const proto::Expression::UnresolvedExtractValue& extract, Scope& scope,
                         Span span);
  Resolved subquery(const proto::SubqueryExpression& subquery, Scope& scope, Span span);
  Resolved updated_fields(const proto::Expression::UpdateFields& update, Scope& scope, Span span);
  /// A SELECT list's column of this expression: a column that is cast keeps its name.
  std::string column_name(const proto::Expression& expression, const Resolved& value) const;
  bool has_aggregate(const proto::Expression& expression) const;
  Resolved field_of(Resolved value, const std::string& field, Span span);
  /// `field_of` whose name is the whole path.
  Resolved part_of(const Resolved& value, const std::string& field, Span span);

  Environment* catalog_;  // of the view that is resolved, when it has its own
  const LowerSettings& settings_;
  int next_id_ = 0;
  int depth_ = 0, expression_depth_ = 0;
  int routine_depth_ = 0;
  NameScope names_;
  std::string window_order_;  // of the window that was resolved last
  std::vector<std::string> view_stack_;
  /// Plans that expressions refer to by id, and CTEs by name; inner ones shadow.
  std::vector<std::map<int64_t, const proto::Relation*>> subqueries_;
  struct NamedPlan {
    std::string name;
    const proto::Relation* plan;
    size_t visible;  // how many named plans it may itself refer to
    bool recursive = false;
    bool shared = false;  // named several times: lowered once, as a CTE of the statement
    std::shared_ptr<const Scan> rows = {};
    /// While the recursive part is resolved: what the name stands for in it.
    const Scan* so_far = nullptr;
  };
  std::vector<NamedPlan> named_plans_;
  size_t visible_plans_ = SIZE_MAX;
  std::vector<std::string> common_tables_;  // name AS (query)
  std::vector<std::string> observed_tables_;
  /// Scopes of the queries around a subquery.
  std::vector<Scope*> outer_;
};

/// Where an expression or relation stands in the SQL text, when it came from one.
Span span_of(const proto::Expression& expression);
Span span_of(const proto::Relation& relation);

DataType python_return_type(const proto::DataType& type);
/// A Python function that makes one value of a group's rows.
bool is_python_aggregate(const proto::CommonInlineUserDefinedFunction& function);

/// explode, inline …: functions that make rows.
bool is_generator_name(const std::string& name);

[[noreturn]] void unresolved_column(const std::vector<std::string>& parts,
                                    const std::vector<const std::vector<Attribute>*>& levels,
                                    Span span);

/// What the star of count(*) stands for: a row counts whatever is in it.
Resolved counted_row();
std::vector<proto::Expression> list_of(
    const google::protobuf::RepeatedPtrField<proto::Expression>& field);
/// The column of a name as it is written in SQL: "`a`.`b c`".
proto::Expression attribute_expression(const std::string& quoted_name);

}  // namespace firesteel
