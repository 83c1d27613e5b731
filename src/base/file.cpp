// Writing aside: temporary name, fsync of the file, rename, fsync of its folder.
#include "base/file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "base/error.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(std::string_view action, const fs::path& path, int code) {
  if (code == ENOENT || code == ENOTDIR) {
    throw Error("PATH_NOT_FOUND", fmt::format("Cannot {} `{}`: there is no such file or folder.",
                                              action, path.string()));
  }
  if (code == ENOSPC || code == EDQUOT) {
    throw Error("DISK_FULL", fmt::format("Cannot {} `{}`: the disk is full. Free some space or "
                                         "choose another folder.",
                                         action, path.string()));
  }
  throw Error("IO_ERROR",
              fmt::format("Cannot {} `{}`: {}.", action, path.string(), std::strerror(code)));
}

/// A name beside `target` that no other process or call uses.
fs::path aside_name(const fs::path& target) {
  static std::atomic<uint64_t> count{0};
  fs::path plain = target.has_filename() ? target : target.parent_path();
  return plain.parent_path() /
         fmt::format(".{}.{}-{}.tmp", plain.filename().string(), ::getpid(), count++);
}

/// A file descriptor, closed on destruction.
struct Descriptor {
  int number = -1;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

void sync_folder(const fs::path& folder) {
  Descriptor file{
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (file.number >= 0) ::fsync(file.number);  // Some file systems cannot; the rename still holds.
}

}  // namespace

std::string read_file(const fs::path& path) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.number < 0) fail("read", path, errno);
  struct stat status {};
  if (::fstat(file.number, &status) != 0) fail("read", path, errno);
  if (S_ISDIR(status.st_mode)) fail("read", path, EISDIR);
  std::string bytes(static_cast<size_t>(status.st_size), '\0');
  size_t done = 0;
  while (true) {
    if (done == bytes.size()) bytes.resize(bytes.size() + 4096);  // A pipe, or a file that grows.
    const ssize_t count = ::read(file.number, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read", path, errno);
    if (count == 0) break;
    done += static_cast<size_t>(count);
  }
  bytes.resize(done);
  return bytes;
}

void write_file_aside(const fs::path& path, std::string_view bytes) {
  FileAside file(path);
  file.write(bytes);
  file.commit();
}

FileAside::FileAside(fs::path target) : target_(std::move(target)), aside_(aside_name(target_)) {
  file_ = ::open(aside_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (file_ < 0) fail("write", target_, errno);
}

FileAside::~FileAside() {
  if (file_ >= 0) ::close(file_);
  if (!aside_.empty()) ::unlink(aside_.c_str());
}

void FileAside::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("write", target_, errno);
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

void FileAside::commit() {
  if (::fsync(file_) != 0) fail("write", target_, errno);
  if (::rename(aside_.c_str(), target_.c_str()) != 0) fail("write", target_, errno);
  aside_.clear();
  sync_folder(target_.parent_path());
}

OpenFile::OpenFile(fs::path path) : path_(std::move(path)) {
  file_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) fail("read", path_, errno);
  struct stat status {};
  if (::fstat(file_, &status) != 0) {
    ::close(file_);
    fail("read", path_, errno);
  }
  size_ = static_cast<size_t>(status.st_size);
  if (size_ == 0) return;
  void* place = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file_, 0);
  if (place == MAP_FAILED) {
    ::close(file_);
    fail("map", path_, errno);
  }
  mapped_ = static_cast<const char*>(place);
}

OpenFile::~OpenFile() {
  if (mapped_) ::munmap(const_cast<char*>(mapped_), size_);
  if (file_ >= 0) ::close(file_);
}

OpenFile::OpenFile(OpenFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      mapped_(std::exchange(other.mapped_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

OpenFile& OpenFile::operator=(OpenFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  std::swap(mapped_, other.mapped_);
  std::swap(size_, other.size_);
  return *this;
}

void OpenFile::read(size_t begin, size_t size, void* out) const {
  for (size_t done = 0; done < size;) {
    const ssize_t count = ::pread(file_, static_cast<char*>(out) + done, size - done,
                                  static_cast<off_t>(begin + done));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) fail("read", path_, count < 0 ? errno : EIO);
    done += static_cast<size_t>(count);
  }
}

void OpenFile::will_need(size_t begin, size_t size) const {
  ::posix_fadvise(file_, static_cast<off_t>(begin), static_cast<off_t>(size), POSIX_FADV_WILLNEED);
}

uint64_t hash_bytes(std::string_view bytes, uint64_t seed) {
  return XXH64(bytes.data(), bytes.size(), seed);
}

std::string hash_text(uint64_t hash) { return fmt::format("{:016x}", hash); }

std::string hash_file(const fs::path& path) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.number < 0) fail("read", path, errno);
  const std::unique_ptr<XXH64_state_t, decltype(&XXH64_freeState)> state(XXH64_createState(),
                                                                         &XXH64_freeState);
  XXH64_reset(state.get(), 0);
  std::string buffer(1 << 20, '\0');
  while (true) {
    const ssize_t count = ::read(file.number, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail("read", path, errno);
    if (count == 0) return hash_text(XXH64_digest(state.get()));
    XXH64_update(state.get(), buffer.data(), static_cast<size_t>(count));
  }
}

FolderAside::FolderAside(fs::path target) : target_(std::move(target)) {
  if (!target_.has_filename()) target_ = target_.parent_path();
  aside_ = aside_name(target_);
  std::error_code code;
  fs::create_directories(aside_, code);
  if (code) fail("create the folder", target_, code.value());
}

FolderAside::~FolderAside() {
  std::error_code ignored;
  if (!aside_.empty()) fs::remove_all(aside_, ignored);
}

void FolderAside::commit() {
  sync_folder(aside_);
  if (::rename(aside_.c_str(), target_.c_str()) == 0) {
    aside_.clear();
  } else if (errno == EEXIST || errno == ENOTEMPTY || errno == ENOTDIR) {
    // The old folder takes the temporary name, and the destructor removes it.
    if (::renameat2(AT_FDCWD, aside_.c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) != 0) {
      fail("replace", target_, errno);
    }
  } else {
    fail("write", target_, errno);
  }
  sync_folder(target_.parent_path());
}

}  // namespace firesteel
