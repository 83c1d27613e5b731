// Streams that are made of functions of this program.
#pragma once

#include <functional>
#include <optional>

#include "base/arrow_stream.h"

namespace firesteel {

/// `schema` is asked as often as the stream is; `next` gives nothing at the end. What they throw,
/// the stream throws as it was.
ArrowStream make_stream(std::function<ArrowSchemaHandle()> schema,
                        std::function<std::optional<ArrowBatch>()> next);

}  // namespace firesteel
