// Regular expressions as a tokenizer.json has them (Oniguruma's), run by PCRE2.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "text/config.h"
#include "text/unicode.h"

struct pcre2_real_code_8;

namespace firesteel::text {

/// Const calls are thread-safe.
class Regex {
 public:
  /// Throws std::invalid_argument, which says what is wrong with the pattern.
  explicit Regex(std::string_view pattern);
  /// A pattern that is the text itself.
  static Regex literal(std::string_view text);

  /// Calls `use` with every match within [range) of `text`, from left to right; what stands around
  /// the range is out of sight.
  template <typename Use>
  void each(std::string_view text, Range range, Use use) const {
    const std::string_view part = text.substr(range.begin, range.size());
    Range match;
    for (uint32_t at = 0; find(part, at, match);)
      use(Range{range.begin + match.begin, range.begin + match.end});
  }

 private:
  struct Free {
    void operator()(pcre2_real_code_8* code) const;
  };
  Regex(std::string_view pattern, uint32_t options);
  /// The next match from `at` on, which moves behind it.
  bool find(std::string_view text, uint32_t& at, Range& match) const;

  std::unique_ptr<pcre2_real_code_8, Free> code_;
};

/// The field "pattern": {"String": …} or {"Regex": …}.
Regex make_pattern(const Config& config);

}  // namespace firesteel::text
