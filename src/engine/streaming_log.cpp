// Checkpoints as folders: metadata, offsets/N, commits/N; sources/ and state/ are filled by others.
#include "engine/streaming_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "base/error.h"
#include "base/file.h"

namespace firesteel {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr int64_t kKeptBatches = 100;  // spark.sql.streaming.minBatchesToRetain

int64_t last_of(const fs::path& folder) {
  int64_t last = -1;
  std::error_code absent;
  for (const auto& entry : fs::directory_iterator(folder, absent)) {
    const auto name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") == std::string::npos)
      last = std::max<int64_t>(last, std::stoll(name));
  }
  return last;
}

/// The lines of an entry after its version.
std::vector<std::string> lines_of(const fs::path& file) {
  std::istringstream in(read_file(file));
  std::vector<std::string> lines;
  std::string line;
  std::getline(in, line);
  if (line != "v1") {
    throw Error("MALFORMED_LOG_FILE",
                fmt::format("Log file was malformed: failed to read correct log version from {}.",
                            file.string()));
  }
  while (std::getline(in, line)) lines.push_back(line);
  return lines;
}

}  // namespace

std::string random_uuid() {
  static thread_local std::mt19937_64 random{std::random_device{}()};
  const uint64_t a = random(), b = random();
  return fmt::format("{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xfff,
                     0x8000 | ((b >> 48) & 0x3fff), b & 0xffffffffffff);
}

StreamCheckpoint::StreamCheckpoint(fs::path folder) : folder_(std::move(folder)) {
  fs::create_directories(folder_);
  lock_ = ::open(folder_.c_str(), O_RDONLY | O_CLOEXEC);
  if (lock_ >= 0 && ::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock_);
    throw Error("CONCURRENT_STREAM_LOG_UPDATE",
                fmt::format("Concurrent update to the log. Multiple streaming jobs detected for "
                            "{}. Please make sure only one streaming job runs on a specific "
                            "checkpoint location at a time.",
                            folder_.string()));
  }
  const auto metadata = folder_ / "metadata";
  if (fs::exists(metadata)) {
    query_id_ = json::parse(read_file(metadata)).at("id").get<std::string>();
    return;
  }
  if (last_planned() >= 0 || last_committed() >= 0) {
    throw Error("STREAMING_CHECKPOINT_MISSING_METADATA_FILE",
                fmt::format("Checkpoint location {} is in an inconsistent state: the metadata file "
                            "is missing but offset and/or commit logs contain data. Please restore "
                            "the metadata file or create a new checkpoint directory.",
                            folder_.string()));
  }
  query_id_ = random_uuid();
  write_file_aside(metadata, json{{"id", query_id_}}.dump());
  fs::create_directories(folder_ / "offsets");
  fs::create_directories(folder_ / "commits");
}

StreamCheckpoint::~StreamCheckpoint() { release(); }

void StreamCheckpoint::release() {
  if (lock_ >= 0) ::close(lock_);
  lock_ = -1;
}

int64_t StreamCheckpoint::last_planned() const { return last_of(folder_ / "offsets"); }
int64_t StreamCheckpoint::last_committed() const { return last_of(folder_ / "commits"); }

BatchOffsets StreamCheckpoint::offsets(int64_t batch) const {
  const auto lines = lines_of(folder_ / "offsets" / std::to_string(batch));
  BatchOffsets out;
  const auto metadata = json::parse(lines.at(0));
  out.watermark = metadata.value("batchWatermarkMs", int64_t{0});
  out.time = metadata.value("batchTimestampMs", int64_t{0});
  for (size_t i = 1; i < lines.size(); ++i) out.ends.push_back(lines[i] == "-" ? "" : lines[i]);
  return out;
}

void StreamCheckpoint::plan(int64_t batch, const BatchOffsets& offsets) {
  std::string text = "v1\n" + nlohmann::ordered_json{{"batchWatermarkMs", offsets.watermark},
                                                     {"batchTimestampMs", offsets.time},
                                                     {"conf", json::object()}}
                                  .dump();
  for (const auto& end : offsets.ends) text += "\n" + (end.empty() ? "-" : end);
  write_file_aside(folder_ / "offsets" / std::to_string(batch), text);
  for (const char* log : {"offsets", "commits"})
    fs::remove(folder_ / log / std::to_string(batch - kKeptBatches));
}

void StreamCheckpoint::commit(int64_t batch, int64_t next_watermark) {
  write_file_aside(folder_ / "commits" / std::to_string(batch),
                   "v1\n" + json{{"nextBatchWatermarkMs", next_watermark}}.dump());
}

int64_t StreamCheckpoint::next_watermark(int64_t batch) const {
  const auto lines = lines_of(folder_ / "commits" / std::to_string(batch));
  return json::parse(lines.at(0)).value("nextBatchWatermarkMs", int64_t{0});
}

}  // namespace firesteel
