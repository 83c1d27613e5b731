// The texts that start the program on executors, and the files it is made of.
#include "cluster/bridge.h"

#include <link.h>

#include <algorithm>
#include <string_view>

namespace firesteel::cluster {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kBridge =
#include "bridge.inc"
    ;
constexpr std::string_view kScript =
#include "worker_script.inc"
    ;

/// What belongs to the machine's C library, with which a program of another would not start.
bool is_of_system(const std::string& name) {
  static constexpr std::string_view kNames[] = {"ld-linux",     "libc.so",  "libm.so",
                                                "libdl.so",     "librt.so", "libpthread.so",
                                                "libresolv.so", "libnss_",  "linux-vdso"};
  return std::ranges::any_of(kNames, [&](auto start) { return name.starts_with(start); });
}

fs::path program_path() { return fs::read_symlink("/proc/self/exe"); }

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
}

}  // namespace

ArchiveFiles program_files() {
  ArchiveFiles files;
  ::dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* out) {
        const fs::path path = info->dlpi_name;
        const auto name = path.filename().string();
        if (!name.empty() && !is_of_system(name) && fs::exists(path))
          (*static_cast<ArchiveFiles*>(out))["lib/" + name] = path;
        return 0;
      },
      &files);
  files["bin/" + program_name()] = program_path();
  return files;
}

std::string program_name() { return program_path().filename().string(); }

std::string bridge_module() { return std::string(kBridge); }

std::string worker_script(const std::string& program, const std::string& executable,
                          const std::string& home) {
  std::string text(kScript);
  replace_all(text, "@program@", program);
  replace_all(text, "@executable@", executable);
  replace_all(text, "@home@", home);
  return text;
}

}  // namespace firesteel::cluster
