// Spark SQL's grammar as one recursive-descent parser that makes proto. A file per part:
// expressions.cpp (operators), primary.cpp (what operators join), functions.cpp (calls and their
// special forms), literals.cpp, queries.cpp (SELECT to set operations), pipes.cpp (|>),
// relations.cpp (FROM),
// statements.cpp (the session), ddl.cpp (the catalog), dml.cpp (rows of tables). Only these files
// include this header; everybody else, parser.h.
#pragma once

#include <spark/connect/base.pb.h>

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "sql/cursor.h"
#include "sql/parser.h"

namespace firesteel {

class Grammar {
 public:
  using Expression = spark::connect::Expression;
  using Relation = spark::connect::Relation;
  using Plan = spark::connect::Plan;
  using SortOrder = spark::connect::Expression::SortOrder;
  using Window = spark::connect::Expression::Window;

  explicit Grammar(std::string_view sql, const SqlParameters& parameters = {})
      : in_(sql), parameters_(parameters) {}

  // The whole text.
  Statement whole_statement();
  Relation whole_query();
  Expression whole_expression();

 private:
  // statements.cpp
  Statement statement();
  Statement set();
  Statement use();
  Statement cache();
  Statement analyze();
  Statement show();
  Statement describe();
  Statement explain();
  Statement variable();
  Statement assignments();
  Statement execute_immediate();
  std::optional<std::string> pattern();
  std::string text_value();
  std::string text_since(int start) const;
  void expect_end();
  void mark_text(Relation& root) const;
  [[noreturn]] void unsupported(std::string_view what, int start);

  // script.cpp
  Script script();
  std::vector<ScriptStep> script_steps(std::string_view until);
  ScriptStep script_step();
  Relation script_value();

  // ddl.cpp
  Statement create();
  Statement create_database(int start);
  Statement create_table(bool replace, int start);
  Statement create_view(bool replace, int start);
  Statement create_function(bool temporary, bool replace);
  Statement drop();
  Statement alter();
  Statement alter_table(bool view, int start);
  Statement alter_column(AlterTable made);
  Statement comment();
  Statement repair();
  ColumnDefinition column_definition();
  std::vector<ColumnDefinition> column_definitions();
  std::string property_key();
  std::string property_value();
  Properties property_list();
  PartitionSpec partition_spec();
  std::string expression_text();

  // dml.cpp
  Statement insert();
  Statement update();
  Statement delete_rows();
  Statement merge();
  Statement truncate();
  Relation target_table(std::string* name, std::string* alias);
  void merge_clause(spark::connect::MergeIntoTableCommand* command);

  // queries.cpp
  /// What one query holds until it is complete.
  struct Block {
    std::vector<Relation> subqueries;       // referred to by plan id
    size_t select_start = 0;                // token index, where to look for WINDOW
    std::map<std::string, Window> windows;  // by name in small letters
    bool windows_read = false;
  };
  Relation query();
  Relation close_block(Relation root, int start);
  Relation with_references(Relation root, std::vector<Relation> references, int start) const;
  const Token& after_with() const;
  Relation query_body();
  Relation set_operation(int level);
  Relation set_operations(Relation left, int level);
  Relation query_term();
  Relation select(std::optional<Relation> from = {});
  Relation values();
  Relation from_clause();
  std::vector<Expression> select_list();
  Relation qualified(Relation selected, int start);
  Relation group_by(Relation input, std::vector<Expression> list);
  Relation ordered(Relation input);
  void read_windows(size_t from);
  void read_window_clause();
  std::vector<Relation> common_tables();
  int constant_rows(std::string_view clause);
  bool at_query(size_t index) const;
  bool at_query_after_parenthesis() const { return at_query(in_.position() + 1); }

  // pipes.cpp
  Relation piped(Relation input);
  Relation piped_aggregate(Relation input, int start);

