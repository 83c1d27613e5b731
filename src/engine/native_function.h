// Functions of the program as functions of DuckDB.
#pragma once

#include <memory>
#include <string>

#include "base/native_function.h"

namespace duckdb {
class DatabaseInstance;
}

namespace firesteel {

/// Under a name that the database has not yet.
void register_native(duckdb::DatabaseInstance& database, const std::string& name,
                     std::shared_ptr<const NativeFunction> function);

}  // namespace firesteel
