// What there is to know of pre-trained models before one is made. No torch here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace firesteel {

/// Kinds of models of rows that are read from files; none of tabular_kinds() is among them.
std::vector<std::string> pretrained_kinds();
bool is_pretrained(const std::string& kind);
/// Whether a folder holds a classifier that needs no training: of texts, as Hugging Face keeps it,
/// or of images, as timm does.
bool is_classifier_folder(const std::string& folder);

/// How many tokens of a text the model of a folder reads, special ones included. Throws as reading
/// the folder does.
int64_t text_length_max(const std::string& folder);

/// What a network for images sees of one, as its public weights want it: the middle, `size` pixels
/// wide and high, after the shorter edge is resized. Throws INVALID_OPTION with the nearest name.
struct ImageShape {
  int64_t resize, size;
  std::string interpolation;
};
ImageShape image_shape(const std::string& network);
/// The network that a folder with weights of one is for; empty when it does not say.
std::string network_of(const std::string& folder);
/// Throws INVALID_OPTION when JSON text names no transforms of images (image_transforms.h).
void check_transforms(const std::string& json);

}  // namespace firesteel
