// JSON text: paths, keys and counts, values of a type read from it and written as it, the type it
// has. Each reads the tokens as Spark does, so that malformed text fails where Spark's does.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "base/error.h"
#include "duckdb.hpp"
#include "duckdb/function/scalar_function.hpp"
#include "duckdb/main/extension/extension_loader.hpp"
#include "engine/json_reader.h"
#include "engine/kernels.h"
#include "engine/typed_kernel.h"
#include "engine/variant.h"
#include "engine/variant_value.h"

namespace firesteel {

namespace {

using duckdb::DataChunk;
using duckdb::ExpressionState;
using duckdb::LogicalType;
using duckdb::Value;
using duckdb::Vector;
using enum JsonToken;

/// The rules of get_json_object and its like, which are Hive's.
constexpr JsonRules kHive{.non_numeric = false, .control_characters = true};

std::string_view view(const duckdb::string_t& text) { return {text.GetData(), text.GetSize()}; }

// ---------------------------------------------------------------------------------------------
// get_json_object

struct Step {
  enum Kind { kKey, kSubscript, kName, kWildcard, kIndex } kind;
  std::string name = {};
  int64_t index = 0;
};
using Path = std::vector<Step>;

/// $.name, $['name'], $.*, $[*], $[1]; nothing when it is no path.
std::optional<Path> parse_path(std::string_view text) {
  if (!text.starts_with('$')) return std::nullopt;
  text.remove_prefix(1);
  Path path;
  const auto skip_blanks = [](std::string_view rest) {
    rest.remove_prefix(std::min(rest.find_first_not_of(" \t\n\r\f\v"), rest.size()));
    return rest;
  };
  while (!text.empty()) {
    const auto past_blanks = skip_blanks(text);  // allowed before .*, ['*'] and ['name']
    if (past_blanks.starts_with(".*") || past_blanks.starts_with("['*']")) {
      path.push_back({Step::kWildcard});  // which finds nothing, in Spark
      text = past_blanks.substr(past_blanks[0] == '.' ? 2 : 5);
    } else if (text.starts_with('.')) {
      text = skip_blanks(text.substr(1));
      const auto end = std::min(text.find_first_of(".["), text.size());
      if (end == 0) return std::nullopt;
      path.push_back({Step::kKey});
      path.push_back({.kind = Step::kName, .name = std::string(text.substr(0, end))});
      text.remove_prefix(end);
    } else if (past_blanks.starts_with("['")) {
      text = skip_blanks(past_blanks.substr(2));
      const auto end = text.find('\'');
      if (end == 0 || end == std::string_view::npos) return std::nullopt;
      path.push_back({Step::kKey});
      path.push_back({.kind = Step::kName, .name = std::string(text.substr(0, end))});
      text = skip_blanks(text.substr(end));
      if (!text.starts_with("']")) return std::nullopt;
      text.remove_prefix(2);
    } else if (text.starts_with('[')) {
      text.remove_prefix(1);
      path.push_back({Step::kSubscript});
      if (text.starts_with('*')) {
        path.push_back({Step::kWildcard});
        text.remove_prefix(1);
      } else {
        text = skip_blanks(text);
        const auto end = std::min(text.find_first_not_of("0123456789"), text.size());
        const auto index = integer_of_text(text.substr(0, end));
        if (end == 0 || !index) return std::nullopt;
        path.push_back({.kind = Step::kIndex, .index = *index});
        text.remove_prefix(end);
      }
      if (!text.starts_with(']')) return std::nullopt;
      text.remove_prefix(1);
    } else {
      return std::nullopt;
    }
  }
  return path;
}

using Steps = std::span<const Step>;
enum class Style { kRaw, kQuoted, kFlat };

bool is(const Steps& steps, std::initializer_list<Step::Kind> kinds) {
  return steps.size() >= kinds.size() &&
         std::equal(kinds.begin(), kinds.end(), steps.begin(),
                    [](Step::Kind kind, const Step& step) { return step.kind == kind; });
}

/// Writes what the path finds below the reader's token; true when something was written.
bool extract(JsonReader& reader, JsonWriter& writer, Style style, Steps steps) {
  const auto token = reader.token();
  bool found = false;
  if (steps.empty()) {
    if (token == kString && style == Style::kRaw) {
      if (reader.broken_text()) throw JsonError("half a surrogate pair");
      writer.unquoted(reader.text());
      return true;
    }
    if (token == kStartArray && style == Style::kFlat) {
      while (reader.next() != kEndArray) found |= extract(reader, writer, style, {});
      return found;
    }
    writer.copy(reader);
    return true;
  }
  if (token == kStartObject && is(steps, {Step::kKey})) {
    while (reader.next() != kEndObject) {
      if (found) {
        reader.skip_children();
      } else {
        found = extract(reader, writer, style, steps.subspan(1));
      }
    }
    return found;
  }
  if (token == kStartArray &&
      is(steps, {Step::kSubscript, Step::kWildcard, Step::kSubscript, Step::kWildcard})) {
    writer.start('[');
    while (reader.next() != kEndArray)
      found |= extract(reader, writer, Style::kFlat, steps.subspan(4));
    writer.end(']');
    return found;
  }
  if (token == kStartArray && is(steps, {Step::kSubscript, Step::kWildcard})) {
    if (style == Style::kQuoted) {
      writer.start('[');
      while (reader.next() != kEndArray) found |= extract(reader, writer, style, steps.subspan(2));
      writer.end(']');
      return found;
    }
    // A single match stands without the array, as in Hive.
    JsonWriter matches;
    int count = 0;
    matches.start('[');
    const auto inner = style == Style::kRaw ? Style::kQuoted : style;
    while (reader.next() != kEndArray) count += extract(reader, matches, inner, steps.subspan(2));
    matches.end(']');
    const auto& text = matches.text();
    if (count > 0) writer.raw(count > 1 ? text : text.substr(1, text.size() - 2));
    return count > 0;
  }
  if (token == kStartArray && is(steps, {Step::kSubscript, Step::kIndex})) {
    const auto rest = steps.subspan(2);
    if (is(rest, {Step::kSubscript, Step::kWildcard})) style = Style::kQuoted;
    for (int64_t index = steps[1].index; reader.next() != kEndArray; --index) {
      if (index == 0) {
        found = extract(reader, writer, style, rest);
      } else {
        reader.skip_children();
      }
    }
    return found;
  }
  if (token == kField && steps[0].kind == Step::kName && reader.text() == steps[0].name) {
    return reader.next() != kNull && extract(reader, writer, style, steps.subspan(1));
  }
  reader.skip_children();
  return false;
}

void get_json_object(DataChunk& input, ExpressionState&, Vector& result) {
  std::string last;
  std::optional<Path> path;
  duckdb::BinaryExecutor::ExecuteWithNulls<duckdb::string_t, duckdb::string_t, duckdb::string_t>(
      input.data[0], input.data[1], result, input.size(),
      [&](duckdb::string_t json, duckdb::string_t path_text, duckdb::ValidityMask& mask,
          idx_t row) {
        if (last.empty() || last != view(path_text)) {
          last = view(path_text);
          path = parse_path(last);
        }
        if (path) {
          try {
            JsonReader reader(view(json), kHive);
            JsonWriter writer;
            if (reader.next() != kEnd && extract(reader, writer, Style::kRaw, *path)) {
              return duckdb::StringVector::AddString(result, writer.text());
            }
          } catch (const JsonError&) {  // null, as where nothing is found
          }
        }
        mask.SetInvalid(row);
        return duckdb::string_t();
      });
}

// ---------------------------------------------------------------------------------------------
// Keys, counts, tuples

void array_length(DataChunk& input, ExpressionState&, Vector& result) {
  duckdb::UnaryExecutor::ExecuteWithNulls<duckdb::string_t, int32_t>(
      input.data[0], result, input.size(),
      [&](duckdb::string_t json, duckdb::ValidityMask& mask, idx_t row) {
        try {
          JsonReader reader(view(json), kHive);
          if (reader.next() == kStartArray) {
            int32_t count = 0;
            for (; reader.next() != kEndArray; ++count) reader.skip_children();
            return count;
          }
        } catch (const JsonError&) {
        }
        mask.SetInvalid(row);
        return 0;
      });
}

/// A list of texts per row, or null.
template <typename Row>
void list_rows(DataChunk& input, Vector& result, Row row) {
  const idx_t count = input.AllConstant() ? 1 : input.size();
  for (idx_t i = 0; i < count; ++i) {
    std::optional<duckdb::vector<Value>> texts;
    try {
      texts = row(i);
    } catch (const JsonError&) {
    }
    result.SetValue(
        i, texts ? Value::LIST(LogicalType::VARCHAR, std::move(*texts)) : Value(result.GetType()));
  }
  if (input.AllConstant()) result.SetVectorType(duckdb::VectorType::CONSTANT_VECTOR);
}

void object_keys(DataChunk& input, ExpressionState&, Vector& result) {
  list_rows(input, result, [&](idx_t row) -> std::optional<duckdb::vector<Value>> {
    const auto json = input.data[0].GetValue(row);
    if (json.IsNull()) return std::nullopt;
    JsonReader reader(duckdb::StringValue::Get(json), kHive);
    if (reader.next() != kStartObject) return std::nullopt;
    duckdb::vector<Value> keys;
    while (reader.next() != kEndObject) {
      if (reader.token() == kField) keys.push_back(Value(reader.text()));
      reader.skip_children();
    }
    return keys;
  });
}

/// spark_json_tuple(json, [name, …]) -> [value, …]
void json_tuple(DataChunk& input, ExpressionState&, Vector& result) {
  list_rows(input, result, [&](idx_t row) -> std::optional<duckdb::vector<Value>> {
    const auto json = input.data[0].GetValue(row), names = input.data[1].GetValue(row);
    if (names.IsNull()) return std::nullopt;
    const auto& wanted = duckdb::ListValue::GetChildren(names);
    const duckdb::vector<Value> nothing(wanted.size(), Value(LogicalType::VARCHAR));
    if (json.IsNull()) return nothing;
    auto values = nothing;
    try {
      JsonReader reader(duckdb::StringValue::Get(json), kHive);
      if (reader.next() != kStartObject) return nothing;
      while (reader.next() != kEndObject) {
        if (reader.token() != kField) {
          reader.skip_children();
          continue;
        }
        const auto name = reader.text();
        const auto is_wanted = [&](const Value& key) {
          return !key.IsNull() && duckdb::StringValue::Get(key) == name;
        };
        if (std::none_of(wanted.begin(), wanted.end(), is_wanted)) continue;
        if (reader.next() == kNull) continue;
        JsonWriter writer;
        extract(reader, writer, Style::kRaw, {});
        for (size_t i = 0; i < wanted.size(); ++i) {
          if (is_wanted(wanted[i])) values[i] = Value(writer.text());
        }
      }
      return values;
    } catch (const JsonError&) {
      return nothing;
    }
  });
}

// ---------------------------------------------------------------------------------------------
// from_json

JsonRules rules_of(const Options& options) {
  return {.comments = options.flag("allowComments", false),
          .unquoted_names = options.flag("allowUnquotedFieldNames", false),
          .single_quotes = options.flag("allowSingleQuotes", true),
          .leading_zeros = options.flag("allowNumericLeadingZeros", false),
          .non_numeric = options.flag("allowNonNumericNumbers", true),
          .any_escape = options.flag("allowBackslashEscapingAnyCharacter", false),
          .control_characters = options.flag("allowUnquotedControlChars", false)};
}

/// A value that is not of the type wanted.
struct Mismatch {};

/// A map that may have a key several times, as Spark's may, but not DuckDB's own functions make.
Value map_value(duckdb::vector<Value> entries, const DataType& type) {
  const auto map = logical_type(type);
  auto value = Value::LIST(duckdb::ListType::GetChildType(map), std::move(entries));
  value.Reinterpret(map);
  return value;
}

/// Reads values of types. A field that does not fit is null, and the record is bad.
class JsonValues {
 public:
  JsonValues(JsonReader& reader, const Typed& typed, const Zone& zone)
      : reader_(reader), typed_(typed), zone_(zone) {}

