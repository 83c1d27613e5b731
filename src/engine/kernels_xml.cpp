// XML text, parsed by libxml2: XPath over it, structs read from it and written as it, its types.
#include <fmt/format.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>

#include "base/number_text.h"
#include "duckdb.hpp"
#include "engine/kernels.h"
#include "engine/typed_kernel.h"
#include "engine/variant_value.h"
#include "plan/names.h"

namespace firesteel {

namespace {

using duckdb::Value;
using Arguments = std::vector<Value>;

struct Freed {
  void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
  void operator()(xmlXPathContext* context) const { xmlXPathFreeContext(context); }
  void operator()(xmlXPathObject* found) const { xmlXPathFreeObject(found); }
  void operator()(xmlChar* text) const { xmlFree(text); }
  void operator()(xmlBuffer* buffer) const { xmlBufferFree(buffer); }
};
using Document = std::unique_ptr<xmlDoc, Freed>;
using Context = std::unique_ptr<xmlXPathContext, Freed>;
using Found = std::unique_ptr<xmlXPathObject, Freed>;

void quiet(void*, const char*, ...) {}

std::string text_of(const xmlChar* text) { return reinterpret_cast<const char*>(text); }

std::string content(xmlNode* node) {
  const std::unique_ptr<xmlChar, Freed> text(xmlNodeGetContent(node));
  return text ? text_of(text.get()) : "";
}

/// As Java's parser, which knows no namespaces: `n:b` is the name of an element.
void forget_namespaces(xmlNode* node) {
  for (; node; node = node->next) {
    if (node->type != XML_ELEMENT_NODE) continue;
    node->ns = nullptr;
    for (auto* attribute = node->properties; attribute; attribute = attribute->next) {
      attribute->ns = nullptr;
    }
    forget_namespaces(node->children);
  }
}

/// The result of a path over a text that is not empty.
class Evaluation {
 public:
  Evaluation(std::string_view xml, const std::string& path) {
    xmlSetGenericErrorFunc(nullptr, quiet);
    document_.reset(xmlReadMemory(
        xml.data(), static_cast<int>(xml.size()), nullptr, nullptr,
        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA));
    if (!document_) raise("INVALID_XML", fmt::format("The text is no well-formed XML: {}", xml));
    forget_namespaces(document_->children);
    context_.reset(xmlXPathNewContext(document_.get()));
    context_->node = reinterpret_cast<xmlNode*>(document_.get());
    found_.reset(xmlXPathEval(reinterpret_cast<const xmlChar*>(path.c_str()), context_.get()));
    if (!found_) raise("INVALID_XPATH", fmt::format("The XPath '{}' cannot be evaluated.", path));
  }

  bool truth() const { return xmlXPathCastToBoolean(found_.get()) != 0; }
  double number() const {
    // XPath's numbers have no exponent; libxml2's have.
    if (found_->type == XPATH_NODESET && text().find_first_of("eE") != std::string::npos) {
      return std::nan("");
    }
    return xmlXPathCastToNumber(found_.get());
  }

  std::string text() const {
    if (found_->type == XPATH_NODESET) {
      const auto* nodes = found_->nodesetval;
      return nodes && nodes->nodeNr > 0 ? content(nodes->nodeTab[0]) : "";
    }
    if (found_->type == XPATH_NUMBER) {
      const double value = found_->floatval;
      return value == std::trunc(value) && std::abs(value) < 1e15
                 ? fmt::format("{}", static_cast<int64_t>(value))
                 : java_text(value);
    }
    const std::unique_ptr<xmlChar, Freed> text(xmlXPathCastToString(found_.get()));
    return text_of(text.get());
  }

  /// What Java calls the nodes' values: elements have none.
  Value nodes(const std::string& path) const {
    if (found_->type != XPATH_NODESET) {
      raise("INVALID_XPATH", fmt::format("The XPath '{}' finds no nodes.", path));
    }
    duckdb::vector<Value> values;
    const auto* set = found_->nodesetval;
    for (int i = 0; set && i < set->nodeNr; ++i) {
      auto* node = set->nodeTab[i];
      const bool has_value = node->type == XML_ATTRIBUTE_NODE || node->type == XML_TEXT_NODE ||
                             node->type == XML_CDATA_SECTION_NODE || node->type == XML_COMMENT_NODE;
      values.push_back(has_value ? Value(content(node)) : Value(duckdb::LogicalType::VARCHAR));
    }
    return Value::LIST(duckdb::LogicalType::VARCHAR, std::move(values));
  }

