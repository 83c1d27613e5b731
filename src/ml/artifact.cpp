// manifest.json: format, versions, seeds, inputs and the checksum of every other file.
#include "ml/artifact.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.h"
#include "base/file.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

constexpr int kFormatVersion = 1;
constexpr const char* kManifest = "manifest.json";
// What no artifact can do without.
constexpr const char* kNeeded[] = {"encoders.json", "model.json", "model.safetensors"};

[[noreturn]] void refuse(const fs::path& folder, const std::string& what) {
  throw Error("INVALID_ARTIFACT",
              fmt::format("`{}` is no whole artifact: {}.", folder.string(), what));
}

}  // namespace

void save_artifact(const fs::path& folder, const ArtifactInfo& info,
                   const std::function<void(const fs::path&)>& fill) {
  FolderAside aside(folder);
  fill(aside.path());
  nlohmann::ordered_json manifest = {{"format", kFormatVersion},
                                     {"versions", info.versions},
                                     {"seed", info.seed},
                                     {"inputs", info.input_hashes}};
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(aside.path())) {
    if (!entry.is_regular_file()) continue;
    files[fs::relative(entry.path(), aside.path()).generic_string()] = hash_file(entry.path());
  }
  manifest["files"] = files;
  write_file_aside(aside.path() / kManifest, manifest.dump(1) + "\n");
  aside.commit();
}

void check_artifact(const fs::path& folder) {
  if (!fs::is_directory(folder)) {
    throw Error("PATH_NOT_FOUND",
                fmt::format("There is no artifact folder `{}`.", folder.string()));
  }
  if (!fs::exists(folder / kManifest)) refuse(folder, "it has no manifest.json");
  try {
    const auto manifest = nlohmann::json::parse(read_file(folder / kManifest));
    const int format = manifest.at("format");
    if (format > kFormatVersion) {
      refuse(folder,
             fmt::format("its format is {}, and this program reads up to {}: use a newer program",
                         format, kFormatVersion));
    }
    const auto files = manifest.at("files").get<std::map<std::string, std::string>>();
    for (const char* name : kNeeded) {
      if (!files.contains(name))
        refuse(folder, fmt::format("its manifest does not list `{}`", name));
    }
    for (const auto& [name, hash] : files) {
      if (!fs::is_regular_file(folder / name))
        refuse(folder, fmt::format("`{}` is not there", name));
      if (hash_file(folder / name) != hash) {
        refuse(folder, fmt::format("`{}` is damaged or was changed after it was written", name));
      }
    }
  } catch (const nlohmann::json::exception& error) {
    refuse(folder, fmt::format("manifest.json cannot be read ({})", error.what()));
  }
}

}  // namespace firesteel
