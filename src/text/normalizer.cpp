// Normalizers, a class per kind, and the table of them.
#include "text/normalizer.h"

#include <fmt/format.h>

#include <array>

#include "text/byte_level.h"
#include "text/regex.h"

namespace firesteel::text {

namespace {

bool is_chinese(char32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) ||
         (c >= 0x20000 && c <= 0x2A6DF) || (c >= 0x2A700 && c <= 0x2B73F) ||
         (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

/// Cleans, sets Chinese characters apart, strips accents, lowers.
class Bert : public Normalizer {
 public:
  explicit Bert(const Config& config)
      : clean_(config.flag("clean_text", true)),
        chinese_(config.flag("handle_chinese_chars", true)),
        lower_(config.flag("lowercase", true)),
        strip_(config.flag("strip_accents", lower_)) {
    for (int c = 0; c < 128; ++c) {
      const bool blank = is_whitespace(c);
      const bool removed = clean_ && !blank && is_other(c);
      // U+000B and U+000C count as control characters, though they are white.
      ascii_[c] = removed || (clean_ && (c == 0x0B || c == 0x0C)) ? kRemoved
                  : clean_ && blank                               ? ' '
                  : lower_                                        ? static_cast<char>(to_lower(c))
                                                                  : static_cast<char>(c);
    }
    ascii_[0] = clean_ ? kRemoved : '\0';
  }

  void apply(AlignedText& text) const override {
    if (is_ascii(text.text()) && apply_ascii(text)) return;
    if (clean_) clean(text);
    if (chinese_) set_apart(text);
    if (strip_) {
      normalize(text, NormalForm::kNfd);
      filter(text, [](char32_t c) { return !is_nonspacing_mark(c); });
    }
    if (lower_) lowercase(text);
  }

 private:
  static constexpr char kRemoved = '\x7F';

  /// In place; false, with nothing done, when a character goes.
  bool apply_ascii(AlignedText& text) const {
    char* bytes = text.bytes();
    bool whole = true;
    for (uint32_t at = 0; at < text.size(); ++at)
      whole &= ascii_[static_cast<uint8_t>(bytes[at])] != kRemoved;
    if (!whole) return false;
    for (uint32_t at = 0; at < text.size(); ++at)
      bytes[at] = ascii_[static_cast<uint8_t>(bytes[at])];
    return true;
  }

  static void clean(AlignedText& text) {
    filter(text, [](char32_t c) {
      if (c == '\t' || c == '\n' || c == '\r') return true;
      return c != 0 && c != 0xFFFD && !is_other(c);
    });
    map(text, [](char32_t c) { return is_whitespace(c) ? U' ' : c; });
  }

  static void set_apart(AlignedText& text) {
    const std::string& old = text.text();
    std::optional<Rewrite> rewrite;
    uint32_t kept = 0;
    for (uint32_t at = 0; at < old.size();) {
      const uint32_t begin = at;
      const char32_t c = next_character(old, at);
      if (!is_chinese(c)) continue;
      if (!rewrite) rewrite.emplace(text);
      rewrite->keep(kept, begin);
      const Range origin = text.origin(begin, begin + 1);
      rewrite->put(" ", origin);
      rewrite->put(c, origin);
      rewrite->put(" ", origin);
      kept = at;
    }
    if (!rewrite) return;
    rewrite->keep(kept, text.size());
    rewrite->finish();
  }

  bool clean_, chinese_, lower_, strip_;
  std::array<char, 256> ascii_{};
};

class Form : public Normalizer {
 public:
  explicit Form(NormalForm form) : form_(form) {}
  void apply(AlignedText& text) const override { normalize(text, form_); }

 private:
  NormalForm form_;
};

class Lowercase : public Normalizer {
 public:
  void apply(AlignedText& text) const override { lowercase(text); }
};

class StripAccents : public Normalizer {
 public:
  void apply(AlignedText& text) const override {
    filter(text, [](char32_t c) { return !is_mark(c); });
  }
};

class Strip : public Normalizer {
 public:
  explicit Strip(const Config& config)
      : left_(config.flag("strip_left", true)), right_(config.flag("strip_right", true)) {}
  void apply(AlignedText& text) const override {
    const std::string& old = text.text();
    uint32_t begin = 0, end = text.size();
    while (left_ && begin < end) {
      uint32_t next = begin;
      if (!is_whitespace(next_character(old, next))) break;
      begin = next;
    }
    while (right_ && begin < end) {
      uint32_t last = end - 1;
      while (last > 0 && is_continuation(old[last])) --last;
      uint32_t next = last;
      if (!is_whitespace(next_character(old, next))) break;
      end = last;
    }
    if (begin == 0 && end == text.size()) return;
    Rewrite rewrite(text);
    rewrite.keep(begin, end);
    rewrite.finish();
  }

 private:
  bool left_, right_;
};

class Replace : public Normalizer {
 public:
  explicit Replace(const Config& config)
      : pattern_(make_pattern(config)), content_(config.text("content")) {}
  void apply(AlignedText& text) const override {
    std::optional<Rewrite> rewrite;
    uint32_t kept = 0;
    pattern_.each(text.text(), {0, text.size()}, [&](Range match) {
      if (!rewrite) rewrite.emplace(text);
      rewrite->keep(kept, match.begin);
      // As what stands before the end of what it replaces.
      rewrite->put(content_, match.end > 0 ? text.origin(match.end - 1, match.end) : Range{});
      kept = match.end;
    });
    if (!rewrite) return;
    rewrite->keep(kept, text.size());
    rewrite->finish();
  }

 private:
  Regex pattern_;
  std::string content_;
};

class Prepend : public Normalizer {
 public:
  explicit Prepend(const Config& config) : prefix_(config.text("prepend")) {}
  void apply(AlignedText& text) const override {
    if (text.size() == 0) return;
    Rewrite rewrite(text);
    rewrite.put(prefix_, text.origin(0, 1));
    rewrite.keep(0, text.size());
    rewrite.finish();
  }

 private:
  std::string prefix_;
};

class Nmt : public Normalizer {
 public:
  void apply(AlignedText& text) const override {
    filter(text, [](char32_t c) {
      return !((c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F ||
               c == 0x8F || c == 0x9F);
    });
    map(text, [](char32_t c) {
      const bool blank = c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 ||
                         (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 ||
                         c == 0x2581 || c == 0xFEFF || c == 0xFFFD;
      return blank ? U' ' : c;
    });
  }
};

class ByteLevel : public Normalizer {
 public:
  void apply(AlignedText& text) const override {
    Rewrite rewrite(text);
    put_bytes({0, text.size()}, rewrite);
    rewrite.finish();
  }
};

class Sequence : public Normalizer {
 public:
  explicit Sequence(const Config& config) {
    for (const Config& item : config.items("normalizers")) steps_.push_back(make_normalizer(item));
  }
  void apply(AlignedText& text) const override {
    for (const auto& step : steps_) step->apply(text);
  }

 private:
  std::vector<std::unique_ptr<Normalizer>> steps_;
};

}  // namespace

std::unique_ptr<Normalizer> make_normalizer(const Config& config) {
  const std::string kind = config.kind();
  if (kind == "BertNormalizer") return std::make_unique<Bert>(config);
  if (kind == "NFC") return std::make_unique<Form>(NormalForm::kNfc);
  if (kind == "NFD") return std::make_unique<Form>(NormalForm::kNfd);
  if (kind == "NFKC") return std::make_unique<Form>(NormalForm::kNfkc);
  if (kind == "NFKD") return std::make_unique<Form>(NormalForm::kNfkd);
  if (kind == "Lowercase") return std::make_unique<Lowercase>();
  if (kind == "StripAccents") return std::make_unique<StripAccents>();
  if (kind == "Strip") return std::make_unique<Strip>(config);
  if (kind == "Replace") return std::make_unique<Replace>(config);
  if (kind == "Prepend") return std::make_unique<Prepend>(config);
  if (kind == "Nmt") return std::make_unique<Nmt>();
  if (kind == "Precompiled") return make_precompiled(config);
  if (kind == "ByteLevel") return std::make_unique<ByteLevel>();
  if (kind == "Sequence") return std::make_unique<Sequence>(config);
  config.unsupported(fmt::format("a normalizer of the kind `{}`", kind));
}

}  // namespace firesteel::text
