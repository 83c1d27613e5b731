// One record of CSV: read as a struct, written of one, its types.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "duckdb.hpp"
#include "engine/kernels.h"
#include "engine/typed_kernel.h"
#include "plan/names.h"

namespace firesteel {

namespace {

using duckdb::Value;
using enum TypeKind;
using Arguments = std::vector<Value>;

struct CsvRules {
  std::string separator, quote, escape, comment, null_value, empty_value;
  bool trim_left, trim_right;

  CsvRules(const Options& options, bool trims)
      : separator(options.get("sep", options.get("delimiter", ","))),
        quote(options.get("quote", "\"")),
        escape(options.get("escape", "\\")),
        comment(options.get("comment", "")),
        null_value(options.get("nullValue", "")),
        empty_value(options.get("emptyValue", "")),
        trim_left(options.flag("ignoreLeadingWhiteSpace", trims)),
        trim_right(options.flag("ignoreTrailingWhiteSpace", trims)) {
    if (separator == "\\t") separator = "\t";
  }

  std::string trimmed(std::string text) const {
    const auto blank = [](char c) { return static_cast<unsigned char>(c) <= ' '; };
    if (trim_left) {
      text.erase(text.begin(), std::find_if_not(text.begin(), text.end(), blank));
    }
    while (trim_right && !text.empty() && blank(text.back())) text.pop_back();
    return text;
  }
};

/// The fields of the first line, null where nothing stands between separators.
std::vector<std::optional<std::string>> fields_of(std::string_view line, const CsvRules& rules) {
  std::vector<std::optional<std::string>> fields;
  if (!rules.comment.empty() && line.starts_with(rules.comment)) return fields;
  size_t at = 0;
  const auto ends = [&](size_t i) {
    return i >= line.size() || line[i] == '\n' || line[i] == '\r' ||
           line.substr(i).starts_with(rules.separator);
  };
  while (true) {
    if (rules.trim_left) {
      while (at < line.size() && (line[at] == ' ' || line[at] == '\t') && !ends(at)) ++at;
    }
    std::optional<std::string> field;
    size_t end = at;
    if (!rules.quote.empty() && at < line.size() && line[at] == rules.quote[0]) {
      std::string text;
      size_t i = at + 1;
      for (; i < line.size() && line[i] != rules.quote[0]; ++i) {
        const bool escapes = !rules.escape.empty() && line[i] == rules.escape[0] &&
                             i + 1 < line.size() &&
                             (line[i + 1] == rules.quote[0] || line[i + 1] == rules.escape[0]);
        if (escapes) ++i;
        text += line[i];
      }
      size_t after = std::min(i + 1, line.size());
      while (after < line.size() && line[after] == ' ' && !ends(after)) ++after;
      if (ends(after)) {
        field = text.empty() ? rules.empty_value : text;
        end = after;
      }
    }
    if (!field) {  // a quote that is not closed before the separator is a character as any other
      while (!ends(end)) ++end;
      field = rules.trimmed(std::string(line.substr(at, end - at)));
      if (field->empty()) field.reset();
    }
    fields.push_back(field);
    if (end >= line.size() || line[end] == '\n' || line[end] == '\r') return fields;
    at = end + rules.separator.size();
  }
}

/// A field as the type; nothing when it is malformed.
std::optional<Value> field_value(const std::string& text, const DataType& type, const Typed& typed,
                                 const Zone& zone) {
  switch (type.kind) {
    case kBoolean:
      return value_of_text(lower_case(text), type, typed.to_read, zone);
    case kFloat:
    case kDouble: {
      const auto& options = typed.options;
      std::optional<double> special;
      if (text == options.get("nanValue", "NaN")) special = std::nan("");
      if (text == options.get("positiveInf", "Inf") || text == "Infinity") special = HUGE_VAL;
      if (text == options.get("negativeInf", "-Inf") || text == "-Infinity") special = -HUGE_VAL;
      if (special) {
        return type.kind == kFloat ? Value::FLOAT(static_cast<float>(*special))
                                   : Value::DOUBLE(*special);
      }
      const auto start = text.find_first_not_of(" \t"), end = text.find_last_not_of(" \t");
      if (start == std::string::npos) return std::nullopt;
      auto number = text.substr(start, end - start + 1);
      if (number.find_first_of("dDfF", number.size() - 1) != std::string::npos) number.pop_back();
      return value_of_text(number, type, typed.to_read, zone);
    }
    case kDecimal: {
      std::string digits = text;
      std::erase(digits, ',');
      return value_of_text(digits, type, typed.to_read, zone);
    }
    case kBinary:
      return Value::BLOB_RAW(text);
    case kVariant:
      return std::nullopt;
    default:
      return value_of_text(text, type, typed.to_read, zone);
  }
}

/// What is done with records that are malformed.
struct Modes {
  std::string corrupt;
  bool strict, drops;