  bool bad() const { return bad_; }

  Value value(const DataType& type) {
    while (reader_.token() == kField) reader_.next();
    const auto token = reader_.token();
    if (type.kind == TypeKind::kVariant) return variant_value(variant_of_json(reader_));
    if (token == kNull || token == kEnd || type.kind == TypeKind::kNull) {
      if (type.kind == TypeKind::kNull) reader_.skip_children();
      return null_of(type);
    }
    switch (type.kind) {
      case TypeKind::kBoolean:
        if (token != kTrue && token != kFalse) throw Mismatch();
        return Value::BOOLEAN(token == kTrue);
      case TypeKind::kByte:
      case TypeKind::kShort:
      case TypeKind::kInteger:
      case TypeKind::kLong:
        if (token != kInteger) throw Mismatch();
        return parsed(type);
      case TypeKind::kFloat:
      case TypeKind::kDouble:
        return floating(type);
      case TypeKind::kDecimal:
        if (token == kString) {
          std::string text = reader_.text();
          std::erase(text, ',');
          return parsed(text, type);
        }
        if (token != kInteger && token != kDecimal) throw Mismatch();
        return parsed(type);
      case TypeKind::kString: {
        if (token == kString) return Value(reader_.text());
        if (token == kEndObject || token == kEndArray) throw Mismatch();
        JsonWriter writer;
        writer.copy(reader_);
        return Value(writer.text());
      }
      case TypeKind::kBinary: {
        const auto bytes = token == kString ? bytes_of_base64(reader_.text()) : std::nullopt;
        if (!bytes) throw Mismatch();
        return Value::BLOB_RAW(*bytes);
      }
      case TypeKind::kTimestamp:
        if (token == kInteger) {
          const auto seconds = integer_of_text(reader_.text());
          if (!seconds) throw Mismatch();
          return Value::TIMESTAMP(duckdb::timestamp_t(*seconds * 1000000));
        }
        [[fallthrough]];
      case TypeKind::kTimestampNtz:
      case TypeKind::kDate:
        if (token != kString || reader_.text().empty()) throw Mismatch();
        return moment(type);
      case TypeKind::kArray:
        if (token != kStartArray) throw Mismatch();
        return array(type);
      case TypeKind::kMap:
        if (token != kStartObject) throw Mismatch();
        return map(type);
      case TypeKind::kStruct:
        if (token != kStartObject) throw Mismatch();
        return object(type);
      default:
        throw Mismatch();
    }
  }

