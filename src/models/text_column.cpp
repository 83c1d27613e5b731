// Finds the column once, then reads it batch by batch.
#include "models/text_column.h"

#include <fmt/format.h>

#include "base/error.h"
#include "tensor/arrow_values.h"

namespace firesteel {

namespace {

template <typename Text>
std::vector<std::string> texts_of(const ArrowArray& column, Text text) {
  const arrow::Validity validity(column);
  std::vector<std::string> texts;
  texts.reserve(static_cast<size_t>(column.length));
  for (int64_t i = column.offset; i < column.offset + column.length; ++i)
    texts.emplace_back(validity.valid(i) ? text(i) : std::string_view());
  return texts;
}

}  // namespace

TextColumn::TextColumn(const ArrowSchema& rows, const std::string& name) {
  std::string names;
  for (int64_t i = 0; i < rows.n_children; ++i) {
    const std::string column = rows.children[i]->name;
    if (column == name) place_ = i;
    names += fmt::format("{}`{}`", names.empty() ? "" : ", ", column);
  }
  if (place_ < 0)
    throw Error("UNRESOLVED_COLUMN.WITH_SUGGESTION",
                fmt::format("There is no column `{}`. The rows have {}.", name, names));
  const std::string format = rows.children[place_]->format;
  if (format != "u" && format != "U")
    throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                fmt::format("The column `{}` is not of texts. Cast it to STRING.", name));
  large_ = format == "U";
}

std::vector<std::string> TextColumn::texts(const ArrowArray& batch) const {
  const auto& column = *batch.children[place_];
  return large_ ? texts_of(column, arrow::Text<int64_t>(column))
                : texts_of(column, arrow::Text<int32_t>(column));
}

}  // namespace firesteel