  explicit Modes(const Options& options)
      : corrupt(options.get("columnNameOfCorruptRecord", "_corrupt_record")) {
    const auto mode = lower_case(options.get("mode", "PERMISSIVE"));
    strict = mode == "failfast";
    drops = mode == "dropmalformed";
  }
};

/// A record as a struct; `bad` when it is malformed.
Value row_of(const std::string& text, const Schema& schema, const CsvRules& rules,
             const Modes& modes, const Typed& typed, const Zone& zone, bool& bad) {
  const auto fields = fields_of(text, rules);
  size_t wanted = 0;
  for (const auto& field : schema) wanted += field.name != modes.corrupt;
  bad = fields.size() != wanted;
  duckdb::child_list_t<Value> values;
  size_t next = 0;
  for (const auto& field : schema) {
    values.emplace_back(field.name, null_of(field.type));
    if (field.name == modes.corrupt) continue;
    const size_t index = next++;
    if (index >= fields.size() || !fields[index] || *fields[index] == rules.null_value) continue;
    const auto value = field_value(*fields[index], field.type, typed, zone);
    bad = bad || !value;
    if (value) values.back().second = *value;
  }
  for (auto& [name, value] : values) {
    if (bad && name == modes.corrupt) value = Value(text);
  }
  return Value::STRUCT(std::move(values));
}

TypedRow make_from_csv(const Typed& typed, const Zone& zone) {
  return [&typed, &zone, rules = CsvRules(typed.options, false),
          modes = Modes(typed.options)](const Arguments& a) {
    bool bad = false;
    auto row =
        row_of(std::string(text_in(a[0])), *typed.type.fields, rules, modes, typed, zone, bad);
    if (bad && modes.strict) raise(kMalformedRecord, malformed_record(text_in(a[0])));
    return row;
  };
}

/// The rows of a record of a file: one, or none when it is malformed and such are dropped.
TypedRow make_csv_rows(const Typed& typed, const Zone& zone) {
  return [&typed, &zone, rules = CsvRules(typed.options, false),
          modes = Modes(typed.options)](const Arguments& a) {
    bool bad = false;
    const auto& type = typed.type.element();
    duckdb::vector<Value> rows;
    rows.push_back(
        row_of(std::string(text_in(a[0])), *type.fields, rules, modes, typed, zone, bad));
    if (bad && modes.strict) {
      raise("FAILED_READ_FILE.NO_HINT", fmt::format("Encountered error while reading a file: {}",
                                                    malformed_record(text_in(a[0]))));
    }
    if (bad && modes.drops) rows.clear();
    return Value::LIST(logical_type(type), std::move(rows));
  };
}

/// Written within a field: arrays, maps and structs as Spark shows them.
std::string shown(const Value& value, const DataType& type, const Typed& typed, const Zone& zone) {
  if (value.IsNull()) return "null";
  std::string out;
  const auto add = [&](const std::string& part) { out += (out.empty() ? "" : ", ") + part; };
  switch (type.kind) {
    case kArray:
      for (const auto& element : duckdb::ListValue::GetChildren(value)) {
        add(shown(element, type.element(), typed, zone));
      }
      return "[" + out + "]";
    case kMap:
      for (const auto& entry : duckdb::MapValue::GetChildren(value)) {
        const auto& parts = duckdb::StructValue::GetChildren(entry);
        add(shown(parts[0], type.key(), typed, zone) + " -> " +
            shown(parts[1], type.value(), typed, zone));
      }
      return "{" + out + "}";
    case kStruct: {
      const auto& parts = duckdb::StructValue::GetChildren(value);
      for (size_t i = 0; i < parts.size(); ++i) {
        add(shown(parts[i], (*type.fields)[i].type, typed, zone));
      }
      return "{" + out + "}";
    }
    case kBinary:
      for (const char c : duckdb::StringValue::Get(value)) {
        out += fmt::format("{}{:02X}", out.empty() ? "" : " ", static_cast<unsigned char>(c));
      }
      return "[" + out + "]";
    default:
      return text_of_value(value, type, typed.to_write, zone);
  }
}

TypedRow make_to_csv(const Typed& typed, const Zone& zone) {
  const CsvRules rules(typed.options, true);
  const bool all = typed.options.flag("quoteAll", false);
  const auto empty = typed.options.get("emptyValue", "\"\"");
  return [&typed, &zone, rules, all, empty](const Arguments& a) {
    std::string out;
    const auto& parts = duckdb::StructValue::GetChildren(a[0]);
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i > 0) out += rules.separator;
      const auto& type = (*typed.type.fields)[i].type;
      if (parts[i].IsNull()) {
        out += all ? rules.quote + rules.null_value + rules.quote : rules.null_value;
        continue;
      }
      const auto text = rules.trimmed(shown(parts[i], type, typed, zone));
      const bool quotes = all || text.find(rules.separator) != std::string::npos ||
                          text.find_first_of(rules.quote + "\r\n") != std::string::npos ||
                          (i == 0 && text.starts_with('#'));
      if (text.empty()) {
        out += empty;
      } else if (quotes) {
        out += rules.quote;
        for (const char c : text) {
          if (c == rules.quote[0] || c == rules.escape[0]) out += rules.escape;
          out += c;
        }
        out += rules.quote;
      } else {
        out += text;
      }
    }
    return Value(out);
  };
}