 private:
  Document document_;
  Context context_;
  Found found_;
};

/// Java's narrowing of a double: not a number is 0, and what is too large the largest.
template <typename Integer>
Integer narrowed(double value) {
  if (std::isnan(value)) return 0;
  if (value >= static_cast<double>(std::numeric_limits<Integer>::max()))
    return std::numeric_limits<Integer>::max();
  if (value <= static_cast<double>(std::numeric_limits<Integer>::min()))
    return std::numeric_limits<Integer>::min();
  return static_cast<Integer>(value);
}

/// Null of an empty text or path.
template <typename Make>
MakeRow over_path(Make make) {
  return [make](const Typed& typed, const Zone&) {
    return [&typed, make](const Arguments& a) {
      const std::string path(text_in(a[1]));
      const auto xml = text_in(a[0]);
      if (xml.empty() || path.empty()) return null_of(typed.type);
      return make(Evaluation(xml, path), path);
    };
  };
}

// ---------------------------------------------------------------------------------------------
// from_xml, schema_of_xml

/// The first element of a text; what follows it is left alone.
Document document_of(std::string_view xml) {
  xmlSetGenericErrorFunc(nullptr, quiet);
  const auto read = [&](int more) {
    return Document(xmlReadMemory(
        xml.data(), static_cast<int>(xml.size()), nullptr, nullptr,
        XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA | more));
  };
  auto document = read(0);
  const auto* error = xmlGetLastError();
  const bool follows = !document && error && error->code == XML_ERR_DOCUMENT_END;
  return follows ? read(XML_PARSE_RECOVER) : std::move(document);
}

std::string trimmed(const std::string& text) {
  const auto start = text.find_first_not_of(" \t\r\n");
  if (start == std::string::npos) return "";
  return text.substr(start, text.find_last_not_of(" \t\r\n") - start + 1);
}

/// The names that options give to attributes and to an element's own text.
struct XmlNames {
  std::string prefix, value_tag;
  bool attributes, trims;
  std::optional<std::string> null;

  explicit XmlNames(const Options& options)
      : prefix(options.get("attributePrefix", "_")),
        value_tag(options.get("valueTag", "_VALUE")),
        attributes(!options.flag("excludeAttribute", false)),
        trims(options.flag("ignoreSurroundingSpaces", true)),
        null(options.find("nullValue")) {}

  std::string kept(const std::string& text) const { return trims ? trimmed(text) : text; }
  /// The text of an element, of which the last part counts between elements.
  std::string own_text(const xmlNode* node) const {
    std::string out;
    for (const auto* child = node->children; child; child = child->next) {
      if (child->type != XML_TEXT_NODE) continue;
      const auto part = text_of(child->content);
      if (!trimmed(part).empty() || out.empty()) out = part;
    }
    return kept(out);
  }
  std::vector<std::pair<std::string, std::string>> attributes_of(const xmlNode* node) const {
    std::vector<std::pair<std::string, std::string>> out;
    for (auto* attribute = node->properties; attribute && attributes; attribute = attribute->next) {
      out.emplace_back(prefix + text_of(attribute->name),
                       kept(content(reinterpret_cast<xmlNode*>(attribute))));
    }
    return out;
  }
};

bool has_elements(const xmlNode* node) {
  for (const auto* child = node->children; child; child = child->next) {
    if (child->type == XML_ELEMENT_NODE) return true;
  }
  return false;
}

std::optional<Value> leaf_value(const std::string& text, const DataType& type, const Typed& typed,
                                const Zone& zone) {
  if (type.kind == TypeKind::kBoolean) {
    if (text == "1" || equal_ignoring_case(text, "true")) return Value::BOOLEAN(true);
    if (text == "0" || equal_ignoring_case(text, "false")) return Value::BOOLEAN(false);
    return std::nullopt;
  }
  if (type.is_fractional()) {
    std::optional<double> special;
    if (text == "NaN") special = std::nan("");
    if (text == "Inf" || text == "Infinity" || text == "+INF" || text == "INF") special = HUGE_VAL;
    if (text == "-Inf" || text == "-Infinity" || text == "-INF") special = -HUGE_VAL;
    if (special) {
      return type.kind == TypeKind::kFloat ? Value::FLOAT(static_cast<float>(*special))
                                           : Value::DOUBLE(*special);
    }
  }
  return value_of_text(text, type, typed.to_read, zone);
}

/// Reads elements as values. What does not fit is null, and the record is bad.
class XmlValues {
 public:
  XmlValues(const Typed& typed, const Zone& zone)
      : typed_(typed), zone_(zone), names_(typed.options) {}

