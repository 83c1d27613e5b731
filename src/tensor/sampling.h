// How rows are drawn for an epoch. No torch here.
#pragma once

#include <string_view>

namespace firesteel {

enum class Sampling {
  kEach,      // every row once per epoch
  kWeighted,  // as many draws as rows, with replacement, by the weight column
  kBalanced,  // the same with every class as often as the others
};
std::string_view sampling_name(Sampling sampling);
/// "each", "weighted", "balanced". Throws INVALID_OPTION.
Sampling sampling_from_name(std::string_view name);

}  // namespace firesteel
