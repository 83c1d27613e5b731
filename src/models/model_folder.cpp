// Finds a folder's weights and gives them to a module, strictly.
#include "models/model_folder.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "models/checkpoint_file.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

constexpr const char* kFiles[] = {"model.safetensors", "pytorch_model.bin"};  // the better first
constexpr size_t kNamedMax = 5;

std::string named(const std::vector<std::string>& names) {
  const auto shown = std::min(names.size(), kNamedMax);
  auto text = fmt::format("{}", fmt::join(names.begin(), names.begin() + shown, ", "));
  if (names.size() > shown) text += fmt::format(" and {} more", names.size() - shown);
  return text;
}

NamedTensors read_shards(const fs::path& folder, const fs::path& index) {
  std::map<std::string, std::vector<std::string>> names;  // by file
  try {
    const auto parsed = nlohmann::json::parse(read_file(index));
    for (const auto& [name, file] : parsed.at("weight_map").items())
      names[file.get<std::string>()].push_back(name);
  } catch (const nlohmann::json::exception& error) {
    throw Error("INVALID_ARTIFACT",
                fmt::format("{} is no index of weights: {}", index.string(), error.what()));
  }
  NamedTensors out;
  for (const auto& [file, wanted] : names) {
    if (fs::path(file).filename() != file)
      throw Error("INVALID_ARTIFACT",
                  fmt::format("{} names a file of another folder: {}", index.string(), file));
    auto shard = read_weights(folder / file);
    for (const auto& name : wanted) {
      const auto found = shard.tensors.find(name);
      if (found == shard.tensors.end())
        throw Error("INVALID_ARTIFACT", fmt::format("{} has no tensor {}, which {} says it has.",
                                                    file, name, index.string()));
      out.tensors.insert(*found);
    }
  }
  return out;
}

}  // namespace

NamedTensors read_model_weights(const fs::path& folder) {
  for (const char* name : kFiles) {
    const auto index = folder / fmt::format("{}.index.json", name);
    if (fs::exists(folder / name)) return read_weights(folder / name);
    if (fs::exists(index)) return read_shards(folder, index);
  }
  std::vector<std::string> files;
  std::error_code absent;
  for (const auto& file : fs::directory_iterator(folder, absent))
    files.push_back(file.path().filename().string());
  std::sort(files.begin(), files.end());
  throw Error("PATH_NOT_FOUND",
              fmt::format("{} has no model.safetensors or pytorch_model.bin{}.", folder.string(),
                          files.empty() ? "" : ", but " + named(files)));
}

bool has_architecture(const fs::path& folder, std::initializer_list<std::string_view> endings) {
  try {
    const auto config = nlohmann::json::parse(read_file(folder / "config.json"));
    const auto classes = config.value("architectures", std::vector<std::string>());
    return std::ranges::any_of(classes, [&](const std::string& name) {
      return std::ranges::any_of(endings, [&](auto ending) { return name.ends_with(ending); });
    });
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

torch::nn::Module& owner_of(torch::nn::Module& in, const std::string& name) {
  const auto dot = name.find('.');
  if (dot == std::string::npos) return in;
  const auto part = name.substr(0, dot);
  const auto children = in.named_children();
  const auto* known = children.find(part);
  auto& below = known ? **known : *in.register_module(part, std::make_shared<torch::nn::Module>());
  return owner_of(below, name.substr(dot + 1));
}

LoadedWeights load_weights(torch::nn::Module& module, const NamedTensors& weights,
                           const std::string& prefix, const fs::path& origin,
                           const std::vector<std::string>& may_be_new) {
  std::map<std::string, torch::Tensor> own;
  for (const auto& item : module.named_parameters()) own[item.key()] = item.value();
  for (const auto& item : module.named_buffers()) own[item.key()] = item.value();
  const auto& given = weights.tensors;
  const auto found_as = [&](const std::string& name) {
    auto found = given.find(name);
    if (found == given.end()) found = given.find(prefix + name);
    if (found == given.end() && name.starts_with(prefix))
      found = given.find(name.substr(prefix.size()));
    return found;
  };
  LoadedWeights report;
  std::vector<std::string> missing;
  std::map<std::string, std::string> names;
  for (const auto& [name, tensor] : own) {
    const auto found = found_as(name);
    const bool fits = found != given.end() && found->second.sizes() == tensor.sizes();
    if (!fits && std::any_of(may_be_new.begin(), may_be_new.end(),
                             [&](const auto& start) { return name.starts_with(start); })) {
      report.kept.push_back(name);
    } else if (found == given.end()) {
      missing.push_back(name);
    } else if (!fits) {
      throw Error(
          "INVALID_ARTIFACT",
          fmt::format("{}: {} has the shape {}, where {} is wanted.", origin.string(), found->first,
                      fmt::join(found->second.sizes(), "x"), fmt::join(tensor.sizes(), "x")));
    } else {
      names[name] = found->first;
    }
  }
  if (!missing.empty())
    throw Error("INVALID_ARTIFACT",
                fmt::format("{} has no weights for {}.", origin.string(), named(missing)));
  const torch::NoGradGuard no_grad;
  std::vector<std::string> used;
  for (const auto& [name, from] : names) {
    own[name].copy_(given.at(from));
    used.push_back(from);
  }
  std::sort(used.begin(), used.end());
  for (const auto& [name, tensor] : given)
    if (!std::binary_search(used.begin(), used.end(), name)) report.unused.push_back(name);
  return report;
}

}  // namespace firesteel
