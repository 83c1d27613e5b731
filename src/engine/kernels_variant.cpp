// Variants: made of JSON and of values, taken apart, changed, and cast to types.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/number_text.h"
#include "duckdb.hpp"
#include "engine/kernels.h"
#include "engine/typed_kernel.h"
#include "engine/variant.h"
#include "engine/variant_value.h"

namespace firesteel {

using duckdb::Value;
using enum TypeKind;
using Arguments = std::vector<Value>;

VariantTree variant_in(const Value& value) {
  const auto& parts = duckdb::StructValue::GetChildren(value);
  try {
    return read_variant(duckdb::StringValue::Get(parts[0]), duckdb::StringValue::Get(parts[1]));
  } catch (const MalformedVariant&) {
    raise("MALFORMED_VARIANT",
          "Variant binary is malformed. Please check the data source is valid.");
  }
}

Value variant_value(const VariantTree& tree) {
  try {
    const auto variant = write_variant(tree);
    return Value::STRUCT({{"value", Value::BLOB_RAW(variant.value)},
                          {"metadata", Value::BLOB_RAW(variant.metadata)}});
  } catch (const DuplicateKey& key) {
    raise(
        "VARIANT_DUPLICATE_KEY",
        fmt::format("Failed to build variant because of a duplicate object key `{}`.", key.what()));
  }
}

namespace {

/// Strict JSON, unlike that of from_json.
constexpr JsonRules kStrict{.single_quotes = false, .non_numeric = false};

Value no_variant() { return null_of(make_type(kVariant)); }

TypedRow make_parse_json(const Typed& typed, const Zone&) {
  return [tries = typed.options.flag("try", false)](const Arguments& a) {
    std::string why;
    try {
      JsonReader reader(text_in(a[0]), kStrict);
      reader.next();
      const auto variant = write_variant(variant_of_json(reader));
      return Value::STRUCT({{"value", Value::BLOB_RAW(variant.value)},
                            {"metadata", Value::BLOB_RAW(variant.metadata)}});
    } catch (const std::runtime_error& error) {
      why = error.what();
    }
    if (tries) return no_variant();
    raise("MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION",
          fmt::format("Malformed records are detected in record parsing: {}. ({})", text_in(a[0]),
                      why));
  };
}

// ---------------------------------------------------------------------------------------------
// To types

/// What cannot be cast is null, or raised by the caller.
class VariantCast {
 public:
  VariantCast(const Zone& zone, bool tries) : zone_(zone), tries_(tries) {}

  Value value(const VariantTree& tree, const DataType& type) const {
    if (type.kind == kVariant) return variant_value(tree);
    if (tree.is_null()) return null_of(type);
    if (tree.kind == VariantTree::kArray && type.kind == kArray) {
      duckdb::vector<Value> elements;
      for (const auto& element : tree.elements) elements.push_back(value(element, type.element()));
      return Value::LIST(logical_type(type.element()), std::move(elements));
    }
    if (tree.kind == VariantTree::kObject && type.kind == kMap) {
      duckdb::vector<Value> keys, values;
      for (const auto& [key, item] : tree.fields) {
        keys.emplace_back(key);
        values.push_back(value(item, type.value()));
      }
      return Value::MAP(logical_type(type.key()), logical_type(type.value()), std::move(keys),
                        std::move(values));
    }
    if (tree.kind == VariantTree::kObject && type.kind == kStruct) {
      duckdb::child_list_t<Value> fields;
      for (const auto& field : *type.fields) {
        const auto found = std::find_if(tree.fields.begin(), tree.fields.end(),
                                        [&](const auto& item) { return item.first == field.name; });
        fields.emplace_back(field.name, found == tree.fields.end()
                                            ? null_of(field.type)
                                            : value(found->second, field.type));
      }
      return Value::STRUCT(std::move(fields));
    }
    std::optional<Value> result;
    if (tree.kind != VariantTree::kScalar) {
      if (type.kind == kString) result = Value(variant_json(tree, zone_));
    } else if (!type.is_nested()) {
      result = scalar(tree.scalar, type);
    }
    if (result) return *result;
    if (tries_) return null_of(type);
    raise("INVALID_VARIANT_CAST",
          fmt::format("The variant value `{}` cannot be cast into `\"{}\"`. Please use "
                      "`try_variant_get` instead.",
                      variant_json(tree, zone_), type.sql()));
  }

