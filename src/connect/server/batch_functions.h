// foreachBatch and foreach of streams: a Python process per query, which is a client of this server
// and sees each batch as a DataFrame.
#pragma once

#include <functional>
#include <string>

#include "engine/streaming_sink.h"

namespace firesteel::connect {

/// Where such a client finds the session again.
struct BatchFunctionSession {
  std::string user, id;
  EmbeddedExecutor* executor;  // outlives the functions
  /// "sc://127.0.0.1:15002/;user_id=…"; empty where a process of this machine cannot reach it.
  std::function<std::string()> url;
};

BatchFunctionFactory batch_functions(BatchFunctionSession session);

}  // namespace firesteel::connect