  bool bad = false;

  Value object(xmlNode* node, const DataType& type) {
    const auto& fields = *type.fields;
    std::vector<Value> values;
    std::vector<duckdb::vector<Value>> lists(fields.size());
    for (const auto& field : fields) values.push_back(null_of(field.type));
    const auto place = [&](const std::string& name) -> size_t {
      for (size_t i = 0; i < fields.size(); ++i) {
        if (equal_ignoring_case(fields[i].name, name)) return i;
      }
      return fields.size();
    };
    for (const auto& [name, text] : names_.attributes_of(node)) {
      const auto i = place(name);
      if (i < fields.size()) values[i] = leaf(text, fields[i].type).value_or(values[i]);
    }
    for (auto* child = node->children; child; child = child->next) {
      if (child->type != XML_ELEMENT_NODE) continue;
      const auto i = place(text_of(child->name));
      if (i == fields.size()) continue;
      const bool many = fields[i].type.kind == TypeKind::kArray;
      const auto read = value(child, many ? fields[i].type.element() : fields[i].type);
      if (!read) break;  // Spark reads no further in this element
      if (many) {
        lists[i].push_back(*read);
      } else {
        values[i] = *read;
      }
    }
    const auto own = place(names_.value_tag);
    if (own < fields.size()) {
      const auto text = names_.own_text(node);
      if (!text.empty()) values[own] = leaf(text, fields[own].type).value_or(values[own]);
    }
    duckdb::child_list_t<Value> out;
    for (size_t i = 0; i < fields.size(); ++i) {
      if (!lists[i].empty()) {
        values[i] = Value::LIST(logical_type(fields[i].type.element()), std::move(lists[i]));
      }
      out.emplace_back(fields[i].name, std::move(values[i]));
    }
    return Value::STRUCT(std::move(out));
  }

 private:
  /// Nothing when the text is malformed.
  std::optional<Value> value(xmlNode* node, const DataType& type) {
    if (type.kind == TypeKind::kStruct) return object(node, type);
    if (type.kind == TypeKind::kMap) {
      duckdb::vector<Value> keys, values;
      for (auto* child = node->children; child; child = child->next) {
        if (child->type != XML_ELEMENT_NODE) continue;
        keys.emplace_back(text_of(child->name));
        values.push_back(value(child, type.value()).value_or(null_of(type.value())));
      }
      return Value::MAP(logical_type(type.key()), logical_type(type.value()), std::move(keys),
                        std::move(values));
    }
    if (type.kind == TypeKind::kString && has_elements(node)) return Value(inner_xml(node));
    return leaf(names_.own_text(node), type);
  }

  static std::string inner_xml(xmlNode* node) {
    std::string out;
    for (auto* child = node->children; child; child = child->next) {
      const std::unique_ptr<xmlBuffer, Freed> buffer(xmlBufferCreate());
      xmlNodeDump(buffer.get(), node->doc, child, 0, 0);
      out += text_of(xmlBufferContent(buffer.get()));
    }
    return out;
  }

  std::optional<Value> leaf(const std::string& text, const DataType& type) {
    if (text == names_.null) return null_of(type);
    if (type.kind == TypeKind::kString) return Value(text);
    if (text.empty()) return null_of(type);
    const auto result = leaf_value(text, type, typed_, zone_);
    bad = bad || !result;
    return result;
  }

