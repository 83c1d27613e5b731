// Functions of text and its bytes: base 32 and 64, UTF-8 as Java repairs it, URLs, similarity.
#include <algorithm>
#include <bit>
#include <utility>
#include <vector>

#include "base/error.h"
#include "engine/kernels.h"
#include "engine/row_function.h"

namespace firesteel {

namespace {

using Text = std::optional<std::string>;
using Number = std::optional<int64_t>;

constexpr std::string_view kBase32 = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
constexpr std::string_view kBase64 =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Text to_base32(Arguments a) {
  std::string out;
  uint64_t bits = 0;
  int count = 0;
  for (const unsigned char byte : a[0].text) {
    bits = bits << 8 | byte;
    for (count += 8; count >= 5; count -= 5) out += kBase32[bits >> (count - 5) & 31];
  }
  if (count > 0) out += kBase32[bits << (5 - count) & 31];
  out.append((8 - out.size() % 8) % 8, '=');
  return out;
}

/// Bytes of digits of so many bits each; what is no digit is skipped. A last incomplete byte is
/// dropped, except that Spark takes a single last digit of base 32 for one.
std::string decoded(std::string_view text, std::string_view digits, int width) {
  std::string out;
  uint32_t bits = 0;
  int count = 0, read = 0;
  for (const char c : text) {
    if (c == '=') break;
    const auto digit = digits.find(c);
    if (digit == std::string_view::npos) continue;
    bits = bits << width | static_cast<uint32_t>(digit);
    ++read;
    if ((count += width) >= 8) out += static_cast<char>(bits >> (count -= 8) & 255);
  }
  if (width == 5 && read % 8 == 1) out += static_cast<char>((bits & 31) >> 2);
  return out;
}

Text from_base32(Arguments a) {
  std::string text(a[0].text);
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return decoded(text, kBase32, 5);
}

/// Null where the text is no base 64, with or without padding.
Text from_base64(Arguments a) {
  size_t digits = 0, padding = 0;
  for (const char c : a[0].text) {
    const bool space = std::isspace(static_cast<unsigned char>(c)) != 0;
    if (c == '=') {
      if (++padding > 2) return std::nullopt;
    } else if (padding > 0 || (!space && kBase64.find(c) == std::string_view::npos)) {
      return std::nullopt;
    } else {
      digits += !space;
    }
  }
  if (padding > 0 ? (digits + padding) % 4 != 0 : digits % 4 == 1) return std::nullopt;
  return decoded(a[0].text, kBase64, 6);
}

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char small = static_cast<char>(c | 0x20);
  return small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
}

/// Null where a character is no hexadecimal digit. The first of an odd number is half a byte.
Text from_hex(Arguments a) {
  std::string out;
  int half = a[0].text.size() % 2 == 1 ? 0 : -1;
  for (const char c : a[0].text) {
    const int digit = hex_digit(c);
    if (digit < 0) return std::nullopt;
    if (half < 0) {
      half = digit;
    } else {
      out += static_cast<char>(half << 4 | digit);
      half = -1;
    }
  }
  return out;
}

/// Length of the valid UTF-8 sequence at the start, or 0; `bad` is then the length of what a
/// replacement character stands for.
size_t sequence(std::string_view text, size_t& bad) {
  const auto byte = [&](size_t i) -> unsigned {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  bad = 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const unsigned low = first == 0xe0   ? 0xa0
                       : first == 0xf0 ? 0x90
                                       : 0x80,
                 high = first == 0xed   ? 0x9f
                        : first == 0xf4 ? 0x8f
                                        : 0xbf;
  for (size_t i = 1; i < length; ++i) {
    if (byte(i) < (i == 1 ? low : 0x80) || byte(i) > (i == 1 ? high : 0xbf)) {
      bad = i;
      return 0;
    }
  }
  return length;
}

}  // namespace

std::string repaired_utf8(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    size_t bad = 0;
    const size_t length = sequence(text, bad);
    out += length > 0 ? text.substr(0, length) : "\xEF\xBF\xBD";
    text.remove_prefix(length > 0 ? length : bad);
  }
  return out;
}

namespace {

Number is_valid_utf8(Arguments a) { return repaired_utf8(a[0].text) == a[0].text; }
Text make_valid_utf8(Arguments a) { return repaired_utf8(a[0].text); }
Text valid_utf8(Arguments a) {
  return *is_valid_utf8(a) ? Text(std::string(a[0].text)) : std::nullopt;
}

/// Null where a % is not followed by two hexadecimal digits.
Text url_decode(Arguments a) {
  std::string out;
  const auto text = a[0].text;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i] == '+' ? ' ' : text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1,
              low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    if (low < 0) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return repaired_utf8(out);
}

