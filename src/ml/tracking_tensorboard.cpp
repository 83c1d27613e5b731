// TensorBoard's event files: records of TFRecord (length, masked CRC32C, bytes, masked CRC32C),
// each an `Event` of tensorflow/core/util/event.proto, of which the few fields used are encoded
// here.
#include <fcntl.h>
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <unistd.h>

#include <bit>
#include <boost/crc.hpp>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "ml/tracking.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

using google::protobuf::io::CodedOutputStream;
using google::protobuf::io::StringOutputStream;

static_assert(std::endian::native == std::endian::little);  // as the files are

// Fields of the messages Event, Summary and Summary.Value, as (number << 3) | wire type.
constexpr uint32_t kWallTime = 1 << 3 | 1, kStep = 2 << 3 | 0, kFileVersion = 3 << 3 | 2,
                   kSummary = 5 << 3 | 2;
constexpr uint32_t kValue = 1 << 3 | 2;
constexpr uint32_t kTag = 1 << 3 | 2, kSimpleValue = 2 << 3 | 5;

template <typename Fill>
std::string message(const Fill& fill) {
  std::string bytes;
  {
    StringOutputStream stream(&bytes);
    CodedOutputStream out(&stream);
    fill(out);
  }
  return bytes;
}

void put_bytes(CodedOutputStream& out, uint32_t tag, const std::string& bytes) {
  out.WriteTag(tag);
  out.WriteVarint32(static_cast<uint32_t>(bytes.size()));
  out.WriteString(bytes);
}

std::string event(int64_t step, uint32_t tag, const std::string& content) {
  const double now =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return message([&](CodedOutputStream& out) {
    out.WriteTag(kWallTime);
    out.WriteLittleEndian64(std::bit_cast<uint64_t>(now));
    out.WriteTag(kStep);
    out.WriteVarint64(static_cast<uint64_t>(step));
    put_bytes(out, tag, content);
  });
}

std::string summary(const std::vector<std::pair<std::string, double>>& scalars) {
  return message([&](CodedOutputStream& out) {
    for (const auto& [name, value] : scalars) {
      put_bytes(out, kValue, message([&](CodedOutputStream& inner) {
                  put_bytes(inner, kTag, name);
                  inner.WriteTag(kSimpleValue);
                  inner.WriteLittleEndian32(std::bit_cast<uint32_t>(static_cast<float>(value)));
                }));
    }
  });
}

/// TFRecord's checksum: a checksum of data that hold checksums would be weak without the mask.
std::string masked_crc32c(const std::string& bytes) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0xFFFFFFFF, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  const uint32_t masked = std::rotr(static_cast<uint32_t>(crc.checksum()), 15) + 0xA282EAD8U;
  return {reinterpret_cast<const char*>(&masked), sizeof masked};
}

std::string record(const std::string& bytes) {
  const uint64_t size = bytes.size();
  const std::string length(reinterpret_cast<const char*>(&size), sizeof size);
  return length + masked_crc32c(length) + bytes + masked_crc32c(bytes);
}

class TensorboardTracker : public Tracker {
 public:
  TensorboardTracker(fs::path folder, const fs::path& work)
      : folder_(std::move(folder)), run_file_(work / "tensorboard.run") {}
  ~TensorboardTracker() override {
    if (descriptor_ >= 0) ::close(descriptor_);
  }

  /// A resumed run adds a file to the folder of the run before; TensorBoard shows them as one.
  void start(const TrackedRun& run) override {
    fs::path folder = folder_ / run.name;
    if (run.resumed && fs::exists(run_file_)) {
      folder = read_file(run_file_);
    } else {
      for (int i = 2; fs::exists(folder); ++i) {
        folder = folder_ / fmt::format("{}-{}", run.name, i);
      }
      write_file_aside(run_file_, folder.string());
    }
    std::error_code failure;
    fs::create_directories(folder, failure);
    char host[256] = "";
    ::gethostname(host, sizeof host - 1);
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(
        std::chrono::system_clock::now().time_since_epoch());
    file_ = folder / fmt::format("events.out.tfevents.{}.{}.{}", seconds.count(), host, ::getpid());
    descriptor_ = ::open(file_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (descriptor_ < 0) {
      throw Error("IO_ERROR",
                  fmt::format("`{}` cannot be written: {}.", file_.string(), std::strerror(errno)));
    }
    write(event(0, kFileVersion, "brain.Event:2"));
  }

  void epoch(const TrainProgress& progress) override {
    write(event(progress.finished->epoch + 1, kSummary, summary(scalars_of(progress))));
  }

  void end(const TrackedEnd& end) override {
    const auto scalars = scalars_of(end);
    if (!scalars.empty()) write(event(end.epoch, kSummary, summary(scalars)));
  }

  std::vector<std::string> warnings() override { return std::exchange(warnings_, {}); }

 private:
  void write(const std::string& bytes) {
    if (descriptor_ < 0) return;
    const std::string whole = record(bytes);
    const auto written = ::write(descriptor_, whole.data(), whole.size());
    if (written == static_cast<ssize_t>(whole.size())) return;
    warnings_.push_back(fmt::format("{} cannot be written, training goes on without: {}",
                                    file_.string(),
                                    written < 0 ? std::strerror(errno) : "it is full"));
    ::close(std::exchange(descriptor_, -1));  // Behind a part of a record nothing can be read.
  }

  const fs::path folder_, run_file_;
  fs::path file_;
  int descriptor_ = -1;
  std::vector<std::string> warnings_;
};

}  // namespace

std::unique_ptr<Tracker> tensorboard_tracker(const TrackOptions& options, const fs::path& work) {
  return std::make_unique<TensorboardTracker>(options.tensorboard, work);
}

}  // namespace firesteel
