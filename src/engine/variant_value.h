// Variants as DuckDB's values: a struct of two blobs.
#pragma once

#include "engine/variant.h"

namespace duckdb {
class Value;
}

namespace firesteel {

VariantTree variant_in(const duckdb::Value& value);
/// Throws DuckDB's exception of VARIANT_DUPLICATE_KEY.
duckdb::Value variant_value(const VariantTree& tree);

}  // namespace firesteel
