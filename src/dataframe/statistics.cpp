// DataFrame's statistics, missing values, and changes of a table's shape, as relations.
#include <spark/connect/relations.pb.h>

#include <cstdlib>
#include <random>

#include "dataframe/derive.h"
#include "dataframe/functions.h"
#include "dataframe/tables.h"

namespace firesteel {

namespace proto = spark::connect;

DataFrame DataFrame::fillna(const std::string& value,
                            const std::vector<std::string>& columns) const {
  return derive([&](proto::Relation& out) {
    for (const auto& column : columns) out.mutable_fill_na()->add_cols(column);
    out.mutable_fill_na()->add_values()->set_string(value);
    return out.mutable_fill_na()->mutable_input();
  });
}
DataFrame DataFrame::fillna(double value, const std::vector<std::string>& columns) const {
  return derive([&](proto::Relation& out) {
    for (const auto& column : columns) out.mutable_fill_na()->add_cols(column);
    out.mutable_fill_na()->add_values()->set_double_(value);
    return out.mutable_fill_na()->mutable_input();
  });
}
DataFrame DataFrame::fillna(int64_t value, const std::vector<std::string>& columns) const {
  return derive([&](proto::Relation& out) {
    for (const auto& column : columns) out.mutable_fill_na()->add_cols(column);
    out.mutable_fill_na()->add_values()->set_long_(value);
    return out.mutable_fill_na()->mutable_input();
  });
}
DataFrame DataFrame::fillna(bool value, const std::vector<std::string>& columns) const {
  return derive([&](proto::Relation& out) {
    for (const auto& column : columns) out.mutable_fill_na()->add_cols(column);
    out.mutable_fill_na()->add_values()->set_boolean(value);
    return out.mutable_fill_na()->mutable_input();
  });
}
namespace {
/// As PySpark says it: all whole numbers are BIGINT.
proto::Expression::Literal filling(const Column& constant) {
  auto value = literal_of(constant);
  if (value.has_integer()) value.set_long_(value.integer());
  return value;
}
}  // namespace

DataFrame DataFrame::fillna(const std::map<std::string, Column>& values) const {
  return derive([&](proto::Relation& out) {
    for (const auto& [column, value] : values) {
      out.mutable_fill_na()->add_cols(column);
      *out.mutable_fill_na()->add_values() = filling(value);
    }
    return out.mutable_fill_na()->mutable_input();
  });
}

DataFrame DataFrame::dropna(const std::string& how, const std::vector<std::string>& columns) const {
  if (how != "any" && how != "all") {
    throw Error("INVALID_PARAMETER_VALUE",
                "dropna's `how` is \"any\" or \"all\", not \"" + how + "\".");
  }
  return derive([&](proto::Relation& out) {
    for (const auto& column : columns) out.mutable_drop_na()->add_cols(column);
    if (how == "all") out.mutable_drop_na()->set_min_non_nulls(1);
    return out.mutable_drop_na()->mutable_input();
  });
}
DataFrame DataFrame::dropna(int thresh, const std::vector<std::string>& columns) const {
  return derive([&](proto::Relation& out) {
    for (const auto& column : columns) out.mutable_drop_na()->add_cols(column);
    out.mutable_drop_na()->set_min_non_nulls(thresh);
    return out.mutable_drop_na()->mutable_input();
  });
}

DataFrame DataFrame::replace(const std::vector<std::pair<Column, Column>>& values,
                             const std::vector<std::string>& columns) const {
  // PySpark compares all numbers as doubles.
  const auto literal = [](const Column& constant) {
    auto value = literal_of(constant);
    if (value.has_integer()) value.set_double_(value.integer());
    if (value.has_long_()) value.set_double_(static_cast<double>(value.long_()));
    return value;
  };
  return derive([&](proto::Relation& out) {
    for (const auto& column : columns) out.mutable_replace()->add_cols(column);
    for (const auto& [from, to] : values) {
      auto* replacement = out.mutable_replace()->add_replacements();
      *replacement->mutable_old_value() = literal(from);
      *replacement->mutable_new_value() = literal(to);
    }
    return out.mutable_replace()->mutable_input();
  });
}

DataFrameNaFunctions DataFrame::na() const { return DataFrameNaFunctions(*this); }
DataFrameStatFunctions DataFrame::stat() const { return DataFrameStatFunctions(*this); }

DataFrame DataFrame::describe(const std::vector<std::string>& columns) const {
  return derive([&](proto::Relation& out) {
    for (const auto& column : columns) out.mutable_describe()->add_cols(column);
    return out.mutable_describe()->mutable_input();
  });
}

DataFrame DataFrame::summary(const std::vector<std::string>& statistics) const {
  return derive([&](proto::Relation& out) {
    for (const auto& statistic : statistics) out.mutable_summary()->add_statistics(statistic);
    return out.mutable_summary()->mutable_input();
  });
}

DataFrame DataFrame::crosstab(const std::string& a, const std::string& b) const {
  return derive([&](proto::Relation& out) {
    out.mutable_crosstab()->set_col1(a);
    out.mutable_crosstab()->set_col2(b);
    return out.mutable_crosstab()->mutable_input();
  });
}

DataFrame DataFrame::freqItems(const std::vector<std::string>& columns, double support) const {
  return derive([&](proto::Relation& out) {
    for (const auto& column : columns) out.mutable_freq_items()->add_cols(column);
    out.mutable_freq_items()->set_support(support);
    return out.mutable_freq_items()->mutable_input();
  });
}

std::vector<std::vector<double>> DataFrame::approxQuantile(const std::vector<std::string>& columns,
                                                           const std::vector<double>& probabilities,
                                                           double relative_error) const {
  const auto found = derive([&](proto::Relation& out) {
    auto* quantile = out.mutable_approx_quantile();
    for (const auto& column : columns) quantile->add_cols(column);
    for (const double probability : probabilities) quantile->add_probabilities(probability);
    quantile->set_relative_error(relative_error);
    return quantile->mutable_input();
  });
  // One row: a list of lists, of a column's quantiles each.
  std::vector<std::vector<double>> quantiles;
  auto stream = found.toArrowStream();
  while (auto batch = stream.next()) {
    const ArrowArray& outer = *batch->get()->children[0];
    const ArrowArray& inner = *outer.children[0];
    const auto bounds = [](const ArrowArray& list, int64_t i) {
      const auto* offsets = static_cast<const int32_t*>(list.buffers[1]) + list.offset;
      return std::pair(offsets[i], offsets[i + 1]);
    };
    const auto* values = static_cast<const double*>(inner.children[0]->buffers[1]);
    for (int64_t row = 0; row < batch->rows(); ++row) {
      const auto [first, last] = bounds(outer, row);
      for (int64_t i = first; i < last; ++i) {
        const auto [from, to] = bounds(inner, i);
        const auto* start = values + inner.children[0]->offset;
        quantiles.emplace_back(start + from, start + to);
      }
    }
  }
  return quantiles;
}

double DataFrame::cov(const std::string& a, const std::string& b) const {
  const auto found = derive([&](proto::Relation& out) {
    out.mutable_cov()->set_col1(a);
    out.mutable_cov()->set_col2(b);
    return out.mutable_cov()->mutable_input();
  });
  return found.collect().at(0).at(0).number;
}

double DataFrame::corr(const std::string& a, const std::string& b) const {
  const auto found = derive([&](proto::Relation& out) {
    out.mutable_corr()->set_col1(a);
    out.mutable_corr()->set_col2(b);
    out.mutable_corr()->set_method("pearson");
    return out.mutable_corr()->mutable_input();
  });
  return found.collect().at(0).at(0).number;
}

DataFrame DataFrame::sampleBy(const Column& column,
                              const std::vector<std::pair<Column, double>>& fractions,
                              std::optional<int64_t> seed) const {
  return derive([&](proto::Relation& out) {
    auto* sample = out.mutable_sample_by();
    *sample->mutable_col() = column.expression();
    for (const auto& [stratum, fraction] : fractions) {
      auto* made = sample->add_fractions();
      *made->mutable_stratum() = literal_of(stratum);
      made->set_fraction(fraction);
    }
    sample->set_seed(seed.value_or(std::random_device{}()));
    return sample->mutable_input();
  });
}

DataFrame DataFrame::unpivot(const std::vector<Column>& ids,
                             const std::optional<std::vector<Column>>& values,
                             const std::string& variable_column,
                             const std::string& value_column) const {
  return derive([&](proto::Relation& out) {
    auto* unpivot = out.mutable_unpivot();
    for (const auto& id : ids) *unpivot->add_ids() = id.expression();
    if (values) unpivot->mutable_values();
    for (const auto& value : values.value_or(std::vector<Column>()))
      *unpivot->mutable_values()->add_values() = value.expression();
    unpivot->set_variable_column_name(variable_column);
    unpivot->set_value_column_name(value_column);
    return unpivot->mutable_input();
  });
}

DataFrame DataFrame::transpose(const std::optional<Column>& index) const {
  return derive([&](proto::Relation& out) {
    if (index) *out.mutable_transpose()->add_index_columns() = index->expression();
    return out.mutable_transpose()->mutable_input();
  });
}

DataFrame DataFrame::toJSON() const {
  return select({functions::to_json(functions::struct_("*")).alias("value")});
}
DataFrame DataFrame::zipWithIndex(const std::string& name) const {
  return select({col("*"), functions::built_in("distributed_sequence_id", {}).alias(name)});
}

DataFrameWriterV2 DataFrame::writeTo(const std::string& table) const {
  return DataFrameWriterV2(*this, table);
}
MergeIntoWriter DataFrame::mergeInto(const std::string& table, const Column& on) const {
  return MergeIntoWriter(*this, table, on);
}

}  // namespace firesteel
