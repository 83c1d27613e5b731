// The arrays and schemas that such a stream is made of.
#include "base/added_columns.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/error.h"
#include "base/made_stream.h"

namespace firesteel {

namespace {

/// An array or schema made here: its buffers, and children made here or taken from elsewhere.
struct Made {
  AddedValues values;
  std::vector<int32_t> offsets;
  std::vector<uint8_t> validity;
  std::string text;
  const void* buffers[3] = {};
  std::vector<ArrowArray> arrays;
  std::vector<ArrowArray*> children;
  std::vector<ArrowSchema> schemas;
  std::vector<ArrowSchema*> schema_children;
  ArrowBatch batch;
  ArrowSchemaHandle schema;
  std::string name, format;
};

template <typename Part>
void release(Part* part) {
  for (int64_t i = 0; i < part->n_children; ++i) {
    if (part->children[i]->release) part->children[i]->release(part->children[i]);
  }
  delete static_cast<Made*>(part->private_data);
  part->release = nullptr;
}

void add_schemas(Made& made, ArrowSchema& to) {
  for (auto& child : made.schemas) made.schema_children.push_back(&child);
  to.n_children = static_cast<int64_t>(made.schemas.size());
  to.children = made.schema_children.data();
}

void add_arrays(Made& made, ArrowArray& to) {
  for (auto& child : made.arrays) made.children.push_back(&child);
  to.n_children = static_cast<int64_t>(made.arrays.size());
  to.children = made.children.data();
}

ArrowSchema schema_of(const std::string& name, const std::string& format,
                      std::vector<ArrowSchema> children = {}) {
  auto* made = new Made{.name = name, .format = format};
  made->schemas = std::move(children);
  ArrowSchema schema{};
  schema.name = made->name.c_str();
  schema.format = made->format.c_str();
  schema.private_data = made;
  schema.release = release<ArrowSchema>;
  add_schemas(*made, schema);
  return schema;
}

ArrowSchema schema_of(const AddedColumn& column) {
  switch (column.kind) {
    case AddedColumn::Kind::kDouble:
      return schema_of(column.name, "g");
    case AddedColumn::Kind::kText:
      return schema_of(column.name, "u");
    case AddedColumn::Kind::kFloatList:
      break;
  }
  return schema_of(column.name, "+w:" + std::to_string(column.list_length),
                   {schema_of("item", "f")});
}

ArrowArray array_of(Made* made, int64_t length, int64_t buffers) {
  ArrowArray array{};
  array.length = length;
  array.n_buffers = buffers;
  array.buffers = made->buffers;
  array.private_data = made;
  array.release = release<ArrowArray>;
  add_arrays(*made, array);
  return array;
}

/// Numbers behind as many that nobody reads.
template <typename Number>
ArrowArray numbers_of(std::vector<Number> AddedValues::*member, AddedValues values,
                      int64_t skipped) {
  auto* made = new Made{.values = std::move(values)};
  auto& numbers = made->values.*member;
  numbers.insert(numbers.begin(), static_cast<size_t>(skipped), Number(0));
  made->buffers[1] = numbers.data();
  return array_of(made, static_cast<int64_t>(numbers.size()), 2);
}

ArrowArray texts_of(const AddedValues& values, int64_t skipped) {
  auto* made = new Made;
  made->offsets.assign(static_cast<size_t>(skipped) + 1, 0);
  for (const auto& text : values.texts) {
    made->text += text;
    made->offsets.push_back(static_cast<int32_t>(made->text.size()));
  }
  made->buffers[1] = made->offsets.data();
  made->buffers[2] = made->text.data();
  return array_of(made, static_cast<int64_t>(made->offsets.size()) - 1, 3);
}

/// `skipped` rows come first that the batch's offset passes over.
ArrowArray array_of(const AddedColumn& column, AddedValues values, int64_t skipped) {
  if (!values.missing.empty()) {
    const auto missing = std::exchange(values.missing, {});
    auto array = array_of(column, std::move(values), skipped);
    auto* made = static_cast<Made*>(array.private_data);
    made->validity.assign((static_cast<size_t>(skipped) + missing.size() + 7) / 8, 0xff);
    for (size_t i = 0; i < missing.size(); ++i) {
      const auto row = static_cast<size_t>(skipped) + i;
      if (missing[i]) made->validity[row / 8] &= static_cast<uint8_t>(~(1u << (row % 8)));
    }
    made->buffers[0] = made->validity.data();
    array.null_count = std::ranges::count(missing, true);
    return array;
  }
  switch (column.kind) {
    case AddedColumn::Kind::kDouble:
      return numbers_of(&AddedValues::numbers, std::move(values), skipped);
    case AddedColumn::Kind::kText:
      return texts_of(values, skipped);
    case AddedColumn::Kind::kFloatList:
      break;
  }
  auto* made = new Made;
  made->arrays.push_back(
      numbers_of(&AddedValues::lists, std::move(values), skipped * column.list_length));
  const auto rows = made->arrays[0].length / column.list_length;
  return array_of(made, rows, 1);
}

ArrowSchemaHandle with_schemas(ArrowSchemaHandle schema, const std::vector<AddedColumn>& columns) {
  auto* made = new Made;
  for (int64_t i = 0; i < schema.get()->n_children; ++i) {
    made->schemas.push_back(*schema.get()->children[i]);
    schema.get()->children[i]->release = nullptr;  // Moved, as the interface allows.
  }
  for (const auto& column : columns) made->schemas.push_back(schema_of(column));
  ArrowSchemaHandle out;
  out.out()->format = "+s";
  out.out()->name = "";
  out.out()->private_data = made;
  out.out()->release = release<ArrowSchema>;
  add_schemas(*made, *out.out());
  made->schema = std::move(schema);
  return out;
}

ArrowBatch with_arrays(ArrowBatch batch, const std::vector<AddedColumn>& columns,
                       std::vector<AddedValues> values) {
  auto* made = new Made;
  ArrowArray from = batch.release();
  for (int64_t i = 0; i < from.n_children; ++i) {
    made->arrays.push_back(*from.children[i]);
    from.children[i]->release = nullptr;
  }
  for (size_t i = 0; i < columns.size(); ++i)
    made->arrays.push_back(array_of(columns[i], std::move(values[i]), from.offset));
  auto out = array_of(made, from.length, 1);
  out.offset = from.offset;
  made->batch = ArrowBatch(from);
  return ArrowBatch(out);
}

}  // namespace

ArrowStream with_added_columns(
    ArrowStream rows, std::vector<AddedColumn> columns,
    std::function<std::vector<AddedValues>(const ArrowArray& batch)> values) {
  const auto schema = rows.schema();
  for (int64_t i = 0; i < schema.get()->n_children; ++i) {
    const std::string name = schema.get()->children[i]->name;
    if (std::ranges::find(columns, name, &AddedColumn::name) != columns.end()) {
      throw Error("COLUMN_ALREADY_EXISTS", "The rows have a column `" + name +
                                               "` already, and the new one would hide it. Rename "
                                               "or drop it.");
    }
  }
  struct Source {
    ArrowStream rows;
    std::vector<AddedColumn> columns;
    std::function<std::vector<AddedValues>(const ArrowArray&)> values;
  };
  const auto source =
      std::make_shared<Source>(Source{std::move(rows), std::move(columns), std::move(values)});
  return make_stream([source] { return with_schemas(source->rows.schema(), source->columns); },
                     [source]() -> std::optional<ArrowBatch> {
                       auto batch = source->rows.next();
                       if (!batch) return std::nullopt;
                       auto values = source->values(*batch->get());
                       return with_arrays(std::move(*batch), source->columns, std::move(values));
                     });
}

}  // namespace firesteel
