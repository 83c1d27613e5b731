// SQLSTATEs of the error classes, and the rendering of errors.
#include "base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/condition.h"

namespace firesteel {

namespace {

struct ConditionState {
  std::string_view condition;
  std::string_view sqlstate;
};

/// Of the conditions that Spark does not have.
constexpr ConditionState kStates[] = {
    {"CHECKPOINT_DAMAGED", "22000"},
    {"CONNECT_UNAUTHENTICATED", "28000"},
    {"CONNECT_UNAVAILABLE", "08001"},
    {"DISK_FULL", "53100"},
    {"INVALID_ARCHIVE", "22000"},
    {"INVALID_ARTIFACT", "22000"},
    {"INVALID_CONNECT_URL", "22023"},
    {"INVALID_OPTION", "22023"},
    {"INVALID_PIPELINE", "42000"},
    {"IO_ERROR", "58030"},
    {"MALFORMED_IMAGE", "22000"},
    {"MODEL_INPUT_INVALID", "22000"},
    {"MODEL_RUN_FAILED", "XX000"},
    {"NULL_IN_ROW", "22004"},
    {"OUT_OF_MEMORY", "53200"},
    {"PICKLE_ERROR", "38000"},
    {"PYTHON_WORKER_CRASHED", "38000"},
    {"PYTHON_WORKER_NOT_STARTED", "38000"},
    {"RECORDS_DAMAGED", "22000"},
    {"RESOURCE_PROFILE_NOT_FOUND", "42704"},
    {"TASK_FAILED", "38000"},
    {"TASK_GATHER_FAILED", "38000"},
    {"TASK_NOT_FOUND", "42883"},
    {"TASK_OUTPUT_INVALID", "38000"},
    {"TRAINING_DATA_INVALID", "22000"},
    {"UNSUPPORTED_MODEL", "0A000"},
    {"UNSUPPORTED_PYTHON_WORKER", "0A000"},
    {"WORKER_LOST", "08006"},
};

/// Levenshtein distance, ignoring case.
size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const bool same = std::tolower(static_cast<unsigned char>(a[i - 1])) ==
                        std::tolower(static_cast<unsigned char>(b[j - 1]));
      const size_t replaced = diagonal + (same ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

}  // namespace

Error::Error(std::string condition, std::string message)
    : condition_(std::move(condition)), message_(std::move(message)) {
  render();
}

Error Error::at(Span span) const {
  Error copy = *this;
  if (!copy.span_.known()) copy.span_ = span;
  copy.render();
  return copy;
}

Error Error::in(std::string_view sql_text) const {
  Error copy = *this;
  if (copy.sql_text_.empty()) copy.sql_text_ = sql_text;
  copy.render();
  return copy;
}

Error Error::with(const std::string& parameter, const std::string& value) const {
  Error copy = *this;
  copy.parameters_[parameter] = value;
  return copy;
}

Error Error::with_sqlstate(const std::string& sqlstate) const {
  Error copy = *this;
  copy.sqlstate_ = sqlstate;
  copy.render();
  return copy;
}

std::string_view Error::sqlstate() const {
  if (!sqlstate_.empty()) return sqlstate_;
  const auto name = std::string_view(condition_).substr(0, condition_.find('.'));
  for (const auto each : {std::string_view(condition_), name}) {
    if (const auto* known = find_condition(each)) return known->sqlstate;
  }
  for (const auto& row : kStates) {
    if (row.condition == name) return row.sqlstate;
  }
  return "XX000";
}

void Error::render() {
  what_ = fmt::format("[{}] {} SQLSTATE: {}", condition_, message_, sqlstate());
  if (!span_.known() || span_.start >= static_cast<int>(sql_text_.size())) return;
  const auto line_start =
      sql_text_.rfind('\n', span_.start) == std::string::npos || span_.start == 0
          ? 0
          : sql_text_.rfind('\n', span_.start - 1) + 1;
  auto line_end = sql_text_.find('\n', span_.start);
  if (line_end == std::string::npos) line_end = sql_text_.size();
  const auto stop = std::min<size_t>(span_.stop, line_end);
  const auto width = std::max<size_t>(1, stop - span_.start);
  what_ += fmt::format("\n{}\n{:{}}{:^>{}}", sql_text_.substr(line_start, line_end - line_start),
                       "", span_.start - line_start, "", width);
}

std::string nearest_name(std::string_view name, const std::string* candidates, size_t count) {
  const std::string* best = nullptr;
  size_t best_distance = std::max<size_t>(1, name.size() / 2) + 1;
  for (size_t i = 0; i < count; ++i) {
    const size_t distance = edit_distance(name, candidates[i]);
    if (distance < best_distance) {
      best_distance = distance;
      best = &candidates[i];
    }
  }
  return best ? *best : std::string();
}

std::vector<std::string> nearest_first(std::string_view name, std::vector<std::string> names) {
  std::ranges::stable_sort(names, {}, [&](const auto& each) { return edit_distance(name, each); });
  return names;
}

}  // namespace firesteel
