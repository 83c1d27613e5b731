// The dispatch over relation kinds, and those that read or rearrange rows.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "lower/resolver.h"
#include "plan/visit.h"

namespace firesteel {

namespace {

/// How often a message's relations name a table.
int uses_of(const std::string& name, const google::protobuf::Message& message) {
  int uses = 0;
  for_each_message(message, [&](const google::protobuf::Message& part) {
    if (part.GetDescriptor() != proto::Read::NamedTable::descriptor()) return true;
    const auto& table = static_cast<const proto::Read::NamedTable&>(part);
    const auto parts = split_name(table.unparsed_identifier());
    uses += parts.size() == 1 && equal_ignoring_case(name, parts[0]);
    return false;
  });
  return uses;
}

/// The union of a recursive query's first and repeated part, below the names of its columns.
const proto::Relation* recursive_union(const proto::Relation& body) {
  if (body.has_to_df()) return recursive_union(body.to_df().input());
  const bool is_union =
      body.has_set_op() && body.set_op().set_op_type() == proto::SetOperation::SET_OP_TYPE_UNION;
  return is_union ? &body : nullptr;
}

}  // namespace

Query Resolver::relation(const proto::Relation& relation) {
  if (++depth_ > 2100) {
    throw Error("UNSUPPORTED_FEATURE.DEEP_PLAN", "The plan is nested too deeply.");
  }
  struct Leave {
    int& depth;
    ~Leave() { --depth; }
  } leave{depth_};
  Query query;
  if (const auto rows = catalog_->persisted(relation)) {
    query = scan(*rows, {});
    if (relation.common().has_plan_id()) {
      for (auto& attribute : query.output)
        attribute.plan_ids.push_back(relation.common().plan_id());
    }
    return query;
  }
  switch (relation.rel_type_case()) {
    case proto::Relation::REL_TYPE_NOT_SET:  // SELECT without FROM: one row without columns
      return query;
    case proto::Relation::kRead:
      query = relation.read().has_named_table() ? named_table(relation.read(), relation)
                                                : read(relation.read());
      break;
    case proto::Relation::kProject:
      query = project(relation.project());
      break;
    case proto::Relation::kFilter:
      query = filter(relation.filter());
      break;
    case proto::Relation::kJoin:
      query = join(relation.join(), relation);
      break;
    case proto::Relation::kLateralJoin:
      query = lateral_join(relation.lateral_join());
      break;
    case proto::Relation::kSetOp:
      query = set_operation(relation.set_op(), relation);
      break;
    case proto::Relation::kSort:
      query = sort(relation.sort());
      break;
    case proto::Relation::kLimit:
      query = limit(relation.limit());
      break;
    case proto::Relation::kOffset:
      query = offset(relation.offset());
      break;
    case proto::Relation::kAggregate:
      // SQL's SELECT list stands whole in the aggregate; PySpark's agg() leaves the keys out.
      query = relation.aggregate().group_type() == proto::Aggregate::GROUP_TYPE_PIVOT
                  ? pivot(relation.aggregate())
                  : aggregate(relation.aggregate(),
                              relation.common().origin().jvm_origin().object_type() == "SELECT");
      break;
    case proto::Relation::kSql: {
      const auto parsed = catalog_->parse_query(relation.sql());
      try {
        query = this->relation(parsed);
      } catch (const Error& error) {
        throw error.in(relation.sql().query());
      }
      break;
    }
    case proto::Relation::kLocalRelation:
    case proto::Relation::kCachedLocalRelation:
    case proto::Relation::kChunkedCachedLocalRelation:
      query = scan(catalog_->local(relation), {});
      break;
    case proto::Relation::kCachedRemoteRelation:
      query = this->relation(catalog_->remembered(relation.cached_remote_relation().relation_id()));
      break;
    case proto::Relation::kCatalog:
      query = scan(catalog_->asked(relation.catalog()), {});
      break;
    case proto::Relation::kSample:
      query = sample(relation.sample());
      break;
    case proto::Relation::kDeduplicate:
      query = deduplicate(relation.deduplicate());
      break;
    case proto::Relation::kRange:
      query = range(relation.range());
      break;
    case proto::Relation::kSubqueryAlias:
      query = subquery_alias(relation.subquery_alias());
      break;
    case proto::Relation::kRepartition:  // one machine: rows are already where they should be
      query = this->relation(relation.repartition().input());
      break;
    case proto::Relation::kRepartitionByExpression:
      query = this->relation(relation.repartition_by_expression().input());
      break;
    case proto::Relation::kHint:
      query = this->relation(relation.hint().input());
      break;
    case proto::Relation::kToDf:
      query = to_df(relation.to_df());
      break;
    case proto::Relation::kWithColumns:
      query = with_columns(relation.with_columns(),
                           relation.common().origin().jvm_origin().object_type() == "SET");
      break;
    case proto::Relation::kWithColumnsRenamed:
      query = with_columns_renamed(relation.with_columns_renamed());
      break;
    case proto::Relation::kDrop:
      query = drop(relation.drop());
      break;
    case proto::Relation::kFillNa:
      query = na_fill(relation.fill_na());
      break;
    case proto::Relation::kDropNa:
      query = na_drop(relation.drop_na());
      break;
    case proto::Relation::kReplace:
      query = na_replace(relation.replace());
      break;
    case proto::Relation::kDescribe:
      query = summary(relation.describe().input(), {"count", "mean", "stddev", "min", "max"},
                      {relation.describe().cols().begin(), relation.describe().cols().end()});
      break;
    case proto::Relation::kSummary: {
      std::vector<std::string> statistics(relation.summary().statistics().begin(),
                                          relation.summary().statistics().end());
      if (statistics.empty())
        statistics = {"count", "mean", "stddev", "min", "25%", "50%", "75%", "max"};
      query = summary(relation.summary().input(), std::move(statistics), {});
      break;
    }
    case proto::Relation::kCrosstab:
      query = crosstab(relation.crosstab());
      break;
    case proto::Relation::kCov:
      query = pair_statistic(relation.cov().input(), "covar_samp", "cov", relation.cov().col1(),
                             relation.cov().col2());
      break;
    case proto::Relation::kCorr:
      query = pair_statistic(relation.corr().input(), "corr", "corr", relation.corr().col1(),
                             relation.corr().col2());
      break;
    case proto::Relation::kApproxQuantile:
      query = approx_quantile(relation.approx_quantile());
      break;
    case proto::Relation::kFreqItems:
      query = freq_items(relation.freq_items());
      break;
    case proto::Relation::kSampleBy:
      query = sample_by(relation.sample_by());
      break;
    case proto::Relation::kTail:
      query = tail(relation.tail());
      break;
    case proto::Relation::kToSchema:
      query = to_schema(relation.to_schema());
      break;
    case proto::Relation::kTranspose:
      query = transpose(relation.transpose());
      break;
    case proto::Relation::kWithWatermark:  // of streams alone
      query = with_watermark(relation.with_watermark());
      break;
    case proto::Relation::kAsOfJoin:
      query = as_of_join(relation.as_of_join());
      break;
    case proto::Relation::kNearestByJoin:
      query = nearest_by_join(relation.nearest_by_join());
      break;
    case proto::Relation::kZip:
      query = zip(relation.zip());
      break;
    case proto::Relation::kParse:
      query = parse(relation.parse());
      break;
    case proto::Relation::kCollectMetrics:
      query = collect_metrics(relation.collect_metrics(), relation);
      break;
    case proto::Relation::kUnpivot:
      query = unpivot(relation.unpivot());
      break;
    case proto::Relation::kWithRelations:
      query = with_relations(relation.with_relations());
      break;
    case proto::Relation::kMapPartitions:
      query = map_partitions(relation.map_partitions());
      break;
    case proto::Relation::kGroupMap:
      query = group_map(relation.group_map());
      break;
    case proto::Relation::kCoGroupMap:
      query = co_group_map(relation.co_group_map());
      break;
    case proto::Relation::kCommonInlineUserDefinedTableFunction: {
      const auto& function = relation.common_inline_user_defined_table_function();
      query = python_table(function, list_of(function.arguments()), span_of(relation));
      break;
    }
    case proto::Relation::kUnresolvedTableValuedFunction:
      query = table_function(relation.unresolved_table_valued_function(), span_of(relation));
      break;
    default: {
      const auto* field = relation.GetDescriptor()->FindFieldByNumber(relation.rel_type_case());
      throw Error("UNSUPPORTED_FEATURE.RELATION",
                  fmt::format("The relation `{}` is not supported by the embedded engine.",
                              field ? field->name() : "(none)"));
    }
  }
  if (relation.common().has_plan_id()) {
    for (auto& attribute : query.output) attribute.plan_ids.push_back(relation.common().plan_id());
  }
  return query;
}

Attribute Resolver::fresh(std::string name, DataType type, bool nullable) {
  const auto sql = sql_name(fmt::format("{}#{}", name, ++next_id_));
  return {.name = std::move(name), .type = std::move(type), .nullable = nullable, .sql = sql};
}

Attribute Resolver::made(const Resolved& expression, std::string name) {
  Attribute attribute = fresh(std::move(name), expression.type, expression.nullable);
  attribute.computed = expression.sql;
  attribute.exact = expression.exact;
  attribute.metadata = expression.metadata;
  return attribute;
}

const Attribute& Resolver::column_named(const std::vector<Attribute>& columns,
                                        const std::string& name, Span span) const {
  const Attribute* found = nullptr;
  for (const auto& column : columns) {
    if (!same_name(column.name, name)) continue;
    if (found) {
      throw Error("AMBIGUOUS_REFERENCE",
                  fmt::format("Reference `{0}` is ambiguous, could be: [`{0}`, `{0}`].", name))
          .at(span);
    }
    found = &column;
  }
  if (!found) unresolved_column({name}, {&columns}, span);
  return *found;
}

/// What Spark says of the file that a row is of, in the hidden column `_metadata`.
static Resolved file_metadata(const Scan& scan) {
  const auto text = make_type(TypeKind::kString), number = make_type(TypeKind::kLong);
  Schema fields = {{"file_path", text, false},
                   {"file_name", text, false},
                   {"file_size", number, false},
                   {"file_block_start", number, false},
                   {"file_block_length", number, false},
                   {"file_modification_time", make_type(TypeKind::kTimestamp), false}};
  auto sql = fmt::format(
      "{{'file_path': 'file:' || substring(spark_file_uri({0}), 8), 'file_name': "
      "spark_file_name({0}), 'file_size': "
      "spark_file_size({0}), 'file_block_start': CAST(0 AS BIGINT), 'file_block_length': "
      "spark_file_size({0}), 'file_modification_time': spark_file_time({0})",
      scan.file);
  if (!scan.row_index.empty()) {
    fields.push_back({"row_index", number, false});
    sql += fmt::format(", 'row_index': {}", scan.row_index);
  }
  return {.sql = sql + "}", .type = struct_type(std::move(fields)), .nullable = false};
}

Query Resolver::scan(const Scan& scan, std::vector<std::string> qualifiers) {
  Query query;
  std::string list;
  for (const auto& column : scan.columns) {
    Attribute attribute = fresh(column.field.name, column.field.type, column.field.nullable);
    attribute.qualifiers = qualifiers;
    attribute.metadata = column.field.metadata;
    list += fmt::format("{}{} AS {}", list.empty() ? "" : ", ", column.sql, attribute.sql);
    query.output.push_back(std::move(attribute));
  }
  if (!scan.file.empty()) {
    auto metadata = file_metadata(scan);
    metadata.name = "_metadata";
    for (const auto& column : {metadata, Resolved{.sql = scan.file,
                                         .type = make_type(TypeKind::kString),
                                         .nullable = false,
                                         .name = kInputFile}}) {
      Attribute attribute = fresh(column.name, column.type, false);
      attribute.qualifiers = qualifiers;
      attribute.of_file = true;
      list += fmt::format("{}{} AS {}", list.empty() ? "" : ", ", column.sql, attribute.sql);
      query.hidden.push_back(std::move(attribute));
    }
  }
  query.select.from = fmt::format("(SELECT {} FROM {})", list.empty() ? "NULL" : list, scan.from);
  return query;
}

/// A stream's plan has no rows but those of its batches.
[[noreturn]] static void stream_not_started() {
  throw Error("_LEGACY_ERROR_TEMP_3102",
              "Queries with streaming sources must be executed with writeStream.start(), or from a "
              "streaming table or flow definition within a Spark Declarative Pipeline.");
}

Query Resolver::read(const proto::Read& read) {
  if (read.is_streaming()) {
    if (settings_.runs) stream_not_started();
    return scan(catalog_->stream(read), {});
  }
  return scan(catalog_->source(read.data_source(), settings_.runs), {});
}

Query Resolver::named_table(const proto::Read& read, const proto::Relation& relation) {
  const auto parts = split_name(read.named_table().unparsed_identifier());
  if (read.is_streaming() && settings_.runs) stream_not_started();
  if (parts.size() == 1) {
    for (size_t i = std::min(visible_plans_, named_plans_.size()); i-- > 0;) {
      if (!same_name(named_plans_[i].name, parts[0])) continue;
      if (named_plans_[i].so_far) return scan(*named_plans_[i].so_far, {parts[0]});
      if (named_plans_[i].recursive) return recursive(i);
      if (named_plans_[i].shared) return shared(i);
      const size_t visible = visible_plans_;
      visible_plans_ = named_plans_[i].visible;
      auto query = this->relation(*named_plans_[i].plan);
      visible_plans_ = visible;
      return query;
    }
  }
  if (const auto found = catalog_->relation(parts, names_)) {
    if (found->scan) return scan(*found->scan, found->qualifiers);
    return view(*found);
  }
  // parquet.`path`: a file as a table.
  static const std::vector<std::string> formats = {"parquet", "csv",  "json",       "text",
                                                   "orc",     "avro", "binaryfile", "image"};
  if (parts.size() == 2 && std::any_of(formats.begin(), formats.end(), [&](const auto& format) {
        return equal_ignoring_case(parts[0], format);
      })) {
    proto::Read::DataSource source;
    source.set_format(parts[0]);
    source.add_paths(parts[1]);
    return scan(catalog_->source(source, settings_.runs), {parts[0], parts[1]});
  }
  throw table_not_found(parts, names_.database,
                        nearest_name(parts.back(), catalog_->relation_names(names_)))
      .at(span_of(relation));
}

std::string Resolver::common_tables() const {
  return common_tables_.empty() ? "" : fmt::format("WITH {} ", fmt::join(common_tables_, ", "));
}

Query Resolver::shared(size_t named_plan) {
  if (!named_plans_[named_plan].rows) {
    const auto plan = named_plans_[named_plan];
    const size_t visible = std::exchange(visible_plans_, plan.visible);
    auto outer = std::exchange(outer_, {});
    const auto query = relation(*plan.plan);
    outer_ = std::move(outer);
    visible_plans_ = visible;
    Scan scan{.from = sql_name(fmt::format("{}#{}", plan.name, ++next_id_)), .columns = {}};
    std::string list;
    for (const auto& column : query.output) {
      const Resolved value{.sql = column.sql, .type = column.type, .exact = column.exact};
      const auto name = sql_name(fmt::format("c#{}", ++next_id_));
      list += fmt::format("{}{} AS {}", list.empty() ? "" : ", ",
                          coerce(value, column.type, settings_.time_zone).sql, name);
      scan.columns.push_back({{column.name, column.type, column.nullable}, name});
    }
    common_tables_.push_back(fmt::format("{} AS (SELECT {} FROM ({}))", scan.from,
                                         list.empty() ? "NULL" : list, query.print(query.output)));
    named_plans_[named_plan].rows = std::make_shared<const Scan>(std::move(scan));
  }
  const auto rows = named_plans_[named_plan].rows;
  return scan(*rows, {named_plans_[named_plan].name});
}

/// A recursive query by DuckDB's own: first the rows of the union's left side, then again and again
/// those of its right side, in which the name stands for the rows of the step before.
Query Resolver::recursive(size_t named_plan) {
  const auto plan = named_plans_[named_plan];
  const auto& body = plan.plan->subquery_alias().input();
  const auto& both = recursive_union(body)->set_op();
  const size_t visible = std::exchange(visible_plans_, plan.visible);
  auto first = relation(both.left_input());
  const auto table = sql_name(fmt::format("{}#{}", plan.name, ++next_id_));
  Scan so_far{.from = table, .columns = {}};
  Query query;
  std::string names, first_list, next_list, list;
  for (size_t i = 0; i < first.output.size(); ++i) {
    const auto& column = first.output[i];
    auto own = fresh(body.has_to_df() && static_cast<int>(i) < body.to_df().column_names_size()
                         ? body.to_df().column_names(static_cast<int>(i))
                         : column.name,
                     column.type, true);
    so_far.columns.push_back({{own.name, own.type, true}, own.sql});
    const Resolved value{.sql = column.sql, .type = column.type, .exact = column.exact};
    names += (i ? ", " : "") + own.sql;
    first_list +=
        fmt::format("{}{}", i ? ", " : "", coerce(value, own.type, settings_.time_zone).sql);
    query.output.push_back(std::move(own));
  }
  named_plans_[named_plan].so_far = &so_far;
  visible_plans_ = named_plan + 1;
  auto next = relation(both.right_input());
  named_plans_[named_plan].so_far = nullptr;
  visible_plans_ = visible;
  if (next.output.size() != first.output.size()) {
    throw Error(
        "NUM_COLUMNS_MISMATCH",
        fmt::format(
            "UNION can only be performed on inputs with the same number of columns, but the "
            "first input has {} columns and the second input has {} columns.",
            first.output.size(), next.output.size()))
        .at(span_of(*plan.plan));
  }
  for (size_t i = 0; i < next.output.size(); ++i) {
    const auto& column = next.output[i];
    const Resolved value{
        .sql = column.sql, .type = column.type, .exact = column.exact, .name = column.name};
    next_list += fmt::format("{}{}", i ? ", " : "",
                             coerce(value, query.output[i].type, settings_.time_zone).sql);
  }
  const auto failure = raise_sql(
      "RECURSION_ROW_LIMIT_EXCEEDED",
      fmt::format("Recursion row limit 1000000 reached but the query `{}` has not stopped. Add a "
                  "condition that ends it.",
                  plan.name),
      span_of(*plan.plan));
  query.select.from = fmt::format(
      "(SELECT * FROM (WITH RECURSIVE {}({}) AS (SELECT {} FROM ({}) UNION {} SELECT {} FROM ({})) "
      "SELECT * FROM {}) QUALIFY CASE WHEN row_number() OVER () > 1000000 THEN {} IS NULL ELSE "
      "true "
      "END)",
      table, names, first_list, first.print(first.output), both.is_all() ? "ALL" : "", next_list,
      next.print(next.output), table, failure);
  for (auto& column : query.output) column.qualifiers = {plan.name};
  return query;
}

Query Resolver::view(const NamedRelation& view) {
  const auto name = quoted(view.qualifiers);
  if (std::find(view_stack_.begin(), view_stack_.end(), name) != view_stack_.end())
    throw Error("RECURSIVE_VIEW", fmt::format("Recursive view {} detected.", name));
  view_stack_.push_back(name);
  // A view sees neither the CTEs nor the outer columns of its use.
  const size_t visible = std::exchange(visible_plans_, 0);
  auto outer = std::exchange(outer_, {});
  auto names = std::exchange(names_, view.scope);
  auto* environment = std::exchange(catalog_, view.environment ? view.environment.get() : catalog_);
  auto query = relation(*view.view);
  catalog_ = environment;
  names_ = std::move(names);
  outer_ = std::move(outer);
  visible_plans_ = visible;
  view_stack_.pop_back();
  for (auto& attribute : query.output) attribute.qualifiers = view.qualifiers;
  std::erase_if(query.hidden, [](const Attribute& column) { return column.name != kInputFile; });
  query.below.clear();
  return query;
}

Query Resolver::limit(const proto::Limit& limit) {
  auto query = relation(limit.input());
  if (query.select.limited()) query.wrap();
  query.select.limit = std::to_string(limit.limit());
  query.aggregation.reset();
  return query;
}

Query Resolver::offset(const proto::Offset& offset) {
  auto query = relation(offset.input());
  if (query.select.limited()) query.wrap();
  query.select.offset = std::to_string(offset.offset());
  query.aggregation.reset();
  return query;
}

Query Resolver::range(const proto::Range& range) {
  Query query;
  query.output = {fresh("id", make_type(TypeKind::kLong), false)};
  std::string partition;
  if (range.has_num_partitions() && range.num_partitions() > 1 && range.step() != 0) {
    // Row k of n is in the partition whose share of the rows it is in.
    const auto rows =
        fmt::format("greatest((CAST({1} AS HUGEINT) - {0} + {2} - sign({2})) // {2}, 1)",
                    range.start(), range.end(), range.step());
    const auto row =
        fmt::format("((CAST(range AS HUGEINT) - {}) // {})", range.start(), range.step());
    const auto number =
        fmt::format("((({} + 1) * {} - 1) // {})", row, range.num_partitions(), rows);
    const auto place =
        fmt::format("({} - {} * {} // {})", row, number, rows, range.num_partitions());
    for (const auto& [name, type, sql] : {std::tuple(kPartition, TypeKind::kInteger, number),
                                          {kPartitionRow, TypeKind::kLong, place}}) {
      auto attribute = fresh(name, make_type(type), false);
      attribute.of_file = true;
      partition +=
          fmt::format(", CAST({} AS {}) AS {}", sql, duckdb_type(attribute.type), attribute.sql);
      query.hidden.push_back(std::move(attribute));
    }
  }
  query.select.from =
      fmt::format("(SELECT range AS {}{} FROM range({}, {}, {}))", query.output[0].sql, partition,
                  range.start(), range.end(), range.step());
  return query;
}

Query Resolver::subquery_alias(const proto::SubqueryAlias& alias) {
  auto query = relation(alias.input());
  for (auto& attribute : query.output) {
    attribute.qualifiers.assign(alias.qualifier().begin(), alias.qualifier().end());
    attribute.qualifiers.push_back(alias.alias());
  }
  std::erase_if(query.hidden, [](const Attribute& column) { return !column.of_file; });
  for (auto& attribute : query.hidden) attribute.qualifiers = {alias.alias()};
  query.below.clear();
  query.aggregation.reset();
  return query;
}

Query Resolver::to_df(const proto::ToDF& to_df) {
  auto query = relation(to_df.input());
  if (static_cast<size_t>(to_df.column_names_size()) != query.output.size()) {
    throw Error(
        "ASSIGNMENT_ARITY_MISMATCH",
        fmt::format("The number of columns or variables assigned or aliased: {} does not match the "
                    "number of source expressions: {}.",
                    to_df.column_names_size(), query.output.size()));
  }
  for (size_t i = 0; i < query.output.size(); ++i)
    query.output[i].name = to_df.column_names(static_cast<int>(i));
  return query;
}

Query Resolver::with_columns_renamed(const proto::WithColumnsRenamed& renamed) {
  auto query = relation(renamed.input());
  auto rename = [&](const std::string& from, const std::string& to) {
    for (auto& attribute : query.output) {
      if (same_name(attribute.name, from)) attribute.name = to;
    }
  };
  for (const auto& pair : renamed.renames()) rename(pair.col_name(), pair.new_col_name());
  return query;
}

Query Resolver::drop(const proto::Drop& drop) {
  auto query = relation(drop.input());
  for (const auto& column : drop.columns()) {  // a name that is a column's must be of one
    const auto& wanted = column.unresolved_attribute();
    const auto parts = split_name(wanted.unparsed_identifier());
    if (wanted.has_plan_id() || parts.size() > 1) continue;
    const auto count = std::ranges::count_if(query.output, [&](const Attribute& attribute) {
      return same_name(attribute.name, parts.back());
    });
    if (count > 1) column_named(query.output, parts.back(), span_of(column));
  }
  std::erase_if(query.output, [&](const Attribute& attribute) {
    for (const auto& name : drop.column_names()) {
      if (same_name(attribute.name, name)) return true;
    }
    for (const auto& column : drop.columns()) {
      const auto parts = split_name(column.unresolved_attribute().unparsed_identifier());
      if (!same_name(attribute.name, parts.back())) continue;
      const auto& wanted = column.unresolved_attribute();
      if (!wanted.has_plan_id() ||
          std::count(attribute.plan_ids.begin(), attribute.plan_ids.end(), wanted.plan_id())) {
        return true;
      }
    }
    return false;
  });
  return query;
}

Query Resolver::with_relations(const proto::WithRelations& with) {
  std::map<int64_t, const proto::Relation*> by_id;
  const size_t named_before = named_plans_.size();
  const size_t visible_before = visible_plans_;
  for (const auto& reference : with.references()) {
    // Clients number every relation: those that a statement names are told by what stands above.
    const bool named = with.root().has_sql() || !reference.common().has_plan_id();
    if (reference.has_subquery_alias() && named) {
      const size_t visible = std::min(visible_plans_, named_plans_.size());
      // Names stand behind those that are visible here, so that inner ones shadow.
      named_plans_.resize(std::max(visible, named_before));
      named_plans_.push_back({reference.subquery_alias().alias(), &reference, named_plans_.size()});
      // What is named several times is worked out once, unless it may name columns around it.
      named_plans_.back().shared =
          outer_.empty() && uses_of(reference.subquery_alias().alias(), with) > 1;
      named_plans_.back().recursive =
          reference.common().origin().jvm_origin().object_type() == "RECURSIVE" &&
          recursive_union(reference.subquery_alias().input());
      visible_plans_ = named_plans_.size();
    } else {
      by_id[reference.common().plan_id()] = &reference;
    }
  }
  subqueries_.push_back(std::move(by_id));
  auto query = relation(with.root());
  subqueries_.pop_back();
  named_plans_.resize(named_before);
  visible_plans_ = visible_before;
  return query;
}

Attribute Resolver::number_rows(Query& query) {
  auto number = fresh("row", make_type(TypeKind::kLong), false);
  query.wrap();
  number.computed = "row_number() OVER ()";
  query.output.push_back(number);
  query.select.has_window = true;
  query.wrap();
  query.output.pop_back();
  return number;
}

Query Resolver::sample(const proto::Sample& sample) {
  auto query = relation(sample.input());
  // Each row's number in Spark's random sequence is its place in [0, 1): the parts of randomSplit
  // are disjoint and complete because they ask for disjoint ranges of one numbering.
  const auto number = number_rows(query);
  const auto place =
      fmt::format("spark_rand(CAST({} AS BIGINT), {} - 1)", sample.seed(), number.sql);
  if (sample.with_replacement()) {
    // How often a row is taken is a Poisson variable, the inverse of whose distribution at the
    // row's place is the number of the cumulative shares below it.
    const double mean = sample.upper_bound() - sample.lower_bound();
    if (mean < 0) {
      throw Error(
          "INVALID_PARAMETER_VALUE",
          fmt::format("The fraction of a sample must not be negative, but it is {}.", mean));
    }
    std::string shares;
    double share = std::exp(-mean), sum = share;
    for (int times = 1; times < 10 * mean + 50 && sum < 1; ++times) {
      shares += fmt::format("{}{:.17g}", shares.empty() ? "" : ", ", sum);
      share *= mean / times;
      sum += share;
    }
    const auto copy = fresh("copy", make_type(TypeKind::kLong), false),
               at = fresh("place", make_type(TypeKind::kDouble), false);
    query.select.from = fmt::format(
        "(SELECT *, unnest(range(len(list_filter([{}]::DOUBLE[], lambda share: share <= {})))) AS "
        "{} FROM (SELECT *, {} AS {} FROM {}))",
        shares, at.sql, copy.sql, place, at.sql, query.select.from);
    return query;
  }
  query.select.where.push_back(
      fmt::format("{0} >= {1} AND {0} < {2}", place, sample.lower_bound(), sample.upper_bound()));
  return query;
}

/// What it says matters to streams alone, but the column must be one of time.
Query Resolver::with_watermark(const proto::WithWatermark& watermark) {
  auto query = relation(watermark.input());
  Scope scope{.levels = {&query.output}};
  const auto time = expression(attribute_expression(watermark.event_time()), scope);
  const auto& type = time.type.kind == TypeKind::kStruct && time.type.fields->size() == 2
                         ? time.type.fields->at(1).type
                         : time.type;
  if (type.kind != TypeKind::kTimestamp && type.kind != TypeKind::kTimestampNtz) {
    throw Error("EVENT_TIME_IS_NOT_ON_TIMESTAMP_TYPE",
                fmt::format("The event time `{}` has the invalid type \"{}\", but expected "
                            "\"TIMESTAMP\".",
                            time.name, time.type.sql()));
  }
  return query;
}

Query Resolver::parse(const proto::Parse& parse) {
  const auto rows = relation(parse.input());
  if (rows.output.size() != 1) {
    throw Error("DATAFRAME_INPUT_NOT_SINGLE_COLUMN",
                fmt::format("Input DataFrame must have exactly one column, but got {}.",
                            rows.output.size()));
  }
  if (rows.output[0].type.kind != TypeKind::kString) {
    throw Error("DATAFRAME_INPUT_NOT_STRING_TYPE",
                fmt::format("Input DataFrame column must be StringType, but got {}.",
                            rows.output[0].type.sql()));
  }
  return scan(catalog_->parsed(parse, fmt::format("SELECT {} AS record FROM ({})",
                                                  rows.output[0].sql, rows.print(rows.output))),
              {});
}

/// The rows pass. Before a plan runs they become a table, over which the metrics are worked out.
Query Resolver::collect_metrics(const proto::CollectMetrics& metrics,
                                const proto::Relation& relation) {
  auto query = this->relation(metrics.input());
  query.wrap();
  static const std::vector<Resolved> kNoKeys;
  Scope scope{.levels = {&query.output}, .aggregates = true, .keys = &kNoKeys};
  Observation observation{.name = metrics.name(), .plan_id = relation.common().plan_id()};
  std::string values;
  for (const auto& metric : metrics.metrics()) {
    scope.ungrouped.clear();
    const auto value = expression(metric, scope);
    if (!scope.ungrouped.empty()) {
      throw Error("INVALID_OBSERVED_METRICS.NON_AGGREGATE_FUNC_ARG_IS_ATTRIBUTE",
                  fmt::format("Invalid observed metrics. Attribute {} can only be used as an "
                              "argument to an aggregate function.",
                              scope.ungrouped[0].name))
          .at(value.span);
    }
    const auto name = column_name(metric, value);
    values += fmt::format("{}{} AS {}", values.empty() ? "" : ", ",
                          coerce(value, value.type, settings_.time_zone).sql, sql_name(name));
    observation.schema.push_back({name, value.type, value.nullable});
  }
  if (!settings_.runs) return query;
  std::string list;
  for (const auto* columns : {&query.output, &query.hidden}) {
    for (const auto& column : *columns)
      list += fmt::format("{}{}", list.empty() ? "" : ", ", column.sql);
  }
  const auto table = catalog_->observed(
      observation,
      common_tables() +
          fmt::format("SELECT {} FROM {}", list.empty() ? "1" : list, query.select.from),
      values);
  observed_tables_.push_back(table);
  query.select.from = table;
  return query;
}

Query Resolver::deduplicate(const proto::Deduplicate& deduplicate) {
  auto query = relation(deduplicate.input());
  query.hidden.clear();
  if (deduplicate.all_columns_as_keys() || deduplicate.column_names_size() == 0) {
    if (query.select.limited() || !query.select.order_by.empty() || query.select.distinct)
      query.wrap();
    query.select.distinct = true;
    query.below.clear();
    query.aggregation.reset();
    return query;
  }
  query.wrap();
  std::string keys;
  for (const auto& name : deduplicate.column_names()) {
    keys += (keys.empty() ? "" : ", ") + column_named(query.output, name).sql;
  }
  // The first row of each group, in the input's order.
  auto number = fresh("row", make_type(TypeKind::kLong), false);
  number.computed = fmt::format("row_number() OVER (PARTITION BY {})", keys);
  query.output.push_back(number);
  query.select.has_window = true;
  query.wrap();
  query.output.pop_back();
  query.select.where.push_back(number.sql + " = 1");
  return query;
}

namespace {

[[noreturn]] void not_among(const std::string& name, const std::vector<Attribute>& columns,
                            Span span) {
  std::string names;
  for (const auto& column : columns) names += (names.empty() ? "" : ", ") + column.name;
  throw Error("UNRESOLVED_COLUMN_AMONG_FIELD_NAMES",
              fmt::format("Cannot resolve column name \"{}\" among ({}).", name, names))
      .at(span);
}

}  // namespace

/// Two lists of constant rows as one VALUES list, whose rows keep their order.
std::optional<Query> Resolver::joined_rows(const Query& left, const Query& right) {
  if (!left.is_rows() || !right.is_rows() || left.output.size() != right.output.size() ||
      left.output.empty()) {
    return std::nullopt;
  }
  Query query;
  auto rows = std::make_shared<Query::Rows>();
  rows->cells = left.rows->cells;
  rows->cells.insert(rows->cells.end(), right.rows->cells.begin(), right.rows->cells.end());
  std::string columns, list;
  for (size_t i = 0; i < left.output.size(); ++i) {
    const auto common = common_type(left.output[i].type, right.output[i].type);
    if (!common) return std::nullopt;
    auto column =
        fresh(left.output[i].name, *common, left.output[i].nullable || right.output[i].nullable);
    for (auto& row : rows->cells) {
      if (row[i].type != *common || !row[i].exact)
        row[i] = coerce(row[i], *common, settings_.time_zone);
    }
    columns += (i ? ", " : "") + column.sql;
    rows->columns.push_back(column.sql);
    query.output.push_back(std::move(column));
  }
  for (const auto& row : rows->cells) {
    list += list.empty() ? "(" : ", (";
    for (size_t i = 0; i < row.size(); ++i) list += (i ? ", " : "") + row[i].sql;
    list += ")";
  }
  query.select.from = fmt::format("(VALUES {}) AS {}({})", list,
                                  sql_name(fmt::format("values#{}", ++next_id_)), columns);
  query.rows = std::move(rows);
  return query;
}

Query Resolver::set_operation(const proto::SetOperation& operation,
                              const proto::Relation& relation) {
  auto left = this->relation(operation.left_input());
  auto right = this->relation(operation.right_input());
  const bool inline_table = relation.common().origin().jvm_origin().object_type() == "VALUES";
  for (size_t i = 0; inline_table && i < std::min(left.output.size(), right.output.size()); ++i) {
    const auto &a = left.output[i].type, &b = right.output[i].type;
    const bool text_beside = (a.kind == TypeKind::kString) != (b.kind == TypeKind::kString) &&
                             a.kind != TypeKind::kNull && b.kind != TypeKind::kNull;
    if (text_beside || !common_type(a, b)) {
      throw Error(
          "INVALID_INLINE_TABLE.INCOMPATIBLE_TYPES_IN_INLINE_TABLE",
          fmt::format(
              "Found incompatible types in the column `{}` for inline table: \"{}\" and \"{}\".",
              left.output[i].name, a.sql(), b.sql()))
          .at(span_of(relation));
    }
  }
  const bool plain_union =
      operation.set_op_type() == proto::SetOperation::SET_OP_TYPE_UNION && operation.is_all();
  if (plain_union && !operation.by_name()) {
    if (auto rows = joined_rows(left, right)) return std::move(*rows);
  }
  if (operation.by_name()) {
    std::vector<Attribute> ordered;
    auto rest = right.output;
    for (auto& attribute : left.output) {
      const auto found = std::find_if(rest.begin(), rest.end(), [&](const Attribute& other) {
        return same_name(other.name, attribute.name);
      });
      if (found != rest.end()) {
        ordered.push_back(*found);
        rest.erase(found);
      } else if (operation.allow_missing_columns()) {
        auto absent = fresh(attribute.name, attribute.type, true);
        absent.computed = fmt::format("CAST(NULL AS {})", duckdb_type(attribute.type));
        ordered.push_back(absent);
      } else {
        not_among(attribute.name, right.output, span_of(relation));
      }
    }
    if (!rest.empty() && !operation.allow_missing_columns())
      not_among(rest[0].name, left.output, span_of(relation));
    for (auto& attribute : rest) {
      auto absent = fresh(attribute.name, attribute.type, true);
      absent.computed = fmt::format("CAST(NULL AS {})", duckdb_type(attribute.type));
      left.output.push_back(absent);
      ordered.push_back(attribute);
    }
    right.output = std::move(ordered);
  }
  static constexpr const char* kWords[] = {"", "INTERSECT", "UNION", "EXCEPT"};
  const char* word = kWords[operation.set_op_type()];
  if (left.output.size() != right.output.size()) {
    throw Error(
        "NUM_COLUMNS_MISMATCH",
        fmt::format(
            "{} can only be performed on inputs with the same number of columns, but the first "
            "input has {} columns and the second input has {} columns.",
            word, left.output.size(), right.output.size()))
        .at(span_of(relation));
  }
  Query query;
  std::string lists[2];
  for (size_t i = 0; i < left.output.size(); ++i) {
    const Attribute* sides[2] = {&left.output[i], &right.output[i]};
    const auto common = common_type(sides[0]->type, sides[1]->type);
    if (!common) {
      throw Error(
          "INCOMPATIBLE_COLUMN_TYPE",
          fmt::format(
              "{} can only be performed on tables with compatible column types. The {} column of "
              "the second table is \"{}\" type which is not compatible with \"{}\" at the same "
              "column of the first table.",
              word, i + 1, sides[1]->type.sql(), sides[0]->type.sql()))
          .at(span_of(relation));
    }
    auto attribute = fresh(sides[0]->name, *common, sides[0]->nullable || sides[1]->nullable);
    for (int side : {0, 1}) {
      Resolved value{
          .sql = sides[side]->sql, .type = sides[side]->type, .exact = sides[side]->exact};
      lists[side] += fmt::format("{}{} AS {}", i ? ", " : "",
                                 coerce(value, *common, settings_.time_zone).sql, attribute.sql);
    }
    query.output.push_back(std::move(attribute));
  }
  query.select.from = fmt::format("(SELECT {} FROM ({}) {}{} SELECT {} FROM ({}))", lists[0],
                                  left.print(left.output), word, operation.is_all() ? " ALL" : "",
                                  lists[1], right.print(right.output));
  return query;
}

Query Resolver::unpivot(const proto::Unpivot& unpivot) {
  auto query = relation(unpivot.input());
  query.wrap();
  Scope scope{.levels = {&query.output}};
  std::vector<Resolved> ids, values;
  const bool other_columns = unpivot.ids_size() == 1 && unpivot.ids(0).has_unresolved_star();
  for (const auto& id : unpivot.ids()) {
    if (!other_columns) ids.push_back(expression(id, scope));
  }
  if (unpivot.has_values()) {
    for (const auto& value : unpivot.values().values()) values.push_back(expression(value, scope));
  } else {
    for (const auto& column : query.output) {
      const bool is_id = std::any_of(ids.begin(), ids.end(),
                                     [&](const Resolved& id) { return id.sql == column.sql; });
      if (!is_id)
        values.push_back({.sql = column.sql,
                          .type = column.type,
                          .nullable = column.nullable,
                          .exact = column.exact,
                          .name = column.name});
    }
  }
  if (other_columns) {  // SQL's UNPIVOT keeps every column that is no value
    for (const auto& column : query.output) {
      const bool is_value = std::any_of(values.begin(), values.end(), [&](const Resolved& value) {
        return value.sql == column.sql;
      });
      if (!is_value)
        ids.push_back({.sql = column.sql,
                       .type = column.type,
                       .nullable = column.nullable,
                       .exact = column.exact,
                       .name = column.name});
    }
  }
  if (values.empty()) {
    throw Error("UNPIVOT_REQUIRES_VALUE_COLUMNS",
                "At least one value column needs to be specified for UNPIVOT.");
  }
  DataType common = values[0].type;
  for (const auto& value : values) {
    const auto wider = common_type(common, value.type);
    if (!wider) {
      throw Error("UNPIVOT_VALUE_DATA_TYPE_MISMATCH",
                  fmt::format("Unpivot value columns must share a least common type, some types do "
                              "not: [\"{}\" (`{}`)].",
                              value.type.sql(), value.name));
    }
    common = *wider;
  }
  Query result;
  for (const auto& id : ids) {
    auto attribute = fresh(id.name, id.type, id.nullable);
    attribute.exact = id.exact;
    result.output.push_back(attribute);
  }
  result.output.push_back(
      fresh(unpivot.variable_column_name(), make_type(TypeKind::kString), false));
  result.output.push_back(fresh(unpivot.value_column_name(), common, true));
  // One row per value: two lists of the same length, unnested side by side.
  std::string names, items, list;
  for (auto& value : values) {
    names += (names.empty() ? "" : ", ") + sql_string(value.name);
    items += (items.empty() ? "" : ", ") + coerce(value, common, settings_.time_zone).sql;
  }
  for (size_t i = 0; i < ids.size(); ++i)
    list += fmt::format("{} AS {}, ", ids[i].sql, result.output[i].sql);
  result.select.from = fmt::format("(SELECT {}unnest([{}]) AS {}, unnest([{}]) AS {} FROM {})",
                                   list, names, result.output[ids.size()].sql, items,
                                   result.output[ids.size() + 1].sql, query.select.from);
  return result;
}

LoweredPlan lower(const proto::Relation& plan, Environment& environment,
                  const LowerSettings& settings) {
  Resolver resolver(environment, settings);
  auto query = resolver.relation(plan);
  auto& order = query.select.order_by;
  if (settings.shows && order.empty() && !query.select.limited() &&
      !query.select.window_order.empty())
    order = {query.select.window_order};
  LoweredPlan result;
  result.tables = resolver.observed_tables();
  std::string list;
  bool casts = false;
  std::map<std::string, int> names;
  for (const auto& attribute : query.output) {
    Resolved value{.sql = attribute.sql, .type = attribute.type, .exact = attribute.exact};
    casts = casts || !attribute.exact;
    list += fmt::format("{}{} AS {}", list.empty() ? "" : ", ",
                        coerce(value, attribute.type, settings.time_zone).sql,
                        sql_name(attribute.name));
    result.schema.push_back(
        {attribute.name, attribute.type, attribute.nullable, attribute.metadata});
  }
  result.sql =
      resolver.common_tables() +
      fmt::format("SELECT {} FROM ({})", list.empty() ? "NULL" : list, query.print(query.output));
  return result;
}

}  // namespace firesteel
