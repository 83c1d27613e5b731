// Archives: those that a client sends, unpacked for the functions of its session, and those that
// the cluster client makes for executors.
#pragma once

#include <filesystem>
#include <map>
#include <string>

namespace firesteel::cluster {

/// Unpacks a tar (also compressed), zip or jar as a folder: whole or not at all, and nothing
/// outside of it. Throws INVALID_ARCHIVE.
void unpack(const std::filesystem::path& archive, const std::filesystem::path& folder);

/// Files by the names they get. Links are followed.
using ArchiveFiles = std::map<std::string, std::filesystem::path>;
/// Every file under a folder, by its path in it.
ArchiveFiles files_of(const std::filesystem::path& folder);
/// A name for their names and contents.
std::string content_name(const ArchiveFiles& files);
/// Writes a tar, whole or not at all. Throws IO_ERROR, DISK_FULL.
void pack(const ArchiveFiles& files, const std::filesystem::path& archive);

/// A folder of this machine and user for what is unpacked once: FIRESTEEL_CACHE, or one in the
/// system's folder for temporary files. Made when it is not there; throws IO_ERROR when it is
/// another user's.
std::filesystem::path machine_cache();
/// The folder `name` in the cache, unpacked from `archive` unless it is there. Processes wait for
/// each other.
std::filesystem::path unpacked_once(const std::string& name, const std::filesystem::path& archive);

}  // namespace firesteel::cluster
