// The embedded engine: an Executor over DuckDB.
#pragma once

#include <memory>

#include "engine/database.h"
#include "plan/executor.h"

namespace firesteel {

std::shared_ptr<Executor> make_embedded_executor(const DatabaseOptions& options = {});

}  // namespace firesteel
