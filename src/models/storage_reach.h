// Whether a tensor that a file describes stays within its storage.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <optional>

namespace firesteel {

/// Bytes that a tensor reaches into its storage, or nothing when its numbers are out of bounds.
std::optional<uint64_t> storage_reach(torch::IntArrayRef sizes, torch::IntArrayRef strides,
                                      int64_t offset, torch::ScalarType type);

/// Whether elements may share memory, as those of an expanded tensor do. The tensor is within
/// bounds.
bool elements_overlap(torch::IntArrayRef sizes, torch::IntArrayRef strides);

}  // namespace firesteel
