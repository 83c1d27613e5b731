// Builds a trie level by level from sorted texts.
#include "text/trie.h"

#include <algorithm>

namespace firesteel::text {

Trie::Trie(std::vector<std::pair<std::string, uint32_t>> texts) : first_byte_(256, kNone) {
  std::ranges::stable_sort(texts, {}, &std::pair<std::string, uint32_t>::first);
  struct Pending {
    size_t begin, end;  // the texts below a node
  };
  std::vector<Pending> level = {{0, texts.size()}};
  bytes_.push_back('\0');
  values_.push_back(kNone);
  for (size_t depth = 0; !level.empty(); ++depth) {
    std::vector<Pending> below;
    for (const auto& [begin, end] : level) {
      children_.push_back(static_cast<uint32_t>(bytes_.size()));
      for (size_t at = begin; at < end;) {
        if (texts[at].first.size() == depth) {  // empty
          ++at;
          continue;
        }
        const char byte = texts[at].first[depth];
        size_t stop = at;
        uint32_t value = kNone;
        while (stop < end && texts[stop].first[depth] == byte) {
          if (texts[stop].first.size() == depth + 1) value = texts[stop].second;
          ++stop;
        }
        // Those that end here come first and have no part in what follows.
        size_t longer = at;
        while (longer < stop && texts[longer].first.size() == depth + 1) ++longer;
        bytes_.push_back(byte);
        values_.push_back(value);
        below.push_back({longer, stop});
        at = stop;
      }
    }
    level = std::move(below);
  }
  children_.push_back(static_cast<uint32_t>(bytes_.size()));
  for (uint32_t child = children_[0]; child < children_[1]; ++child) {
    first_byte_[static_cast<uint8_t>(bytes_[child])] = child;
  }
}

}  // namespace firesteel::text
