// Printing and nesting of Select blocks.
#include "lower/query.h"

#include <fmt/format.h>

#include <set>

namespace firesteel {

namespace {
std::string joined(const std::vector<std::string>& parts, std::string_view separator) {
  std::string out;
  for (const auto& part : parts) {
    if (!out.empty()) out += separator;
    out += part;
  }
  return out;
}
}  // namespace

std::string Query::print(const std::vector<Attribute>& columns) const {
  std::string list;
  std::set<std::string> seen;
  for (const auto& column : columns) {
    if (!seen.insert(column.sql).second) continue;
    if (!list.empty()) list += ", ";
    list +=
        column.computed.empty() ? column.sql : fmt::format("{} AS {}", column.computed, column.sql);
  }
  if (list.empty()) list = "NULL";
  std::string out = fmt::format("SELECT {}{}", select.distinct ? "DISTINCT " : "", list);
  if (!select.from.empty()) out += " FROM " + select.from;
  if (!select.where.empty()) out += " WHERE " + joined(select.where, " AND ");
  if (!select.group_by.empty()) out += " GROUP BY " + joined(select.group_by, ", ");
  if (!select.having.empty()) out += " HAVING " + joined(select.having, " AND ");
  if (!select.order_by.empty()) out += " ORDER BY " + joined(select.order_by, ", ");
  if (!select.limit.empty()) out += " LIMIT " + select.limit;
  if (!select.offset.empty()) out += " OFFSET " + select.offset;
  return out;
}

bool Query::is_rows() const {
  if (!rows || output.size() != rows->columns.size() || !select.where.empty() || select.grouped ||
      select.distinct || select.has_window || select.limited() || !select.order_by.empty()) {
    return false;
  }
  for (size_t i = 0; i < output.size(); ++i) {
    if (output[i].sql != rows->columns[i]) return false;
  }
  return true;
}

bool Query::is_elements() const {
  return elements && select.where.empty() && !select.grouped && !select.distinct &&
         !select.has_window && !select.limited() && select.order_by.empty() &&
         select.having.empty();
}

void Query::wrap(bool keep_below) {
  rows.reset();
  elements.reset();
  std::vector<Attribute> columns = output;
  if (!select.distinct && !select.grouped)
    columns.insert(columns.end(), hidden.begin(), hidden.end());
  if (keep_below) columns.insert(columns.end(), below.begin(), below.end());
  std::string inner = "(" + print(columns) + ")";
  select = Select{};
  select.from = std::move(inner);
  if (!keep_below) below.clear();
  aggregation.reset();
  for (auto* list : {&output, &hidden, &below}) {
    for (auto& attribute : *list) attribute.computed.clear();
  }
}

}  // namespace firesteel