  // relations.cpp
  Relation relation();
  Relation relation_extensions(Relation left);
  Relation relation_primary();
  Relation aliased(Relation input, int start, bool auto_alias);
  Expression table_argument();
  Relation table_function(const std::string& name, int start);
  Relation joined(Relation left);
  Relation lateral(Relation left, Relation right, spark::connect::Join::JoinType type);
  Relation lateral_view(Relation left);
  Relation pivot(Relation input);
  Relation unpivot(Relation input);
  Relation unpivot_groups(Relation input, bool nulls, int start);
  Relation sampled(Relation input);
  std::string table_name();
  std::string identifier_clause();
  std::string alias_name();
  std::vector<std::string> name_list();
  bool at_bare_table_alias() const;

  // expressions.cpp
  Expression expression();
  Expression named_expression();
  Expression conjunction();
  Expression chained(std::string_view name, std::vector<Expression> parts, int start) const;
  Expression negation();
  Expression predicated();
  std::optional<Expression> predicate(Expression& left, int start);
  Expression in_predicate(Expression left, int start);
  Expression like_predicate(Expression left, bool negated, int start);
  Expression operators(int least_level);
  Expression unary();
  std::vector<Expression> expression_list();
  SortOrder sort_item();
  std::vector<SortOrder> sort_list();
  bool at_bare_alias() const;

  // primary.cpp
  Expression primary();
  Expression postfix();
  Expression variant_path(Expression value, int start);
  Expression parenthesised();
  Expression case_expression();
  Expression name_or_call();
  Expression lambda();
  bool at_lambda() const;
  Expression subquery(spark::connect::SubqueryExpression::SubqueryType type, int start);
  Expression subquery_of(Relation inner, spark::connect::SubqueryExpression::SubqueryType type,
                         int start);
  Expression parameter();
  spark::connect::DataType type();

  // functions.cpp
  Expression call(const std::string& name, int start);
  std::optional<Expression> special_call(const std::string& upper, int start);
  int count_in_call(std::string_view text) const;
  Expression cast_call(bool safe, int start);
  Expression trim_call(int start);
  Expression argument();
  Expression after_call(Expression function, int start);
  Window window_specification();
  Window::WindowFrame window_frame();
  Window::WindowFrame::FrameBoundary frame_boundary();

  // literals.cpp
  Expression number(bool negative, int start);
  Expression string_literal();
  std::optional<Expression> typed_literal();
  Expression interval();
  bool at_interval() const;

  // Made at `start`, ending with the token taken last.
  Expression located(Expression made, int start) const;
  Expression function(std::string_view name, std::vector<Expression> arguments, int start) const;
  template <typename... Arguments>
  Expression make(std::string_view name, int start, Arguments... arguments) const {
    std::vector<Expression> list;
    (list.push_back(std::move(arguments)), ...);
    return function(name, std::move(list), start);
  }
  Relation located(Relation made, int start) const;

  /// Counts one level of nesting while it lives; too many throw before the stack ends.
  class Level {
   public:
    explicit Level(Grammar& grammar);
    ~Level();
    Level(const Level&) = delete;
    Level& operator=(const Level&) = delete;

   private:
    Grammar& grammar_;
    int outer_height_;
  };
  /// What goes on without nesting (a + b + c, a JOIN b JOIN c) makes a tree that is one higher with
  /// every link. Walkers of plans must be able to go down there too.
  class Chain {
   public:
    explicit Chain(Grammar& grammar, int weight = 1);
    ~Chain();
    Chain(const Chain&) = delete;
    Chain& operator=(const Chain&) = delete;
    void link();

   private:
    Grammar& grammar_;
    int outer_height_, weight_;
  };
  static constexpr int kRelationWeight = 4;
  [[noreturn]] void fail_too_deep() const;

  Cursor in_;
  const SqlParameters& parameters_;
  size_t next_parameter_ = 0;
  int depth_ = 0;
  int height_ = 0;  // of the highest tree made in the innermost level or chain
  int64_t next_plan_id_ = 1000000;
  std::vector<Block> blocks_;
  std::vector<std::vector<std::string>> lambda_parameters_;
};

/// Does an aggregate function stand in `expression`, subqueries and windowed calls left out?
bool contains_aggregate(const spark::connect::Expression& expression);

}  // namespace firesteel
