// What of a pre-trained model is trained on new rows. No torch here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/named.h"

namespace firesteel {

/// Low-rank adapters (LoRA, Hu et al. 2021, https://arxiv.org/abs/2106.09685).
struct LoraOptions {
  int64_t rank = 8;
  double alpha = 16;  // the adapter counts alpha / rank
  double dropout = 0;
  /// Layers, by the last part of their names; empty: the queries and values of attention.
  std::vector<std::string> targets;
};

struct FineTuning {
  enum class Of { kAll, kHead, kLora };
  /// kHead: the last layers, for the new labels, alone. kLora: adapters, and the head.
  Of of = Of::kAll;
  LoraOptions lora;
};
constexpr Named<FineTuning::Of> kFineTunings[] = {{FineTuning::Of::kAll, "all"},
                                                  {FineTuning::Of::kHead, "head"},
                                                  {FineTuning::Of::kLora, "lora"}};

}  // namespace firesteel
