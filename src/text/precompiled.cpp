// Sentencepiece's map of characters: a double array (darts-clone's layout) whose values are places
// in a block of texts that end with a zero byte.
#include <openssl/evp.h>
#include <unicode/ubrk.h>
#include <unicode/utext.h>

#include <cstring>

#include "base/error.h"
#include "text/normalizer.h"

namespace firesteel::text {

namespace {

std::string from_base64(const Config& config, const std::string& text) {
  std::string bytes(text.size() / 4 * 3, '\0');
  const int size = text.size() % 4 != 0 || text.empty()
                       ? -1
                       : EVP_DecodeBlock(reinterpret_cast<unsigned char*>(bytes.data()),
                                         reinterpret_cast<const unsigned char*>(text.data()),
                                         static_cast<int>(text.size()));
  if (size < 0) config.damaged("`precompiled_charsmap` is no base64");
  return bytes;  // with the zeros that stand for padding
}

/// Closes ICU's objects.
struct Close {
  void operator()(UBreakIterator* iterator) const { ubrk_close(iterator); }
  void operator()(UText* text) const { utext_close(text); }
};

class Precompiled : public Normalizer {
 public:
  explicit Precompiled(const Config& config) {
    const std::string bytes = from_base64(config, config.text("precompiled_charsmap"));
    uint32_t size = 0;
    if (bytes.size() >= 4) std::memcpy(&size, bytes.data(), 4);
    if (size == 0 || size % 4 != 0 || size + 4 > bytes.size())
      config.damaged("`precompiled_charsmap` is cut short");
    units_.resize(size / 4);
    std::memcpy(units_.data(), bytes.data() + 4, size);
    texts_ = bytes.substr(4 + size);
  }

  void apply(AlignedText& text) const override {
    std::vector<Change> changes;
    changes.reserve(text.size());
    bool changed = false;
    // Of a cluster of few bytes the whole is looked up, then each character.
    each_cluster(text.text(), [&](std::string_view cluster) {
      if (cluster.size() < 6 && replace(cluster, changes)) {
        changed = true;
        return;
      }
      for (uint32_t at = 0; at < cluster.size();) {
        const uint32_t begin = at;
        const char32_t c = next_character(cluster, at);
        if (replace(cluster.substr(begin, at - begin), changes)) {
          changed = true;
        } else {
          changes.push_back({c, 0});
        }
      }
    });
    if (changed) transform(text, changes);
  }

 private:
  /// The text of the shortest entry that `key` begins with.
  std::optional<std::string_view> find(std::string_view key) const {
    const auto offset = [](uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); };
    uint32_t place = offset(units_[0]);
    for (const char byte : key) {
      if (byte == 0) return std::nullopt;
      place ^= static_cast<uint8_t>(byte);
      if (place >= units_.size()) return std::nullopt;
      const uint32_t unit = units_[place];
      if ((unit & ((1u << 31) | 0xFF)) != static_cast<uint8_t>(byte)) return std::nullopt;
      place ^= offset(unit);
      if (place >= units_.size()) return std::nullopt;
      if ((unit >> 8) & 1) {
        const uint32_t begin = units_[place] & 0x7FFFFFFF;
        if (begin > texts_.size()) return std::nullopt;
        return std::string_view(texts_.data() + begin);
      }
    }
    return std::nullopt;
  }

  bool replace(std::string_view part, std::vector<Change>& changes) const {
    const auto replacement = find(part);
    if (!replacement || find_invalid(*replacement) != std::string_view::npos) return false;
    const int before = static_cast<int>(count_characters(part));
    int count = 0;
    for (uint32_t at = 0; at < replacement->size(); ++count) {
      changes.push_back({next_character(*replacement, at), count < before ? 0 : 1});
    }
    // What is left over goes with the last one that was put, wherever it stems from.
    if (count < before && !changes.empty()) changes.back().change += count - before;
    return true;
  }

  /// Extended grapheme clusters.
  template <typename Use>
  static void each_cluster(std::string_view text, Use use) {
    if (is_ascii(text)) {  // CR LF is the one cluster of two
      for (size_t at = 0; at < text.size();) {
        const size_t size = text.substr(at, 2) == "\r\n" ? 2 : 1;
        use(text.substr(at, size));
        at += size;
      }
      return;
    }
    thread_local std::unique_ptr<UBreakIterator, Close> breaks;
    UErrorCode status = U_ZERO_ERROR;
    if (!breaks) breaks.reset(ubrk_open(UBRK_CHARACTER, "en", nullptr, 0, &status));
    const std::unique_ptr<UText, Close> opened(
        utext_openUTF8(nullptr, text.data(), static_cast<int64_t>(text.size()), &status));
    if (U_SUCCESS(status)) ubrk_setUText(breaks.get(), opened.get(), &status);
    if (U_FAILURE(status))
      throw Error("IO_ERROR",
                  std::string("ICU cannot find the characters of a text: ") + u_errorName(status));
    int32_t begin = ubrk_first(breaks.get());
    for (int32_t end; (end = ubrk_next(breaks.get())) != UBRK_DONE; begin = end)
      use(text.substr(begin, end - begin));
  }

  std::vector<uint32_t> units_;
  std::string texts_;
};

}  // namespace

std::unique_ptr<Normalizer> make_precompiled(const Config& config) {
  return std::make_unique<Precompiled>(config);
}

}  // namespace firesteel::text
