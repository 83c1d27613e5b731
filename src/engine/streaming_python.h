// Streams from and to data sources written in Python.
#pragma once

#include <memory>

#include "engine/python_source.h"
#include "engine/streaming_sink.h"
#include "engine/streaming_source.h"

namespace firesteel {

std::unique_ptr<StreamSource> make_python_source(const PythonSource& source,
                                                 const proto::Read_DataSource& read,
                                                 EmbeddedExecutor& engine);
std::unique_ptr<StreamSink> make_python_sink(const PythonSource& source,
                                             const SinkRequest& request);

}  // namespace firesteel
