// Numbers and moments in formats: Spark's number formats and Java's date patterns.
#include "engine/kernels.h"
#include "engine/row_function.h"
#include "functions/number_format.h"

namespace firesteel {

namespace {

using Text = std::optional<std::string>;

Text to_char(Arguments a) { return made_of<NumberFormat>(a[1].text).format(a[0].text); }
Text try_to_number(Arguments a) { return made_of<NumberFormat>(a[1].text).parse(a[0].text); }

}  // namespace

void register_formats(duckdb::ExtensionLoader& loader) {
  add_row_function(loader, "spark_to_char", "ss>s", to_char);
  add_row_function(loader, "spark_try_to_number", "ss>s", try_to_number);
}

}  // namespace firesteel
