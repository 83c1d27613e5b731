// The one exception type. A user's error carries Spark's error class (condition), SQLSTATE and,
// when it stems from SQL text, the place in that text.
#pragma once

#include <exception>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace firesteel {

/// Bytes [start, stop) of the user's SQL text. Empty (stop <= start) when unknown.
struct Span {
  int start = 0;
  int stop = 0;
  bool known() const { return stop > start; }
  bool operator==(const Span&) const = default;
};

/// Thrown where a fault is known; caught by the gRPC handler, the HTTP handler and main.
/// `what()` reads
///   [UNRESOLVED_COLUMN.WITH_SUGGESTION] No column `nme`. Did you mean `name`? SQLSTATE: 42703
///   SELECT nme FROM t
///          ^^^
class Error : public std::exception {
 public:
  /// `condition` is Spark's error class where Spark has one, e.g. "DIVIDE_BY_ZERO".
  Error(std::string condition, std::string message);

  /// The same error with the place in the user's SQL; a place already known is kept.
  Error at(Span span) const;
  /// The same error with the SQL text that the span points into; a text already known is kept.
  Error in(std::string_view sql_text) const;

  /// The same error with a parameter of Spark's message that ours does not say.
  Error with(const std::string& parameter, const std::string& value) const;
  /// The same error with the SQLSTATE that another program gives; empty: by the condition.
  Error with_sqlstate(const std::string& sqlstate) const;

  const std::string& condition() const { return condition_; }
  const std::string& message() const { return message_; }
  std::string_view sqlstate() const;
  /// What `with` added; condition.h finds the others.
  const std::map<std::string, std::string>& parameters() const { return parameters_; }
  Span span() const { return span_; }
  const std::string& sql_text() const { return sql_text_; }
  const char* what() const noexcept override { return what_.c_str(); }

 private:
  void render();

  std::string condition_, message_, sql_text_, sqlstate_, what_;
  Span span_;
  std::map<std::string, std::string> parameters_;
};

/// "Did you mean": the candidate nearest to `name`, or nothing when none is near.
/// `Range` holds strings.
std::string nearest_name(std::string_view name, const std::string* candidates, size_t count);
template <typename Range>
std::string nearest_name(std::string_view name, const Range& candidates) {
  return nearest_name(name, candidates.data(), candidates.size());
}

/// Names from the nearest to the farthest.
std::vector<std::string> nearest_first(std::string_view name, std::vector<std::string> names);

}  // namespace firesteel
