// XPath over XML text, by libxml2; structs written as XML.
#include <fmt/format.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>

#include <cmath>
#include <limits>
#include <memory>

#include "base/number_text.h"
#include "duckdb.hpp"
#include "engine/kernels.h"
#include "engine/typed_kernel.h"
#include "engine/variant_value.h"

namespace firesteel {

namespace {

using duckdb::Value;
using Arguments = std::vector<Value>;

struct Freed {
  void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
  void operator()(xmlXPathContext* context) const { xmlXPathFreeContext(context); }
  void operator()(xmlXPathObject* found) const { xmlXPathFreeObject(found); }
  void operator()(xmlChar* text) const { xmlFree(text); }
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
  register_typed(loader, "spark_to_xml", {""}, "string", [](const Typed& typed, const Zone& zone) {
    return [write = XmlText(typed, zone)](const Arguments& a) { return Value(write(a[0])); };
  });
}

}  // namespace firesteel
