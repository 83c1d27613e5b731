// The explicit table of all function rows.
#include "functions/groups.h"

namespace firesteel {

std::span<const FunctionGroup> function_groups() {
  static const FunctionGroup groups[] = {
      {"Operators and conditionals", operator_rows()},
      {"Mathematics", math_rows()},
      {"Strings", string_rows()},
      {"Bytes, bitmaps and vectors", bytes_rows()},
      {"Dates and times", datetime_rows()},
      {"Arrays, maps and structs", collection_rows()},
      {"JSON", json_rows()},
      {"Variants", variant_rows()},
      {"CSV", csv_rows()},
      {"XML", xml_rows()},
      {"Avro and Protobuf", avro_rows()},
      {"Aggregates", aggregate_rows()},
      {"Sketches", sketch_rows()},
      {"Window functions", window_rows()},
      {"Rows and groups", generator_rows()},
      {"Other", miscellaneous_rows()},
  };
  return groups;
}

}  // namespace firesteel