  Value array(const DataType& type) {
    duckdb::vector<Value> elements;
    while (reader_.next() != kEndArray) elements.push_back(value(type.element()));
    return Value::LIST(logical_type(type.element()), std::move(elements));
  }

  Value object(const DataType& type) {
    const auto& fields = *type.fields;
    duckdb::child_list_t<Value> values;
    for (const auto& field : fields) values.emplace_back(field.name, null_of(field.type));
    while (reader_.next() != kEndObject) {
      const auto name = reader_.field();
      const auto found = std::find_if(fields.begin(), fields.end(),
                                      [&](const Field& field) { return field.name == name; });
      if (found == fields.end()) {
        reader_.skip_children();
        continue;
      }
      try {
        values[static_cast<size_t>(found - fields.begin())].second = value(found->type);
      } catch (const Mismatch&) {
        bad_ = true;
        reader_.skip_children();
      }
    }
    return Value::STRUCT(std::move(values));
  }

 private:
  Value parsed(const DataType& type) { return parsed(reader_.text(), type); }
  Value parsed(const std::string& text, const DataType& type) {
    auto value = value_of_text(text, type, typed_.to_read, zone_);
    if (!value) throw Mismatch();
    return *value;
  }

  Value floating(const DataType& type) {
    const bool single = type.kind == TypeKind::kFloat;
    const auto& text = reader_.text();
    const bool number = reader_.token() == kInteger || reader_.token() == kDecimal;
    static constexpr std::string_view kWords[] = {"NaN",       "INF",       "+INF",    "-INF",
                                                  "+Infinity", "-Infinity", "Infinity"};
    const bool word =
        reader_.token() == kString && typed_.options.flag("allowNonNumericNumbers", true) &&
        std::find(std::begin(kWords), std::end(kWords), text) != std::end(kWords) && text != "INF";
    if (!number && !word) throw Mismatch();
    const double value = json_double(text);
    if (!single) return Value::DOUBLE(value);
    return Value::FLOAT(std::isfinite(value) ? std::strtof(text.c_str(), nullptr)
                                             : static_cast<float>(value));
  }

