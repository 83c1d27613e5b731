// Spark's conditions as a table, and the comparison of a message with Spark's.
#include "base/condition.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <optional>
#include <vector>

namespace firesteel {

namespace {

constexpr Condition kConditions[] = {
#include "base/conditions.inc"
};
static_assert(std::ranges::is_sorted(kConditions, {}, &Condition::name));

/// Parameters that have one value in all of Spark's messages, whether ours say them or not.
struct Constant {
  std::string_view condition;  // empty: any whose message has the parameter
  std::string_view name, value;
};
constexpr std::string_view kAnsi = "\"spark.sql.ansi.enabled\"";
constexpr Constant kConstants[] = {
    {"", "docroot", "https://spark.apache.org/docs/latest"},
    {"ARITHMETIC_OVERFLOW", "config", kAnsi},
    {"CAST_INVALID_INPUT", "ansiConfig", kAnsi},
    {"CAST_OVERFLOW", "ansiConfig", kAnsi},
    {"DATATYPE_MISMATCH.CAST_WITH_CONF_SUGGESTION", "config", kAnsi},
    {"DATATYPE_MISMATCH.CAST_WITH_CONF_SUGGESTION", "configVal", "'false'"},
    {"DIVIDE_BY_ZERO", "config", kAnsi},
    {"DUPLICATED_MAP_KEY", "mapKeyDedupPolicy", "\"spark.sql.mapKeyDedupPolicy\""},
    {"INCONSISTENT_BEHAVIOR_CROSS_VERSION.DATETIME_PATTERN_RECOGNITION", "config",
     "\"spark.sql.legacy.timeParserPolicy\""},
    {"NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION", "config", kAnsi},
    {"REMAINDER_BY_ZERO", "config", kAnsi},
};

bool is_space(char c) { return std::isspace(static_cast<unsigned char>(c)) != 0; }

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

/// A piece of Spark's message.
struct Part {
  std::string_view text;
  bool parameter = false;  // then the text is its name
};

std::vector<Part> parts_of(std::string_view message) {
  std::vector<Part> parts;
  size_t begin = 0;
  for (size_t i = 0; i < message.size(); ++i) {
    if (message[i] != '<') continue;
    size_t end = i + 1;
    while (end < message.size() &&
           (std::isalnum(static_cast<unsigned char>(message[end])) || message[end] == '_'))
      ++end;
    if (end == i + 1 || end == message.size() || message[end] != '>') continue;
    if (i > begin) parts.push_back({message.substr(begin, i - begin)});
    parts.push_back({message.substr(i + 1, end - i - 1), true});
    begin = end + 1;
    i = end;
  }
  if (begin < message.size()) parts.push_back({message.substr(begin)});
  return parts;
}

class Comparison {
 public:
  /// `loose` allows what is left out or said besides.
  Comparison(const std::vector<Part>& parts, std::string_view message, bool loose)
      : parts_(parts), message_(message), loose_(loose) {}

  bool holds() { return message_.size() <= kBytesMax && from(0, 0); }
  std::map<std::string, std::string> values() const { return {values_.begin(), values_.end()}; }

 private:
  bool from(size_t part, size_t at) {
    if (++steps_ > kStepsMax) return false;  // and so do all that wait for it
    if (part == parts_.size())
      return at == message_.size() || (loose_ && part > 0 && is_space(message_[at]));
    if (parts_[part].parameter) return parameter(part, at);
    const auto end = literal(parts_[part].text, at);
    return end && (*end == kLeftOut || from(part + 1, *end));
  }

  /// Where the message goes on behind a literal; runs of white space are alike.
  std::optional<size_t> literal(std::string_view text, size_t at) const {
    size_t i = 0;
    while (i < text.size()) {
      if (loose_ && at == message_.size() && i > 0 && text[i - 1] == '.') return kLeftOut;
      if (at == message_.size()) return std::nullopt;
      if (!is_space(text[i])) {
        if (text[i++] != message_[at++]) return std::nullopt;
        continue;
      }
      if (!is_space(message_[at])) return std::nullopt;
      while (i < text.size() && is_space(text[i])) ++i;
      while (at < message_.size() && is_space(message_[at])) ++at;
    }
    return at;
  }

  bool parameter(size_t part, size_t at) {
    const auto name = parts_[part].text;
    const auto tried = [&](size_t end) {
      values_[name] = message_.substr(at, end - at);
      if (from(part + 1, end)) return true;
      values_.erase(name);
      return false;
    };
    if (const auto known = values_.find(name); known != values_.end())
      return message_.substr(at).starts_with(known->second) &&
             from(part + 1, at + known->second.size());
    // The shortest text will do, unless nothing says where it ends.
    const bool last = part + 1 == parts_.size();
    if (!last && !parts_[part + 1].parameter) {
      for (size_t end = at; end <= message_.size() && steps_ <= kStepsMax; ++end) {
        if (literal(parts_[part + 1].text, end) && tried(end)) return true;
      }
    } else {
      for (size_t end = message_.size() + 1; end-- > at && steps_ <= kStepsMax;) {
        if (tried(end)) return true;
      }
    }
    // A sentence of its own, and the rest is left out.
    if (!loose_ || part == 0 || parts_[part - 1].text.back() != '.' || !message_.ends_with('.'))
      return false;
    values_[name] = message_.substr(at);
    return true;
  }

  static constexpr size_t kLeftOut = std::string_view::npos;
  static constexpr int kStepsMax = 1000;  // a message that is like Spark's needs some dozens
  static constexpr size_t kBytesMax = 64 << 10;
  const std::vector<Part>& parts_;
  const std::string_view message_;
  const bool loose_;
  int steps_ = 0;
  std::map<std::string_view, std::string_view> values_;
};

}  // namespace

const Condition* find_condition(std::string_view name) {
  const auto* found = std::ranges::lower_bound(kConditions, name, {}, &Condition::name);
  return found != std::end(kConditions) && found->name == name ? found : nullptr;
}

MessageParameters message_parameters(const Error& error) {
  const auto* known = find_condition(error.condition());
  if (!known) return {};
  const auto parts = parts_of(trimmed(known->message));
  MessageParameters out;
  for (const bool loose : {false, true}) {
    Comparison comparison(parts, trimmed(error.message()), loose);
    if (!comparison.holds()) continue;
    out.values = comparison.values();
    break;
  }
  const auto has = [&](std::string_view name) {
    return std::ranges::any_of(
        parts, [&](const Part& part) { return part.parameter && part.text == name; });
  };
  for (const auto& row : kConstants) {
    if (row.condition.empty() ? has(row.name) : row.condition == error.condition())
      out.values[std::string(row.name)] = row.value;
  }
  for (const auto& [name, value] : error.parameters()) out.values[name] = value;
  out.complete = std::ranges::all_of(parts, [&](const Part& part) {
    return !part.parameter || out.values.contains(std::string(part.text));
  });
  return out;
}

}  // namespace firesteel
