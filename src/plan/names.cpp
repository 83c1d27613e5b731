// Names of several parts, as plans carry them.
#include "plan/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

namespace firesteel {

std::vector<std::string> split_name(const std::string& unparsed) {
  std::vector<std::string> parts;
  std::string part;
  for (size_t i = 0; i < unparsed.size(); ++i) {
    if (unparsed[i] == '`') {
      for (++i; i < unparsed.size(); ++i) {
        if (unparsed[i] == '`') {
          if (i + 1 >= unparsed.size() || unparsed[i + 1] != '`') break;
          ++i;
        }
        part += unparsed[i];
      }
    } else if (unparsed[i] == '.') {
      parts.push_back(std::move(part));
      part.clear();
    } else {
      part += unparsed[i];
    }
  }
  parts.push_back(std::move(part));
  return parts;
}

std::string quoted(const std::vector<std::string>& parts) {
  std::string out;
  for (const auto& part : parts) out += fmt::format("{}`{}`", out.empty() ? "" : ".", part);
  return out;
}

Error table_not_found(const std::vector<std::string>& name, const std::string& database,
                      const std::string& nearest) {
  return Error("TABLE_OR_VIEW_NOT_FOUND",
               fmt::format("The table or view {} cannot be found. Verify the spelling and "
                           "correctness of the schema and catalog.{}",
                           quoted(name),
                           nearest.empty() ? "" : fmt::format(" Did you mean `{}`?", nearest)))
      .with("relationName", quoted(name))
      .with("searchPath",
            fmt::format("[`system`.`builtin`, `system`.`session`, `spark_catalog`.{}]",
                        quoted({database})));
}

std::string lower_case(std::string_view text) {
  std::string out;
  for (const char c : text) out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace firesteel
