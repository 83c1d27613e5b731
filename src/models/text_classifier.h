// The kind `hf`: a text column through a model of the BERT family with a head for the labels.
#pragma once

#include <filesystem>
#include <vector>

#include "models/networks.h"

namespace firesteel {

/// Features and labels of a folder's classifier as it is: the text is the column `text`.
std::vector<EncoderSpec> text_specs(const std::filesystem::path& folder);

/// `folder`: Hugging Face's, with or without a head; one of other labels is replaced by a new one.
/// Two classes have two logits, as in transformers, whose difference is the row's.
Network make_text_classifier(const TabularOptions& options, const std::vector<EncoderSpec>& specs,
                             const std::filesystem::path& folder, Weights weights);

}  // namespace firesteel
