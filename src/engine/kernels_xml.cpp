// XPath over XML text, by libxml2.
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
}

}  // namespace firesteel
