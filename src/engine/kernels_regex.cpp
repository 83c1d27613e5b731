// Regular expressions that RE2 cannot run (look-around, back-references) or that differ from row to
// row, by PCRE2, which reads nearly what Java does.
#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "duckdb.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "engine/kernels.h"
#include "engine/row_function.h"
#include "functions/coercion.h"

namespace firesteel {

namespace {

[[noreturn]] void refuse(std::string_view pattern, std::string_view why) {
  throw Error("INVALID_PARAMETER_VALUE.PATTERN",
              fmt::format("The value of parameter `regexp` is invalid: '{}': {}.", pattern, why));
}

/// Java's syntax as PCRE2's: \u0041, \p{Alpha}, \p{IsGreek}. What has another meaning is refused.
std::string translated(std::string_view java) {
  static constexpr std::pair<std::string_view, std::string_view> kClasses[] = {
      {"Lower", "lower"}, {"Upper", "upper"}, {"ASCII", "ascii"}, {"Alpha", "alpha"},
      {"Digit", "digit"}, {"Alnum", "alnum"}, {"Punct", "punct"}, {"Graph", "graph"},
      {"Print", "print"}, {"Blank", "blank"}, {"Cntrl", "cntrl"}, {"XDigit", "xdigit"},
      {"Space", "space"}};
  std::string out;
  bool in_class = false;
  for (size_t i = 0; i < java.size(); ++i) {
    const char c = java[i];
    if (c == '\\' && i + 1 < java.size()) {
      const char next = java[i + 1];
      const auto close = java.find('}', i);
      if (next == 'u' && i + 5 < java.size()) {
        out += fmt::format("\\x{{{}}}", java.substr(i + 2, 4));
        i += 5;
        continue;
      }
      if ((next == 'p' || next == 'P') && java.substr(i + 2, 1) == "{" && close != java.npos) {
        auto name = java.substr(i + 3, close - i - 3);
        const auto* row = std::find_if(std::begin(kClasses), std::end(kClasses),
                                       [&](const auto& entry) { return entry.first == name; });
        if (row != std::end(kClasses)) {
          const auto text = fmt::format("[:{}{}:]", next == 'P' ? "^" : "", row->second);
          out += in_class ? text : "[" + text + "]";
        } else {
          if (name.starts_with("Is")) name.remove_prefix(2);
          out += fmt::format("\\{}{{{}}}", next, name);
        }
        i = close;
        continue;
      }
      out += c;
      out += next;
      ++i;
      continue;
    }
    if (in_class && (c == '[' || java.substr(i, 2) == "&&"))
      refuse(java, "classes within classes are not supported");
    if (c == '[') {
      in_class = true;
      // A bracket or a caret right behind the opening belongs to the class.
      out += c;
      if (java.substr(i + 1, 1) == "^") out += java[++i];
      if (java.substr(i + 1, 1) == "]") refuse(java, "a class is empty");
      continue;
    }
    if (c == ']') in_class = false;
    out += c;
  }
  return out;
}

/// A compiled pattern and the groups of its last match. One thread at a time.
class Regex {
 public:
  explicit Regex(std::string_view pattern) : pattern_(pattern) {
    const auto text = translated(pattern);
    int code = 0;
    PCRE2_SIZE place = 0;
    const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
        pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
    pcre2_set_newline(context.get(), PCRE2_NEWLINE_ANYCRLF);
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                              PCRE2_UTF | PCRE2_NO_UTF_CHECK, &code, &place, context.get()));
    if (!code_) {
      PCRE2_UCHAR message[128];
      pcre2_get_error_message(code, message, sizeof message);
      refuse(pattern, reinterpret_cast<const char*>(message));
    }
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
    match_.reset(pcre2_match_data_create_from_pattern(code_.get(), nullptr));
  }

