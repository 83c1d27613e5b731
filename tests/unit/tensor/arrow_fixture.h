// Arrow batches made by hand: columns with nulls, and streams of them.
#pragma once

#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/arrow_stream.h"

namespace firesteel::testing {

/// One column: its Arrow format and buffers.
struct ArrowColumn {
  std::string name = {}, format = {};
  int64_t rows = 0, null_count = 0;
  std::vector<std::string> buffers =
      {};  // the first is the validity bitmap, empty when all is valid
  std::shared_ptr<ArrowColumn> dictionary = {};
  std::shared_ptr<ArrowColumn> elements = {};  // of a list
};

template <typename T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

inline std::string bits_of(const std::vector<bool>& bits) {
  std::string bytes(bits.size() / 8 + 1, '\0');
  for (size_t i = 0; i < bits.size(); ++i) bytes[i / 8] |= static_cast<char>(bits[i] << (i % 8));
  return bytes;
}

template <typename T>
std::pair<std::string, int64_t> validity_of(const std::vector<std::optional<T>>& values) {
  std::vector<bool> bits;
  int64_t nulls = 0;
  for (const auto& value : values) {
    bits.push_back(value.has_value());
    nulls += !value.has_value();
  }
  return {nulls > 0 ? bits_of(bits) : std::string(), nulls};
}

/// Numbers of type T with the Arrow format of T ("i" int32, "g" double, "tdD" days …).
template <typename T>
ArrowColumn numbers(std::string name, std::string format,
                    const std::vector<std::optional<T>>& values) {
  ArrowColumn column{std::move(name), std::move(format), static_cast<int64_t>(values.size())};
  std::vector<T> plain;
  for (const auto& value : values) plain.push_back(value.value_or(T{}));
  auto [validity, nulls] = validity_of(values);
  column.null_count = nulls;
  column.buffers = {validity, bytes_of(plain)};
  return column;
}

inline ArrowColumn booleans(std::string name, const std::vector<std::optional<bool>>& values) {
  ArrowColumn column{std::move(name), "b", static_cast<int64_t>(values.size())};
  std::vector<bool> plain;
  for (const auto& value : values) plain.push_back(value.value_or(false));
  auto [validity, nulls] = validity_of(values);
  column.null_count = nulls;
  column.buffers = {validity, bits_of(plain)};
  return column;
}

/// Texts in format "u", "U" or "vu".
inline ArrowColumn texts(std::string name, std::string format,
                         const std::vector<std::optional<std::string>>& values) {
  ArrowColumn column{std::move(name), format, static_cast<int64_t>(values.size())};
  auto [validity, nulls] = validity_of(values);
  column.null_count = nulls;
  std::string joined, views;
  std::vector<int32_t> offsets{0};
  std::vector<int64_t> large{0};
  for (const auto& value : values) {
    const std::string text = value.value_or("");
    char view[16] = {};
    const auto length = static_cast<int32_t>(text.size());
    const auto offset = static_cast<int32_t>(joined.size());
    std::memcpy(view, &length, 4);
    if (length <= 12) {
      std::memcpy(view + 4, text.data(), text.size());
    } else {
      std::memcpy(view + 4, text.data(), 4);
      std::memcpy(view + 12, &offset, 4);
    }
    views.append(view, 16);
    joined += text;
    offsets.push_back(static_cast<int32_t>(joined.size()));
    large.push_back(static_cast<int64_t>(joined.size()));
  }
  if (format == "vu") {
    column.buffers = {validity, views, joined,
                      bytes_of(std::vector<int64_t>{static_cast<int64_t>(joined.size())})};
  } else {
    column.buffers = {validity, format == "u" ? bytes_of(offsets) : bytes_of(large), joined};
  }
  return column;
}

/// Lists of these lengths over the elements, in format "+l", "+L" or "+w:N"; nothing is null.
inline ArrowColumn lists(std::string name, const std::string& format,
                         const std::vector<std::optional<int64_t>>& lengths, ArrowColumn elements) {
  ArrowColumn column{std::move(name), format, static_cast<int64_t>(lengths.size())};
  auto [validity, nulls] = validity_of(lengths);
  column.null_count = nulls;
  std::vector<int32_t> offsets{0};
  std::vector<int64_t> large{0};
  for (const auto& length : lengths) {
    large.push_back(large.back() + length.value_or(0));
    offsets.push_back(static_cast<int32_t>(large.back()));
  }
  column.buffers = {validity};
  if (format == "+l") column.buffers.push_back(bytes_of(offsets));
  if (format == "+L") column.buffers.push_back(bytes_of(large));
  column.elements = std::make_shared<ArrowColumn>(std::move(elements));
  return column;
}

namespace internal {

struct Held {
  ArrowColumn column;
  std::vector<const void*> buffers;
  std::vector<ArrowArray*> children;
  std::vector<ArrowSchema*> schema_children;
};

inline void release_array(ArrowArray* array) {
  for (int64_t i = 0; i < array->n_children; ++i) {
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
    delete array->children[i];
  }
  if (array->dictionary) {
    array->dictionary->release(array->dictionary);
    delete array->dictionary;
  }
  delete static_cast<Held*>(array->private_data);
  array->release = nullptr;
}

inline void release_schema(ArrowSchema* schema) {
  for (int64_t i = 0; i < schema->n_children; ++i) {
    if (schema->children[i]->release) schema->children[i]->release(schema->children[i]);
    delete schema->children[i];
  }
  if (schema->dictionary) {
    schema->dictionary->release(schema->dictionary);
    delete schema->dictionary;
  }
  delete static_cast<Held*>(schema->private_data);
  schema->release = nullptr;
}

inline ArrowArray array_of(const ArrowColumn& column) {
  auto* held = new Held{column, {}, {}, {}};
  for (const auto& buffer : held->column.buffers) held->buffers.push_back(buffer.data());
  if (!held->buffers.empty() && held->column.null_count == 0) held->buffers[0] = nullptr;
  ArrowArray array{};
  array.length = column.rows;
  array.null_count = column.null_count;
  array.n_buffers = static_cast<int64_t>(held->buffers.size());
  array.buffers = held->buffers.data();
  if (column.dictionary) array.dictionary = new ArrowArray(array_of(*column.dictionary));
  if (column.elements) {
    held->children.push_back(new ArrowArray(array_of(*column.elements)));
    array.n_children = 1;
    array.children = held->children.data();
  }
  array.private_data = held;
  array.release = release_array;
  return array;
}

inline ArrowSchema schema_of(const ArrowColumn& column) {
  auto* held = new Held{column, {}, {}, {}};
  ArrowSchema schema{};
  schema.format = held->column.format.c_str();
  schema.name = held->column.name.c_str();
  schema.flags = ARROW_FLAG_NULLABLE;
  if (column.dictionary) schema.dictionary = new ArrowSchema(schema_of(*column.dictionary));
  if (column.elements) {
    held->schema_children.push_back(new ArrowSchema(schema_of(*column.elements)));
    schema.n_children = 1;
    schema.children = held->schema_children.data();
  }
  schema.private_data = held;
  schema.release = release_schema;
  return schema;
}

}  // namespace internal

using ArrowColumns = std::vector<ArrowColumn>;

inline ArrowArray struct_array(const ArrowColumns& columns) {
  ArrowArray array = internal::array_of(ArrowColumn{"", "+s", columns[0].rows, 0, {""}, nullptr});
  auto* held = static_cast<internal::Held*>(array.private_data);
  for (const auto& column : columns)
    held->children.push_back(new ArrowArray(internal::array_of(column)));
  array.n_children = static_cast<int64_t>(held->children.size());
  array.children = held->children.data();
  return array;
}

inline ArrowSchema struct_schema(const ArrowColumns& columns) {
  ArrowSchema schema = internal::schema_of(ArrowColumn{"", "+s", 0, 0, {}, nullptr});
  auto* held = static_cast<internal::Held*>(schema.private_data);
  for (const auto& column : columns) {
    held->schema_children.push_back(new ArrowSchema(internal::schema_of(column)));
  }
  schema.n_children = static_cast<int64_t>(held->schema_children.size());
  schema.children = held->schema_children.data();
  return schema;
}

/// A stream of batches made by `make(i)`; it ends where `make` gives no columns, and fails where
/// `make` throws a std::string.
class StreamOf {
 public:
  using Make = std::function<ArrowColumns(int64_t)>;
  static ArrowStream open(Make make) {
    ArrowArrayStream stream{};
    stream.private_data = new StreamOf{std::move(make)};
    stream.get_schema = [](ArrowArrayStream* self, ArrowSchema* out) {
      *out = struct_schema(static_cast<StreamOf*>(self->private_data)->make_(0));
      return 0;
    };
    stream.get_next = [](ArrowArrayStream* self, ArrowArray* out) {
      auto* state = static_cast<StreamOf*>(self->private_data);
      try {
        const ArrowColumns columns = state->make_(state->next_++);
        *out = columns.empty() ? ArrowArray{} : struct_array(columns);
        return 0;
      } catch (const std::string& text) {
        state->error_ = text;
        return 5;
      }
    };
    stream.get_last_error = [](ArrowArrayStream* self) {
      return static_cast<StreamOf*>(self->private_data)->error_.c_str();
    };
    stream.release = [](ArrowArrayStream* self) {
      delete static_cast<StreamOf*>(self->private_data);
      self->release = nullptr;
    };
    return ArrowStream(stream);
  }

 private:
  explicit StreamOf(Make make) : make_(std::move(make)) {}
  Make make_;
  int64_t next_ = 0;
  std::string error_;
};

}  // namespace firesteel::testing
