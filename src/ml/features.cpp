// Fitting: the schema is checked first, then one aggregate over all columns, then vocabularies.
#include "ml/features.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "base/error.h"
#include "dataframe/functions.h"
#include "text/tokenizer.h"

namespace firesteel {

namespace {

std::string column_name(const std::string& column) {
  std::string text = "`";
  for (const char c : column) text += c == '`' ? "``" : std::string(1, c);
  return text + "`";
}

[[noreturn]] void refuse(const std::string& message) {
  throw Error("TRAINING_DATA_INVALID", message);
}

/// Sums of floats depend on the order of threads in their last digits; seven digits do not.
double steady(double value) { return std::strtod(fmt::format("{:.7g}", value).c_str(), nullptr); }

/// x - x is 0 for finite x only, and null for null.
std::string finite(const std::string& value) {
  return fmt::format("CASE WHEN {0} - {0} = 0 THEN {0} ELSE NULL END", value);
}

/// The elements of arrays that are words; others are numbers.
bool is_word(const DataType& type) {
  return type.kind == TypeKind::kString || type.is_integral() || type.kind == TypeKind::kBoolean;
}

/// The values of an aggregate row, by the order in which they were asked for.
class Aggregates {
 public:
  size_t add(const std::string& expression) {
    expressions_.push_back(
        functions::expr(expression).alias(fmt::format("a{}", expressions_.size())));
    return expressions_.size() - 1;
  }
  void run(const DataFrame& rows) { row_ = rows.agg(expressions_).collect().at(0); }
  double number(size_t i) const { return row_[i].null ? 0 : row_[i].number; }
  int64_t count(size_t i) const { return static_cast<int64_t>(number(i)); }
  bool null(size_t i) const { return row_[i].null; }

 private:
  std::vector<Column> expressions_;
  Row row_;
};

}  // namespace

/// One fit: the steps in order.
struct FeatureFit {
  const DataFrame& rows;
  const Features& features;
  Schema schema;
  FittedFeatures fitted;
  Aggregates aggregates;

  /// Where the aggregates of a label are.
  struct LabelPlaces {
    bool is_number = false;
    size_t classes = 0, valid = 0, low = 0, high = 0, mean = 0, deviation = 0;
  };