  Value moment(const DataType& type) {
    auto value = value_of_text(reader_.text(), type, typed_.to_read, zone_);
    // A number is days since 1970, as Spark 1.5 wrote dates.
    if (!value && type.kind == TypeKind::kDate && !typed_.to_read.date) {
      const auto days = integer_of_text(reader_.text());
      if (days) value = Value::DATE(duckdb::date_t(static_cast<int32_t>(*days)));
    }
    if (!value) throw Mismatch();
    return *value;
  }

  Value map(const DataType& type) {
    duckdb::vector<Value> entries;
    bool whole = true;
    while (reader_.next() != kEndObject) {
      const auto key = reader_.field();
      try {
        auto item = value(type.value());
        entries.push_back(Value::STRUCT({{"key", Value(key)}, {"value", std::move(item)}}));
      } catch (const Mismatch&) {
        whole = false;
        reader_.skip_children();
      }
    }
    if (!whole) throw Mismatch();
    return map_value(std::move(entries), type);
  }

  JsonReader& reader_;
  const Typed& typed_;
  const Zone& zone_;
  bool bad_ = false;
};

/// A struct type without the column that takes what is malformed.
DataType without(const DataType& type, const std::string& name) {
  Schema fields;
  for (const auto& field : *type.fields) {
    if (field.name != name) fields.push_back(field);
  }
  return struct_type(std::move(fields));
}

TypedRow make_from_json(const Typed& typed, const Zone& zone) {
  const auto rules = rules_of(typed.options);
  const auto corrupt = typed.options.get("columnNameOfCorruptRecord", "_corrupt_record");
  auto mode = typed.options.get("mode", "PERMISSIVE");
  std::transform(mode.begin(), mode.end(), mode.begin(), ::toupper);
  const bool strict = mode == "FAILFAST";
  const bool is_struct = typed.type.kind == TypeKind::kStruct;
  const auto wanted = is_struct ? without(typed.type, corrupt) : typed.type;
  return [&typed, &zone, rules, corrupt, strict, is_struct,
          wanted](const std::vector<Value>& arguments) {
    const auto json = text_in(arguments[0]);
    Value value = null_of(wanted);
    bool bad = true;
    try {
      JsonReader reader(json, rules);
      if (reader.next() == kEnd) return null_of(typed.type);
      JsonValues values(reader, typed, zone);
      const bool lone = wanted.kind == TypeKind::kArray && reader.token() == kStartObject &&
                        wanted.element().kind == TypeKind::kStruct;
      if (lone) {  // an object is an array of one
        value = Value::LIST(logical_type(wanted.element()), {values.object(wanted.element())});
      } else {
        value = values.value(wanted);
      }
      bad = values.bad() || value.IsNull();
    } catch (const JsonError&) {
    } catch (const Mismatch&) {
    }
    if (bad && strict) {
      raise(kMalformedRecord, malformed_record(json));
    }
    if (!is_struct) return value;
    duckdb::child_list_t<Value> fields;
    size_t next = 0;
    for (const auto& field : *typed.type.fields) {
      if (field.name == corrupt) {
        fields.emplace_back(field.name,
                            bad ? Value(std::string(json)) : Value(LogicalType::VARCHAR));
      } else if (value.IsNull()) {
        fields.emplace_back(field.name, null_of(field.type));
      } else {
        fields.emplace_back(field.name, duckdb::StructValue::GetChildren(value)[next++]);
      }
    }
    return Value::STRUCT(std::move(fields));
  };
}

/// The rows of a record of a file: an object is one, an array one each.
TypedRow make_json_rows(const Typed& typed, const Zone& zone) {
  const auto& type = typed.type.element();
  const auto corrupt = typed.options.get("columnNameOfCorruptRecord", "_corrupt_record");
  auto mode = typed.options.get("mode", "PERMISSIVE");
  std::transform(mode.begin(), mode.end(), mode.begin(), ::toupper);
  return [&typed, &zone, &type, corrupt, mode, rules = rules_of(typed.options),
          wanted = without(type, corrupt)](const std::vector<Value>& arguments) {
    const auto json = text_in(arguments[0]);
    duckdb::vector<Value> values, rows;
    bool bad = false;
    try {
      JsonReader reader(json, rules);
      JsonValues reads(reader, typed, zone);
      if (reader.next() == kStartArray) {
        while (reader.next() != kEndArray) values.push_back(reads.value(wanted));
      } else if (reader.token() != kEnd) {
        values.push_back(reads.value(wanted));
        bad = values[0].IsNull();
      }
      bad = bad || reads.bad();
    } catch (const JsonError&) {
      values.assign(1, null_of(wanted));
      bad = true;
    } catch (const Mismatch&) {
      values.assign(1, null_of(wanted));
      bad = true;
    }
    if (bad && mode == "FAILFAST") {
      raise("FAILED_READ_FILE.NO_HINT",
            fmt::format("Encountered error while reading a file: {}", malformed_record(json)));
    }
    if (bad && mode == "DROPMALFORMED") values.clear();
    for (const auto& value : values) {
      duckdb::child_list_t<Value> fields;
      size_t next = 0;
      for (const auto& field : *type.fields) {
        if (field.name == corrupt) {
          fields.emplace_back(field.name,
                              bad ? Value(std::string(json)) : Value(LogicalType::VARCHAR));
        } else {
          fields.emplace_back(field.name, value.IsNull()
                                              ? null_of(field.type)
                                              : duckdb::StructValue::GetChildren(value)[next++]);
        }
      }
      rows.push_back(Value::STRUCT(std::move(fields)));
    }
    return Value::LIST(logical_type(type), std::move(rows));
  };
}

// ---------------------------------------------------------------------------------------------
// to_json

class JsonText {
 public:
  JsonText(const Typed& typed, const Zone& zone)
      : typed_(typed),
        zone_(zone),
        nulls_(!typed.options.flag("ignoreNullFields", true)),
        sorted_(typed.options.flag("sortKeys", false)),
        ascii_(typed.options.flag("writeNonAsciiCharacterAsCodePoint", false)),
        pretty_(typed.options.flag("pretty", false)) {}

