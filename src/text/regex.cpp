// Oniguruma's patterns in PCRE2's words: the two differ in what the short classes hold.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "text/regex.h"

#include <fmt/format.h>
#include <pcre2.h>

#include <stdexcept>

#include "base/error.h"

namespace firesteel::text {

namespace {

/// What a short class holds, as it stands within brackets; empty for one that both know alike.
std::string_view members(char name) {
  switch (name) {
    case 's':
    case 'S':
      return R"(\t-\r\x{85}\p{Z})";
    case 'w':
    case 'W':
      return R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\x{B2}\x{B3}\x{B9}\x{BC}-\x{BE})";
    case 'd':
    case 'D':
      return R"(\p{Nd})";
    case 'h':
    case 'H':
      return "0-9a-fA-F";
    default:
      return {};
  }
}

std::string from_oniguruma(std::string_view pattern) {
  std::string out;
  bool within = false;  // brackets
  for (size_t at = 0; at < pattern.size(); ++at) {
    const char c = pattern[at];
    if (c == '\\' && at + 1 < pattern.size()) {
      const char name = pattern[++at];
      const auto held = members(name);
      const bool without = name >= 'A' && name <= 'Z';
      if (held.empty() || (within && without && name != 'H')) {
        out += {c, name};  // PCRE2's class, which is as good as the same
      } else if (within) {
        out += held;
      } else {
        out += fmt::format("[{}{}]", without ? "^" : "", held);
      }
      continue;
    }
    if (within) {
      if (c == ']') within = false;
      if (pattern.substr(at, 2) == "&&" || (c == '[' && pattern.substr(at, 2) != "[:")) {
        throw std::invalid_argument("a set within a set");
      }
      if (pattern.substr(at, 2) == "[:") {
        const size_t end = pattern.find(":]", at);
        if (end == std::string_view::npos)
          throw std::invalid_argument("a bracket that is not closed");
        out += pattern.substr(at, end + 2 - at);
        at = end + 1;
        continue;
      }
    } else if (c == '[') {
      within = true;
      out += c;
      if (pattern.substr(at + 1, 1) == "^") out += pattern[++at];
      if (pattern.substr(at + 1, 1) == "]") out += R"(\])", ++at;
      continue;
    }
    out += c;
  }
  return out;
}

/// What matching needs and a thread keeps.
struct Scratch {
  pcre2_match_data* data = pcre2_match_data_create(1, nullptr);
  pcre2_match_context* context = pcre2_match_context_create(nullptr);
  pcre2_jit_stack* stack = pcre2_jit_stack_create(32 * 1024, 8 * 1024 * 1024, nullptr);
  Scratch() {
    if (!data || !context || !stack) throw std::bad_alloc();
    pcre2_jit_stack_assign(context, nullptr, stack);
  }
  ~Scratch() {
    pcre2_jit_stack_free(stack);
    pcre2_match_context_free(context);
    pcre2_match_data_free(data);
  }
};

}  // namespace

void Regex::Free::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }

Regex::Regex(std::string_view pattern)
    : Regex(from_oniguruma(pattern), PCRE2_UCP | PCRE2_MULTILINE) {}
Regex Regex::literal(std::string_view text) { return Regex(text, PCRE2_LITERAL); }

Regex::Regex(std::string_view pattern, uint32_t options) {
  int error = 0;
  PCRE2_SIZE place = 0;
  const std::unique_ptr<pcre2_compile_context, decltype(&pcre2_compile_context_free)> context(
      pcre2_compile_context_create(nullptr), pcre2_compile_context_free);
  if (!context) throw std::bad_alloc();
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_LF);
  code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                            options | PCRE2_UTF, &error, &place, context.get()));
  if (!code_) {
    char text[256] = "";
    pcre2_get_error_message(error, reinterpret_cast<PCRE2_UCHAR*>(text), sizeof text);
    throw std::invalid_argument(fmt::format("{} at its character {}", text, place + 1));
  }
  pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);  // Where there is no JIT it is interpreted.
}

bool Regex::find(std::string_view text, uint32_t& at, Range& match) const {
  thread_local Scratch scratch;
  while (at <= text.size()) {
    const int found =
        pcre2_match(code_.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), at,
                    PCRE2_NO_UTF_CHECK, scratch.data, scratch.context);
    if (found == PCRE2_ERROR_NOMATCH) return false;
    if (found < 0) {
      throw Error("MODEL_INPUT_INVALID",
                  fmt::format("A tokenizer's regular expression gave up on a text of {} bytes "
                              "(PCRE2's error {}): cut the text "
                              "into shorter ones.",
                              text.size(), found));
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(scratch.data);
    const Range here{static_cast<uint32_t>(bounds[0]), static_cast<uint32_t>(bounds[1])};
    // An empty match right behind the last one is none.
    if (here.size() == 0 && here.end == match.end && at > 0) {
      at = here.end < text.size() ? here.end + character_size(text[here.end]) : here.end + 1;
      continue;
    }
    match = here;
    at = here.size() > 0          ? here.end
         : here.end < text.size() ? here.end + character_size(text[here.end])
                                  : here.end + 1;
    return true;
  }
  return false;
}

Regex make_pattern(const Config& config) {
  const Config pattern = config.at("pattern");
  try {
    if (pattern.has("String")) return Regex::literal(pattern.text("String"));
    if (pattern.has("Regex")) return Regex(pattern.text("Regex"));
  } catch (const std::invalid_argument& error) {
    pattern.unsupported(
        fmt::format("the regular expression `{}` ({})", pattern.text("Regex", ""), error.what()));
  }
  pattern.damaged("`String` or `Regex` is expected");
}

}  // namespace firesteel::text
