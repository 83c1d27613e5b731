// Variants in the binary form of Spark and Parquet: a value and the dictionary of its keys. They
// are read into a tree, which is changed and written again.
// Layout: https://github.com/apache/parquet-format/blob/master/VariantEncoding.md
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/json_reader.h"
#include "engine/values.h"
#include "plan/types.h"

namespace firesteel {

struct Variant {
  std::string value, metadata;
};

/// The bytes are no variant.
struct MalformedVariant : std::runtime_error {
  MalformedVariant() : std::runtime_error("malformed variant") {}
};
/// An object has the key twice.
struct DuplicateKey : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// A value that is no object and no array.
struct VariantScalar {
  TypeKind kind = TypeKind::kNull;  // kLong of any integer
  int64_t integer = 0;              // kBoolean, kLong, kDate (days), timestamps (microseconds)
  double real = 0;                  // kFloat, kDouble
  Wide unscaled = 0;                // kDecimal
  int scale = 0;
  std::string bytes = {};  // kString, kBinary
};

struct VariantTree {
  enum Kind { kScalar, kObject, kArray } kind = kScalar;
  VariantScalar scalar = {};
  std::vector<std::pair<std::string, VariantTree>> fields = {};
  std::vector<VariantTree> elements = {};

  bool is_null() const { return kind == kScalar && scalar.kind == TypeKind::kNull; }
};

/// Throws MalformedVariant.
VariantTree read_variant(std::string_view value, std::string_view metadata);
/// Throws DuplicateKey.
Variant write_variant(const VariantTree& tree);

/// The value that the reader stands at. Throws JsonError.
VariantTree variant_of_json(JsonReader& reader);
std::string variant_json(const VariantTree& tree, const Zone& zone);

/// One step of `$.name['name'][1]`.
struct VariantStep {
  std::optional<std::string> name;
  size_t index = 0;
};
using VariantPath = std::vector<VariantStep>;
std::optional<VariantPath> variant_path(std::string_view text);
/// The first steps of a path, as text.
std::string path_text(const VariantPath& path, size_t steps);

/// The value at a path; null where there is none.
const VariantTree* find(const VariantTree& tree, const VariantPath& path);

/// A step met a value of another kind: how many steps came before it.
struct PathMismatch {
  size_t steps;
};
void erase(VariantTree& tree, const VariantPath& path);
void insert(VariantTree& tree, const VariantPath& path, VariantTree value);
void set(VariantTree& tree, const VariantPath& path, VariantTree value, bool create);
void append(VariantTree& tree, const VariantPath& path, VariantTree value);
void strip_nulls(VariantTree& tree, bool arrays);

/// The type of a variant: objects are structs; kVariant where values differ.
DataType variant_type(const VariantTree& tree);
DataType wider_variant_type(const DataType& a, const DataType& b);
/// "ARRAY<OBJECT<a: BIGINT>>"
std::string variant_type_text(const DataType& type);

}  // namespace firesteel