  std::string operator()(const Value& value) {
    JsonWriter writer(pretty_, ascii_);
    write(writer, value, typed_.type);
    return writer.text();
  }

 private:
  void write(JsonWriter& writer, const Value& value, const DataType& type) {
    if (value.IsNull()) return writer.raw("null");
    switch (type.kind) {
      case TypeKind::kNull:
        return writer.raw("null");
      case TypeKind::kFloat:
        return writer.raw(json_number(value.GetValueUnsafe<float>()));
      case TypeKind::kDouble:
        return writer.raw(json_number(value.GetValueUnsafe<double>()));
      case TypeKind::kBoolean:
      case TypeKind::kByte:
      case TypeKind::kShort:
      case TypeKind::kInteger:
      case TypeKind::kLong:
      case TypeKind::kDecimal:
        return writer.raw(text(value, type));
      case TypeKind::kArray:
        writer.start('[');
        for (const auto& element : duckdb::ListValue::GetChildren(value)) {
          write(writer, element, type.element());
        }
        return writer.end(']');
      case TypeKind::kMap:
      case TypeKind::kStruct:
        writer.start('{');
        for (const auto& [name, item, item_type] : members(value, type)) {
          writer.field(name);
          write(writer, item, item_type);
        }
        return writer.end('}');
      case TypeKind::kVariant:
        return writer.raw(variant_json(variant_in(value), zone_));
      default:
        return writer.string(text(value, type));
    }
  }