  const Typed& typed_;
  const Zone& zone_;
  XmlNames names_;
};

TypedRow make_from_xml(const Typed& typed, const Zone& zone) {
  const auto corrupt = typed.options.get("columnNameOfCorruptRecord", "_corrupt_record");
  auto mode = typed.options.get("mode", "PERMISSIVE");
  std::transform(mode.begin(), mode.end(), mode.begin(), ::toupper);
  return [&typed, &zone, corrupt, strict = mode == "FAILFAST"](const Arguments& a) {
    const auto xml = text_in(a[0]);
    XmlValues values(typed, zone);
    const auto document = document_of(xml);
    auto* root = document ? xmlDocGetRootElement(document.get()) : nullptr;
    duckdb::child_list_t<Value> fields;
    for (const auto& field : *typed.type.fields) {
      fields.emplace_back(field.name, null_of(field.type));
    }
    if (root) {
      const auto record = values.object(root, typed.type);
      const auto& parts = duckdb::StructValue::GetChildren(record);
      for (size_t i = 0; i < parts.size(); ++i) fields[i].second = parts[i];
    }
    const bool bad = !root || values.bad;
    if (bad && strict) {
      raise("MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION",
            fmt::format("Malformed records are detected in record parsing: {}. Parse Mode: "
                        "FAILFAST. To process malformed records as null result, try setting the "
                        "option 'mode' as 'PERMISSIVE'.",
                        xml));
    }
    for (auto& [name, value] : fields) {
      if (name == corrupt)
        value = bad ? Value(std::string(xml)) : null_of(make_type(TypeKind::kString));
    }
    return Value::STRUCT(std::move(fields));
  };
}

/// The types of elements: the narrowest of their texts, arrays where a name comes again.
class XmlTypes {
 public:
  XmlTypes(const Typed& typed, const Zone& zone)
      : typed_(typed), zone_(zone), names_(typed.options) {}

  DataType object(const xmlNode* node) const {
    std::map<std::string, DataType> fields;
    const auto add = [&](const std::string& name, const DataType& type, bool repeats) {
      const auto [place, is_new] = fields.try_emplace(name, type);
      if (is_new) return;
      auto& known = place->second;
      const auto element = known.kind == TypeKind::kArray ? known.element() : known;
      known = repeats ? array_type(wider(element, type)) : wider(known, type);
    };
    for (const auto& [name, text] : names_.attributes_of(node)) add(name, of_text(text), false);
    for (const auto* child = node->children; child; child = child->next) {
      if (child->type != XML_ELEMENT_NODE) continue;
      const bool nested = has_elements(child) || !names_.attributes_of(child).empty();
      add(text_of(child->name), nested ? object(child) : of_text(names_.own_text(child)), true);
    }
    const auto text = names_.own_text(node);
    if (!text.empty()) add(names_.value_tag, of_text(text), false);
    Schema out;
    for (const auto& [name, type] : fields) out.push_back({name, type});
    return struct_type(std::move(out));
  }

  /// What is always empty is text.
  static DataType settled(const DataType& type) {
    if (type.kind == TypeKind::kNull) return make_type(TypeKind::kString);
    if (type.kind == TypeKind::kArray) return array_type(settled(type.element()));
    if (type.kind != TypeKind::kStruct) return type;
    Schema fields;
    for (const auto& field : *type.fields) fields.push_back({field.name, settled(field.type)});
    return struct_type(std::move(fields));
  }

 private:
  DataType of_text(const std::string& text) const {
    if (text.empty() || text == names_.null) return make_type(TypeKind::kNull);
    for (const auto kind : {TypeKind::kLong, TypeKind::kDouble}) {
      if (leaf_value(text, make_type(kind), typed_, zone_)) return make_type(kind);
    }
    if (equal_ignoring_case(text, "true") || equal_ignoring_case(text, "false"))
      return make_type(TypeKind::kBoolean);
    const auto date = typed_.to_read.date ? *typed_.to_read.date : MomentPattern("yyyy-MM-dd");
    if (date.parse(text)) return make_type(TypeKind::kDate);
    if (value_of_text(text, make_type(TypeKind::kTimestamp), typed_.to_read, zone_)) {
      return make_type(TypeKind::kTimestamp);
    }
    return make_type(TypeKind::kString);
  }

