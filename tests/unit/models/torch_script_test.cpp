// Programs that Python compiled against what it recorded (tests/reference/record_script.py).
#include "models/torch_script.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "recorded.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;
using testing::distance;
using testing::failure;
using testing::pattern;

const fs::path kFolder = fs::path(FIRESTEEL_SOURCE_DIR) / "tests/data/script";

class Scripts : public ::testing::TestWithParam<const char*> {
 protected:
  fs::path file = kFolder / (std::string(GetParam()) + ".pt");
  std::map<std::string, torch::Tensor> recorded =
      read_safetensors(kFolder / "expected.safetensors").tensors;
  torch::Tensor input = GetParam() == std::string("tied") ? pattern({4, 6}) : pattern({5, 3, 8, 8});
  torch::Tensor expected(const char* what) {
    return recorded.at(fmt::format("{}.{}", GetParam(), what));
  }
};

TEST_P(Scripts, RunAndLearnAsInPython) {
  TorchScript program(file);
  program->eval();
  EXPECT_LT(distance(program(input), expected("eval")), 1e-5);
  program->train();
  torch::optim::SGD optimizer(program->parameters(), 0.1);
  std::vector<float> losses;
  for (int step = 0; step < 10; ++step) {
    torch::manual_seed(step);
    const auto output = program(input);
    const auto loss = (output - pattern(output.sizes())).square().mean();
    optimizer.zero_grad();
    loss.backward();
    optimizer.step();
    losses.push_back(loss.item<float>());
  }
  EXPECT_LT(distance(torch::tensor(losses), expected("losses")), 1e-5);
  const auto saved = fs::path(::testing::TempDir()) / "firesteel-script.pt";
  program->eval();
  program->save(saved);
  for (auto again : {program, TorchScript(saved)}) {
    EXPECT_FALSE(again->is_training());
    EXPECT_LT(distance(again(input), expected("after")), 1e-5);
  }
  fs::remove(saved);
  program->to(torch::kFloat64);
  EXPECT_LT(distance(program(input.to(torch::kFloat64)), expected("after")), 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Kinds, Scripts, ::testing::Values("branches", "tied"));

TEST(TorchScripts, HavePythonsNames) {
  const TorchScript program(kFolder / "branches.pt");
  const auto parameters = program->named_parameters();
  EXPECT_EQ(parameters["layers.2.weight"].sizes(), torch::IntArrayRef({2, 8}));
  EXPECT_TRUE(program->named_buffers().contains("norm.num_batches_tracked"));
  EXPECT_EQ(TorchScript(kFolder / "tied.pt")->parameters().size(), 3u);
}

TEST(TorchScripts, SayWhatIsWrong) {
  TorchScript program(kFolder / "tied.pt");
  const auto run = failure([&] { program(torch::zeros({2, 5})); });
  EXPECT_NE(run.find("MODEL_RUN_FAILED"), std::string::npos) << run;
  EXPECT_NE(run.find("mat1 and mat2"), std::string::npos) << run;
  const auto none = failure([&] { program->run({}); });
  EXPECT_NE(none.find("missing value for argument"), std::string::npos) << none;
  EXPECT_NE(failure([] { TorchScript(fs::path("/absent.pt")); }).find("PATH_NOT_FOUND"),
            std::string::npos);
  const auto bytes = read_file(kFolder / "tied.pt");
  const auto path = fs::path(::testing::TempDir()) / "firesteel-damaged.pt";
  for (const size_t size : {size_t{0}, size_t{100}, bytes.size() / 2, bytes.size() - 1}) {
    std::ofstream(path, std::ios::binary) << bytes.substr(0, size);
    for (const auto& text :
         {failure([&] { TorchScript{path}; }), failure([&] { CompiledPackage{path}; })}) {
      EXPECT_NE(text.find("INVALID_ARTIFACT"), std::string::npos) << text;
      EXPECT_NE(text.find("firesteel-damaged.pt"), std::string::npos) << text;
    }
  }
  fs::remove(path);
  const auto kind = failure([] { CompiledPackage(kFolder / "tied.pt"); });
  EXPECT_NE(kind.find("no whole package"), std::string::npos) << kind;
}

/// Machine code is of one kind of machine: a package is made beside the test, not kept.
TEST(CompiledPackages, RunAsInPython) {
  const char* path = std::getenv("AOTI_PACKAGE");
  if (!path) GTEST_SKIP() << "tests/reference/record_script.py PACKAGE.pt2";
  const CompiledPackage package{fs::path(path)};
  const auto expected = read_safetensors(std::string(path) + ".safetensors").tensors.at("output");
  EXPECT_LT(distance(package.run({pattern({4, 6})}).at(0), expected), 1e-5);
  const auto wrong = failure([&] { package.run({}); });
  EXPECT_NE(wrong.find("MODEL_RUN_FAILED"), std::string::npos) << wrong;
}

}  // namespace
}  // namespace firesteel