std::u32string characters(std::string_view text) {
  std::u32string out;
  for (const unsigned char c : text) {
    if ((c & 0xc0) != 0x80) {
      out += c < 0x80 ? c : c & (0x3f >> (std::countl_one(c) - 1));
    } else if (!out.empty()) {
      out.back() = out.back() << 6 | (c & 0x3f);
    }
  }
  return out;
}

std::optional<double> jaro_winkler(Arguments a) {
  const auto x = characters(a[0].text), y = characters(a[1].text);
  if (x == y) return 1;
  if (x.empty() || y.empty()) return 0;
  const size_t window = std::max(std::max(x.size(), y.size()) / 2, size_t{1}) - 1;
  std::vector<bool> in_x(x.size()), in_y(y.size());
  double matches = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t end = std::min(y.size(), i + window + 1);
    for (size_t j = i > window ? i - window : 0; j < end; ++j) {
      if (in_y[j] || x[i] != y[j]) continue;
      in_x[i] = in_y[j] = true;
      ++matches;
      break;
    }
  }
  if (matches == 0) return 0;
  double swapped = 0;
  for (size_t i = 0, j = 0; i < x.size(); ++i) {
    if (!in_x[i]) continue;
    while (!in_y[j]) ++j;
    swapped += x[i] != y[j++];
  }
  const double sizes[] = {static_cast<double>(x.size()), static_cast<double>(y.size())};
  const double jaro =
      (matches / sizes[0] + matches / sizes[1] + (matches - swapped / 2) / matches) / 3;
  const size_t most = std::min({size_t{4}, x.size(), y.size()});
  double prefix = 0;
  while (prefix < static_cast<double>(most) &&
         x[static_cast<size_t>(prefix)] == y[static_cast<size_t>(prefix)])
    ++prefix;
  return jaro + prefix * 0.1 * (1 - jaro);
}

/// Insertions, deletions and substitutions between two texts, in characters; -1 above a threshold.
Number levenshtein(Arguments a) {
  const auto x = characters(a[0].text), y = characters(a[1].text);
  std::vector<int64_t> row(y.size() + 1);
  for (size_t j = 0; j < row.size(); ++j) row[j] = static_cast<int64_t>(j);
  for (size_t i = 0; i < x.size(); ++i) {
    int64_t diagonal = std::exchange(row[0], static_cast<int64_t>(i + 1));
    for (size_t j = 0; j < y.size(); ++j) {
      const int64_t above = row[j + 1];
      row[j + 1] = std::min({above + 1, row[j] + 1, diagonal + (x[i] != y[j])});
      diagonal = above;
    }
  }
  if (a.size() > 2 && row.back() > a[2].number) return -1;
  return row.back();
}

/// What is no digit is passed over, as by Java's decoder of MIME.
Text mime_base64(Arguments a) {
  size_t digits = 0;
  for (const char c : a[0].text) {
    if (c == '=') break;
    digits += kBase64.find(c) != std::string_view::npos;
  }
  if (digits % 4 == 1) {
    throw Error(
        "CONVERSION_INVALID_INPUT",
        "The text cannot be read as base 64: its last group has one digit. Use `try_to_binary` "
        "to tolerate it and return NULL instead.");
  }
  return decoded(a[0].text, kBase64, 6);
}

enum class Charset { kAscii, kLatin1, kUtf8, kUtf16, kUtf16Big, kUtf16Little, kUtf32 };

Charset charset_named(std::string_view name, const char* function) {
  static constexpr std::pair<std::string_view, Charset> kCharsets[] = {
      {"US-ASCII", Charset::kAscii},       {"ISO-8859-1", Charset::kLatin1},
      {"UTF-8", Charset::kUtf8},           {"UTF-16BE", Charset::kUtf16Big},
      {"UTF-16LE", Charset::kUtf16Little}, {"UTF-16", Charset::kUtf16},
      {"UTF-32", Charset::kUtf32}};
  for (const auto& [known, charset] : kCharsets) {
    if (std::equal(known.begin(), known.end(), name.begin(), name.end(),
                   [](char a, char b) { return a == std::toupper(b); }))
      return charset;
  }
  throw Error("INVALID_PARAMETER_VALUE.CHARSET",
              "The value of parameter `charset` in `" + std::string(function) +
                  "` is invalid: expects one of the iso-8859-1, us-ascii, utf-16, utf-16be, "
                  "utf-16le, utf-32, utf-8, but got " +
                  std::string(name) + ".");
}