  DataType wider(const DataType& a, const DataType& b) const {
    if (a == b || b.kind == TypeKind::kNull) return a;
    if (a.kind == TypeKind::kNull) return b;
    if (a.is_numeric() && b.is_numeric()) return make_type(TypeKind::kDouble);
    if (a.is_datetime() && b.is_datetime()) return make_type(TypeKind::kTimestamp);
    if (a.kind == TypeKind::kArray && b.kind == TypeKind::kArray) {
      return array_type(wider(a.element(), b.element()));
    }
    if (a.kind == TypeKind::kStruct && b.kind == TypeKind::kStruct) {
      std::map<std::string, DataType> merged;
      for (const auto* fields : {a.fields.get(), b.fields.get()}) {
        for (const auto& field : *fields) {
          const auto [place, is_new] = merged.try_emplace(field.name, field.type);
          if (!is_new) place->second = wider(place->second, field.type);
        }
      }
      Schema out;
      for (const auto& [name, type] : merged) out.push_back({name, type});
      return struct_type(std::move(out));
    }
    // An element with text alone beside one with attributes and text.
    const auto has_text = [&](const DataType& type) {
      return type.kind == TypeKind::kStruct &&
             std::any_of(type.fields->begin(), type.fields->end(),
                         [&](const Field& field) { return field.name == names_.value_tag; });
    };
    if (has_text(a) && !b.is_nested()) {
      return wider(a, struct_type({{names_.value_tag, b}}));
    }
    if (has_text(b) && !a.is_nested()) return wider(b, a);
    return make_type(TypeKind::kString);
  }

  const Typed& typed_;
  const Zone& zone_;
  XmlNames names_;
};

TypedRow make_schema_of_xml(const Typed& typed, const Zone& zone) {
  return [&typed, &zone](const Arguments& a) {
    const auto document = document_of(text_in(a[0]));
    const auto* root = document ? xmlDocGetRootElement(document.get()) : nullptr;
    if (!root) {
      raise("MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION",
            fmt::format("The text is no well-formed XML: {}", text_in(a[0])));
    }
    return Value(XmlTypes::settled(XmlTypes(typed, zone).object(root)).sql());
  };
}

// ---------------------------------------------------------------------------------------------
// to_xml

/// A struct as an element: fields whose names begin with the prefix are attributes, and one is the
/// element's own text.
class XmlText {
 public:
  XmlText(const Typed& typed, const Zone& zone)
      : typed_(typed),
        zone_(zone),
        row_(typed.options.get("rowTag", "ROW")),
        prefix_(typed.options.get("attributePrefix", "_")),
        value_tag_(typed.options.get("valueTag", "_VALUE")),
        item_(typed.options.get("arrayElementName", "item")),
        null_(typed.options.find("nullValue")) {}

  std::string operator()(const Value& value) const {
    std::string out;
    element(row_, value, typed_.type, 0, out);
    return out.substr(1);  // without the first line's break
  }

 private:
  static std::string escaped(const std::string& text, bool in_attribute) {
    std::string out;
    for (const char c : text) {
      if (c == '&') {
        out += "&amp;";
      } else if (c == '<') {
        out += "&lt;";
      } else if (c == '"' && in_attribute) {
        out += "&quot;";
      } else {
        out += c;
      }
    }
    return out;
  }

  std::string text(const Value& value, const DataType& type) const {
    if (value.IsNull()) return null_.value_or("");
    if (type.kind == TypeKind::kVariant) return variant_json(variant_in(value), zone_);
    if (type.kind != TypeKind::kBinary) return text_of_value(value, type, typed_.to_write, zone_);
    std::string out;
    for (const char c : duckdb::StringValue::Get(value)) {
      out += fmt::format("{}{:02X}", out.empty() ? "" : " ", static_cast<unsigned char>(c));
    }
    return "[" + out + "]";
  }

  bool is_attribute(const std::string& name, const DataType& type) const {
    return name != value_tag_ && !type.is_nested() && name.size() > prefix_.size() &&
           name.starts_with(prefix_);
  }