  struct Member {
    std::string name;
    Value value;
    DataType type;
  };

  std::vector<Member> members(const Value& value, const DataType& type) {
    std::vector<Member> out;
    if (type.kind == TypeKind::kMap) {
      for (const auto& entry : duckdb::MapValue::GetChildren(value)) {
        const auto& parts = duckdb::StructValue::GetChildren(entry);
        out.push_back({key_text(parts[0], type.key()), parts[1], type.value()});
      }
    } else {
      const auto& parts = duckdb::StructValue::GetChildren(value);
      for (size_t i = 0; i < parts.size(); ++i) {
        const auto& field = (*type.fields)[i];
        if (nulls_ || !parts[i].IsNull()) out.push_back({field.name, parts[i], field.type});
      }
    }
    if (sorted_) {
      std::stable_sort(out.begin(), out.end(),
                       [](const Member& a, const Member& b) { return a.name < b.name; });
    }
    return out;
  }

  std::string text(const Value& value, const DataType& type) {
    return text_of_value(value, type, typed_.to_write, zone_);
  }

  /// A key is written as Spark holds it: dates as days, times as microseconds, structs in brackets.
  std::string key_text(const Value& key, const DataType& type) {
    if (key.IsNull()) return "null";
    switch (type.kind) {
      case TypeKind::kDate:
        return std::to_string(key.GetValueUnsafe<duckdb::date_t>().days);
      case TypeKind::kTimestamp:
      case TypeKind::kTimestampNtz:
        return std::to_string(key.GetValueUnsafe<duckdb::timestamp_t>().value);
      case TypeKind::kStruct: {
        std::string out;
        const auto& parts = duckdb::StructValue::GetChildren(key);
        for (size_t i = 0; i < parts.size(); ++i) {
          out += (i ? "," : "") + key_text(parts[i], (*type.fields)[i].type);
        }
        return "[" + out + "]";
      }
      default:
        return text(key, type);
    }
  }

  const Typed& typed_;
  const Zone& zone_;
  bool nulls_, sorted_, ascii_, pretty_;
};

// ---------------------------------------------------------------------------------------------
// schema_of_json

class JsonTypes {
 public:
  JsonTypes(JsonReader& reader, const Typed& typed, const Zone& zone)
      : reader_(reader), typed_(typed), zone_(zone) {}