 private:
  static bool is_moment(TypeKind kind) { return kind == kTimestamp || kind == kTimestampNtz; }

  /// As Spark casts the scalar's own type to the one wanted.
  std::optional<Value> scalar(const VariantScalar& from, const DataType& type) const {
    switch (type.kind) {
      case kString:
        return Value(text(from));
      case kBoolean:
        return boolean(from);
      case kByte:
        return integer<int8_t>(from);
      case kShort:
        return integer<int16_t>(from);
      case kInteger:
        return integer<int32_t>(from);
      case kLong:
        return integer<int64_t>(from);
      case kFloat:
      case kDouble:
        return real(from, type);
      case kDecimal: {
        const auto number = decimal(from);
        const auto unscaled = number ? number->unscaled(type.precision, type.scale) : std::nullopt;
        if (!unscaled) return std::nullopt;
        return decimal_value(*unscaled, type.precision, type.scale);
      }
      case kBinary:
        if (from.kind != kString && from.kind != kBinary) return std::nullopt;
        return Value::BLOB_RAW(from.bytes);
      case kDate: {
        const auto days = date(from);
        return days ? std::optional(Value::DATE(duckdb::date_t(*days))) : std::nullopt;
      }
      case kTimestamp:
      case kTimestampNtz: {
        const auto micros = type.kind == kTimestamp ? timestamp(from) : timestamp_ntz(from);
        return micros ? std::optional(Value::TIMESTAMP(duckdb::timestamp_t(*micros)))
                      : std::nullopt;
      }
      default:
        return std::nullopt;
    }
  }

  std::string text(const VariantScalar& from) const {
    switch (from.kind) {
      case kString:
      case kBinary:
        return from.bytes;
      case kDate:
        return date_text(from.integer);
      case kTimestamp:
        return timestamp_text(zone_.to_local(from.integer));
      case kTimestampNtz:
        return timestamp_text(from.integer);
      case kDouble:
        return java_text(from.real);
      case kFloat:
        return java_text(static_cast<float>(from.real));
      default:
        return variant_json({.scalar = from}, zone_);
    }
  }

  static std::string trimmed(std::string text) {
    text.erase(0, std::min(text.find_first_not_of(" \t\n\r\f\v"), text.size()));
    text.erase(text.find_last_not_of(" \t\n\r\f\v") + 1);
    return text;
  }

  std::optional<Value> boolean(const VariantScalar& from) const {
    if (from.kind == kString) {
      auto word = trimmed(from.bytes);
      std::transform(word.begin(), word.end(), word.begin(), ::tolower);
      for (const bool truth : {true, false}) {
        for (const auto* name : truth ? kTrue : kFalse) {
          if (word == name) return Value::BOOLEAN(truth);
        }
      }
      return std::nullopt;
    }
    if (from.kind == kBoolean || from.kind == kLong) return Value::BOOLEAN(from.integer != 0);
    if (from.kind == kDecimal) return Value::BOOLEAN(from.unscaled != 0);
    if (from.kind == kDouble || from.kind == kFloat) return Value::BOOLEAN(from.real != 0);
    return std::nullopt;
  }

  template <typename Number>
  std::optional<Value> integer(const VariantScalar& from) const {
    std::optional<Wide> number;
    if (from.kind == kBoolean || from.kind == kLong) number = from.integer;
    if (from.kind == kString) {
      const auto parsed = integer_of_text(trimmed(from.bytes));
      if (parsed) number = *parsed;
    }
    if (from.kind == kDecimal) {
      number = from.unscaled;
      for (int i = 0; i < from.scale; ++i) *number /= 10;
    }
    if ((from.kind == kDouble || from.kind == kFloat) && std::abs(from.real) < 1e19) {
      number = static_cast<Wide>(from.real);
    }
    if (from.kind == kTimestamp && sizeof(Number) >= 4) {
      number = from.integer / 1000000 - (from.integer % 1000000 < 0);
    }
    if (!number || *number < std::numeric_limits<Number>::min() ||
        *number > std::numeric_limits<Number>::max()) {
      return std::nullopt;
    }
    return Value::CreateValue<Number>(static_cast<Number>(*number));
  }

