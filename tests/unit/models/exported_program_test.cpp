// Programs that tests/reference/record_pt2.py exported, against what Python gives for their
// modules; moves, round trips; and archives and inputs that are to be refused.
#include "models/exported_program.h"

#include <caffe2/serialize/inline_container.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <functional>

#include "base/error.h"
#include "base/file.h"
#include "recorded.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;

const fs::path kData = fs::path(FIRESTEEL_SOURCE_DIR) / "tests/data/pt2";
constexpr double kTolerance = 1e-4;

ExportedProgram load(const std::string& name) { return ExportedProgram(kData / (name + ".pt2")); }

/// A file of this test alone, removed at its end.
class Scratch {
 public:
  explicit Scratch(const std::string& name)
      : path_(fs::temp_directory_path() / fmt::format("firesteel-{}-{}", ::getpid(), name)) {}
  ~Scratch() { fs::remove(path_); }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

/// A copy of an archive with some records changed: the function gets a record's name and bytes and
/// says whether the copy has it.
void change_archive(const fs::path& from, const fs::path& to,
                    const std::function<bool(const std::string&, std::string*)>& change) {
  caffe2::serialize::PyTorchStreamReader reader(from.string());
  caffe2::serialize::PyTorchStreamWriter writer(to.string());
  for (const auto& record : reader.getAllRecords()) {
    if (record.starts_with(".data/") || record == "version") continue;
    auto [data, size] = reader.getRecord(record);
    std::string bytes(static_cast<const char*>(data.get()), size);
    if (change(record, &bytes)) writer.writeRecord(record, bytes.data(), bytes.size());
  }
  writer.writeEndOfFile();
}

void replace_first(std::string* text, const std::string& from, const std::string& to) {
  const auto at = text->find(from);
  ASSERT_NE(at, std::string::npos) << from;
  text->replace(at, from.size(), to);
}

/// Runs the function and holds its error to the class and to parts of its message.
void expect_error(const std::string& condition, const std::vector<std::string>& parts,
                  const std::function<void()>& function) {
  try {
    function();
    ADD_FAILURE() << "no error of the class " << condition;
  } catch (const Error& error) {
    EXPECT_EQ(error.condition(), condition) << error.what();
    for (const auto& part : parts) {
      EXPECT_NE(error.message().find(part), std::string::npos) << part << " in " << error.what();
    }
  }
}

class Programs : public ::testing::TestWithParam<const char*> {};

TEST_P(Programs, RunAndTrainAsInPython) {
  const std::string name = GetParam();
  const testing::Recorded recorded(kData / (name + ".safetensors"));
  const auto found = recorded.compare(load(name), kTolerance);
  EXPECT_TRUE(found.differences.empty()) << fmt::format("{}", fmt::join(found.differences, ", "));
}

TEST_P(Programs, GiveTheSameTwice) {
  // The second run must find nothing that the first left behind.
  const std::string name = GetParam();
  const testing::Recorded recorded(kData / (name + ".safetensors"));
  auto program = load(name);
  program->eval();
  torch::NoGradGuard no_grad;
  const auto before = program->weights();
  const auto first = program->forward(recorded.inputs());
  const auto second = program->forward(recorded.inputs());
  if (name == "counter") return;  // It counts its calls in both modes.
  ASSERT_EQ(first.size(), second.size());
  for (size_t i = 0; i < first.size(); ++i) {
    if (!first[i].defined()) continue;  // None
    EXPECT_EQ(testing::distance(first[i], second[i]), 0) << i;
  }
  for (const auto& [key, tensor] : program->weights().tensors) {
    EXPECT_TRUE(torch::equal(tensor, before.tensors.at(key))) << key;
  }
}

TEST_P(Programs, ComeBackFromTheArchiveTheyWrite) {
  const std::string name = GetParam();
  const testing::Recorded recorded(kData / (name + ".safetensors"));
  auto program = load(name);
  {
    torch::NoGradGuard no_grad;
    for (auto& parameter : program->parameters()) parameter.mul_(1.5).add_(0.01);
  }
  const Scratch scratch(name + ".pt2");
  program->save(scratch.path());
  ExportedProgram again(scratch.path());
  again->save(scratch.path());  // over itself
  ExportedProgram third(scratch.path());
  program->eval();
  third->eval();
  torch::NoGradGuard no_grad;
  const auto expected = program->forward(recorded.inputs());
  const auto actual = third->forward(recorded.inputs());
  ASSERT_EQ(actual.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!expected[i].defined()) continue;  // None
    EXPECT_EQ(testing::distance(actual[i], expected[i]), 0) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Recorded, Programs,
                         ::testing::Values("attention", "counter", "images", "in_evaluation",
                                           "in_training", "recurrent", "regions", "scans", "shapes",
                                           "sizes", "tabular", "torch2.8.0", "torch2.10.0",
                                           "writer"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::erase(name, '.');
                           return name;
                         });

TEST(ExportedProgram, KeepsNamesTiesAndFlags) {
  auto program = load("tabular");
  std::vector<std::string> names, buffers;
  for (const auto& row : program->named_parameters()) names.push_back(row.key());
  for (const auto& row : program->named_buffers()) buffers.push_back(row.key());
  std::sort(names.begin(), names.end());
  std::sort(buffers.begin(), buffers.end());
  // `second.weight` is `first.weight`.
  EXPECT_EQ(names,
            (std::vector<std::string>{"first.bias", "first.weight", "head.bias", "head.weight",
                                      "norm.bias", "norm.weight", "scale", "second.bias"}));
  EXPECT_EQ(buffers, (std::vector<std::string>{"norm.num_batches_tracked", "norm.running_mean",
                                               "norm.running_var", "offset"}));
  EXPECT_FALSE(program->named_parameters()["scale"].requires_grad());
  const auto weights = program->weights();
  EXPECT_EQ(weights.tensors.size(), 11u);
  EXPECT_FALSE(weights.tensors.count("offset"));  // not persistent
  ASSERT_EQ(program->inputs().size(), 1u);
  EXPECT_EQ(program->inputs()[0].name, "x");
  EXPECT_EQ(program->inputs()[0].sizes, (std::vector<int64_t>{-1, 4}));
}

TEST(ExportedProgram, NamesOutputs) {
  EXPECT_EQ(load("shapes")->output_names(),
            (std::vector<std::string>{"parts.0", "parts.1", "nothing", "top.0", "top.1", "picked",
                                      "all", "scaled", "flags"}));
  EXPECT_EQ(load("tabular")->output_names(), std::vector<std::string>{""});
}

TEST(ExportedProgram, StartsInTheModeOfItsExport) {
  EXPECT_FALSE(load("tabular")->is_training());
  EXPECT_TRUE(load("in_training")->is_training());
  EXPECT_FALSE(load("in_evaluation")->is_training());
}

TEST(ExportedProgram, EvaluationLeavesBuffersAlone) {
  for (const auto* name : {"tabular", "in_training", "counter"}) {
    auto program = load(name);
    program->eval();
    const auto before = program->weights();
    const testing::Recorded recorded(kData / (std::string(name) + ".safetensors"));
    program->forward(recorded.inputs());
    for (const auto& [key, tensor] : before.tensors) {
      if (key.starts_with("norm.")) {
        EXPECT_TRUE(torch::equal(program->weights().tensors.at(key), tensor)) << key;
      }
    }
  }
}

TEST(ExportedProgram, MovesToAnotherType) {
  const testing::Recorded recorded(kData / "attention.safetensors");
  auto program = load("attention");
  program->eval();
  torch::NoGradGuard no_grad;
  const auto single = program->forward(recorded.inputs());
  program->to(torch::kFloat64);
  const auto exact = program->forward(recorded.inputs());
  EXPECT_EQ(exact[0].scalar_type(), torch::kFloat64);
  EXPECT_LT(testing::distance(exact[0], single[0]), 1e-5);
  program->to(torch::kBFloat16);
  EXPECT_EQ(program->forward(recorded.inputs())[0].scalar_type(), torch::kBFloat16);

  auto tabular = load("tabular");
  tabular->to(torch::kFloat64);
  EXPECT_EQ(tabular->named_buffers()["norm.num_batches_tracked"].scalar_type(), torch::kInt64);
  EXPECT_EQ(tabular->forward({torch::rand({3, 4}, torch::kFloat64)})[0].scalar_type(),
            torch::kFloat64);
  expect_error("MODEL_INPUT_INVALID", {"`x`", "Float", "Double"}, [&] {
    tabular->forward({torch::rand({3, 4})});
  });
  expect_error("INVALID_OPTION", {"floating"}, [&] { tabular->to(torch::kInt32); });
}

TEST(ExportedProgram, MovesToAnotherDevice) {
  // `meta` is a device that every machine has: an operator that mixes devices fails on it. Weights
  // cannot go there, so this program has none.
  auto program = load("places");
  const auto x = torch::rand({5, 3});
  const auto here = program->forward({x});
  EXPECT_EQ(here[0].sizes(), (std::vector<int64_t>{5, 3}));
  program->to(torch::kMeta);
  const auto there = program->forward({x.to(torch::kMeta)});
  EXPECT_TRUE(there[0].is_meta());
  EXPECT_EQ(there[0].sizes(), here[0].sizes());
  expect_error("INVALID_OPTION", {"`scale`", "meta"}, [] { load("tabular")->to(torch::kMeta); });
}

TEST(ExportedProgram, WritesSafetensors) {
  const Scratch scratch("weights.safetensors");
  auto program = load("tabular");
  write_safetensors(scratch.path(), program->weights());
  const auto back = read_safetensors(scratch.path());
  EXPECT_EQ(back.metadata.at("format"), "pt");
  EXPECT_TRUE(
      torch::equal(back.tensors.at("first.weight"), program->named_parameters()["first.weight"]));
}

TEST(ExportedProgram, WritesTheWeightsOfAnotherType) {
  const Scratch scratch("double.pt2");
  auto program = load("tabular");
  program->to(torch::kFloat64);
  {
    torch::NoGradGuard no_grad;
    program->named_parameters()["first.weight"].fill_(2);
  }
  program->save(scratch.path());
  ExportedProgram again(scratch.path());
  // In the type that the program was exported with, and under both names of the tied weight.
  EXPECT_TRUE(torch::equal(again->named_parameters()["first.weight"], torch::full({8, 4}, 2.0f)));
}

TEST(ExportedProgram, RefusesInputsThatDoNotFit) {
  auto program = load("sizes");
  const auto x = torch::rand({4, 6}), pair = torch::rand({4}), doubled = torch::rand({8, 2});
  const auto refused = [&](const std::vector<std::string>& parts,
                           const std::vector<torch::Tensor>& inputs) {
    expect_error("MODEL_INPUT_INVALID", parts, [&] { program->forward(inputs); });
  };
  refused({"3 inputs", "`x`", "`pair`", "`doubled`", "not 1"}, {x});
  refused({"`x`", "Float", "Int"}, {x.to(torch::kInt32), pair, doubled});
  refused({"`x`", "1 dimensions", "any x 6"}, {pair, pair, doubled});
  refused({"`x`", "size 7 in dimension 1", "takes 6"}, {torch::rand({4, 7}), pair, doubled});
  refused({"`pair`", "size 5", "must have 4", "dimension 0 of `x`"},
          {x, torch::rand({5}), doubled});
  refused({"`doubled`", "size 9", "must have 8"}, {x, pair, torch::rand({9, 2})});
  refused({"`x`", "size 65", "2 to 64"},
          {torch::rand({65, 6}), torch::rand({65}), torch::rand({130, 2})});
  refused({"`pair`", "not given"}, {x, torch::Tensor(), doubled});
  expect_error("MODEL_INPUT_INVALID", {"`dubled`", "`doubled`"}, [&] {
    program->forward(
        std::map<std::string, torch::Tensor>{{"x", x}, {"pair", pair}, {"dubled", doubled}});
  });
  EXPECT_EQ(program->forward({x, pair, doubled}).size(), 5u);  // It still works.
}

TEST(ExportedProgram, RefusesWhatIsNoArchive) {
  const Scratch scratch("broken.pt2");
  const auto refused = [&](const std::string& bytes) {
    write_file_aside(scratch.path(), bytes);
    expect_error("INVALID_ARTIFACT", {scratch.path().string()},
                 [&] { ExportedProgram{scratch.path()}; });
  };
  refused("");
  refused("no zip at all");
  const auto whole = read_file(kData / "writer.pt2");
  for (size_t size = 1; size < whole.size(); size += 997) refused(whole.substr(0, size));
  expect_error("PATH_NOT_FOUND", {"nowhere.pt2"}, [] { ExportedProgram{fs::path("nowhere.pt2")}; });
}

TEST(ExportedProgram, RefusesProgramsThatAreNotRunHere) {
  const Scratch scratch("changed.pt2");
  const auto refused = [&](const std::string& condition, const std::vector<std::string>& parts,
                           const std::string& from, const std::string& to) {
    change_archive(kData / "tabular.pt2", scratch.path(),
                   [&](const std::string& record, std::string* bytes) {
                     if (record == "models/model.json") replace_first(bytes, from, to);
                     return true;
                   });
    expect_error(condition, parts, [&] { ExportedProgram{scratch.path()}; });
  };
  refused("UNSUPPORTED_MODEL", {"version 9.", "torch 2.13", "8.x"}, R"("major": 8)",
          R"("major": 9)");
  refused("UNSUPPORTED_MODEL", {"aten::lineal.default"}, "torch.ops.aten.linear.default",
          "torch.ops.aten.lineal.default");
  refused("UNSUPPORTED_MODEL", {"my::linear.default"}, "torch.ops.aten.linear.default",
          "torch.ops.my.linear.default");
  refused("UNSUPPORTED_MODEL", {"higher-order", "flex"}, "torch.ops.aten.linear.default",
          "torch.ops.higher_order.flex");
  refused("UNSUPPORTED_MODEL", {"my_module.linear", "function of Python"},
          "torch.ops.aten.linear.default", "my_module.linear");
  refused("INVALID_ARTIFACT", {"cannot be read"}, R"("graph_module")", R"("graph_model")");
  refused("INVALID_ARTIFACT", {"`linear`", "no node before"}, R"({"name": "linear"})",
          R"({"name": "elsewhere"})");
}

TEST(ExportedProgram, RefusesArchivesThatLackWeights) {
  const Scratch scratch("weights.pt2");
  const auto refused = [&](const std::vector<std::string>& parts,
                           const std::function<bool(const std::string&, std::string*)>& change) {
    change_archive(kData / "tabular.pt2", scratch.path(), change);
    expect_error("INVALID_ARTIFACT", parts, [&] { ExportedProgram{scratch.path()}; });
  };
  refused({"data/weights/weight_0"},
          [](const auto& record, auto*) { return record != "data/weights/weight_0"; });
  refused({"does not fit", "data/weights/weight_0"}, [](const auto& record, auto* bytes) {
    if (record == "data/weights/weight_0") bytes->resize(bytes->size() - 4);
    return true;
  });
  refused({"head.bias", "does not hold"}, [](const auto& record, auto* bytes) {
    if (record == "data/weights/model_weights_config.json")
      replace_first(bytes, "\"head.bias\"", "\"head.bios\"");
    return true;
  });
  refused({"models/model.json"},
          [](const auto& record, auto*) { return record != "models/model.json"; });
  refused({"archive_format"}, [](const auto& record, auto*) { return record != "archive_format"; });
}

TEST(ExportedProgram, NamesTheNodeThatFails) {
  const Scratch scratch("fails.pt2");
  change_archive(kData / "tabular.pt2", scratch.path(),
                 [](const std::string& record, std::string* bytes) {
                   // Of the last layer, an operand of another shape.
                   if (record == "models/model.json")
                     replace_first(bytes, R"({"name": "p_head_weight"}}, "kind": 1)",
                                   R"({"name": "p_first_bias"}}, "kind": 1)");
                   return true;
                 });
  ExportedProgram program(scratch.path());
  expect_error("MODEL_RUN_FAILED", {"linear", "torch.ops.aten.linear.default", "line "}, [&] {
    program->forward({torch::rand({3, 4})});
  });
}

}  // namespace
}  // namespace firesteel