  DataType type() {
    const auto token = reader_.token();
    switch (token) {
      case kField:
        reader_.next();
        return type();
      case kString:
        return of_text();
      case kTrue:
      case kFalse:
        return make_type(flag("primitivesAsString") ? TypeKind::kString : TypeKind::kBoolean);
      case kInteger:
      case kDecimal:
        return of_number();
      case kStartArray: {
        auto element = make_type(TypeKind::kNull);
        while (reader_.next() != kEndArray) element = wider(element, type());
        return array_type(element);
      }
      case kStartObject: {
        Schema fields;
        while (reader_.next() != kEndObject) {
          const auto name = reader_.field();
          fields.push_back({name, type(), true});
        }
        std::stable_sort(fields.begin(), fields.end(),
                         [](const Field& a, const Field& b) { return a.name < b.name; });
        return struct_type(std::move(fields));
      }
      default:
        return make_type(TypeKind::kNull);
    }
  }

  /// Empty structs are left out, and what is always null is text.
  std::optional<DataType> settled(const DataType& type) const {
    if (type.kind == TypeKind::kNull) {
      if (flag("dropFieldIfAllNull")) return std::nullopt;
      return make_type(TypeKind::kString);
    }
    if (type.kind == TypeKind::kArray) {
      const auto element = settled(type.element());
      if (!element) return std::nullopt;
      return array_type(*element);
    }
    if (type.kind != TypeKind::kStruct) return type;
    Schema fields;
    for (const auto& field : *type.fields) {
      const auto kept = field.name.empty() ? std::nullopt : settled(field.type);
      if (kept) fields.push_back({field.name, *kept, true});
    }
    if (fields.empty()) return std::nullopt;
    return struct_type(std::move(fields));
  }

  /// The type that holds values of both.
  static DataType wider(const DataType& a, const DataType& b) {
    if (a == b || b.kind == TypeKind::kNull) return a;
    if (a.kind == TypeKind::kNull) return b;
    const auto decimal = [](const DataType& type) {
      return type.kind == TypeKind::kLong ? decimal_type(20, 0) : type;
    };
    if (a.is_numeric() && b.is_numeric()) {
      if (a.kind == TypeKind::kDouble || b.kind == TypeKind::kDouble)
        return make_type(TypeKind::kDouble);
      const auto x = decimal(a), y = decimal(b);
      const int scale = std::max(x.scale, y.scale);
      const int range = std::max(x.precision - x.scale, y.precision - y.scale);
      return range + scale > 38 ? make_type(TypeKind::kDouble) : decimal_type(range + scale, scale);
    }
    if (a.is_datetime() && b.is_datetime()) return make_type(TypeKind::kTimestamp);
    if (a.kind == TypeKind::kArray && b.kind == TypeKind::kArray) {
      return array_type(wider(a.element(), b.element()));
    }
    if (a.kind == TypeKind::kStruct && b.kind == TypeKind::kStruct) {
      Schema fields = *a.fields;
      for (const auto& field : *b.fields) {
        const auto place = std::lower_bound(
            fields.begin(), fields.end(), field.name,
            [](const Field& other, const std::string& name) { return other.name < name; });
        if (place != fields.end() && place->name == field.name) {
          place->type = wider(place->type, field.type);
        } else {
          fields.insert(place, field);
        }
      }
      return struct_type(std::move(fields));
    }
    return make_type(TypeKind::kString);
  }

 private:
  bool flag(const char* name) const { return typed_.options.flag(name, false); }

  DataType of_text() const {
    const auto& text = reader_.text();
    if (text.empty()) return make_type(TypeKind::kNull);
    if (flag("prefersDecimal")) {
      const auto decimal = BigDecimal::parse(text);
      if (decimal && decimal->scale >= 0 && decimal->precision() <= 38) {
        return decimal_type(static_cast<int>(std::max(decimal->precision(), decimal->scale)),
                            static_cast<int>(decimal->scale));
      }
    }
    if (flag("inferTimestamp") &&
        value_of_text(text, make_type(TypeKind::kTimestamp), typed_.to_read, zone_)) {
      return make_type(TypeKind::kTimestamp);
    }
    return make_type(TypeKind::kString);
  }

  DataType of_number() const {
    if (flag("primitivesAsString")) return make_type(TypeKind::kString);
    const auto& text = reader_.text();
    const bool integer = reader_.token() == kInteger;
    if (integer && integer_of_text(text)) return make_type(TypeKind::kLong);
    const auto decimal = integer || flag("prefersDecimal") ? BigDecimal::parse(text) : std::nullopt;
    if (!decimal) return make_type(TypeKind::kDouble);
    const auto precision = std::max(decimal->precision(), decimal->scale);
    if (precision > 38 || decimal->scale < 0) return make_type(TypeKind::kDouble);
    return decimal_type(static_cast<int>(precision), static_cast<int>(decimal->scale));
  }

