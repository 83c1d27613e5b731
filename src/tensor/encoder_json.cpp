// The specs as JSON: encoders.json of an artifact.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "tensor/encoder.h"

namespace firesteel {

namespace {

template <typename Enum>
struct Name {
  Enum value;
  std::string_view name;
};

constexpr Name<EncoderKind> kKinds[] = {
    {EncoderKind::kNumeric, "numeric"},
    {EncoderKind::kCategorical, "categorical"},
    {EncoderKind::kHashed, "hashed"},
    {EncoderKind::kDate, "date"},
    {EncoderKind::kLabel, "label"},
    {EncoderKind::kWeight, "weight"},
    {EncoderKind::kWordSequence, "word_sequence"},
    {EncoderKind::kNumberSequence, "number_sequence"},
    {EncoderKind::kText, "text"},
    {EncoderKind::kVector, "vector"},
    {EncoderKind::kImage, "image"},
    {EncoderKind::kGroup, "group"},
};
constexpr Name<DatePart> kParts[] = {
    {DatePart::kMonth, "month"},
    {DatePart::kDayOfMonth, "day_of_month"},
    {DatePart::kDayOfWeek, "day_of_week"},
    {DatePart::kHour, "hour"},
};
constexpr Name<Task> kTasks[] = {
    {Task::kBinary, "binary"},
    {Task::kMulticlass, "multiclass"},
    {Task::kRegression, "regression"},
    {Task::kMultilabel, "multilabel"},
    {Task::kRetrieval, "retrieval"},
    {Task::kRanking, "ranking"},
    {Task::kReconstruction, "reconstruction"},
};

template <typename Enum, size_t N>
std::string_view name_of(const Name<Enum> (&names)[N], Enum value) {
  for (const auto& row : names) {
    if (row.value == value) return row.name;
  }
  return "";
}

template <typename Enum, size_t N>
Enum value_of(const Name<Enum> (&names)[N], const std::string& name) {
  for (const auto& row : names) {
    if (row.name == name) return row.value;
  }
  throw Error("INVALID_ARTIFACT", fmt::format("The encoders name an unknown `{}`.", name));
}

}  // namespace

std::string_view date_part_name(DatePart part) { return name_of(kParts, part); }
std::string_view task_name(Task task) { return name_of(kTasks, task); }

std::string encoders_to_json(const std::vector<EncoderSpec>& specs) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& spec : specs) {
    nlohmann::ordered_json row;
    row["column"] = spec.column;
    row["kind"] = name_of(kKinds, spec.kind);
    switch (spec.kind) {
      case EncoderKind::kNumeric:
        row["mean"] = spec.mean;
        row["deviation"] = spec.deviation;
        row["missing_flag"] = spec.missing_flag;
        break;
      case EncoderKind::kCategorical:
        row["vocabulary"] = spec.vocabulary;
        break;
      case EncoderKind::kHashed:
        row["buckets"] = spec.buckets;
        break;
      case EncoderKind::kDate:
        row["part"] = name_of(kParts, spec.part);
        break;
      case EncoderKind::kLabel:
        row["task"] = name_of(kTasks, spec.task);
        if (spec.task == Task::kRegression) {
          row["mean"] = spec.mean;
          row["deviation"] = spec.deviation;
        } else {
          row["vocabulary"] = spec.vocabulary;
        }
        break;
      case EncoderKind::kWordSequence:
        row["length"] = spec.length;
        row["vocabulary"] = spec.vocabulary;
        break;
      case EncoderKind::kImage:
        row["length"] = spec.length;
        row["resize"] = spec.resize;
        row["interpolation"] = spec.interpolation;
        row["leave_out"] = spec.leave_out;
        break;
      case EncoderKind::kText:
        row["length"] = spec.length;
        row["ids"] = spec.buckets;
        row["tokenizer"] = spec.tokenizer;
        break;
      case EncoderKind::kNumberSequence:
      case EncoderKind::kVector:
        row["length"] = spec.length;
        row["mean"] = spec.mean;
        row["deviation"] = spec.deviation;
        break;
      case EncoderKind::kWeight:
      case EncoderKind::kGroup:
        break;
    }
    list.push_back(std::move(row));
  }
  // Words that are not UTF-8 are kept readable rather than refused.
  return list.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

std::vector<EncoderSpec> encoders_from_json(std::string_view text) {
  std::vector<EncoderSpec> specs;
  try {
    for (const auto& row : nlohmann::json::parse(text)) {
      EncoderSpec spec;
      spec.column = row.at("column").get<std::string>();
      spec.kind = value_of(kKinds, row.at("kind").get<std::string>());
      spec.mean = row.value("mean", 0.0);
      spec.deviation = row.value("deviation", 1.0);
      spec.missing_flag = row.value("missing_flag", false);
      spec.vocabulary = row.value("vocabulary", std::vector<std::string>());
      spec.buckets = row.value("buckets", row.value("ids", int64_t{0}));
      spec.tokenizer = row.value("tokenizer", std::string());
      spec.resize = row.value("resize", int64_t{0});
      spec.interpolation = row.value("interpolation", std::string());
      spec.leave_out = row.value("leave_out", false);
      spec.length = row.value("length", int64_t{0});
      if (row.contains("part")) spec.part = value_of(kParts, row["part"].get<std::string>());
      if (row.contains("task")) spec.task = value_of(kTasks, row["task"].get<std::string>());
      if (!std::isfinite(spec.mean) || !(spec.deviation > 0) ||
          ((spec.kind == EncoderKind::kHashed || spec.kind == EncoderKind::kText) &&
           spec.buckets < 1) ||
          ((spec.is_sequence() || spec.kind == EncoderKind::kVector) && spec.length < 1) ||
          (spec.kind == EncoderKind::kImage && (spec.length < 1 || spec.resize < 1))) {
        throw Error("INVALID_ARTIFACT", fmt::format("The encoder of `{}` has statistics that no "
                                                    "column can have.",
                                                    spec.column));
      }
      specs.push_back(std::move(spec));
    }
  } catch (const nlohmann::json::exception& error) {
    throw Error("INVALID_ARTIFACT", fmt::format("The encoders cannot be read: {}.", error.what()));
  }
  return specs;
}

}  // namespace firesteel
