// A folder for as long as it is needed.
#pragma once

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "base/error.h"

namespace firesteel {

/// A folder that goes with its owner, made when it is asked for.
class Temporary {
 public:
  ~Temporary() {
    std::error_code ignored;
    if (!folder_.empty()) std::filesystem::remove_all(folder_, ignored);
  }
  const std::filesystem::path& folder() const {
    if (folder_.empty()) {
      std::string name = (std::filesystem::temp_directory_path() / "firesteel-XXXXXX").string();
      if (!::mkdtemp(name.data())) {
        throw Error("IO_ERROR", fmt::format("Cannot make a folder like `{}`.", name));
      }
      folder_ = name;
    }
    return folder_;
  }

 private:
  mutable std::filesystem::path folder_;
};

}  // namespace firesteel