[[noreturn]] void malformed(const char* function, std::string_view charset) {
  throw Error("MALFORMED_CHARACTER_CODING", "Invalid value found when performing `" +
                                                std::string(function) + "` with " +
                                                std::string(charset) + ".");
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
    return;
  }
  const int more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
  static constexpr unsigned char kFirst[] = {0, 0xC0, 0xE0, 0xF0};
  out += static_cast<char>(kFirst[more] | c >> (6 * more));
  for (int i = more - 1; i >= 0; --i) out += static_cast<char>(0x80 | (c >> (6 * i) & 0x3F));
}

Text encode(Arguments a) {
  const auto charset = charset_named(a[1].text, "encode");
  if (charset == Charset::kUtf8) return std::string(a[0].text);
  std::string out = charset == Charset::kUtf16 && !a[0].text.empty() ? "\xFE\xFF" : "";
  const auto unit = [&](char32_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) {
      const int shift = charset == Charset::kUtf16Little ? 8 * i : 8 * (bytes - 1 - i);
      out += static_cast<char>(value >> shift);
    }
  };
  for (const char32_t c : characters(a[0].text)) {
    if (charset == Charset::kAscii || charset == Charset::kLatin1) {
      if (c >= (charset == Charset::kAscii ? 0x80U : 0x100U)) malformed("encode", a[1].text);
      unit(c, 1);
    } else if (charset == Charset::kUtf32) {
      unit(c, 4);
    } else if (c < 0x10000) {
      unit(c, 2);
    } else {
      unit(0xD800 + ((c - 0x10000) >> 10), 2);
      unit(0xDC00 + ((c - 0x10000) & 0x3FF), 2);
    }
  }
  return out;
}

Text decode(Arguments a) {
  const auto charset = charset_named(a[1].text, "decode");
  auto bytes = a[0].text;
  if (charset == Charset::kUtf8) {
    if (repaired_utf8(bytes) != bytes) malformed("decode", a[1].text);
    return std::string(bytes);
  }
  bool little = charset == Charset::kUtf16Little;
  if (charset == Charset::kUtf16 && bytes.size() >= 2 &&
      (bytes.substr(0, 2) == "\xFE\xFF" || bytes.substr(0, 2) == "\xFF\xFE")) {
    little = bytes[0] == '\xFF';
    bytes.remove_prefix(2);
  }
  const bool narrow = charset == Charset::kAscii || charset == Charset::kLatin1;
  const size_t width = narrow ? 1 : charset == Charset::kUtf32 ? 4 : 2;
  if (bytes.size() % width != 0) malformed("decode", a[1].text);
  std::string out;
  char32_t high = 0;
  for (size_t at = 0; at < bytes.size(); at += width) {
    char32_t c = 0;
    for (size_t i = 0; i < width; ++i) {
      const auto byte = static_cast<unsigned char>(bytes[at + (little ? width - 1 - i : i)]);
      c = c << 8 | byte;
    }
    const bool is_high = width == 2 && c >= 0xD800 && c < 0xDC00,
               is_low = width == 2 && c >= 0xDC00 && c < 0xE000;
    if ((charset == Charset::kAscii && c >= 0x80) || c > 0x10FFFF || (high != 0) != is_low)
      malformed("decode", a[1].text);
    if (is_high) {
      high = c;
      continue;
    }
    if (is_low) c = 0x10000 + ((std::exchange(high, 0) - 0xD800) << 10) + (c - 0xDC00);
    append_utf8(out, c);
  }
  if (high != 0) malformed("decode", a[1].text);
  return out;
}

}  // namespace

void register_text(duckdb::ExtensionLoader& loader) {
  add_row_function(loader, "spark_to_base32", "b>s", to_base32);
  add_row_function(loader, "spark_from_base32", "s>b", from_base32);
  add_row_function(loader, "spark_try_from_base64", "s>b", from_base64);
  add_row_function(loader, "spark_try_from_hex", "s>b", from_hex);
  add_row_function(loader, "spark_is_valid_utf8", "b>?", is_valid_utf8);
  add_row_function(loader, "spark_make_valid_utf8", "b>s", make_valid_utf8);
  add_row_function(loader, "spark_try_validate_utf8", "b>s", valid_utf8);
  add_row_function(loader, "spark_try_url_decode", "s>s", url_decode);
  add_row_function(loader, "spark_jaro_winkler", "ss>d", jaro_winkler);
  add_row_function(loader, "spark_levenshtein", "ss>i", levenshtein);
  add_row_function(loader, "spark_levenshtein_within", "ssi>i", levenshtein);
  add_row_function(loader, "spark_encode", "ss>b", encode);
  add_row_function(loader, "spark_decode", "bs>s", decode);
  add_row_function(loader, "spark_unbase64", "s>b", mime_base64);
}

}  // namespace firesteel
