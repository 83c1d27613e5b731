// The kind `pt2`: a program of torch.export (exported_program.h) on any features: each of its
// inputs is one part of a batch.
#pragma once

#include <filesystem>
#include <vector>

#include "models/networks.h"

namespace firesteel {

/// `path`: a .pt2, or an artifact's folder that has it. The program's first output is the logits,
/// one per label; of two classes also two, whose difference is the row's.
Network make_program_network(const TabularOptions& options, const std::vector<EncoderSpec>& specs,
                             const std::filesystem::path& path, Weights weights);

}  // namespace firesteel
