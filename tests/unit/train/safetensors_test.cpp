// Round trips, and refusal of every truncation and of headers that lie; files that are whole.
#include "train/safetensors.h"

#include <gtest/gtest.h>
#include <torch/torch.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/file.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;

std::string with_header(const std::string& header, size_t data_bytes) {
  uint64_t length = header.size();
  std::string bytes(reinterpret_cast<const char*>(&length), 8);
  return bytes + header + std::string(data_bytes, '\1');
}

void expect_refused(const std::string& bytes) {
  try {
    parse_safetensors(bytes, "some.safetensors");
    ADD_FAILURE() << "taken: " << bytes.substr(8);
  } catch (const Error& error) {
    EXPECT_EQ(error.condition(), "INVALID_ARTIFACT");
    EXPECT_NE(error.message().find("some.safetensors"), std::string::npos);
  }
}

TEST(Safetensors, EveryTypeComesBack) {
  NamedTensors named;
  for (const auto type : {torch::kFloat32, torch::kFloat64, torch::kFloat16, torch::kBFloat16,
                          torch::kInt64, torch::kInt32, torch::kUInt8, torch::kBool}) {
    named.tensors[torch::toString(type)] =
        torch::tensor({0, 1, 2, 3, 4, 5}).reshape({2, 3}).to(type);
  }
  named.tensors["scalar"] = torch::tensor(2.5f);
  named.tensors["empty"] = torch::empty({0, 4});
  named.tensors["transposed"] = torch::rand({3, 2}).t();
  named.metadata["note"] = "\"quoted\"";
  const auto back = parse_safetensors(safetensors_bytes(named), "here");
  EXPECT_EQ(back.metadata, named.metadata);
  ASSERT_EQ(back.tensors.size(), named.tensors.size());
  for (const auto& [name, tensor] : named.tensors) {
    EXPECT_EQ(back.tensors.at(name).scalar_type(), tensor.scalar_type());
    EXPECT_TRUE(torch::equal(back.tensors.at(name), tensor)) << name;
  }
}

TEST(Safetensors, EveryTruncationIsRefused) {
  NamedTensors named;
  named.tensors["w"] = torch::rand({3});
  named.tensors["b"] = torch::rand({2});
  const auto bytes = safetensors_bytes(named);
  for (size_t size = 0; size < bytes.size(); ++size) expect_refused(bytes.substr(0, size));
  expect_refused(bytes + "x");
}

TEST(Safetensors, HeadersThatLieAreRefused) {
  expect_refused(with_header(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 8));
  expect_refused(with_header(R"({"w":{"dtype":"F32","shape":[2],"data_offsets":[0,800]}})", 8));
  expect_refused(with_header(R"({"w":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", 8));
  expect_refused(with_header(
      R"({"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0));
  expect_refused(with_header(R"({"w":{"dtype":"F8","shape":[8],"data_offsets":[0,8]}})", 8));
  expect_refused(with_header(
      R"({"w":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"v":{"dtype":"U8","shape":[6],"data_offsets":[2,8]}})",
      8));
  expect_refused(with_header(R"({"w":{}})", 0));
  expect_refused(with_header(R"([1])", 0));
  expect_refused(with_header(R"({"w":)", 0));
}

TEST(Files, AreWholeOrAbsent) {
  const fs::path folder =
      fs::temp_directory_path() / ("firesteel-files-" + std::to_string(getpid()));
  fs::remove_all(folder);
  {
    const FolderAside abandoned(folder);
    std::ofstream(abandoned.path() / "a").put('1');
  }
  EXPECT_FALSE(fs::exists(folder));
  for (const std::string text : {"first", "second"}) {
    FolderAside made(folder);
    write_file_aside(made.path() / "a", text);
    made.commit();
    EXPECT_EQ(read_file(folder / "a"), text);
  }
  write_file_aside(folder / "b", "abc");
  EXPECT_EQ(hash_file(folder / "b"), "44bc2cf5ad770999");  // XXH64("abc")
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 2);
  const auto condition = [](auto action) {
    try {
      action();
    } catch (const Error& error) {
      return error.condition();
    }
    return std::string("none");
  };
  EXPECT_EQ(condition([&] { read_file(folder / "absent"); }), "PATH_NOT_FOUND");
  EXPECT_EQ(condition([&] { read_file(folder); }), "IO_ERROR");
  EXPECT_EQ(condition([&] { write_file_aside(folder / "no" / "c", ""); }), "PATH_NOT_FOUND");
  fs::remove_all(folder);
}

}  // namespace
}  // namespace firesteel
