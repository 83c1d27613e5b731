// Arrow arrays and schemas that are made of rows.
#include "dataframe/row_arrow.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>

#include "base/error.h"

namespace firesteel {

namespace {

constexpr int64_t kBatchRows = 65536;
constexpr size_t kBatchBytes = size_t{16} << 20;

/// What an array or schema made here owns; its children are made here too.
template <typename Part>
struct Made {
  std::vector<uint8_t> valid;
  std::vector<char> values;
  std::vector<int32_t> offsets;
  const void* buffers[3] = {};
  std::string name, format;
  std::vector<Part> parts;
  std::vector<Part*> children;
};

/// The part that owns `made`. Whoever takes a child away, as Arrow allows, sets its `release` null.
template <typename Part>
Part part_of(std::unique_ptr<Made<Part>> made) {
  Part out{};
  for (auto& part : made->parts) made->children.push_back(&part);
  out.n_children = static_cast<int64_t>(made->children.size());
  out.children = made->children.data();
  out.release = [](Part* self) {
    for (int64_t i = 0; i < self->n_children; ++i) {
      if (self->children[i]->release) self->children[i]->release(self->children[i]);
    }
    delete static_cast<Made<Part>*>(self->private_data);
    self->release = nullptr;
  };
  out.private_data = made.release();
  return out;
}

const char* format_of(TypeKind kind) {
  switch (kind) {
    case TypeKind::kBoolean:
      return "b";
    case TypeKind::kByte:
      return "c";
    case TypeKind::kShort:
      return "s";
    case TypeKind::kInteger:
      return "i";
    case TypeKind::kLong:
      return "l";
    case TypeKind::kFloat:
      return "f";
    case TypeKind::kDouble:
      return "g";
    case TypeKind::kString:
      return "u";
    case TypeKind::kBinary:
      return "z";
    case TypeKind::kTimestamp:
      return "tsu:UTC";
    case TypeKind::kArray:
      return "+l";
    default:  // of those that a Cell has
      return "+s";
  }
}

size_t width_of(TypeKind kind) {
  switch (kind) {
    case TypeKind::kByte:
      return 1;
    case TypeKind::kShort:
      return 2;
    case TypeKind::kInteger:
    case TypeKind::kFloat:
      return 4;
    default:
      return 8;
  }
}

ArrowSchema schema_of(const Field& field) {
  auto made = std::make_unique<Made<ArrowSchema>>();
  made->name = field.name;
  made->format = format_of(field.type.kind);
  if (field.type.fields) {
    for (const auto& child : *field.type.fields) made->parts.push_back(schema_of(child));
  }
  const auto* own = made.get();
  auto schema = part_of(std::move(made));
  schema.name = own->name.c_str();
  schema.format = own->format.c_str();
  schema.flags = field.nullable ? ARROW_FLAG_NULLABLE : 0;
  return schema;
}

}  // namespace

ArrowSchemaHandle arrow_schema(const Schema& schema) {
  ArrowSchemaHandle out;
  *out.out() = schema_of({"", struct_type(schema), false});
  return out;
}

ColumnBuilder::ColumnBuilder(const DataType& type) : type_(type) {
  if (!type.fields) return;
  for (const auto& field : *type.fields) items_.emplace_back(field.type);
}

void ColumnBuilder::mark(bool valid) {
  if (rows_ % 8 == 0) valid_.push_back(0);
  if (valid) valid_.back() |= static_cast<uint8_t>(1u << (rows_ % 8));
  ++rows_;
  nulls_ += !valid;
}

void ColumnBuilder::add_bit(bool value) {
  if (rows_ % 8 == 0) values_.push_back(0);
  if (value) values_.back() = static_cast<char>(values_.back() | (1 << (rows_ % 8)));
  mark(true);
}

void ColumnBuilder::add_bytes(const void* value, size_t size) {
  const auto* bytes = static_cast<const char*>(value);
  values_.insert(values_.end(), bytes, bytes + size);
  mark(true);
}

void ColumnBuilder::add_offset(size_t end) {
  if (end > std::numeric_limits<int32_t>::max()) {
    throw Error("INVALID_PARAMETER_VALUE",
                "A row's text or list is too large: Arrow's batches hold 2 GB of them.");
  }
  if (offsets_.empty()) offsets_.push_back(0);
  offsets_.push_back(static_cast<int32_t>(end));
}

void ColumnBuilder::add(std::string_view bytes) {
  add_offset(values_.size() + bytes.size());
  add_bytes(bytes.data(), bytes.size());
}

void ColumnBuilder::add_list() {
  add_offset(static_cast<size_t>(items_[0].rows_));
  mark(true);
}

void ColumnBuilder::add_null() {
  switch (type_.kind) {
    case TypeKind::kBoolean:
      if (rows_ % 8 == 0) values_.push_back(0);
      break;
    case TypeKind::kString:
    case TypeKind::kBinary:
      add_offset(values_.size());
      break;
    case TypeKind::kArray:
      add_offset(static_cast<size_t>(items_[0].rows_));
      break;
    case TypeKind::kStruct:
      for (auto& item : items_) item.add_null();
      break;
    default:
      values_.resize(values_.size() + width_of(type_.kind));
  }
  mark(false);
}

size_t ColumnBuilder::bytes() const {
  size_t bytes = values_.size() + offsets_.size() * sizeof(int32_t);
  for (const auto& item : items_) bytes += item.bytes();
  return bytes;
}

ArrowArray ColumnBuilder::finish() {
  const bool text = type_.kind == TypeKind::kString || type_.kind == TypeKind::kBinary;
  const bool list = type_.kind == TypeKind::kArray, structure = type_.kind == TypeKind::kStruct;
  if ((text || list) && offsets_.empty()) offsets_.push_back(0);
  auto made = std::make_unique<Made<ArrowArray>>();
  made->valid = std::exchange(valid_, {});
  made->values = std::exchange(values_, {});
  made->offsets = std::exchange(offsets_, {});
  if (nulls_ > 0) made->buffers[0] = made->valid.data();
  made->buffers[1] = text || list ? static_cast<const void*>(made->offsets.data())
                                  : static_cast<const void*>(made->values.data());
  made->buffers[2] = made->values.data();
  for (auto& item : items_) made->parts.push_back(item.finish());
  const auto* own = made.get();
  auto array = part_of(std::move(made));
  array.buffers = const_cast<const void**>(own->buffers);
  array.n_buffers = structure ? 1 : text ? 3 : 2;
  array.length = std::exchange(rows_, 0);
  array.null_count = std::exchange(nulls_, 0);
  return array;
}

RowBuilder::RowBuilder(const Schema& schema, std::function<void(ArrowBatch)> on_full)
    : on_full_(std::move(on_full)) {
  for (const auto& field : schema) columns_.emplace_back(field.type);
}

void RowBuilder::end_row() {
  ++rows_;
  size_t bytes = 0;
  for (const auto& column : columns_) bytes += column.bytes();
  if (rows_ >= kBatchRows || bytes >= kBatchBytes) end();
}

void RowBuilder::end() {
  if (rows_ == 0) return;
  auto made = std::make_unique<Made<ArrowArray>>();
  for (auto& column : columns_) made->parts.push_back(column.finish());
  const auto* own = made.get();
  auto array = part_of(std::move(made));
  array.buffers = const_cast<const void**>(own->buffers);
  array.n_buffers = 1;
  array.length = std::exchange(rows_, 0);
  on_full_(ArrowBatch(array));
}

bool RowCursor::advance() {
  while (++row_ >= batch_.rows()) {
    rows_before_ += batch_.rows();
    row_ = -1;
    auto next = rows_.next();
    batch_ = next ? std::move(*next) : ArrowBatch();
    if (!next) return false;
  }
  return true;
}

void RowCursor::fail_null(const char* column) const {
  throw Error(
      "NULL_IN_ROW",
      fmt::format("Row {} of its partition has a NULL in the column `{}`, whose field cannot "
                  "hold one. Make the field a std::optional, or filter such rows out.",
                  rows_before_ + row_ + 1, column));
}

}  // namespace firesteel
