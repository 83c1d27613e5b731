// DataFrame's statistics and its other relations that SQL has no form for: each is said as a plan
// of simpler relations, some of them after a look at the rows.
#include <fmt/format.h>

#include <algorithm>

#include "lower/resolver.h"
#include "plan/build.h"

namespace firesteel {

namespace {

using enum TypeKind;
using build::call;

constexpr size_t kTransposeRowsMax = 500;  // Spark's spark.sql.transposeMaxValues

/// Spark's least common string form of a percentile: "25%" → 0.25.
std::optional<double> percentile_of(const std::string& statistic) {
  if (!statistic.ends_with('%')) return std::nullopt;
  char* end = nullptr;
  const double value = std::strtod(statistic.c_str(), &end);
  if (end != statistic.c_str() + statistic.size() - 1 || value < 0 || value > 100) {
    throw Error("INVALID_PARAMETER_VALUE",
                fmt::format("Unable to parse {} as a percentile between 0% and 100%.", statistic));
  }
  return value / 100;
}

/// Spark's up-cast: every value of one type is one of the other.
bool loses_nothing(const DataType& from, const DataType& to) {
  if (from == to || from.kind == kNull) return true;
  if (to.kind == kString) return !from.is_nested() && from.kind != kBinary;
  if (from.is_numeric() && to.is_numeric()) {
    if (from.kind != kDecimal && to.kind != kDecimal) return from.kind <= to.kind;
    if (to.kind != kDecimal) return false;
    const auto needed = from.kind == kDecimal ? from : decimal_for(from);
    return from.is_integral() || from.kind == kDecimal
               ? needed.scale <= to.scale &&
                     needed.precision - needed.scale <= to.precision - to.scale
               : false;
  }
  if (from.kind == kDate) return to.kind == kTimestamp || to.kind == kTimestampNtz;
  if (from.kind == kArray && to.kind == kArray) return loses_nothing(from.element(), to.element());
  if (from.kind == kMap && to.kind == kMap)
    return loses_nothing(from.key(), to.key()) && loses_nothing(from.value(), to.value());
  if (from.kind == kStruct && to.kind == kStruct) {
    return std::equal(from.fields->begin(), from.fields->end(), to.fields->begin(),
                      to.fields->end(),
                      [](const Field& a, const Field& b) { return loses_nothing(a.type, b.type); });
  }
  return false;
}

}  // namespace

/// One column of a summary: its statistics as an array of text.
proto::Expression Resolver::statistics_of(const Attribute& column,
                                          const std::vector<std::string>& statistics) {
  const bool text = column.type.kind == kString;
  const auto own = build::attribute("`" + column.sql + "`");
  const auto number = text ? build::cast(own, make_type(kDouble), true) : own;
  std::vector<proto::Expression> values;
  for (const auto& given : statistics) {
    const auto name = lower_case(given);
    proto::Expression value;
    if (const auto share = percentile_of(name)) {
      value = call("approx_percentile", {number, build::number(*share)});
    } else if (name == "count" || name == "min" || name == "max") {
      value = call(name, {own});
    } else if (name == "mean" || name == "stddev") {
      value = call(name == "mean" ? "avg" : "stddev_samp", {number});
    } else if (name == "count_distinct" || name == "approx_count_distinct") {
      value = call(name == "count_distinct" ? "count" : name, {own});
      value.mutable_unresolved_function()->set_is_distinct(name == "count_distinct");
    } else {
      throw Error(
          "UNRECOGNIZED_STATISTIC",
          fmt::format("The statistic `{}` is not recognised. Choose from count, mean, stddev, "
                      "min, max, count_distinct, approx_count_distinct and percentiles such "
                      "as 25%.",
                      given));
    }
    values.push_back(build::cast(std::move(value), make_type(kString)));
  }
  return build::alias(call("array", std::move(values)), column.name);
}

Query Resolver::summary(const proto::Relation& input, std::vector<std::string> statistics,
                        const std::vector<std::string>& names) {
  const auto rows = relation(input);
  std::vector<std::string> titles = {"summary"};
  std::vector<proto::Expression> arrays, parts;
  std::vector<Attribute> chosen;
  for (const auto& name : names) chosen.push_back(column_named(rows.output, name));
  if (names.empty()) chosen = rows.output;
  std::vector<proto::Expression> labels;
  for (const auto& name : statistics) labels.push_back(build::text(name));
  parts.push_back(call("array", labels));
  for (const auto& column : chosen) {
    if (!column.type.is_numeric() && column.type.kind != kString) continue;
    Attribute named = column;
    // Names need not be unique: the columns are told apart by their place.
    named.sql = column.name;
    auto statistic = statistics_of(named, statistics);
    const auto place = fmt::format("c{}", arrays.size());
    *statistic.mutable_alias()->mutable_name(0) = place;
    arrays.push_back(std::move(statistic));
    parts.push_back(build::column(place));
    titles.push_back(column.name);
  }
  auto totals = arrays.empty() ? build::aggregate(input, {}, {call("count", {build::integer(1)})})
                               : build::aggregate(input, {}, std::move(arrays));
  auto plan =
      build::project(std::move(totals), {call("inline", {call("arrays_zip", std::move(parts))})});
  return relation(build::to_df(std::move(plan), titles));
}

Query Resolver::crosstab(const proto::StatCrosstab& crosstab) {
  const auto key = fmt::format("{}_{}", crosstab.col1(), crosstab.col2());
  const auto label = [](const std::string& name) {
    return call("coalesce",
                {build::cast(build::attribute(name), make_type(kString)), build::text("null")});
  };
  auto labels = build::project(crosstab.input(), {build::alias(label(crosstab.col1()), key),
                                                  build::alias(label(crosstab.col2()), "value")});
  proto::Relation counted;
  auto* pivot = counted.mutable_aggregate();
  pivot->set_group_type(proto::Aggregate::GROUP_TYPE_PIVOT);
  *pivot->mutable_input() = std::move(labels);
  *pivot->add_grouping_expressions() = build::column(key);
  *pivot->add_aggregate_expressions() = call("count", {build::integer(1)});
  *pivot->mutable_pivot()->mutable_col() = build::column("value");
  proto::Relation filled;
  *filled.mutable_fill_na()->mutable_input() = std::move(counted);
  filled.mutable_fill_na()->add_values()->set_long_(0);
  return relation(filled);
}

/// cov, corr: one row, one column.
Query Resolver::pair_statistic(const proto::Relation& input, const std::string& function,
                               const std::string& name, const std::string& a,
                               const std::string& b) {
  const auto rows = relation(input);
  for (const auto& column : {a, b}) {
    const auto& found = column_named(rows.output, column);
    if (found.type.is_numeric()) continue;
    throw Error(
        "INVALID_PARAMETER_VALUE",
        fmt::format("Currently {} calculation for columns with dataType {} not supported.",
                    name == "cov" ? "covariance" : "correlation", found.type.simple_string()));
  }
  const auto value = [](const std::string& column) {
    return build::cast(build::attribute(column), make_type(kDouble));
  };
  return relation(
      build::aggregate(input, {}, {build::alias(call(function, {value(a), value(b)}), name)}));
}

Query Resolver::approx_quantile(const proto::StatApproxQuantile& quantile) {
  std::vector<proto::Expression> shares, columns;
  for (const double share : quantile.probabilities()) shares.push_back(build::number(share));
  const auto rows = relation(quantile.input());
  for (const auto& name : quantile.cols()) {
    if (!column_named(rows.output, name).type.is_numeric()) {
      throw Error("INVALID_PARAMETER_VALUE",
                  fmt::format("Quantile calculation for column {} with data type {} is not "
                              "supported.",
                              name, column_named(rows.output, name).type.simple_string()));
    }
    auto value = call("approx_percentile", {build::cast(build::attribute(name), make_type(kDouble)),
                                            call("array", shares)});
    columns.push_back(
        call("coalesce",
             {std::move(value), build::cast(call("array", {}), array_type(make_type(kDouble)))}));
  }
  return relation(build::aggregate(
      quantile.input(), {}, {build::alias(call("array", std::move(columns)), "approx_quantile")}));
}

/// Items that make up at least `support` of the rows, found exactly.
Query Resolver::freq_items(const proto::StatFreqItems& items) {
  const double support = items.has_support() ? items.support() : 0.01;
  if (support < 1e-4 || support > 1) {
    throw Error("INVALID_PARAMETER_VALUE",
                fmt::format("Support must be in [1e-4, 1], but got {}.", support));
  }
  auto rows = relation(items.input());
  rows.wrap();
  Query query;
  std::string list;
  for (const auto& name : items.cols()) {
    const auto& column = column_named(rows.output, name);
    auto found = fresh(name + "_freqItems", array_type(column.type), true);
    list += fmt::format(
        "{}(SELECT coalesce(list(v ORDER BY n DESC), []) FROM (SELECT {} AS v, count(*) AS n, "
        "sum(count(*)) OVER () AS total FROM {} GROUP BY 1 QUALIFY n >= total * {})) AS {}",
        list.empty() ? "" : ", ", column.sql, rows.select.from, support, found.sql);
    query.output.push_back(std::move(found));
  }
  query.select.from = fmt::format("(SELECT {})", list);
  return query;
}

/// Each row stays with the probability of its stratum; a stratum that is not named is left out.
Query Resolver::sample_by(const proto::StatSampleBy& sample) {
  auto query = relation(sample.input());
  const auto number = number_rows(query);
  Scope scope{.levels = {&query.output, &query.hidden}};
  const auto value = expression(sample.col(), scope);
  std::string cases;
  for (const auto& fraction : sample.fractions()) {
    if (fraction.fraction() < 0 || fraction.fraction() > 1) {
      throw Error("INVALID_PARAMETER_VALUE",
                  fmt::format("Fractions must be in [0, 1], but got {}.", fraction.fraction()));
    }
    cases += fmt::format(" WHEN {} IS NOT DISTINCT FROM {} THEN {}", value.sql,
                         coerce(literal(fraction.stratum()), value.type, settings_.time_zone).sql,
                         fraction.fraction());
  }
  query.select.where.push_back(
      cases.empty() ? "false"
                    : fmt::format("spark_rand(CAST({} AS BIGINT), {} - 1) < CASE{} ELSE 0.0 END",
                                  sample.seed(), number.sql, cases));
  return query;
}

Query Resolver::tail(const proto::Tail& tail) {
  auto query = relation(tail.input());
  query.wrap();
  auto number = fresh("row", make_type(kLong), false),
       total = fresh("rows", make_type(kLong), false);
  number.computed = "row_number() OVER ()";
  total.computed = "count(*) OVER ()";
  query.output.push_back(number);
  query.output.push_back(total);
  query.select.has_window = true;
  query.wrap();
  query.output.resize(query.output.size() - 2);
  query.select.where.push_back(fmt::format("{} > {} - {}", number.sql, total.sql, tail.limit()));
  query.select.order_by.push_back(number.sql);
  return query;
}

/// df.to(schema): columns by name, cast where nothing is lost.
Query Resolver::to_schema(const proto::ToSchema& to_schema) {
  const auto schema = type_from_proto(to_schema.schema());
  const auto rows = relation(to_schema.input());
  std::vector<proto::Expression> columns;
  for (const auto& field : *schema.fields) {
    const auto found = std::find_if(rows.output.begin(), rows.output.end(),
                                    [&](const auto& a) { return same_name(a.name, field.name); });
    if (found == rows.output.end()) {
      if (!field.nullable) {
        throw Error(
            "UNRESOLVED_COLUMN.WITH_SUGGESTION",
            fmt::format("A column, variable, or function parameter with name `{}` cannot be "
                        "resolved.",
                        field.name));
      }
      proto::Expression none;
      type_to_proto(field.type, none.mutable_literal()->mutable_null());
      columns.push_back(build::alias(std::move(none), field.name));
      continue;
    }
    if (found->nullable && !field.nullable) {
      throw Error("NULLABLE_COLUMN_OR_FIELD",
                  fmt::format("Column or field `{}` is nullable while it's required to be "
                              "non-nullable.",
                              field.name));
    }
    if (!loses_nothing(found->type, field.type)) {
      throw Error("INVALID_COLUMN_OR_FIELD_DATA_TYPE",
                  fmt::format("Column or field `{}` is of type \"{}\" while it's required to be "
                              "\"{}\".",
                              field.name, found->type.sql(), field.type.sql()));
    }
    columns.push_back(
        build::alias(build::cast(build::column(found->name), field.type), field.name));
  }
  return relation(build::project(to_schema.input(), std::move(columns)));
}

Query Resolver::na_replace(const proto::NAReplace& replace) {
  const auto rows = relation(replace.input());
  proto::Relation plan;
  *plan.mutable_with_columns()->mutable_input() = replace.input();
  const auto fits = [](const DataType& value, const DataType& column) {
    return value.kind == kNull || (value.is_numeric() && column.is_numeric()) ||
           value.kind == column.kind;
  };
  for (const auto& column : rows.output) {
    const bool named = replace.cols_size() == 0 ||
                       std::any_of(replace.cols().begin(), replace.cols().end(),
                                   [&](const auto& name) { return same_name(name, column.name); });
    if (!named) continue;
    std::vector<proto::Expression> cases;
    for (const auto& pair : replace.replacements()) {
      const auto type = literal(pair.old_value()).type;
      if (!fits(type, column.type)) continue;
      proto::Expression before, after;
      *before.mutable_literal() = pair.old_value();
      *after.mutable_literal() = pair.new_value();
      cases.push_back(call("==", {build::column(column.name), std::move(before)}));
      cases.push_back(build::cast(std::move(after), column.type));
    }
    if (cases.empty()) continue;
    cases.push_back(build::column(column.name));
    *plan.mutable_with_columns()->add_aliases() =
        build::alias(call("when", std::move(cases)), column.name).alias();
  }
  return plan.with_columns().aliases_size() == 0 ? rows : relation(plan);
}

/// Rows become columns: one per value of the index column, in its order.
Query Resolver::transpose(const proto::Transpose& transpose) {
  auto rows = relation(transpose.input());
  rows.wrap();
  Scope scope{.levels = {&rows.output, &rows.hidden}};
  const auto index = transpose.index_columns_size() > 0
                         ? expression(transpose.index_columns(0), scope)
                         : Resolved{.sql = rows.output.at(0).sql,
                                    .type = rows.output[0].type,
                                    .name = rows.output[0].name};
  std::vector<Attribute> others;
  DataType common = make_type(kNull);
  for (const auto& column : rows.output) {
    if (column.sql == index.sql) continue;
    const auto wider = common_type(common, column.type);
    if (!wider) {
      throw Error(
          "TRANSPOSE_NO_LEAST_COMMON_TYPE",
          fmt::format("Transpose requires non-index columns to share a least common type, but "
                      "\"{}\" and \"{}\" do not.",
                      common.sql(), column.type.sql()));
    }
    common = *wider;
    others.push_back(column);
  }
  const auto found =
      catalog_->rows(fmt::format("SELECT CAST({0} AS VARCHAR) FROM {1} WHERE {0} IS "
                                 "NOT NULL ORDER BY {0} LIMIT {2}",
                                 index.sql, rows.select.from, kTransposeRowsMax + 1));
  if (found.size() > kTransposeRowsMax) {
    throw Error(
        "TRANSPOSE_EXCEED_ROW_LIMIT",
        fmt::format("Number of rows exceeds the allowed limit of {} for TRANSPOSE. If this "
                    "was intended, set spark.sql.transposeMaxValues to at least the current "
                    "row count.",
                    kTransposeRowsMax));
  }
  Query query;
  query.output.push_back(fresh("key", make_type(kString), false));
  for (const auto& row : found) query.output.push_back(fresh(row[0].value(), common, true));
  std::string unions;
  for (const auto& column : others) {
    std::string list = sql_string(column.name) + " AS " + query.output[0].sql;
    const Resolved value{.sql = column.sql, .type = column.type, .exact = column.exact};
    for (size_t i = 0; i < found.size(); ++i) {
      list += fmt::format(", max(CASE WHEN place = {} THEN {} END) AS {}", i + 1,
                          coerce(value, common, settings_.time_zone).sql, query.output[i + 1].sql);
    }
    unions += fmt::format(
        "{}SELECT {} FROM (SELECT *, row_number() OVER (ORDER BY {}) AS place FROM {} WHERE {} IS "
        "NOT NULL)",
        unions.empty() ? "" : " UNION ALL ", list, index.sql, rows.select.from, index.sql);
  }
  if (unions.empty()) {
    for (auto& column : query.output) {
      column.type = make_type(kString);
      unions += fmt::format("{} '' AS {}", unions.empty() ? "SELECT" : ",", column.sql);
    }
    unions += " WHERE false";
  }
  query.select.from = "(" + unions + ")";
  return query;
}

}  // namespace firesteel
