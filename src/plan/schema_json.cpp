// Types read from their JSON form.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "plan/types.h"

namespace firesteel {

namespace {

using nlohmann::json;

DataType read(const json& value);

const json& part(const json& value, const char* name) {
  const auto found = value.find(name);
  if (found == value.end())
    throw Error("INVALID_JSON_DATA_TYPE",
                fmt::format("Failed to convert the JSON string '{}' to a data type: `{}` is "
                            "missing.",
                            value.dump(), name));
  return *found;
}

bool flag(const json& value, const char* name) {
  const auto found = value.find(name);
  return found == value.end() || !found->is_boolean() || found->get<bool>();
}

std::string metadata(const json& field) {
  const auto found = field.find("metadata");
  return found == field.end() || found->empty() ? "" : found->dump();
}

DataType read(const json& value) {
  if (value.is_string()) {
    const auto name = value.get<std::string>();
    // JSON's own names of what DDL calls otherwise.
    return name == "null"    ? make_type(TypeKind::kNull)
           : name == "long"  ? make_type(TypeKind::kLong)
           : name == "short" ? make_type(TypeKind::kShort)
           : name == "byte"  ? make_type(TypeKind::kByte)
                             : parse_type(name);
  }
  const auto kind = value.is_object() ? value.value("type", json()) : json();
  if (kind == "struct") {
    Schema fields;
    for (const auto& field : part(value, "fields"))
      fields.push_back({part(field, "name").get<std::string>(), read(part(field, "type")),
                        flag(field, "nullable"), metadata(field)});
    return struct_type(std::move(fields));
  }
  if (kind == "array")
    return array_type(read(part(value, "elementType")), flag(value, "containsNull"));
  if (kind == "map") {
    return map_type(read(part(value, "keyType")), read(part(value, "valueType")),
                    flag(value, "valueContainsNull"));
  }
  if (kind == "udt" && value.contains("sqlType")) return read(value.at("sqlType"));
  throw Error("INVALID_JSON_DATA_TYPE",
              fmt::format("Failed to convert the JSON string '{}' to a data type. Please enter a "
                          "valid data type.",
                          value.dump()));
}

}  // namespace

DataType type_from_json(std::string_view text) {
  try {
    return read(json::parse(text));
  } catch (const json::exception&) {
    throw Error("INVALID_JSON_DATA_TYPE",
                fmt::format("Failed to convert the JSON string '{}' to a data type. Please enter a "
                            "valid data type.",
                            text));
  }
}

}  // namespace firesteel
