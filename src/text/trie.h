// Texts with a number each, as a tree by bytes: which of them begin at a place of a text?
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firesteel::text {

/// Nodes stand level by level, so a node's children are a stretch of the nodes, whose bytes
/// `memchr` searches. Const calls are thread-safe.
class Trie {
 public:
  static constexpr uint32_t kNone = UINT32_MAX;

  Trie() : Trie(std::vector<std::pair<std::string, uint32_t>>()) {}
  /// Of equal texts the last one's number counts. Empty texts are left out.
  explicit Trie(std::vector<std::pair<std::string, uint32_t>> texts);

  bool empty() const { return bytes_.size() == 1; }
  static constexpr uint32_t kRoot = 0;
  /// The node behind `byte`, or `kNone`.
  uint32_t next(uint32_t node, char byte) const {
    if (node == kRoot) return first_byte_[static_cast<uint8_t>(byte)];
    const char* begin = bytes_.data() + children_[node];
    const size_t count = children_[node + 1] - children_[node];
    if (count <= 1) return count == 1 && *begin == byte ? children_[node] : kNone;
    const auto* found = static_cast<const char*>(std::memchr(begin, byte, count));
    return found ? static_cast<uint32_t>(found - bytes_.data()) : kNone;
  }
  /// The number of the text that ends at a node, or `kNone`.
  uint32_t value(uint32_t node) const { return values_[node]; }

  struct Match {
    uint32_t size = 0, value = kNone;
  };
  /// The longest text that begins at `node` with `text`; size 0 when there is none.
  Match longest(std::string_view text, uint32_t node = kRoot) const {
    Match match;
    for (uint32_t at = 0; at < text.size();) {
      node = next(node, text[at++]);
      if (node == kNone) break;
      if (values_[node] != kNone) match = {at, values_[node]};
    }
    return match;
  }
  /// The node that `text` leads to, or `kNone`.
  uint32_t walk(std::string_view text) const {
    uint32_t node = kRoot;
    for (size_t at = 0; at < text.size() && node != kNone; ++at) node = next(node, text[at]);
    return node;
  }

 private:
  std::string bytes_;               // what leads to each node
  std::vector<uint32_t> children_;  // where those of each node begin
  std::vector<uint32_t> values_;
  std::vector<uint32_t> first_byte_;  // the root's children
};

}  // namespace firesteel::text