  /// The next match at or behind a byte, if there is one.
  bool find(std::string_view text, size_t from) const {
    if (from > text.size()) return false;
    text_ = text;
    const int found = pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()),
                                  text.size(), from, PCRE2_NO_UTF_CHECK, match_.get(), nullptr);
    if (found < 0 && found != PCRE2_ERROR_NOMATCH)
      refuse(pattern_, "it takes too many steps to match");
    return found > 0;
  }
  size_t start() const { return pcre2_get_ovector_pointer(match_.get())[0]; }
  size_t end() const { return pcre2_get_ovector_pointer(match_.get())[1]; }
  /// Where to look for the match behind this one.
  size_t next() const { return end() > start() ? end() : behind(end()); }
  int64_t groups() const { return pcre2_get_ovector_count(match_.get()) - 1; }
  std::string_view group(int64_t n) const {
    const auto* places = pcre2_get_ovector_pointer(match_.get()) + 2 * n;
    if (places[0] == PCRE2_UNSET) return {};
    return text_.substr(places[0], places[1] - places[0]);
  }

 private:
  /// The place of the next character.
  size_t behind(size_t at) const {
    for (++at; at < text_.size() && (static_cast<unsigned char>(text_[at]) & 0xc0) == 0x80;) ++at;
    return at;
  }

  struct Free {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
    void operator()(pcre2_match_data* match) const { pcre2_match_data_free(match); }
  };
  std::string pattern_;
  std::unique_ptr<pcre2_code, Free> code_;
  std::unique_ptr<pcre2_match_data, Free> match_;
  mutable std::string_view text_;
};

using Text = std::optional<std::string>;
using Number = std::optional<int64_t>;

int64_t characters(std::string_view text) {
  return std::count_if(text.begin(), text.end(),
                       [](unsigned char c) { return (c & 0xc0) != 0x80; });
}

void check_group(const Regex& regex, int64_t group) {
  if (group >= 0 && group <= regex.groups()) return;
  throw Error("INVALID_PARAMETER_VALUE.REGEX_GROUP_INDEX",
              fmt::format("The value of parameter `idx` is invalid: expects group index between 0 "
                          "and {}, but got {}.",
                          regex.groups(), group));
}

Number like(Arguments a) { return made_of<Regex>(a[1].text).find(a[0].text, 0); }

Number count(Arguments a) {
  const auto& regex = made_of<Regex>(a[1].text);
  int64_t matches = 0;
  for (size_t at = 0; regex.find(a[0].text, at); at = regex.next()) ++matches;
  return matches;
}

/// The place of the first match in characters, from 1; 0 without one.
Number instr(Arguments a) {
  const auto& regex = made_of<Regex>(a[1].text);
  if (!regex.find(a[0].text, 0)) return 0;
  return characters(a[0].text.substr(0, regex.start())) + 1;
}

Text substr(Arguments a) {
  const auto& regex = made_of<Regex>(a[1].text);
  if (!regex.find(a[0].text, 0) || regex.end() == regex.start()) return std::nullopt;
  return std::string(regex.group(0));
}

Text extract(Arguments a) {
  const auto& regex = made_of<Regex>(a[1].text);
  if (!regex.find(a[0].text, 0)) return "";
  check_group(regex, a[2].number);
  return std::string(regex.group(a[2].number));
}

/// Java's replacement: $1 is a group, \x the character itself.
void append_replacement(const Regex& regex, std::string_view replacement, std::string& out) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  for (size_t i = 0; i < replacement.size(); ++i) {
    const char c = replacement[i];
    if (c == '\\' && i + 1 < replacement.size()) {
      out += replacement[++i];
    } else if (c == '$' && i + 1 < replacement.size() && digit(replacement[i + 1])) {
      int64_t group = replacement[++i] - '0';
      while (i + 1 < replacement.size() && digit(replacement[i + 1]) &&
             group * 10 + (replacement[i + 1] - '0') <= regex.groups()) {
        group = group * 10 + (replacement[++i] - '0');
      }
      if (group > regex.groups()) {
        throw Error("INVALID_REGEXP_REPLACE",
                    fmt::format("Could not perform regexp_replace: no group {}.", group));
      }
      out += regex.group(group);
    } else {
      out += c;
    }
  }
}

/// replace(text, pattern, replacement, from which character)
Text replace(Arguments a) {
  const auto& regex = made_of<Regex>(a[1].text);
  const auto text = a[0].text;
  size_t at = 0;
  for (int64_t skipped = 1; skipped < a[3].number && at < text.size(); ++at) {
    if (at + 1 == text.size() || (static_cast<unsigned char>(text[at + 1]) & 0xc0) != 0x80)
      ++skipped;
  }
  std::string out(text.substr(0, at));
  size_t copied = at;
  for (; regex.find(text, at); at = regex.next()) {
    out += text.substr(copied, regex.start() - copied);
    append_replacement(regex, a[2].text, out);
    copied = regex.end();
  }
  return out.append(text.substr(copied));
}