  std::optional<Value> real(const VariantScalar& from, const DataType& type) const {
    std::optional<double> number;
    if (from.kind == kBoolean || from.kind == kLong) number = static_cast<double>(from.integer);
    if (from.kind == kDouble || from.kind == kFloat) number = from.real;
    if (from.kind == kTimestamp) number = static_cast<double>(from.integer) / 1e6;
    std::string digits;
    if (from.kind == kDecimal) digits = big_decimal(from.unscaled, from.scale).text();
    if (from.kind == kString) digits = trimmed(from.bytes);
    if (!digits.empty() && BigDecimal::parse(digits)) {
      if (type.kind == kFloat) return Value::FLOAT(std::strtof(digits.c_str(), nullptr));
      number = std::strtod(digits.c_str(), nullptr);
    }
    if (from.kind == kString && !number) {
      std::transform(digits.begin(), digits.end(), digits.begin(), ::tolower);
      const bool negative = digits.starts_with('-');
      if (negative || digits.starts_with('+')) digits.erase(0, 1);
      if (digits == "inf" || digits == "infinity") number = negative ? -HUGE_VAL : HUGE_VAL;
      if (digits == "nan") number = std::nan("");
    }
    if (!number) return std::nullopt;
    return type.kind == kFloat ? Value::FLOAT(static_cast<float>(*number)) : Value::DOUBLE(*number);
  }

  std::optional<BigDecimal> decimal(const VariantScalar& from) const {
    switch (from.kind) {
      case kBoolean:
      case kLong:
        return big_decimal(from.integer, 0);
      case kDecimal:
        return big_decimal(from.unscaled, from.scale);
      case kDouble:
      case kFloat:
      case kString:
        return BigDecimal::parse(trimmed(text(from)));
      case kTimestamp:
        return big_decimal(from.integer, 6);
      default:
        return std::nullopt;
    }
  }

  std::optional<int32_t> date(const VariantScalar& from) const {
    if (from.kind == kString) return date_of_text(from.bytes);
    if (from.kind == kDate) return static_cast<int32_t>(from.integer);
    if (!is_moment(from.kind)) return std::nullopt;
    const auto local = from.kind == kTimestamp ? zone_.to_local(from.integer) : from.integer;
    const int64_t day = 86400000000;
    return static_cast<int32_t>(local / day - (local % day < 0));
  }

  std::optional<int64_t> timestamp(const VariantScalar& from) const {
    switch (from.kind) {
      case kString:
        return timestamp_of_text(from.bytes, zone_);
      case kTimestamp:
        return from.integer;
      case kTimestampNtz:
        return zone_.to_utc(from.integer);
      case kDate:
        return zone_.to_utc(from.integer * 86400000000);
      case kLong:
        return from.integer * 1000000;
      case kDouble:
      case kFloat:
        return static_cast<int64_t>(from.real * 1e6);
      case kDecimal: {
        auto micros = from.unscaled * 1000000;
        for (int i = 0; i < from.scale; ++i) micros /= 10;
        return static_cast<int64_t>(micros);
      }
      default:
        return std::nullopt;
    }
  }

  std::optional<int64_t> timestamp_ntz(const VariantScalar& from) const {
    switch (from.kind) {
      case kString:
        return timestamp_ntz_of_text(from.bytes, true);
      case kTimestamp:
        return zone_.to_local(from.integer);
      case kTimestampNtz:
        return from.integer;
      case kDate:
        return from.integer * 86400000000;
      default:
        return std::nullopt;
    }
  }