  void element(const std::string& tag, const Value& value, const DataType& type, int level,
               std::string& out) const {
    if (value.IsNull() && !null_) return;
    if (type.kind == TypeKind::kArray && !value.IsNull()) {
      for (const auto& item : duckdb::ListValue::GetChildren(value)) {
        if (type.element().kind == TypeKind::kArray) {
          nested(tag, {{item_, item, type.element()}}, level, out);
        } else {
          element(tag, item, type.element(), level, out);
        }
      }
      return;
    }
    std::vector<Member> members;
    if (type.kind == TypeKind::kStruct && !value.IsNull()) {
      const auto& parts = duckdb::StructValue::GetChildren(value);
      for (size_t i = 0; i < parts.size(); ++i) {
        members.push_back({(*type.fields)[i].name, parts[i], (*type.fields)[i].type});
      }
      return nested(tag, members, level, out);
    }
    if (type.kind == TypeKind::kMap && !value.IsNull()) {
      for (const auto& entry : duckdb::MapValue::GetChildren(value)) {
        const auto& parts = duckdb::StructValue::GetChildren(entry);
        members.push_back({text(parts[0], type.key()), parts[1], type.value()});
      }
      return nested(tag, members, level, out);
    }
    out += fmt::format("\n{}<{}>{}</{}>", std::string(4 * level, ' '), tag,
                       escaped(text(value, type), false), tag);
  }

  struct Member {
    std::string name;
    Value value;
    DataType type;
  };

  void nested(const std::string& tag, const std::vector<Member>& members, int level,
              std::string& out) const {
    const std::string indent(4 * level, ' ');
    out += fmt::format("\n{}<{}", indent, tag);
    std::string inner;
    bool has_elements = false;
    for (const auto& [name, value, type] : members) {
      if (is_attribute(name, type)) {
        if (value.IsNull() && !null_) continue;
        out += fmt::format(" {}=\"{}\"", name.substr(prefix_.size()),
                           escaped(text(value, type), true));
      } else if (name == value_tag_) {
        if (!value.IsNull()) inner += escaped(text(value, type), false);
      } else {
        const auto before = inner.size();
        element(name, value, type, level + 1, inner);
        has_elements = has_elements || inner.size() > before;
      }
    }
    if (inner.empty()) {
      out += "/>";
      return;
    }
    out += fmt::format(">{}{}</{}>", inner, has_elements ? "\n" + indent : "", tag);
  }

  const Typed& typed_;
  const Zone& zone_;
  std::string row_, prefix_, value_tag_, item_;
  std::optional<std::string> null_;
};

}  // namespace

void register_xml(duckdb::ExtensionLoader& loader) {
  const auto add = [&](const char* name, auto make) {
    register_typed(loader, name, {"string", "string"}, "", over_path(make));
  };
  using Path = const std::string&;
  add("spark_xpath", [](const Evaluation& found, Path path) { return found.nodes(path); });
  add("spark_xpath_boolean",
      [](const Evaluation& found, Path) { return Value::BOOLEAN(found.truth()); });
  add("spark_xpath_string", [](const Evaluation& found, Path) { return Value(found.text()); });
  add("spark_xpath_double",
      [](const Evaluation& found, Path) { return Value::DOUBLE(found.number()); });
  add("spark_xpath_float", [](const Evaluation& found, Path) {
    return Value::FLOAT(static_cast<float>(found.number()));
  });
  add("spark_xpath_long", [](const Evaluation& found, Path) {
    return Value::BIGINT(narrowed<int64_t>(found.number()));
  });
  add("spark_xpath_int", [](const Evaluation& found, Path) {
    return Value::INTEGER(narrowed<int32_t>(found.number()));
  });
  add("spark_xpath_short", [](const Evaluation& found, Path) {
    return Value::SMALLINT(static_cast<int16_t>(narrowed<int32_t>(found.number())));
  });
  register_typed(loader, "spark_from_xml", {"string"}, "", make_from_xml);
  register_typed(loader, "spark_schema_of_xml", {"string"}, "string", make_schema_of_xml);
  register_typed(loader, "spark_to_xml", {""}, "string", [](const Typed& typed, const Zone& zone) {
    return [write = XmlText(typed, zone)](const Arguments& a) { return Value(write(a[0])); };
  });
}

}  // namespace firesteel
