// Any bytes to the readers of smaller texts: types, schemas, number formats, date patterns, JSON
// and variants. What needs two texts gets those before and behind the first line break. Their own
// errors are good answers.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "base/error.h"
#include "engine/json_reader.h"
#include "engine/variant.h"
#include "functions/date_pattern.h"
#include "functions/number_format.h"
#include "plan/types.h"

namespace {

using namespace firesteel;

void read_types(std::string_view text) {
  try {
    // The short text leaves NOT NULL out.
    const auto written = parse_type(text).simple_string();
    if (parse_type(written).simple_string() != written) std::abort();
  } catch (const Error&) {
  }
  try {
    parse_schema(text);
  } catch (const Error&) {
  }
}

void read_formatted(std::string_view pattern, std::string_view text) {
  try {
    const NumberFormat format(pattern);
    format.parse(text);
    format.format("-12345678901234567890.125");
  } catch (const Error&) {
  }
  for (const bool parsing : {true, false}) {
    try {
      const DatePattern dates(pattern, parsing);
      if (parsing) dates.parse(text);
      if (!parsing) dates.format(-62135596800000001, 3600, "Europe/Paris");
    } catch (const Error&) {
    }
  }
}

VariantTree again(const Variant& written) { return read_variant(written.value, written.metadata); }

void read_json(std::string_view text) {
  try {
    JsonReader reader(text);
    reader.next();
    const auto tree = variant_of_json(reader);
    // Written once, the keys are in order.
    const auto written = write_variant(again(write_variant(tree)));
    const auto same = write_variant(again(written));
    if (same.value != written.value || same.metadata != written.metadata) std::abort();
    variant_type_text(variant_type(tree));
  } catch (const JsonError&) {
  } catch (const DuplicateKey&) {
  } catch (const MalformedVariant&) {
    std::abort();
  }
}

void read_bytes(std::string_view metadata, std::string_view value) {
  try {
    read_variant(value, metadata);
  } catch (const MalformedVariant&) {
  }
  if (const auto path = variant_path(value)) path_text(*path, path->size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const size_t stop = std::min(text.find('\n'), text.size());
  const auto first = text.substr(0, stop), rest = text.substr(std::min(stop + 1, text.size()));
  read_types(text);
  read_formatted(first, rest);
  read_json(text);
  read_bytes(first, rest);
  return 0;
}
