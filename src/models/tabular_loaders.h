// The loaders of a tabular model's training: of the memory given, validation rows get a quarter.
#pragma once

#include "tensor/loader.h"
#include "train/options.h"

namespace firesteel {

/// `validated`: there are validation rows too.
LoaderOptions training_loader(const BatchOptions& batches, const TrainerOptions& options,
                              bool validated);
/// In order.
LoaderOptions validation_loader(const BatchOptions& batches, const TrainerOptions& options);

}  // namespace firesteel
