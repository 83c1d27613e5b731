// A model as a function that SQL calls. No torch here.
#pragma once

#include <filesystem>
#include <string>

#include "base/native_function.h"

namespace firesteel {

/// Of what `path` holds:
///   a sentence encoder's folder: text → its vector, an array of floats;
///   a decoder of Hugging Face: text → what follows it, of the most probable tokens;
///   a classifier's folder (TabularModel::of_folder): text or image file → its label;
///   an artifact whose model reads one text or image: → what `predict` says of it.
/// `device`: auto, cpu or cuda. Throws PATH_NOT_FOUND, INVALID_ARTIFACT, UNSUPPORTED_MODEL.
NativeFunction make_model_function(const std::string& name, const std::filesystem::path& path,
                                   const std::string& device = "auto");

}  // namespace firesteel
