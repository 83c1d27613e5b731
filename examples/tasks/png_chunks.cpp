// The chunks of PNG files (https://www.w3.org/TR/png-3/#5Chunk-layout): how many of each kind there
// are and their bytes. A file that is none, or ends too early, is said and passed over.
#include <cstdio>
#include <cstring>

#include "jobs.h"

using namespace firesteel;

namespace png {

struct File {
  std::string path;
  std::vector<std::byte> content;
};
FIRESTEEL_ROW(File, path, content)

struct Chunk {
  std::string kind;  // or, with no chunks, what is wrong with a file
  int64_t chunks, bytes;
};
FIRESTEEL_ROW(Chunk, kind, chunks, bytes)

constexpr auto parse = [](const File& file, Emit<Chunk>& out) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(file.content.data());
  const size_t size = file.content.size();
  if (size < 8 || std::memcmp(bytes, "\x89PNG\r\n\x1a\n", 8) != 0)
    return out({file.path + " is no PNG file", 0, 0});
  for (size_t place = 8; place < size;) {  // length, kind, data, checksum
    const size_t left = size - place;
    const auto* at = bytes + place;
    const size_t length =
        left < 12 ? left
                  : size_t{at[0]} << 24 | size_t{at[1]} << 16 | size_t{at[2]} << 8 | size_t{at[3]};
    if (left < 12 || length > left - 12) return out({file.path + " ends too early", 0, 0});
    out({std::string(reinterpret_cast<const char*>(at) + 4, 4), 1, static_cast<int64_t>(length)});
    place += length + 12;
  }
};

constexpr auto add = [](const Chunk& a, const Chunk& b) {
  return Chunk{a.kind, a.chunks + b.chunks, a.bytes + b.bytes};
};

}  // namespace png

void list_png_chunks(const Session& spark, const std::string& path) {
  using png::Chunk;
  const auto chunks = Dataset<png::File>::of(spark.read().format("binaryFile").load(path))
                          .flat_map<png::parse>()
                          .reduce_by_key<&Chunk::kind, png::add>()
                          .sort<&Chunk::kind>();
  for (const auto& row : chunks.collect()) {
    if (row.chunks == 0) {
      std::printf("%s\n", row.kind.c_str());
    } else {
      std::printf("%s %6ld chunks %9ld bytes\n", row.kind.c_str(), row.chunks, row.bytes);
    }
  }
}
