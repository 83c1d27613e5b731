// The narrowest layer and the reconstruction have no activation.
#include "nn/autoencoder.h"

#include <algorithm>

#include "base/error.h"

namespace firesteel::nn {

AutoencoderImpl::AutoencoderImpl(const TabularNetOptions& options) {
  const auto refuse = [](const char* what) { throw Error("INVALID_OPTION", what); };
  if (options.hidden.empty()) refuse("An autoencoder needs one `hidden` width or more.");
  if (!options.cardinalities.empty()) {
    refuse("An autoencoder reads numbers alone: leave categorical, hashed and date features out.");
  }
  const int64_t narrowest = options.hidden.back();
  TabularNetOptions inner = options;
  inner.hidden.pop_back();
  encoder = register_module("encoder", make_layers(options.numeric, inner, narrowest));
  std::reverse(inner.hidden.begin(), inner.hidden.end());
  decoder = register_module("decoder", make_layers(narrowest, inner, options.numeric));
}

torch::Tensor AutoencoderImpl::forward(const torch::Tensor& numeric,
                                       const torch::Tensor& /*categorical*/) {
  return decoder->forward(encoder->forward(numeric)) - numeric;
}

}  // namespace firesteel::nn
