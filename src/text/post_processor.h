// The post-processors of a tokenizer.json: tokens that are added around a text or two, offsets
// without the blanks around words.
#pragma once

#include <string_view>
#include <vector>

#include "text/config.h"
#include "text/encoding.h"

namespace firesteel::text {

/// Blanks that a token's text begins and ends with.
struct Blanks {
  uint32_t before = 0, behind = 0;
};
Blanks blanks_of(std::string_view token);

/// The tokens of one text.
struct Part {
  std::vector<int64_t> ids;
  std::vector<Offsets> offsets;
  std::vector<Blanks> blanks;  // empty when no post-processor asks
  void clear();
  /// Keeps `size` tokens at most.
  void truncate(size_t size, Side side);
};

/// Const calls are thread-safe.
class PostProcessor {
 public:
  PostProcessor();
  /// Throws UNSUPPORTED_MODEL for a kind that is not known, INVALID_ARTIFACT for a damaged one.
  explicit PostProcessor(const Config& config);

  bool trims() const { return !trims_.empty(); }
  /// How many tokens it adds.
  size_t added(bool pair) const;
  /// One encoding of one text or of two; `second` may be null.
  Encoding join(Part& first, Part* second, bool add_special) const;

 private:
  struct Piece {
    int part = -1;  // 0: the first text, 1: the second; -1: the tokens `ids`
    int64_t type_id = 0;
    std::vector<int64_t> ids;
  };
  void read(const Config& config);
  static std::vector<Piece> read_template(const Config& config, std::string_view name);
  void trim(Part& part) const;

  std::vector<Piece> single_, pair_;
  std::vector<bool>
      trims_;  // one after another; whether a first blank is the prefix that was added
};

}  // namespace firesteel::text
