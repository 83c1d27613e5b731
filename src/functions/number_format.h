// Spark's number formats, as to_number and to_char take them: `S$99,999.00`, `999PR`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace firesteel {

/// A parsed format. Parsing throws INVALID_FORMAT where the format is none.
class NumberFormat {
 public:
  explicit NumberFormat(std::string_view text);

  /// Digits before and behind the point.
  int whole_digits() const { return whole_; }
  int scale() const { return scale_; }

  /// Plain digits of a text in this format ("-12454.8"); nothing when it does not fit.
  std::optional<std::string> parse(std::string_view text) const;
  /// A plain decimal in this format; `#` for its digits when it does not fit.
  std::string format(std::string_view number) const;

 private:
  enum class Kind { kDigits, kPoint, kDollar, kSign, kMinus, kOpen, kClose };
  /// Digits between two commas: exactly as many, or at most.
  struct Group {
    int digits = 0;
    bool exact = false;
  };
  struct Token {
    Kind kind;
    std::vector<Group> groups = {};  // kDigits
  };

  void read(std::string_view text);
  void check(std::string_view text) const;
  bool parse_digits(const Token& token, std::string_view text, size_t& at, bool fraction,
                    std::string& out) const;

  std::vector<Token> tokens_;
  int whole_ = 0, scale_ = 0;
};

}  // namespace firesteel
