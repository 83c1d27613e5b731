// XML text: XPath over it, structs read from it and written as it.
#include <fmt/format.h>

#include "functions/coercion.h"
#include "functions/groups.h"
#include "functions/structured.h"

namespace firesteel {

namespace {

using enum TypeKind;

Resolved xpath(std::vector<Resolved>& a, const CallContext& call) {
  static const std::pair<std::string_view, DataType> kTypes[] = {
      {"xpath", array_type(make_type(kString))}, {"xpath_boolean", make_type(kBoolean)},
      {"xpath_double", make_type(kDouble)},      {"xpath_float", make_type(kFloat)},
      {"xpath_int", make_type(kInteger)},        {"xpath_long", make_type(kLong)},
      {"xpath_number", make_type(kDouble)},      {"xpath_short", make_type(kShort)},
      {"xpath_string", make_type(kString)}};
  if (!is_constant_text(a[1]) && a[1].literal != "NULL") {
    throw Error("DATATYPE_MISMATCH.NON_FOLDABLE_INPUT",
                fmt::format("Cannot resolve \"{}({}, {})\" due to data type mismatch: the input "
                            "`path` should be a foldable \"STRING\" expression; however, got "
                            "\"{}\".",
                            call.name, a[0].name, a[1].name, a[1].name))
        .at(call.span);
  }
  DataType type;
  for (const auto& [name, result] : kTypes) {
    if (name == call.name) type = result;
  }
  const auto kernel = call.name == "xpath_number" ? "xpath_double" : call.name;
  return {.sql = fmt::format("spark_{}({}, {}, {}, '', 'UTC')", kernel, a[0].sql, a[1].sql,
                             sql_string(type.sql())),
          .type = type};
}

Resolved from_xml(std::vector<Resolved>& a, const CallContext& call) {
  const auto options = options_argument(a, 2, call);
  const auto type = schema_argument(a[1], call);
  if (type.kind != kStruct) {
    throw Error("DATATYPE_MISMATCH.INVALID_XML_SCHEMA",
                fmt::format("Cannot resolve \"from_xml({})\" due to data type mismatch: Input "
                            "schema \"{}\" must be a struct or a variant.",
                            a[0].name, type.sql()))
        .at(call.span);
  }
  check_mode(type, options, call);
  return read_call("spark_from_xml", a[0], type, options, call);
}

Resolved schema_of_xml(std::vector<Resolved>& a, const CallContext& call) {
  return schema_call("spark_schema_of_xml", a, "xml", call);
}

Resolved to_xml(std::vector<Resolved>& a, const CallContext& call) {
  if (a[0].type.kind != kStruct) {
    throw Error("DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                fmt::format("Cannot resolve \"to_xml({0})\" due to data type mismatch: The first "
                            "parameter requires the \"STRUCT\" type, however \"{0}\" has the type "
                            "\"{1}\".",
                            a[0].name, a[0].type.sql()))
        .at(call.span);
  }
  return write_call("spark_to_xml", a[0], options_argument(a, 1, call), call);
}

}  // namespace

// clang-format off
constexpr FunctionSpec kXml[] = {
    {.name = "from_xml", .signature = "(xml: any, schema: any, [options: any]) -> any", .lower = from_xml, .nulls = Nulls::kAlways, .constants_from = 1,
     .doc = "An XML record as a struct; what is malformed is null. Attributes are fields named `_name`.", .example = "from_xml('<p><a>1</a><b>0.8</b></p>', 'a INT, b DOUBLE')", .gives = "{1, 0.8}"},
    {.name = "schema_of_xml", .signature = "(xml: any, [options: any]) -> string", .lower = schema_of_xml, .nulls = Nulls::kNever, .constants_from = 0,
     .doc = "The type of a constant XML record.", .example = "schema_of_xml('<p><a>1</a></p>')", .gives = "STRUCT<a: BIGINT>"},
    {.name = "to_xml", .signature = "(value: any, [options: any]) -> string", .lower = to_xml,
     .doc = "A struct as XML.", .example = "to_xml(named_struct('_a', 1, '_VALUE', 'x'))", .gives = "<ROW a=\"1\">x</ROW>"},
    {.name = "xpath", .signature = "(xml: string, path: string) -> array<string>", .lower = xpath, .nulls = Nulls::kAlways, .constants_from = 1,
     .doc = "The values of the nodes that an XPath finds; null of an element.", .example = "xpath('<a><b>b1</b><b>b2</b></a>', 'a/b/text()')", .gives = "[b1, b2]"},
    {.name = "xpath_boolean", .signature = "(xml: string, path: string) -> boolean", .lower = xpath, .nulls = Nulls::kAlways, .constants_from = 1,
     .doc = "Whether an XPath is true, or finds a node.", .example = "xpath_boolean('<a><b>1</b></a>', 'a/b')", .gives = "true"},
    {.name = "xpath_double", .signature = "(xml: string, path: string) -> double", .lower = xpath, .nulls = Nulls::kAlways, .constants_from = 1,
     .doc = "The number that an XPath gives; NaN when it gives none.", .example = "xpath_double('<a><b>1</b><b>2</b></a>', 'sum(a/b)')", .gives = "3.0"},
    {.name = "xpath_float", .signature = "(xml: string, path: string) -> float", .lower = xpath, .nulls = Nulls::kAlways, .constants_from = 1,
     .doc = "The number that an XPath gives; NaN when it gives none.", .example = "xpath_float('<a><b>1</b><b>2</b></a>', 'sum(a/b)')", .gives = "3.0"},
    {.name = "xpath_int", .signature = "(xml: string, path: string) -> int", .lower = xpath, .nulls = Nulls::kAlways, .constants_from = 1,
     .doc = "The number that an XPath gives; 0 when it gives none.", .example = "xpath_int('<a><b>1</b><b>2</b></a>', 'sum(a/b)')", .gives = "3"},
    {.name = "xpath_long", .signature = "(xml: string, path: string) -> long", .lower = xpath, .nulls = Nulls::kAlways, .constants_from = 1,
     .doc = "The number that an XPath gives; 0 when it gives none.", .example = "xpath_long('<a><b>1</b><b>2</b></a>', 'sum(a/b)')", .gives = "3"},
    {.name = "xpath_number", .signature = "(xml: string, path: string) -> double", .lower = xpath, .nulls = Nulls::kAlways, .constants_from = 1,
     .doc = "The number that an XPath gives; NaN when it gives none.", .example = "xpath_number('<a><b>1</b><b>2</b></a>', 'sum(a/b)')", .gives = "3.0"},
    {.name = "xpath_short", .signature = "(xml: string, path: string) -> short", .lower = xpath, .nulls = Nulls::kAlways, .constants_from = 1,
     .doc = "The number that an XPath gives; 0 when it gives none.", .example = "xpath_short('<a><b>1</b><b>2</b></a>', 'sum(a/b)')", .gives = "3"},
    {.name = "xpath_string", .signature = "(xml: string, path: string) -> string", .lower = xpath, .nulls = Nulls::kAlways, .constants_from = 1,
     .doc = "The text of the first node that an XPath finds.", .example = "xpath_string('<a><b>b</b><c>cc</c></a>', 'a/c')", .gives = "cc"},
};
// clang-format on
static_assert(checked(kXml));

std::span<const FunctionSpec> xml_rows() { return kXml; }

}  // namespace firesteel
