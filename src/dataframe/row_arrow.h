// Plain structs as rows: what FIRESTEEL_ROW says of a struct, its schema, and its values from and
// to Arrow arrays. dataset.h is what is made of it.
#pragma once

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/arrow_stream.h"
#include "plan/types.h"

namespace firesteel {

template <typename Struct, typename Value>
struct RowField {
  const char* name;
  Value Struct::*member;
};
template <typename Struct, typename Value>
constexpr RowField<Struct, Value> row_field(const char* name, Value Struct::*member) {
  return {name, member};
}

// Each field of a list, up to 256 of them: a macro that names itself is expanded once more by each
// scan.
#define FIRESTEEL_SCAN(...) \
  FIRESTEEL_SCAN_3(FIRESTEEL_SCAN_3(FIRESTEEL_SCAN_3(FIRESTEEL_SCAN_3(__VA_ARGS__))))
#define FIRESTEEL_SCAN_3(...) \
  FIRESTEEL_SCAN_2(FIRESTEEL_SCAN_2(FIRESTEEL_SCAN_2(FIRESTEEL_SCAN_2(__VA_ARGS__))))
#define FIRESTEEL_SCAN_2(...) \
  FIRESTEEL_SCAN_1(FIRESTEEL_SCAN_1(FIRESTEEL_SCAN_1(FIRESTEEL_SCAN_1(__VA_ARGS__))))
#define FIRESTEEL_SCAN_1(...) __VA_ARGS__
#define FIRESTEEL_NOTHING ()
#define FIRESTEEL_FIELDS(type, field, ...)     \
  ::firesteel::row_field(#field, &type::field) \
      __VA_OPT__(, FIRESTEEL_FIELDS_AGAIN FIRESTEEL_NOTHING(type, __VA_ARGS__))
#define FIRESTEEL_FIELDS_AGAIN() FIRESTEEL_FIELDS

/// Behind a struct of a namespace, in that namespace: `FIRESTEEL_ROW(Word, word, count)` makes it
/// rows with these columns. A field is a bool, int8_t to int64_t, float, double, std::string,
/// std::vector<std::byte> (BINARY), std::chrono::sys_time<std::chrono::microseconds> (TIMESTAMP), a
/// struct described likewise, or a std::vector or std::optional of those. Only a std::optional may
/// be NULL.
#define FIRESTEEL_ROW(type, ...)                                                 \
  constexpr auto firesteel_row(std::type_identity<type>) {                       \
    return std::make_tuple(FIRESTEEL_SCAN(FIRESTEEL_FIELDS(type, __VA_ARGS__))); \
  }

template <typename T>
concept RowStruct = requires(std::type_identity<T> type) {
  firesteel_row(type);
};

/// Makes an Arrow array, a value at a time.
class ColumnBuilder {
 public:
  explicit ColumnBuilder(const DataType& type);
  template <typename Number>
  requires std::is_arithmetic_v<Number>
  void add(Number value) {
    if constexpr (std::same_as<Number, bool>) {
      add_bit(value);
    } else {
      add_bytes(&value, sizeof value);
    }
  }
  void add(std::string_view bytes);
  void add_null();
  /// What `item` was given since the last one.
  void add_list();
  /// Of which each `item` was given a value.
  void add_struct() { mark(true); }
  ColumnBuilder& item(size_t place = 0) { return items_[place]; }
  /// What there is, and begins anew.
  ArrowArray finish();
  /// About how many the array takes.
  size_t bytes() const;

 private:
  void add_bit(bool value);
  void add_bytes(const void* value, size_t size);
  void mark(bool valid);
  void add_offset(size_t end);

  DataType type_;
  int64_t rows_ = 0, nulls_ = 0;
  std::vector<uint8_t> valid_;
  std::vector<char> values_;
  std::vector<int32_t> offsets_;
  std::vector<ColumnBuilder> items_;
};

/// Makes batches, a row at a time.
class RowBuilder {
 public:
  /// A batch goes to `on_full` when it is large, and at the end.
  RowBuilder(const Schema& schema, std::function<void(ArrowBatch)> on_full);
  ColumnBuilder& column(size_t place) { return columns_[place]; }
  void end_row();
  void end();

 private:
  std::vector<ColumnBuilder> columns_;
  std::function<void(ArrowBatch)> on_full_;
  int64_t rows_ = 0;
};

ArrowSchemaHandle arrow_schema(const Schema& schema);

/// Goes over the rows of a stream. Throws NULL_IN_ROW.
class RowCursor {
 public:
  explicit RowCursor(ArrowStream rows) : rows_(std::move(rows)) {}
  /// To the next row, if there is one.
  bool advance();
  const ArrowArray& column(size_t place) const { return *batch_.get()->children[place]; }
  int64_t place() const { return batch_.get()->offset + row_; }
  [[noreturn]] void fail_null(const char* column) const;

 private:
  ArrowStream rows_;
  ArrowBatch batch_;
  int64_t row_ = -1, rows_before_ = 0;
};

inline bool bit_of(const void* bits, int64_t place) {
  return static_cast<const uint8_t*>(bits)[place / 8] >> (place % 8) & 1;
}
inline bool is_null(const ArrowArray& array, int64_t place) {
  return array.buffers[0] && !bit_of(array.buffers[0], array.offset + place);
}

/// A C++ type as a type of columns: `type`, `read` (false at a NULL that it cannot hold), `add`.
template <typename Value>
struct Cell;

template <typename T>
Schema row_schema();
template <typename T>
bool read_fields(T& row, auto column, int64_t place, const char*& at);
template <typename T>
void add_fields(const T& row, auto column);

template <typename Number>
requires std::is_arithmetic_v<Number>
struct Cell<Number> {
  static DataType type() {
    if constexpr (std::same_as<Number, bool>) return make_type(TypeKind::kBoolean);
    if constexpr (std::same_as<Number, float>) return make_type(TypeKind::kFloat);
    if constexpr (std::same_as<Number, double>) return make_type(TypeKind::kDouble);
    if constexpr (std::same_as<Number, int8_t>) return make_type(TypeKind::kByte);
    if constexpr (std::same_as<Number, int16_t>) return make_type(TypeKind::kShort);
    if constexpr (std::same_as<Number, int32_t>) return make_type(TypeKind::kInteger);
    if constexpr (std::same_as<Number, int64_t>) return make_type(TypeKind::kLong);
  }
  static_assert(std::same_as<Number, bool> || std::same_as<Number, float> ||
                    std::same_as<Number, double> || std::same_as<Number, int8_t> ||
                    std::same_as<Number, int16_t> || std::same_as<Number, int32_t> ||
                    std::same_as<Number, int64_t>,
                "Spark has no column of this type: take int64_t, int32_t, double …");
  static bool read(const ArrowArray& array, int64_t place, Number& out) {
    if (is_null(array, place)) return false;
    if constexpr (std::same_as<Number, bool>) {
      out = bit_of(array.buffers[1], array.offset + place);
    } else {
      out = static_cast<const Number*>(array.buffers[1])[array.offset + place];
    }
    return true;
  }
  static void add(ColumnBuilder& to, Number value) { to.add(value); }
};

/// Texts and bytes: offsets of them in one buffer.
template <typename Text>
struct TextCell {
  static DataType type() {
    return make_type(std::same_as<Text, std::string> ? TypeKind::kString : TypeKind::kBinary);
  }
  static bool read(const ArrowArray& array, int64_t place, Text& out) {
    if (is_null(array, place)) return false;
    const auto* offsets = static_cast<const int32_t*>(array.buffers[1]) + array.offset + place;
    const auto* bytes = static_cast<const typename Text::value_type*>(array.buffers[2]);
    out.assign(bytes + offsets[0], bytes + offsets[1]);
    return true;
  }
  static void add(ColumnBuilder& to, const Text& value) {
    to.add(std::string_view(reinterpret_cast<const char*>(value.data()), value.size()));
  }
};

template <>
struct Cell<std::string> : TextCell<std::string> {};
template <>
struct Cell<std::vector<std::byte>> : TextCell<std::vector<std::byte>> {};

template <>
struct Cell<std::chrono::sys_time<std::chrono::microseconds>> {
  using Time = std::chrono::sys_time<std::chrono::microseconds>;
  static DataType type() { return make_type(TypeKind::kTimestamp); }
  static bool read(const ArrowArray& array, int64_t place, Time& out) {
    int64_t micros = 0;
    if (!Cell<int64_t>::read(array, place, micros)) return false;
    out = Time(std::chrono::microseconds(micros));
    return true;
  }
  static void add(ColumnBuilder& to, Time value) {
    to.add(int64_t{value.time_since_epoch().count()});
  }
};

template <typename Value>
struct Cell<std::optional<Value>> {
  static DataType type() { return Cell<Value>::type(); }
  static bool read(const ArrowArray& array, int64_t place, std::optional<Value>& out) {
    if (is_null(array, place)) {
      out.reset();
      return true;
    }
    return Cell<Value>::read(array, place, out.emplace());
  }
  static void add(ColumnBuilder& to, const std::optional<Value>& value) {
    if (value) {
      Cell<Value>::add(to, *value);
    } else {
      to.add_null();
    }
  }
};

template <typename>
inline constexpr bool kIsOptional = false;
template <typename Value>
inline constexpr bool kIsOptional<std::optional<Value>> = true;

template <typename Value>
struct Cell<std::vector<Value>> {
  static DataType type() { return array_type(Cell<Value>::type(), kIsOptional<Value>); }
  static bool read(const ArrowArray& array, int64_t place, std::vector<Value>& out) {
    if (is_null(array, place)) return false;
    const auto* offsets = static_cast<const int32_t*>(array.buffers[1]) + array.offset + place;
    out.clear();
    for (int64_t i = offsets[0]; i < offsets[1]; ++i) {
      Value item{};
      if (!Cell<Value>::read(*array.children[0], i, item)) return false;
      out.push_back(std::move(item));
    }
    return true;
  }
  static void add(ColumnBuilder& to, const std::vector<Value>& values) {
    for (const auto& value : values) Cell<Value>::add(to.item(), value);
    to.add_list();
  }
};

template <RowStruct T>
struct Cell<T> {
  static DataType type() { return struct_type(row_schema<T>()); }
  static bool read(const ArrowArray& array, int64_t place, T& out) {
    if (is_null(array, place)) return false;
    const char* at = nullptr;
    return read_fields(
        out, [&](size_t i) -> const ArrowArray& { return *array.children[i]; },
        array.offset + place, at);
  }
  static void add(ColumnBuilder& to, const T& value) {
    add_fields(value, [&](size_t i) -> ColumnBuilder& { return to.item(i); });
    to.add_struct();
  }
};

/// Calls `use(field, place)` for each field of a struct until one gives false.
template <RowStruct T, typename Use>
constexpr bool each_field(Use use) {
  constexpr auto fields = firesteel_row(std::type_identity<T>{});
  return [&]<size_t... place>(std::index_sequence<place...>) {
    return (use(std::get<place>(fields), place) && ...);
  }
  (std::make_index_sequence<std::tuple_size_v<decltype(fields)>>{});
}

template <typename T>
Schema row_schema() {
  Schema schema;
  each_field<T>([&]<typename Value>(const RowField<T, Value>& field, size_t) {
    schema.push_back({field.name, Cell<Value>::type(), kIsOptional<Value>});
    return true;
  });
  return schema;
}

/// Reads each field from `column(place)`; false, and the field's name, at a NULL it cannot hold.
template <typename T>
bool read_fields(T& row, auto column, int64_t place, const char*& at) {
  return each_field<T>([&]<typename Value>(const RowField<T, Value>& field, size_t i) {
    at = field.name;
    return Cell<Value>::read(column(i), place, row.*field.member);
  });
}

template <typename T>
void add_fields(const T& row, auto column) {
  each_field<T>([&]<typename Value>(const RowField<T, Value>& field, size_t i) {
    Cell<Value>::add(column(i), row.*field.member);
    return true;
  });
}

/// The name of a field by its member pointer.
template <auto member, typename T, typename Value>
std::string field_name(Value T::*) {
  std::string name;
  each_field<T>([&]<typename Other>(const RowField<T, Other>& field, size_t) {
    if constexpr (std::same_as<Value, Other>) {
      if (field.member == member) name = field.name;
    }
    return true;
  });
  return name;
}

}  // namespace firesteel
