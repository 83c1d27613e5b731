// Files that a client sends (AddArtifacts), kept in its session's folder.
#pragma once

#include <spark/connect/base.pb.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/file.h"

namespace firesteel::connect {

namespace proto = spark::connect;

/// Takes the requests of one AddArtifacts stream, in order. A file is whole or absent.
class ArtifactReceiver {
 public:
  explicit ArtifactReceiver(std::filesystem::path folder) : folder_(std::move(folder)) {}
  /// Throws INVALID_ARTIFACT_NAME, INVALID_ARCHIVE, ARTIFACT_ALREADY_EXISTS and on
  /// chunks out of order.
  void receive(const proto::AddArtifactsRequest& request, proto::AddArtifactsResponse& response);
  /// The stream's end. Throws when an artifact's chunks are missing.
  void finish() const;

 private:
  void begin(const std::string& name, int64_t chunks);
  void append(const proto::AddArtifactsRequest_ArtifactChunk& chunk);
  void keep(proto::AddArtifactsResponse& response);
  void unpack_kept();

  const std::filesystem::path folder_;
  std::string name_;
  std::filesystem::path place_;
  std::optional<FileAside> file_;
  int64_t chunks_left_ = 0;
  uint64_t bytes_ = 0, hash_ = 0;
  bool intact_ = true;
};

/// Is the artifact there: "cache/HASH", "pyfiles/module.py"?
bool has_artifact(const std::filesystem::path& folder, const std::string& name);

}  // namespace firesteel::connect