using Parts = std::vector<std::string_view>;

Parts extract_all(std::string_view text, std::string_view pattern, int64_t group) {
  const auto& regex = made_of<Regex>(pattern);
  check_group(regex, group);
  Parts parts;
  for (size_t at = 0; regex.find(text, at); at = regex.next()) parts.push_back(regex.group(group));
  return parts;
}

/// Java's split: no empty part before a match of nothing at the start; the last of at most `limit`
/// parts is the rest. An empty pattern gives the characters.
Parts split(std::string_view text, std::string_view pattern, int64_t limit) {
  const auto& regex = made_of<Regex>(pattern);
  Parts parts;
  size_t copied = 0;
  for (size_t at = 0; regex.find(text, at); at = regex.next()) {
    if (limit > 0 && static_cast<int64_t>(parts.size()) == limit - 1) break;
    if (regex.end() == 0 || (pattern.empty() && regex.end() == text.size())) continue;
    parts.push_back(text.substr(copied, regex.start() - copied));
    copied = regex.end();
  }
  parts.push_back(text.substr(copied));
  return parts;
}

/// A kernel of text, pattern and number that gives a list of texts.
template <Parts (*function)(std::string_view, std::string_view, int64_t)>
void list_kernel(duckdb::DataChunk& input, duckdb::ExpressionState&, duckdb::Vector& result) {
  duckdb::UnifiedVectorFormat texts, patterns, numbers;
  input.data[0].ToUnifiedFormat(input.size(), texts);
  input.data[1].ToUnifiedFormat(input.size(), patterns);
  input.data[2].ToUnifiedFormat(input.size(), numbers);
  const auto text_of = [](const duckdb::UnifiedVectorFormat& column, duckdb::idx_t at) {
    const auto& text = duckdb::UnifiedVectorFormat::GetData<duckdb::string_t>(column)[at];
    return std::string_view(text.GetData(), text.GetSize());
  };
  auto* entries = duckdb::FlatVector::GetData<duckdb::list_entry_t>(result);
  for (duckdb::idx_t row = 0; row < input.size(); ++row) {
    const auto text = texts.sel->get_index(row), pattern = patterns.sel->get_index(row),
               number = numbers.sel->get_index(row);
    if (!texts.validity.RowIsValid(text) || !patterns.validity.RowIsValid(pattern) ||
        !numbers.validity.RowIsValid(number)) {
      duckdb::FlatVector::SetNull(result, row, true);
      continue;
    }
    try {
      const auto parts = function(text_of(texts, text), text_of(patterns, pattern),
                                  duckdb::UnifiedVectorFormat::GetData<int64_t>(numbers)[number]);
      entries[row] = {duckdb::ListVector::GetListSize(result), parts.size()};
      for (const auto part : parts)
        duckdb::ListVector::PushBack(result, duckdb::Value(std::string(part)));
    } catch (const Error& error) {
      throw duckdb::InvalidInputException(
          raised_text(error.condition(), error.message(), error.span()));
    }
  }
  if (input.AllConstant()) result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
}

}  // namespace

void register_regex(duckdb::ExtensionLoader& loader) {
  add_row_function(loader, "spark_regexp_like", "ss>?", like);
  add_row_function(loader, "spark_regexp_count", "ss>i", count);
  add_row_function(loader, "spark_regexp_instr", "ss>i", instr);
  add_row_function(loader, "spark_regexp_substr", "ss>s", substr);
  add_row_function(loader, "spark_regexp_extract", "ssl>s", extract);
  add_row_function(loader, "spark_regexp_replace", "sssl>s", replace);
  using duckdb::LogicalType;
  const auto add = [&](const char* name, duckdb::scalar_function_t kernel) {
    loader.RegisterFunction(duckdb::ScalarFunction(
        name, {LogicalType::VARCHAR, LogicalType::VARCHAR, LogicalType::BIGINT},
        LogicalType::LIST(LogicalType::VARCHAR), std::move(kernel)));
  };
  add("spark_regexp_extract_all", list_kernel<extract_all>);
  add("spark_regexp_split", list_kernel<split>);
}

}  // namespace firesteel