  void run();
  LabelPlaces ask_of_label(const std::string& column);
  void add_label(const std::string& column, const LabelPlaces& places);
  void add_classes(EncoderSpec* spec, bool zero_one, int64_t classes);
  const DataType& type_of(const std::string& column) const;
  void check_types() const;
  void add_specs(const Features::Feature& feature);
  void add_array(const Features::Feature& feature);
  void add_text(const Features::Feature& feature);
  std::vector<std::string> words(const DataFrame& from, const std::string& column,
                                 int64_t count) const;
  std::vector<std::string> class_words(const std::string& column) const;
};

FittedFeatures fit(const DataFrame& rows, const Features& features) {
  FeatureFit fit{
      .rows = rows, .features = features, .schema = rows.schema(), .fitted = {}, .aggregates = {}};
  fit.run();
  return std::move(fit.fitted);
}

void FeatureFit::run() {
  check_types();
  struct Places {
    size_t valid = 0, mean = 0, deviation = 0;
  };
  std::vector<Places> places;
  const size_t all = aggregates.add("count(*)");
  for (const auto& feature : features.features_) {
    const std::string column = column_name(feature.column);
    if (feature.kind == EncoderKind::kNumeric) {
      const auto value = finite(fmt::format("CAST({} AS DOUBLE)", column));
      places.push_back({aggregates.add(fmt::format("count({})", value)),
                        aggregates.add(fmt::format("avg({})", value)),
                        aggregates.add(fmt::format("stddev_pop({})", value))});
    } else {
      places.push_back({aggregates.add(fmt::format("count({})", column)), 0, 0});
    }
  }
  std::vector<LabelPlaces> labels;
  for (const auto& label : features.labels_) labels.push_back(ask_of_label(label));
  aggregates.run(rows);

  fitted.rows = aggregates.count(all);
  if (fitted.rows == 0) {
    refuse("There is no row to train on. Check the filters and the split of the data.");
  }
  for (size_t i = 0; i < features.features_.size(); ++i) {
    const auto& feature = features.features_[i];
    const int64_t valid = aggregates.count(places[i].valid);
    if (valid == 0) {
      refuse(fmt::format("The feature `{}` is null or not a number in all {} rows: leave it out.",
                         feature.column, fitted.rows));
    }
    if (feature.kind != EncoderKind::kNumeric) {
      add_specs(feature);
      continue;
    }
    EncoderSpec spec{.column = feature.column, .kind = EncoderKind::kNumeric};
    spec.mean = steady(aggregates.number(places[i].mean));
    spec.deviation = steady(aggregates.number(places[i].deviation));
    spec.missing_flag = valid < fitted.rows;
    if (!(spec.deviation > 0)) {
      spec.deviation = 1;
      fitted.notes.push_back(
          fmt::format("The feature `{}` has the same value in every row.", feature.column));
    }
    fitted.specs.push_back(std::move(spec));
  }

  for (size_t i = 0; i < labels.size(); ++i) add_label(features.labels_[i], labels[i]);
  if (labels.empty()) {
    fitted.task = *features.task_;
    fitted.specs.push_back({.kind = EncoderKind::kLabel, .task = fitted.task});
  }
  if (!features.group_.empty()) {
    fitted.specs.push_back({.column = features.group_, .kind = EncoderKind::kGroup});
  }
  if (!features.weight_.empty()) {
    fitted.specs.push_back({.column = features.weight_, .kind = EncoderKind::kWeight});
  }
}

FeatureFit::LabelPlaces FeatureFit::ask_of_label(const std::string& column) {
  const std::string label = column_name(column);
  const auto& type = type_of(column);
  LabelPlaces places;
  places.is_number = type.is_numeric() || type.kind == TypeKind::kBoolean;
  places.classes = aggregates.add(fmt::format("count(DISTINCT {})", label));
  if (!places.is_number) {
    places.valid = aggregates.add(fmt::format("count({})", label));
    return places;
  }
  const auto value =
      finite(type.kind == TypeKind::kBoolean ? fmt::format("CAST(CAST({} AS INT) AS DOUBLE)", label)
                                             : fmt::format("CAST({} AS DOUBLE)", label));
  places.valid = aggregates.add(fmt::format("count({})", value));
  places.low = aggregates.add(fmt::format("min({})", value));
  places.high = aggregates.add(fmt::format("max({})", value));
  places.mean = aggregates.add(fmt::format("avg({})", value));
  places.deviation = aggregates.add(fmt::format("stddev_pop({})", value));
  return places;
}

void FeatureFit::add_label(const std::string& column, const LabelPlaces& places) {
  const int64_t missing = fitted.rows - aggregates.count(places.valid);
  if (missing > 0) {
    refuse(
        fmt::format("The label `{}` is null or not a number in {} of {} rows. Filter them "
                    "out: WHERE {} IS NOT NULL.",
                    column, missing, fitted.rows, column_name(column)));
  }
  const int64_t classes = aggregates.count(places.classes);
  if (classes < 2) {
    refuse(
        fmt::format("The label `{}` has the same value in all {} rows: there is nothing to learn. "
                    "Check how it is made, and the split.",
                    column, fitted.rows));
  }
  const bool zero_one = places.is_number && classes == 2 && aggregates.number(places.low) == 0 &&
                        aggregates.number(places.high) == 1;
  EncoderSpec spec{.column = column, .kind = EncoderKind::kLabel};
  spec.task =
      features.task_.value_or(zero_one || (!places.is_number && classes == 2) ? Task::kBinary
                              : places.is_number                              ? Task::kRegression
                                                                              : Task::kMulticlass);
  fitted.task = spec.task;
  switch (spec.task) {
    case Task::kRegression:
      if (!places.is_number) {
        refuse(fmt::format("The label `{}` of a regression must be a number.", column));
      }
      spec.mean = steady(aggregates.number(places.mean));
      spec.deviation = steady(aggregates.number(places.deviation));
      fitted.label_mean = aggregates.number(places.mean);
      break;
    case Task::kMultilabel:
      if (!zero_one) {
        refuse(fmt::format("The label `{}` is one of several, which are booleans, or 0 and 1.",
                           column));
      }
      break;
    case Task::kRanking:
      if (!places.is_number || aggregates.number(places.low) < 0) {
        refuse(
            fmt::format("The label `{}` of a ranking must be a number from 0: how relevant the "
                        "row is.",
                        column));
      }
      break;
    case Task::kRetrieval:  // They have no label.
    case Task::kReconstruction:
      break;
    case Task::kBinary:
    case Task::kMulticlass:
      add_classes(&spec, zero_one, classes);
      if (zero_one) fitted.label_mean = aggregates.number(places.mean);
      break;
  }
  fitted.specs.push_back(std::move(spec));
}

void FeatureFit::add_classes(EncoderSpec* spec, bool zero_one, int64_t classes) {
  if (spec->task == Task::kBinary && classes != 2) {
    refuse(fmt::format("The label `{}` has {} values; a binary label has two.", spec->column,
                       classes));
  }
  if (classes > 1000) {
    refuse(fmt::format("The label `{}` has {} classes; at most 1000 are learnt.", spec->column,
                       classes));
  }
  if (zero_one && spec->task == Task::kBinary) return;
  spec->vocabulary = class_words(spec->column);
  if (spec->task != Task::kBinary) return;
  const auto second =
      fmt::format("CAST({} AS STRING) = '{}'", column_name(spec->column), spec->vocabulary[1]);
  fitted.label_mean =
      static_cast<double>(rows.filter(second).count()) / static_cast<double>(fitted.rows);
}

const DataType& FeatureFit::type_of(const std::string& column) const {
  for (const auto& field : schema) {
    if (field.name == column) return field.type;
  }
  std::vector<std::string> names;
  for (const auto& field : schema) names.push_back(field.name);
  const std::string near = nearest_name(column, names);
  throw Error("UNRESOLVED_COLUMN.WITH_SUGGESTION",
              fmt::format("The rows have no column `{}`.{}", column,
                          near.empty() ? fmt::format(" They have {}.", fmt::join(names, ", "))
                                       : fmt::format(" Did you mean `{}`?", near)));
}

void FeatureFit::check_types() const {
  const bool labelled = !features.task_ || has_label(*features.task_);
  if (labelled == features.labels_.empty()) {
    refuse(labelled ? "No label is named: what is to be predicted?"
                    : fmt::format("A {} task has no label.", task_name(*features.task_)));
  }
  if (features.features_.empty()) refuse("No feature is named.");
  std::set<std::string> labels, seen;
  for (const auto& label : features.labels_) {
    type_of(label);
    if (!labels.insert(label).second) refuse(fmt::format("The label `{}` is named twice.", label));
  }
  if (labels.size() > 1 && features.task_ != Task::kMultilabel) {
    refuse("Several labels are a multilabel task.");
  }
  for (const auto& feature : features.features_) {
    const auto& type = type_of(feature.column);
    if (labels.contains(feature.column) || !seen.insert(feature.column).second) {
      refuse(labels.contains(feature.column)
                 ? fmt::format("The label `{}` is a feature too: the model would see the answer.",
                               feature.column)
                 : fmt::format("The feature `{}` is named twice.", feature.column));
    }
    const auto wrong = [&](std::string_view kind, std::string_view needed) {
      refuse(fmt::format("The {} feature `{}` has the type {}; {}.", kind, feature.column,
                         type.sql(), needed));
    };
    if (type.kind == TypeKind::kArray && !feature.is_array()) {
      refuse(fmt::format("The feature `{}` has the type {}: list it as sequence or vector.",
                         feature.column, type.sql()));
    }
    switch (feature.kind) {
      case EncoderKind::kGroup:
        break;
      case EncoderKind::kWordSequence:
      case EncoderKind::kNumberSequence:
        if (type.kind != TypeKind::kArray) wrong("sequence", "it must be an array");
        if (!is_word(type.element()) && !type.element().is_numeric()) {
          wrong("sequence", "the elements must be strings, numbers or booleans");
        }
        break;
      case EncoderKind::kVector:
        if (type.kind != TypeKind::kArray || !type.element().is_numeric()) {
          wrong("vector", "it must be an array of numbers");
        }
        break;
      case EncoderKind::kImage:
        if (type.kind != TypeKind::kBinary) {
          wrong("image",
                "it must be the bytes of image files, as the format binaryFile reads them");
        }
        break;
      case EncoderKind::kText:
        if (type.kind != TypeKind::kString) wrong("text", "it must be a string");
        break;
      case EncoderKind::kNumeric:
        if (!type.is_numeric() && type.kind != TypeKind::kBoolean) {
          wrong("numeric", type.is_datetime() ? "list it as a date"
                                              : "list it as categorical, or cast it to double");
        }
        break;
      case EncoderKind::kCategorical:
      case EncoderKind::kHashed:
        if (!is_word(type)) {
          wrong("categorical",
                "strings, integers and booleans are categories: list it as numeric or date, or "
                "cast it to string");
        }
        break;
      case EncoderKind::kDate:
        if (!type.is_datetime()) wrong("date", "it must be a date or a timestamp");
        break;
      case EncoderKind::kLabel:
      case EncoderKind::kWeight:
        break;
    }
  }
  if ((features.task_ == Task::kRanking) == features.group_.empty()) {
    refuse(features.group_.empty() ? "A ranking needs a `group`: the rows that are ranked together."
                                   : "A `group` is read by rankings alone.");
  }
  if (!features.group_.empty() && !is_word(type_of(features.group_))) {
    refuse(fmt::format("The group `{}` must be a string, an integer or a boolean: cast it.",
                       features.group_));
  }
  if (!features.group_.empty() && !features.weight_.empty()) {
    refuse("A ranking has no weights: leave `weight` out.");
  }
  if (!features.weight_.empty() && !type_of(features.weight_).is_numeric()) {
    refuse(fmt::format("The weight `{}` must be a number.", features.weight_));
  }
}

void FeatureFit::add_specs(const Features::Feature& feature) {
  EncoderSpec spec{.column = feature.column, .kind = feature.kind};
  if (feature.kind == EncoderKind::kDate) {
    std::vector<DatePart> parts = {DatePart::kMonth, DatePart::kDayOfMonth, DatePart::kDayOfWeek};
    if (type_of(feature.column).kind != TypeKind::kDate) parts.push_back(DatePart::kHour);
    for (const auto part : parts) {
      spec.part = part;
      fitted.specs.push_back(spec);
    }
    return;
  }
  if (feature.is_array()) return add_array(feature);
  if (feature.kind == EncoderKind::kImage) {
    spec.length = feature.length;
    spec.resize = feature.resize;
    spec.interpolation = feature.interpolation;
    spec.leave_out = feature.leave_out;
    fitted.specs.push_back(std::move(spec));
    return;
  }
  if (feature.kind == EncoderKind::kText) return add_text(feature);
  if (feature.kind == EncoderKind::kHashed) {
    spec.buckets = feature.buckets;
  } else {
    spec.vocabulary = words(rows, feature.column, features.max_categories_);
  }
  fitted.specs.push_back(std::move(spec));
}

void FeatureFit::add_array(const Features::Feature& feature) {
  EncoderSpec spec{.column = feature.column, .kind = feature.kind};
  spec.length = feature.length;
  const auto elements =
      rows.select({functions::explode(col(column_name(feature.column))).alias("element")});
  int64_t valid = 0;
  const bool vector = feature.kind == EncoderKind::kVector;
  if (!vector && is_word(type_of(feature.column).element())) {
    spec.vocabulary = words(elements, "element", features.max_categories_);
    valid = static_cast<int64_t>(spec.vocabulary.size());
  } else {
    if (!vector) spec.kind = EncoderKind::kNumberSequence;
    const auto value = finite("CAST(element AS DOUBLE)");
    Aggregates of;
    const size_t count = of.add(fmt::format("count({})", value));
    const size_t mean = of.add(fmt::format("avg({})", value));
    const size_t deviation = of.add(fmt::format("stddev_pop({})", value));
    of.run(elements);
    valid = of.count(count);
    spec.mean = steady(of.number(mean));
    spec.deviation = steady(of.number(deviation));
    if (!(spec.deviation > 0)) spec.deviation = 1;
  }
  if (valid == 0) {
    refuse(fmt::format("The arrays of the feature `{}` hold no value in all {} rows: leave it out.",
                       feature.column, fitted.rows));
  }
  if (vector) {
    Aggregates of;
    const size_t length = of.add(fmt::format("max(size({}))", column_name(feature.column)));
    of.run(rows);
    spec.length = of.count(length);
  }
  fitted.specs.push_back(std::move(spec));
}

void FeatureFit::add_text(const Features::Feature& feature) {
  constexpr uint32_t kTokensMax = 512;
  std::filesystem::path file = feature.tokenizer;
  if (std::filesystem::is_directory(file)) file /= "tokenizer.json";
  const Tokenizer tokenizer(file);
  EncoderSpec spec{.column = feature.column, .kind = EncoderKind::kText};
  spec.length = feature.length;
  if (spec.length == 0) {
    const auto& limit = tokenizer.truncation();
    spec.length = limit ? std::min(limit->length_max, kTokensMax) : kTokensMax;
  }
  spec.buckets = static_cast<int64_t>(tokenizer.vocabulary_size());
  spec.tokenizer = file.string();
  fitted.specs.push_back(std::move(spec));
}

namespace {

/// Distinct values as text, and how often each is there.
DataFrame counted_words(const DataFrame& rows, const std::string& column) {
  return rows.selectExpr({fmt::format("CAST({} AS STRING) AS word", column_name(column))})
      .filter(col("word").isNotNull())
      .groupBy({"word"})
      .count();
}

std::vector<std::string> first_column(const DataFrame& rows) {
  std::vector<std::string> list;
  for (const auto& row : rows.collect()) list.push_back(row[0].text);
  return list;
}

}  // namespace

/// The most frequent first, ties by text.
std::vector<std::string> FeatureFit::words(const DataFrame& from, const std::string& column,
                                           int64_t count) const {
  return first_column(
      counted_words(from, column).orderBy({col("count").desc(), col("word").asc()}).limit(count));
}

/// By value.
std::vector<std::string> FeatureFit::class_words(const std::string& column) const {
  return first_column(counted_words(rows, column)
                          .orderBy({type_of(column).is_integral() ? col("word").cast("bigint").asc()
                                                                  : col("word").asc()}));
}

Features& Features::numeric(const std::vector<std::string>& columns) {
  for (const auto& column : columns) features_.push_back({column, EncoderKind::kNumeric});
  return *this;
}

Features& Features::categorical(const std::vector<std::string>& columns) {
  for (const auto& column : columns) features_.push_back({column, EncoderKind::kCategorical});
  return *this;
}

Features& Features::hashed(const std::vector<std::string>& columns, int64_t buckets) {
  if (buckets < 1) {
    throw Error("INVALID_OPTION", fmt::format("`buckets` is {}; use at least 1.", buckets));
  }
  for (const auto& column : columns) features_.push_back({column, EncoderKind::kHashed, buckets});
  return *this;
}

Features& Features::date(const std::vector<std::string>& columns) {
  for (const auto& column : columns) features_.push_back({column, EncoderKind::kDate});
  return *this;
}

Features& Features::sequence(const std::vector<std::string>& columns, int64_t length) {
  if (length < 1) {
    throw Error("INVALID_OPTION",
                fmt::format("The length of a sequence is {}; use at least 1.", length));
  }
  for (const auto& column : columns) {
    features_.push_back({column, EncoderKind::kWordSequence, 0, length});
  }
  return *this;
}

Features& Features::text(const std::vector<std::string>& columns, const std::string& tokenizer,
                         int64_t length) {
  for (const auto& column : columns)
    features_.push_back({column, EncoderKind::kText, 0, length, tokenizer});
  return *this;
}

Features& Features::vector(const std::vector<std::string>& columns) {
  for (const auto& column : columns) features_.push_back({column, EncoderKind::kVector});
  return *this;
}

Features& Features::image(const std::vector<std::string>& columns, int64_t resize, int64_t size,
                          const std::string& interpolation, bool leave_out) {
  if (size < 1 || resize < 1) throw Error("INVALID_OPTION", "The size of an image is at least 1.");
  for (const auto& column : columns)
    features_.push_back({.column = column,
                         .kind = EncoderKind::kImage,
                         .length = size,
                         .resize = resize,
                         .interpolation = interpolation,
                         .leave_out = leave_out});
  return *this;
}

bool Features::has(EncoderKind kind) const {
  return std::any_of(features_.begin(), features_.end(),
                     [&](const Feature& feature) { return feature.kind == kind; });
}

bool Features::has_sequences() const {
  return std::any_of(features_.begin(), features_.end(),
                     [](const Feature& feature) { return feature.is_sequence(); });
}

bool Features::has_plain_features() const {
  return std::any_of(features_.begin(), features_.end(), [](const Feature& feature) {
    return !feature.is_sequence() && feature.kind != EncoderKind::kImage;
  });
}

Features& Features::label(const std::string& column) {
  labels_ = {column};
  return *this;
}

Features& Features::labels(const std::vector<std::string>& columns) {
  labels_ = columns;
  task_ = Task::kMultilabel;
  return *this;
}

std::string Features::label() const { return fmt::format("{}", fmt::join(labels_, ", ")); }

Features& Features::group(const std::string& column) {
  group_ = column;
  return *this;
}

Features& Features::weight(const std::string& column) {
  weight_ = column;
  return *this;
}

Features& Features::task(Task task) {
  task_ = task;
  return *this;
}

Features& Features::max_categories(int64_t count) {
  max_categories_ = count;
  return *this;
}

std::vector<std::string> Features::hash_terms() const {
  if (!group_.empty()) return {column_name(group_)};
  std::vector<std::string> terms;
  for (const auto& column : columns()) terms.push_back(column_name(column));
  for (size_t i = 0; i < features_.size(); ++i) {
    if (features_[i].is_array()) terms[i] = fmt::format("CAST({} AS STRING)", terms[i]);
  }
  return terms;
}

std::vector<std::string> Features::columns() const {
  std::vector<std::string> names;
  for (const auto& feature : features_) names.push_back(feature.column);
  names.insert(names.end(), labels_.begin(), labels_.end());
  if (!group_.empty()) names.push_back(group_);
  if (!weight_.empty()) names.push_back(weight_);
  return names;
}

}  // namespace firesteel
