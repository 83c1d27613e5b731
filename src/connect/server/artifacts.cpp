// Chunks put together, checked by their CRC, and written aside and renamed.
#include "connect/server/artifacts.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>

#include "base/error.h"
#include "base/file.h"
#include "cluster/archive.h"

namespace firesteel::connect {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kKinds[] = {"files", "pyfiles", "archives", "jars", "classes", "cache"};

/// Where the artifact is kept: within the session's folder, whatever the name says.
fs::path place_of(const fs::path& folder, const std::string& name) {
  const fs::path path(name);
  const bool climbs = std::any_of(
      path.begin(), path.end(), [](const fs::path& part) { return part == ".." || part.empty(); });
  const auto kind = path.empty() ? "" : path.begin()->string();
  if (path.is_absolute() || climbs || name.find('\0') != std::string::npos ||
      std::distance(path.begin(), path.end()) < 2) {
    throw Error("INVALID_ARTIFACT_NAME",
                fmt::format("An artifact's name is a relative path such as pyfiles/module.py, "
                            "without `..`; not '{}'.",
                            name));
  }
  if (std::ranges::find(kKinds, kind) == std::end(kKinds)) {
    throw Error("UNSUPPORTED_FEATURE.ARTIFACT",
                fmt::format("Artifacts of the kind `{}` are not accepted here; those that are: {}.",
                            kind, fmt::join(kKinds, ", ")));
  }
  return folder / path;
}

}  // namespace

bool has_artifact(const fs::path& folder, const std::string& name) {
  return fs::exists(place_of(folder, name));
}

void ArtifactReceiver::begin(const std::string& name, int64_t chunks) {
  if (chunks < 1)
    throw Error("INVALID_ARTIFACT", fmt::format("The artifact {} has no chunks.", name));
  name_ = name;
  place_ = place_of(folder_, name);
  fs::create_directories(place_.parent_path());
  file_.emplace(place_);
  chunks_left_ = chunks;
  bytes_ = hash_ = 0;
  intact_ = true;
}

void ArtifactReceiver::append(const proto::AddArtifactsRequest_ArtifactChunk& chunk) {
  const auto& data = chunk.data();
  const auto crc = crc32_z(0, reinterpret_cast<const unsigned char*>(data.data()), data.size());
  intact_ = intact_ && static_cast<int64_t>(crc) == chunk.crc();
  file_->write(data);
  bytes_ += data.size();
  hash_ = crc32_z(hash_, reinterpret_cast<const unsigned char*>(data.data()), data.size());
  --chunks_left_;
}

void ArtifactReceiver::keep(proto::AddArtifactsResponse& response) {
  auto* summary = response.add_artifacts();
  summary->set_name(name_);
  summary->set_is_crc_successful(intact_);
  if (intact_ && fs::exists(place_) && !name_.starts_with("cache/")) {
    const auto old = read_file(place_);
    const auto hash = crc32_z(0, reinterpret_cast<const unsigned char*>(old.data()), old.size());
    if (old.size() != bytes_ || hash != hash_) {
      throw Error("ARTIFACT_ALREADY_EXISTS",
                  fmt::format("The artifact {} already exists. Please choose a different name for "
                              "the new artifact because it cannot be overwritten.",
                              name_));
    }
  } else if (intact_) {
    file_->commit();
    if (name_.starts_with("archives/")) unpack_kept();
  }
  file_.reset();
}

/// `archives/env.tar.gz#env` is the folder `env`; without a name it has the file's.
void ArtifactReceiver::unpack_kept() {
  const auto file = place_.filename().string();
  const auto mark = file.find('#');
  const auto name = mark == std::string::npos ? file : file.substr(mark + 1);
  if (name.empty() || name == "." || name == ".." || name.find('/') != std::string::npos)
    throw Error("INVALID_ARTIFACT_NAME",
                fmt::format("An archive cannot be unpacked as the folder '{}'.", name));
  try {
    cluster::unpack(place_, folder_ / "unpacked" / name);
  } catch (...) {  // it may be sent again
    fs::remove(place_);
    throw;
  }
}

void ArtifactReceiver::receive(const proto::AddArtifactsRequest& request,
                               proto::AddArtifactsResponse& response) {
  if (chunks_left_ > 0 && !request.has_chunk()) finish();
  for (const auto& artifact : request.batch().artifacts()) {
    begin(artifact.name(), 1);
    append(artifact.data());
    keep(response);
  }
  if (request.has_begin_chunk()) {
    begin(request.begin_chunk().name(), request.begin_chunk().num_chunks());
    append(request.begin_chunk().initial_chunk());
    if (chunks_left_ == 0) keep(response);
  } else if (request.has_chunk()) {
    if (chunks_left_ <= 0)
      throw Error("INVALID_ARTIFACT", "A chunk came that belongs to no artifact.");
    append(request.chunk());
    if (chunks_left_ == 0) keep(response);
  }
}

void ArtifactReceiver::finish() const {
  if (chunks_left_ <= 0) return;
  throw Error("INVALID_ARTIFACT",
              fmt::format("The artifact {} misses {} of its chunks.", name_, chunks_left_));
}

}  // namespace firesteel::connect
