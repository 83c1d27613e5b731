// Spark's text tables, horizontal and vertical; wide characters count two columns.
#include "engine/show.h"

#include <fmt/format.h>

#include <algorithm>

namespace firesteel {

namespace {

/// Code points of UTF-8, as (offset, width in columns).
size_t next_code_point(const std::string& text, size_t at, uint32_t* code) {
  const auto c = static_cast<unsigned char>(text[at]);
  const size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
  *code = length == 1 ? c : c & (0xff >> (length + 1));
  for (size_t i = 1; i < length && at + i < text.size(); ++i) {
    *code = (*code << 6) | (static_cast<unsigned char>(text[at + i]) & 0x3f);
  }
  return at + length;
}

bool is_wide(uint32_t c) {
  return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
         (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
         (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff00 && c <= 0xff60) ||
         (c >= 0xffe0 && c <= 0xffe6);
}

size_t width_of(const std::string& text) {
  size_t width = 0;
  uint32_t code = 0;
  for (size_t at = 0; at < text.size();
       at = next_code_point(text, at, &code), width += is_wide(code) ? 2 : 1) {
  }
  return width;
}

std::string cell_text(const std::optional<std::string>& cell, int truncate) {
  if (!cell) return "NULL";
  std::string text;
  for (char c : *cell) {
    switch (c) {
      case '\n':
        text += "\\n";
        break;
      case '\r':
        text += "\\r";
        break;
      case '\t':
        text += "\\t";
        break;
      default:
        text += c;
    }
  }
  if (truncate <= 0) return text;
  std::vector<size_t> starts;
  uint32_t code = 0;
  for (size_t at = 0; at < text.size(); at = next_code_point(text, at, &code)) starts.push_back(at);
  const auto limit = static_cast<size_t>(truncate);
  if (starts.size() <= limit) return text;
  if (limit < 4) return text.substr(0, starts[limit]);
  return text.substr(0, starts[limit - 3]) + "...";
}

std::string escaped_html(const std::string& text) {
  std::string out;
  for (const char c : text) {
    out += c == '&'   ? "&amp;"
           : c == '<' ? "&lt;"
           : c == '>' ? "&gt;"
           : c == '"' ? "&quot;"
                      : std::string(1, c);
  }
  return out;
}

}  // namespace

std::string html_table(const std::vector<std::string>& names,
                       const std::vector<std::vector<std::optional<std::string>>>& rows, int limit,
                       int truncate) {
  const auto line = [&](const auto& cells, const char* tag) {
    std::string out = "<tr>";
    for (const auto& cell : cells)
      out += fmt::format("<{0}>{1}</{0}>", tag, escaped_html(cell_text(cell, truncate)));
    return out + "</tr>\n";
  };
  const size_t shown = std::min<size_t>(rows.size(), std::max(limit, 0));
  std::string out = "<table border='1'>\n" + line(names, "th");
  for (size_t i = 0; i < shown; ++i) out += line(rows[i], "td");
  out += "</table>\n";
  if (rows.size() > shown)
    out += fmt::format("only showing top {} {}\n", shown, shown == 1 ? "row" : "rows");
  return out;
}

std::string show_table(const std::vector<std::string>& names,
                       const std::vector<std::vector<std::optional<std::string>>>& rows, int limit,
                       int truncate, bool vertical) {
  const size_t shown = std::min<size_t>(rows.size(), std::max(limit, 0));
  const bool more = rows.size() > shown;
  std::vector<std::vector<std::string>> cells;
  for (size_t i = 0; i < shown; ++i) {
    auto& line = cells.emplace_back();
    for (const auto& cell : rows[i]) line.push_back(cell_text(cell, truncate));
  }
  std::string out;
  if (!vertical) {
    std::vector<std::string> headers;
    for (const auto& name : names) headers.push_back(cell_text(name, 0));  // never cut
    std::vector<size_t> widths;
    for (size_t c = 0; c < names.size(); ++c) {
      size_t width = std::max<size_t>(3, width_of(headers[c]));
      for (const auto& line : cells) width = std::max(width, width_of(line[c]));
      widths.push_back(width);
    }
    std::string rule = "+";
    for (size_t width : widths) rule += std::string(width, '-') + "+";
    rule += "\n";
    auto print = [&](const std::vector<std::string>& line) {
      out += "|";
      for (size_t c = 0; c < line.size(); ++c) {
        const std::string pad(widths[c] - width_of(line[c]), ' ');
        // Spark aligns to the right when it truncates, to the left when it does not.
        out += truncate > 0 ? pad + line[c] : line[c] + pad;
        out += "|";
      }
      out += "\n";
    };
    out += rule;
    print(headers);
    out += rule;
    for (const auto& line : cells) print(line);
    out += rule;
    if (more) out += fmt::format("only showing top {} row{}\n", shown, shown == 1 ? "" : "s");
    return out;
  }
  size_t name_width = 3, value_width = 3;
  for (const auto& name : names) name_width = std::max(name_width, width_of(name));
  for (const auto& line : cells) {
    for (const auto& cell : line) value_width = std::max(value_width, width_of(cell));
  }
  for (size_t i = 0; i < cells.size(); ++i) {
    std::string header = fmt::format("-RECORD {}", i);
    header.resize(std::max(header.size(), name_width + value_width + 5), '-');
    out += header + "\n";
    for (size_t c = 0; c < names.size(); ++c) {
      out += fmt::format(" {}{} | {}{} \n", names[c],
                         std::string(name_width - width_of(names[c]), ' '), cells[i][c],
                         std::string(value_width - width_of(cells[i][c]), ' '));
    }
  }
  if (cells.empty()) return "(0 rows)\n";
  if (more) out += fmt::format("only showing top {} row{}\n", shown, shown == 1 ? "" : "s");
  return out;
}

}  // namespace firesteel
