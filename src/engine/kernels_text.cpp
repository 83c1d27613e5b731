// Functions of text and its bytes: base 32 and 64, UTF-8 as Java repairs it, URLs, similarity.
#include <algorithm>
#include <bit>
#include <vector>

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
}

}  // namespace firesteel
