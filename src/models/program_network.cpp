// Parts of a batch by name, and the program's answer as the trainer wants it.
#include "models/program_network.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "models/class_labels.h"
#include "models/exported_program.h"
#include "tensor/image_transforms.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

constexpr const char* kProgramFile = "model.pt2";
constexpr int64_t kRowsAtOnce = 256;  // without gradients

/// What an input of a program may be, and the names that inputs of such content usually have.
struct Part {
  const char* name;
  std::vector<const char*> usual;
  bool (*has)(const RecordLayout& layout);
  torch::Tensor (*of)(const Batch& batch);
};

torch::Tensor token_mask(const Batch& batch) {
  const auto& tokens = batch.sequences.at(0);
  return torch::arange(tokens.values.size(1), tokens.lengths.options()).unsqueeze(0) <
         tokens.lengths.unsqueeze(1);
}

torch::Tensor image_floats(const Batch& batch) {
  const images::ImagePreset preset;  // ImageNet's mean and deviation
  return images::normalize(images::to_float(batch.images.at(0)), preset.mean, preset.deviation);
}

const std::vector<Part>& parts() {
  static const std::vector<Part> all = {
      {"numeric",
       {"x", "numeric", "inputs"},
       [](const RecordLayout& layout) { return layout.numeric_count > 0; },
       [](const Batch& batch) { return batch.numeric; }},
      {"categorical",
       {"ids", "categorical"},
       [](const RecordLayout& layout) { return !layout.categorical.empty(); },
       [](const Batch& batch) { return batch.categorical; }},
      {"sequence",
       {"input_ids", "tokens", "sequence"},
       [](const RecordLayout& layout) { return !layout.sequences.empty(); },
       [](const Batch& batch) { return batch.sequences.at(0).values; }},
      {"mask",
       {"attention_mask", "mask"},
       [](const RecordLayout& layout) { return !layout.sequences.empty(); },
       token_mask},
      {"lengths",
       {"lengths"},
       [](const RecordLayout& layout) { return !layout.sequences.empty(); },
       [](const Batch& batch) { return batch.sequences.at(0).lengths; }},
      {"image",
       {"pixel_values", "image", "images"},
       [](const RecordLayout& layout) { return !layout.images.empty(); },
       image_floats},
  };
  return all;
}

/// The part that an input is, as the options say, by its name, or since there is no other.
const Part& part_of(const ProgramInput& input, size_t inputs, const TabularOptions& options,
                    const RecordLayout& layout) {
  std::vector<std::string> there;
  const auto asked = options.inputs.find(input.name);
  const Part* found = nullptr;
  for (const auto& part : parts()) {
    if (!part.has(layout)) continue;
    there.emplace_back(part.name);
    const bool fits = asked != options.inputs.end()
                          ? asked->second == part.name
                          : std::ranges::find(part.usual, input.name) != part.usual.end();
    if (fits) found = &part;
  }
  if (!found && asked == options.inputs.end() && inputs == 1 && there.size() == 1)
    return *std::ranges::find(parts(), there[0], &Part::name);
  if (found) return *found;
  throw Error("INVALID_OPTION",
              fmt::format("The program's input `{}` is {}: say what it is, as in inputs = {{ {} = "
                          "\"{}\" }}. The features make {}.",
                          input.name,
                          asked == options.inputs.end() ? "none of the features by its name"
                                                        : "nothing that the features make",
                          input.name, there.empty() ? "numeric" : there[0],
                          there.empty() ? "nothing" : fmt::format("{}", fmt::join(there, ", "))));
}

struct ProgramNet {
  ExportedProgram program;
  ClassLabels labels;
  std::vector<std::pair<const Part*, torch::ScalarType>> inputs;

  torch::Tensor forward(const Batch& batch) const {
    std::vector<torch::Tensor> given;
    for (const auto& [part, type] : inputs) given.push_back(part->of(batch).to(type));
    const auto rows = given[0].size(0);
    // torch.export takes a dynamic size to be two at least: a single row is given twice.
    if (rows == 1)
      for (auto& tensor : given) tensor = torch::cat({tensor, tensor});
    auto logits = program.ptr()->forward(given).at(0);
    if (rows == 1) logits = logits.slice(0, 0, 1);
    if (logits.dim() == 1) logits = logits.unsqueeze(1);
    const auto wanted = static_cast<int64_t>(labels.names.size());
    const bool single = labels.task == Task::kBinary && logits.size(-1) == 1;
    if (logits.dim() != 2 || (logits.size(1) != wanted && !single))
      throw Error(
          "MODEL_RUN_FAILED",
          fmt::format("The program's first output has the shape {}, and there are {} labels "
                      "({}): export it with as many outputs.",
                      fmt::join(logits.sizes(), "x"), wanted, fmt::join(labels.names, ", ")));
    return single ? logits : labels.outputs(logits);
  }
};

}  // namespace

Network make_program_network(const TabularOptions& options, const std::vector<EncoderSpec>& specs,
                             const fs::path& path, Weights) {
  if (options.fine_tuning.of != FineTuning::Of::kAll)
    throw Error("INVALID_OPTION",
                "Of a program all is trained; [train] `frozen` names parameters that are not.");
  const RecordLayout layout(specs, true);
  ProgramNet net{.program = ExportedProgram(fs::is_directory(path) ? path / kProgramFile : path),
                 .labels = class_labels(specs, "pt2"),
                 .inputs = {}};
  const auto& inputs = net.program->inputs();
  for (const auto& input : inputs)
    net.inputs.emplace_back(&part_of(input, inputs.size(), options, layout), input.type);
  for (const auto& [name, part] : options.inputs)
    if (std::ranges::find(inputs, name, &ProgramInput::name) == inputs.end())
      throw Error("INVALID_OPTION", fmt::format("The program has no input `{}`.", name));
  Network network{net.program.ptr(), [net](const Batch& batch) { return net.forward(batch); }};
  network.rows_at_once = kRowsAtOnce;
  network.save = [net](const fs::path& folder) { net.program->save(folder / kProgramFile); };
  return network;
}

}  // namespace firesteel
