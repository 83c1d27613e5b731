// Archives that a client sends, unpacked for the Python functions of its session.
#pragma once

#include <filesystem>

namespace firesteel::connect {

/// Unpacks a tar (also compressed), zip or jar as a folder: whole or not at all, and nothing
/// outside of it. Throws INVALID_ARCHIVE.
void unpack(const std::filesystem::path& archive, const std::filesystem::path& folder);

}  // namespace firesteel::connect
