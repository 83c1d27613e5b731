// Checkpoints of torch.save against what Python recorded (tests/reference/record_checkpoints.py),
// and files that are damaged or ask for more.
#include "models/checkpoint_file.h"

#include <gtest/gtest.h>

#include <fstream>
#include <random>

#include "base/error.h"
#include "base/file.h"
#include "models/model_folder.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;
using namespace std::string_literals;

const fs::path kFolder = fs::path(FIRESTEEL_SOURCE_DIR) / "tests/data/checkpoints";

std::string failure(const fs::path& file) {
  try {
    read_weights(file);
    return "none";
  } catch (const Error& error) {
    return error.what();
  }
}

fs::path written(const std::string& bytes, const char* name = "firesteel-checkpoint.pth") {
  const auto path = fs::path(::testing::TempDir()) / name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

class Checkpoints : public ::testing::TestWithParam<const char*> {
 protected:
  fs::path file(const std::string& name) const { return kFolder / (name + GetParam()); }
};

TEST_P(Checkpoints, HoldWhatPythonSaved) {
  const auto all = read_safetensors(kFolder / "expected.safetensors").tensors;
  for (const std::string name : {"views", "state_dict", "training", "nested", "wrapped"}) {
    auto tensors = read_weights(file(name)).tensors;
    for (const auto& [full, expected] : all) {
      if (!full.starts_with(name + "/")) continue;
      const auto found = tensors.find(full.substr(name.size() + 1));
      ASSERT_NE(found, tensors.end()) << full;
      EXPECT_TRUE(torch::equal(found->second, expected)) << full;
      tensors.erase(found);
    }
    EXPECT_TRUE(tensors.empty()) << name << " " << tensors.begin()->first;
  }
}

TEST_P(Checkpoints, KeepTypesAndSharedMemory) {
  const auto types = read_weights(file("types")).tensors;
  EXPECT_EQ(types.size(), std::string(GetParam()) == ".pth" ? 13u : 11u);
  EXPECT_EQ(types.at("bfloat16").scalar_type(), torch::kBFloat16);
  EXPECT_EQ(types.at("complex64").scalar_type(), torch::kComplexFloat);
  for (const auto& [name, tensor] : types) {
    EXPECT_TRUE(torch::equal(torch::real(tensor.to(torch::kComplexFloat)),
                             torch::tensor({0.f, 1.f, 0.f, 1.f})))
        << name;
  }
  const auto views = read_weights(file("views")).tensors;
  EXPECT_TRUE(views.at("rows").is_alias_of(views.at("whole")));
  EXPECT_EQ(views.at("turned").strides(), torch::IntArrayRef({1, 3}));
  EXPECT_FALSE(views.at("parameter").requires_grad());
}

TEST_P(Checkpoints, RunNothing) {
  const std::pair<const char*, const char*> kinds[] = {
      {"system", "posix.system"},
      {"evaluated", "builtins.eval"},
      {"namespace", "argparse.Namespace"},
      {"module", "torch.nn.modules.linear.Linear"},
      {"sparse", "torch._utils._rebuild_sparse_tensor"},
      {"expanded", "overlap"},
      {"no_tensors", "no tensors"}};
  for (const auto& [name, said] : kinds) {
    const auto text = failure(file(name));
    EXPECT_NE(text.find("INVALID_ARTIFACT"), std::string::npos) << text;
    EXPECT_NE(text.find(said), std::string::npos) << text;
    EXPECT_NE(text.find(name), std::string::npos) << text;
  }
  EXPECT_FALSE(fs::exists("/tmp/firesteel-was-here"));
}

TEST_P(Checkpoints, AreWholeOrRefused) {
  std::minstd_rand random(1);
  for (const std::string name : {"views", "training"}) {
    const auto bytes = read_file(file(name));
    for (size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 200)
      EXPECT_NE(failure(written(bytes.substr(0, size))), "none") << name << " " << size;
    for (int round = 0; round < 500; ++round) {  // Whatever comes of it: no crash.
      auto changed = bytes;
      for (int i = 0; i < 1 + round % 3; ++i) changed[random() % bytes.size()] = char(random());
      failure(written(changed));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Checkpoints, ::testing::Values(".pth", ".legacy.pth"));

/// A legacy file whose object is this pickle.
fs::path pickled(const std::string& object) {
  const std::string begin =
      "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.N."s;
  return written(begin + object + ".].");
}

TEST(CheckpointFile, RefusesWhatIsNoCheckpoint) {
  EXPECT_NE(failure(kFolder / "absent.pth").find("PATH_NOT_FOUND"), std::string::npos);
  EXPECT_NE(failure(kFolder / "script.pth").find("TorchScript"), std::string::npos);
  EXPECT_NE(failure(kFolder / "large.legacy.pth").find("does not fit"), std::string::npos);
  for (const char* text : {"", "weights", "PK\x03\x04", "\x80\x02", "\x80\x02K\x01."})
    EXPECT_NE(failure(written(text)).find("INVALID_ARTIFACT"), std::string::npos) << text;
}

TEST(CheckpointFile, RefusesPicklesThatAreNotOfTensors) {
  const std::pair<std::string, const char*> pickles[] = {
      {"cos\nsystem\n(X\x02\x00\x00\x00lstR"s, "os.system"},
      {"(ios\nsystem\n", "os.system"},
      {"\x8c\x02os\x8c\x06system\x93\x8c\x02ls\x85R", "os.system"},
      {"ccollections\nOrderedDict\n)\x81", "collections.OrderedDict"},
      {"]K\x01"
       "b",
       "do not add up"},
      {"t", "do not add up"},
      {"a", "do not add up"},
      {"h\x05", "does not have"},
      {"X\xff\xff\xff\x7f", "too early"},
      {"cos\nsystem", "too early"},
      {"\x97", "0x97"},
      {"}q\x00(K\x01h\x00u"s, "too deep"},  // a dict that holds itself
  };
  for (const auto& [object, said] : pickles) {
    const auto text = failure(pickled(object));
    EXPECT_NE(text.find(said), std::string::npos) << said << ": " << text;
  }
}

TEST(CheckpointFile, LaughsAtNoBillionLists) {
  std::string object = "]q\x00"s;  // each holds the last twice
  for (char i = 0; i < 60; ++i) object += std::string("](h") + i + "h" + i + "eq" + char(i + 1);
  EXPECT_NE(failure(pickled(object)).find("too deep"), std::string::npos);
}

TEST(ModelFolder, PrefersSafetensorsToPickles) {
  const auto folder = fs::path(::testing::TempDir()) / "firesteel-pickles";
  fs::remove_all(folder);
  fs::create_directory(folder);
  fs::copy(kFolder / "wrapped.pth", folder / "part.bin");
  std::ofstream(folder / "pytorch_model.bin.index.json")
      << R"({"weight_map": {"module.fc.weight": "part.bin"}})";
  EXPECT_TRUE(read_model_weights(folder).tensors.contains("module.fc.weight"));
  fs::copy(kFolder / "state_dict.legacy.pth", folder / "pytorch_model.bin");
  EXPECT_TRUE(read_model_weights(folder).tensors.contains("0.weight"));
  write_safetensors(folder / "model.safetensors", {{{"a", torch::ones(1)}}, {}});
  EXPECT_TRUE(read_model_weights(folder).tensors.contains("a"));
  fs::remove_all(folder);
}

}  // namespace
}  // namespace firesteel