  JsonReader& reader_;
  const Typed& typed_;
  const Zone& zone_;
};

TypedRow make_schema_of_json(const Typed& typed, const Zone& zone) {
  return [&typed, &zone, rules = rules_of(typed.options)](const std::vector<Value>& arguments) {
    try {
      JsonReader reader(text_in(arguments[0]), rules);
      reader.next();
      JsonTypes types(reader, typed, zone);
      const auto found = types.type();
      const auto settled = types.settled(found);
      if (settled) return Value(settled->sql());
      const bool structs =
          found.kind == TypeKind::kStruct ||
          (found.kind == TypeKind::kArray && found.element().kind == TypeKind::kStruct);
      if (!structs) return Value(make_type(TypeKind::kString).sql());
      const auto empty = struct_type({});
      return Value((found.kind == TypeKind::kArray ? array_type(empty) : empty).sql());
    } catch (const JsonError& error) {
      raise("MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION",
            fmt::format("The text is no JSON: {}.", error.what()));
    }
  };
}

/// The type of a record of a file, for json_type_of_all.
TypedRow make_json_type(const Typed& typed, const Zone& zone) {
  const auto corrupt = typed.options.get("columnNameOfCorruptRecord", "_corrupt_record");
  auto mode = typed.options.get("mode", "PERMISSIVE");
  std::transform(mode.begin(), mode.end(), mode.begin(), ::toupper);
  return [&typed, &zone, corrupt, mode,
          rules = rules_of(typed.options)](const std::vector<Value>& arguments) {
    auto found = make_type(TypeKind::kNull);
    try {
      JsonReader reader(text_in(arguments[0]), rules);
      if (reader.next() == kEnd) return Value(LogicalType::VARCHAR);
      found = JsonTypes(reader, typed, zone).type();
      if (found.kind == TypeKind::kArray) found = found.element();
    } catch (const JsonError&) {
    }
    if (found.kind == TypeKind::kStruct) return Value(found.sql());
    if (mode == "FAILFAST") {
      raise(kMalformedRecord, malformed_record(text_in(arguments[0])));
    }
    if (mode == "DROPMALFORMED") return Value(LogicalType::VARCHAR);
    return Value(struct_type({{corrupt, make_type(TypeKind::kString), true}}).sql());
  };
}

TypedRow make_json_type_of_all(const Typed& typed, const Zone& zone) {
  return [&typed, &zone](const std::vector<Value>& arguments) {
    auto all = make_type(TypeKind::kNull);
    for (const auto& text : duckdb::ListValue::GetChildren(arguments[0])) {
      if (!text.IsNull()) all = JsonTypes::wider(all, parse_type(duckdb::StringValue::Get(text)));
    }
    JsonReader nothing("", {});
    const auto settled =
        all.kind == TypeKind::kStruct ? JsonTypes(nothing, typed, zone).settled(all) : std::nullopt;
    return Value(settled.value_or(struct_type({})).sql());
  };
}

}  // namespace

void register_json(duckdb::ExtensionLoader& loader) {
  using duckdb::ScalarFunction;
  const LogicalType text = LogicalType::VARCHAR, texts = LogicalType::LIST(text);
  loader.RegisterFunction(
      ScalarFunction("spark_get_json_object", {text, text}, text, get_json_object));
  loader.RegisterFunction(
      ScalarFunction("spark_json_array_length", {text}, LogicalType::INTEGER, array_length));
  loader.RegisterFunction(ScalarFunction("spark_json_object_keys", {text}, texts, object_keys));
  ScalarFunction tuple("spark_json_tuple", {text, texts}, texts, json_tuple);
  tuple.SetNullHandling(duckdb::FunctionNullHandling::SPECIAL_HANDLING);
  loader.RegisterFunction(tuple);
  register_typed(loader, "spark_from_json", {"string"}, "", make_from_json);
  register_typed(loader, "spark_json_rows", {"string"}, "", make_json_rows);
  register_typed(loader, "spark_json_type", {"string"}, "string", make_json_type);
  register_typed(loader, "spark_json_type_of_all", {"array<string>"}, "string",
                 make_json_type_of_all);
  register_typed(loader, "spark_schema_of_json", {"string"}, "string", make_schema_of_json);
  register_typed(loader, "spark_to_json", {""}, "string", [](const Typed& typed, const Zone& zone) {
    return [text = JsonText(typed, zone)](const std::vector<Value>& values) mutable {
      return Value(text(values[0]));
    };
  });
}

}  // namespace firesteel