  static constexpr const char* kTrue[] = {"t", "true", "y", "yes", "1"};
  static constexpr const char* kFalse[] = {"f", "false", "n", "no", "0"};
  const Zone& zone_;
  bool tries_;
};

VariantPath checked_path(std::string_view text, const std::string& function) {
  const auto path = variant_path(text);
  if (path) return *path;
  raise(
      "INVALID_VARIANT_GET_PATH",
      fmt::format("The path `{}` is not a valid variant extraction path in `{}`.", text, function));
}

TypedRow make_variant_get(const Typed& typed, const Zone& zone) {
  const bool tries = typed.options.flag("try", false);
  return [&typed, tries, cast = VariantCast(zone, tries)](const Arguments& a) {
    const auto path = checked_path(text_in(a[1]), tries ? "try_variant_get" : "variant_get");
    const auto tree = variant_in(a[0]);
    const auto* found = find(tree, path);
    return found ? cast.value(*found, typed.type) : null_of(typed.type);
  };
}

// ---------------------------------------------------------------------------------------------
// Of types

VariantTree tree_of(const Value& value, const DataType& type) {
  if (value.IsNull()) return {};
  VariantTree tree;
  auto& scalar = tree.scalar;
  scalar.kind = type.is_integral() ? kLong : type.kind;
  switch (type.kind) {
    case kBoolean:
      scalar.integer = duckdb::BooleanValue::Get(value);
      break;
    case kByte:
    case kShort:
    case kInteger:
    case kLong:
      scalar.integer = value.GetValue<int64_t>();
      break;
    case kFloat:
      scalar.real = value.GetValueUnsafe<float>();
      break;
    case kDouble:
      scalar.real = value.GetValueUnsafe<double>();
      break;
    case kDecimal:
      scalar.unscaled = unscaled_of(value);
      scalar.scale = type.scale;
      break;
    case kString:
    case kBinary:
      scalar.bytes = duckdb::StringValue::Get(value);
      break;
    case kDate:
      scalar.integer = value.GetValueUnsafe<duckdb::date_t>().days;
      break;
    case kTimestamp:
    case kTimestampNtz:
      scalar.integer = value.GetValueUnsafe<duckdb::timestamp_t>().value;
      break;
    case kVariant:
      return variant_in(value);
    case kArray:
      tree.kind = VariantTree::kArray;
      for (const auto& element : duckdb::ListValue::GetChildren(value)) {
        tree.elements.push_back(tree_of(element, type.element()));
      }
      break;
    case kMap:
      tree.kind = VariantTree::kObject;
      for (const auto& entry : duckdb::MapValue::GetChildren(value)) {
        const auto& parts = duckdb::StructValue::GetChildren(entry);
        tree.fields.emplace_back(duckdb::StringValue::Get(parts[0]),
                                 tree_of(parts[1], type.value()));
      }
      break;
    case kStruct: {
      tree.kind = VariantTree::kObject;
      const auto& parts = duckdb::StructValue::GetChildren(value);
      for (size_t i = 0; i < parts.size(); ++i) {
        tree.fields.emplace_back((*type.fields)[i].name, tree_of(parts[i], (*type.fields)[i].type));
      }
      break;
    }
    default:
      return {};
  }
  return tree;
}

TypedRow make_to_variant(const Typed& typed, const Zone&) {
  return [&typed](const Arguments& a) { return variant_value(tree_of(a[0], typed.type)); };
}

// ---------------------------------------------------------------------------------------------
// Changes

/// Calls `change` with the tree and the path, and writes the tree again.
template <typename Change>
TypedRow changing(const Typed& typed, bool root_allowed, Change change) {
  const auto function = typed.options.get("function", "");
  const bool tries = typed.options.flag("try", false);
  return [function, tries, root_allowed, change](const Arguments& a) {
    const auto text = text_in(a[1]);
    const auto path = variant_path(text);
    if (!path || (path->empty() && !root_allowed)) {
      raise("INVALID_VARIANT_PATH",
            fmt::format("The path '{}' is not a valid `{}` target.", text, function));
    }
    auto tree = variant_in(a[0]);
    try {
      change(tree, *path, a);
      return variant_value(tree);
    } catch (const PathMismatch& mismatch) {
      if (tries) return no_variant();
      raise(
          "VARIANT_PATH_TYPE_MISMATCH",
          fmt::format("The path '{}' is incompatible with the variant value at '{}' in `{}`.",
                      path_text(*path, path->size()), path_text(*path, mismatch.steps), function));
    } catch (const DuplicateKey& key) {
      if (tries) return no_variant();
      raise("VARIANT_DUPLICATE_KEY",
            fmt::format("Failed to build variant because of a duplicate object key `{}`.",
                        key.what()));
    }
  };
}

TypedRow make_delete(const Typed& typed, const Zone&) {
  return changing(typed, false, [](VariantTree& tree, const VariantPath& path, const Arguments&) {
    erase(tree, path);
  });
}
TypedRow make_insert(const Typed& typed, const Zone&) {
  return changing(typed, false, [](VariantTree& tree, const VariantPath& path, const Arguments& a) {
    insert(tree, path, variant_in(a[2]));
  });
}
TypedRow make_set(const Typed& typed, const Zone&) {
  const bool create = typed.options.flag("create", true);
  return changing(typed, false,
                  [create](VariantTree& tree, const VariantPath& path, const Arguments& a) {
                    set(tree, path, variant_in(a[2]), create);
                  });
}
TypedRow make_append(const Typed& typed, const Zone&) {
  return changing(typed, true, [](VariantTree& tree, const VariantPath& path, const Arguments& a) {
    append(tree, path, variant_in(a[2]));
  });
}
TypedRow make_strip(const Typed& typed, const Zone&) {
  return [arrays = typed.options.flag("arrays", true)](const Arguments& a) {
    auto tree = variant_in(a[0]);
    strip_nulls(tree, arrays);
    return variant_value(tree);
  };
}

// ---------------------------------------------------------------------------------------------
// Facts

TypedRow make_json(const Typed&, const Zone& zone) {
  return [&zone](const Arguments& a) { return Value(variant_json(variant_in(a[0]), zone)); };
}
TypedRow make_is_null(const Typed&, const Zone&) {
  return [](const Arguments& a) { return Value::BOOLEAN(variant_in(a[0]).is_null()); };
}
TypedRow make_is_valid(const Typed&, const Zone&) {
  return [](const Arguments& a) {
    const auto& parts = duckdb::StructValue::GetChildren(a[0]);
    try {
      read_variant(duckdb::StringValue::Get(parts[0]), duckdb::StringValue::Get(parts[1]));
      return Value::BOOLEAN(true);
    } catch (const MalformedVariant&) {
      return Value::BOOLEAN(false);
    }
  };
}
TypedRow make_schema(const Typed&, const Zone&) {
  return
      [](const Arguments& a) { return Value(variant_type_text(variant_type(variant_in(a[0])))); };
}
/// Of a list of variants.
TypedRow make_schemas(const Typed&, const Zone&) {
  return [](const Arguments& a) {
    auto type = make_type(kNull);
    for (const auto& value : duckdb::ListValue::GetChildren(a[0])) {
      if (!value.IsNull()) type = wider_variant_type(type, variant_type(variant_in(value)));
    }
    return Value(variant_type_text(type));
  };
}
/// The fields or elements, for variant_explode.
TypedRow make_entries(const Typed&, const Zone&) {
  return [](const Arguments& a) {
    const auto tree = variant_in(a[0]);
    duckdb::vector<Value> rows;
    const auto add = [&](Value key, const VariantTree& value) {
      rows.push_back(Value::STRUCT({{"pos", Value::INTEGER(static_cast<int32_t>(rows.size()))},
                                    {"key", std::move(key)},
                                    {"value", variant_value(value)}}));
    };
    for (const auto& [key, value] : tree.fields) add(Value(key), value);
    for (const auto& element : tree.elements) add(Value(duckdb::LogicalType::VARCHAR), element);
    const auto row = parse_type("struct<pos: int, key: string, value: variant>");
    return Value::LIST(logical_type(row), std::move(rows));
  };
}

}  // namespace

void register_variant(duckdb::ExtensionLoader& loader) {
  const auto add = [&](const char* name, const std::vector<std::string>& arguments,
                       const std::string& result, MakeRow make) {
    register_typed(loader, name, arguments, result, std::move(make));
  };
  add("spark_parse_json", {"string"}, "variant", make_parse_json);
  add("spark_variant_get", {"variant", "string"}, "", make_variant_get);
  add("spark_to_variant", {""}, "variant", make_to_variant);
  add("spark_variant_json", {"variant"}, "string", make_json);
  add("spark_is_variant_null", {"variant"}, "boolean", make_is_null);
  add("spark_is_valid_variant", {"variant"}, "boolean", make_is_valid);
  add("spark_schema_of_variant", {"variant"}, "string", make_schema);
  add("spark_schema_of_variants", {"array<variant>"}, "string", make_schemas);
  add("spark_variant_delete", {"variant", "string"}, "variant", make_delete);
  add("spark_variant_insert", {"variant", "string", "variant"}, "variant", make_insert);
  add("spark_variant_set", {"variant", "string", "variant"}, "variant", make_set);
  add("spark_variant_array_append", {"variant", "string", "variant"}, "variant", make_append);
  add("spark_variant_strip_nulls", {"variant"}, "variant", make_strip);
  add("spark_variant_entries", {"variant"}, "array<struct<pos: int, key: string, value: variant>>",
      make_entries);
}

}  // namespace firesteel
