// The rows of an operation as an Arrow stream: Arrow IPC messages, put together from their chunks.
#pragma once

#include <functional>
#include <memory>

#include "base/arrow_stream.h"
#include "base/error.h"
#include "connect/client/client.h"
#include "plan/types.h"

namespace firesteel::connect {

/// Owns the responses. Timestamps are in UTC as those of the embedded engine. `schema` tells the
/// types of rows that there are none of; errors come out as `explained`.
ArrowStream row_stream(std::unique_ptr<Client::Responses> responses, std::function<Schema()> schema,
                       std::function<Error(const Error&)> explained);

}  // namespace firesteel::connect
