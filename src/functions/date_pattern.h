// Java's date patterns (DateTimeFormatter's, as Spark takes them): moments as text and back.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace firesteel {

/// A parsed pattern. Making one throws INVALID_DATETIME_PATTERN, or
/// INCONSISTENT_BEHAVIOR_CROSS_VERSION where Spark 2 took the pattern.
class DatePattern {
 public:
  DatePattern(std::string_view text, bool parsing);

  /// Whether the text of a moment names its zone or offset.
  bool has_zone() const;

  /// A wall clock's microseconds since 1970, ahead of UTC by `offset` seconds.
  std::string format(int64_t micros, int64_t offset, std::string_view zone) const;

  /// A wall clock, and the zone or offset ("+02:00") it was read with, if any.
  struct Moment {
    int64_t micros = 0;
    std::string zone = {};
  };
  std::optional<Moment> parse(std::string_view text) const;

 private:
  struct Token {
    char letter = 0;  // 0: literal text; [ and ]: an optional section
    int count = 0;
    std::string text = {};
  };
  struct Fields;

  void read(std::string_view text);
  void check(const Token& token) const;
  bool parse_section(size_t& token, std::string_view text, size_t& at, Fields& fields) const;
  bool parse_token(size_t token, std::string_view text, size_t& at, Fields& fields) const;
  size_t reserved(size_t token) const;

  std::vector<Token> tokens_;
  bool era_ = false;
};

}  // namespace firesteel