/// The narrowest type of a field, in Spark's order.
DataType type_of(const std::optional<std::string>& field, const Typed& typed, const Zone& zone) {
  if (!field || *field == typed.options.get("nullValue", "")) return make_type(kString);
  const auto& text = *field;
  const auto reads = [&](TypeKind kind) {
    return field_value(text, make_type(kind), typed, zone).has_value();
  };
  if (reads(kInteger)) return make_type(kInteger);
  if (reads(kLong)) return make_type(kLong);
  const auto decimal = BigDecimal::parse(text);
  if (decimal && decimal->scale == 0 && decimal->precision() <= 38) {
    return decimal_type(static_cast<int>(decimal->precision()), 0);
  }
  if (reads(kDouble)) return make_type(kDouble);
  const auto date = typed.to_read.date ? *typed.to_read.date : MomentPattern("yyyy-MM-dd");
  if (date.parse(text)) return make_type(kDate);
  for (const auto kind : {kTimestamp, kBoolean}) {
    if (reads(kind)) return make_type(kind);
  }
  return make_type(kString);
}

TypedRow make_schema_of_csv(const Typed& typed, const Zone& zone) {
  return [&typed, &zone, rules = CsvRules(typed.options, false)](const Arguments& a) {
    Schema fields;
    for (const auto& field : fields_of(text_in(a[0]), rules)) {
      fields.push_back({fmt::format("_c{}", fields.size()), type_of(field, typed, zone)});
    }
    return Value(struct_type(std::move(fields)).sql());
  };
}

TypedRow make_csv_fields(const Typed& typed, const Zone&) {
  return [rules = CsvRules(typed.options, false)](const Arguments& a) {
    duckdb::vector<Value> fields;
    for (const auto& field : fields_of(text_in(a[0]), rules))
      fields.push_back(field ? Value(*field) : Value(duckdb::LogicalType::VARCHAR));
    return Value::LIST(duckdb::LogicalType::VARCHAR, std::move(fields));
  };
}

/// The types of a record's fields, void where there is no value.
TypedRow make_csv_type(const Typed& typed, const Zone& zone) {
  return [&typed, &zone, rules = CsvRules(typed.options, false)](const Arguments& a) {
    Schema fields;
    for (const auto& field : fields_of(text_in(a[0]), rules)) {
      const bool null = !field || *field == rules.null_value;
      fields.push_back({fmt::format("_c{}", fields.size()),
                        null ? make_type(kNull) : type_of(field, typed, zone)});
    }
    return Value(struct_type(std::move(fields)).sql());
  };
}

/// The type that fields of both types are of.
DataType wider(const DataType& a, const DataType& b) {
  if (a == b || b.kind == kNull) return a;
  if (a.kind == kNull) return b;
  if (a.is_numeric() && b.is_numeric()) {
    for (const auto kind : {kDouble, kDecimal, kLong}) {
      if (a.kind != kind && b.kind != kind) continue;
      if (kind != kDecimal) return make_type(kind);
      const auto digits = [](const DataType& type) {
        return type.kind == kDecimal ? type.precision : type.kind == kLong ? 20 : 10;
      };
      return decimal_type(std::max(digits(a), digits(b)), 0);
    }
  }
  if (a.is_datetime() && b.is_datetime()) return make_type(kTimestamp);
  return make_type(kString);
}

TypedRow make_csv_type_of_all(const Typed&, const Zone&) {
  return [](const Arguments& a) {
    Schema all;
    for (const auto& text : duckdb::ListValue::GetChildren(a[0])) {
      const auto type = parse_type(duckdb::StringValue::Get(text));
      for (size_t i = 0; i < type.fields->size(); ++i) {
        if (i == all.size()) {
          all.push_back((*type.fields)[i]);
        } else {
          all[i].type = wider(all[i].type, (*type.fields)[i].type);
        }
      }
    }
    for (auto& field : all) {
      if (field.type.kind == kNull) field.type = make_type(kString);
    }
    return Value(struct_type(std::move(all)).sql());
  };
}

}  // namespace

void register_csv(duckdb::ExtensionLoader& loader) {
  register_typed(loader, "spark_from_csv", {"string"}, "", make_from_csv);
  register_typed(loader, "spark_csv_rows", {"string"}, "", make_csv_rows);
  register_typed(loader, "spark_csv_fields", {"string"}, "array<string>", make_csv_fields);
  register_typed(loader, "spark_csv_type", {"string"}, "string", make_csv_type);
  register_typed(loader, "spark_csv_type_of_all", {"array<string>"}, "string",
                 make_csv_type_of_all);
  register_typed(loader, "spark_to_csv", {""}, "string", make_to_csv);
  register_typed(loader, "spark_schema_of_csv", {"string"}, "string", make_schema_of_csv);
}

}  // namespace firesteel
