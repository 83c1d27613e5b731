// Pre-tokenizers, a class per kind, and the table of them.
#include "text/pre_tokenizer.h"

#include <fmt/format.h>
#include <unicode/uscript.h>

#include <array>
#include <optional>

#include "text/byte_level.h"
#include "text/regex.h"

namespace firesteel::text {

namespace {

/// What becomes of the matches that part a word.
enum class Behavior { kRemoved, kIsolated, kMergedWithPrevious, kMergedWithNext, kContiguous };

Behavior behavior_of(const Config& config, std::string otherwise) {
  const std::string name = config.text("behavior", std::move(otherwise));
  if (name == "Removed") return Behavior::kRemoved;
  if (name == "Isolated") return Behavior::kIsolated;
  if (name == "MergedWithPrevious") return Behavior::kMergedWithPrevious;
  if (name == "MergedWithNext") return Behavior::kMergedWithNext;
  if (name == "Contiguous") return Behavior::kContiguous;
  config.unsupported(fmt::format("the behavior `{}`", name));
}

/// Puts the parts of one word together: each is a match or what stands between two.
class Splitter {
 public:
  Splitter(Behavior behavior, std::vector<Range>& words)
      : behavior_(behavior), words_(words), first_(words.size()) {}

  void part(Range range, bool match) {
    const bool any = words_.size() > first_;
    bool join = false;
    switch (behavior_) {
      case Behavior::kRemoved:
        if (match) return;
        break;
      case Behavior::kIsolated:
        break;
      case Behavior::kContiguous:
        join = any && match == last_match_;
        break;
      case Behavior::kMergedWithPrevious:
        join = any && match && !last_match_;
        break;
      case Behavior::kMergedWithNext:
        join = any && !match && last_match_;
        break;
    }
    last_match_ = match;
    if (join) {
      words_.back().end = range.end;
    } else if (range.size() > 0) {
      words_.push_back(range);
    }
  }

 private:
  Behavior behavior_;
  std::vector<Range>& words_;
  size_t first_;
  bool last_match_ = false;
};

/// Cuts every word by `cut(word, words)`, which adds what it becomes.
template <typename Cut>
void each_word(Words& words, Cut cut) {
  words.spare.clear();
  for (const Range word : words.words) cut(word, words.spare);
  words.words.swap(words.spare);
}

/// Parts words at each character of a class.
template <typename Is>
void split_at(Words& words, Behavior behavior, Is is) {
  const std::string& text = words.text.text();
  each_word(words, [&](Range word, std::vector<Range>& out) {
    Splitter splitter(behavior, out);
    uint32_t begin = word.begin;
    for (uint32_t at = word.begin; at < word.end;) {
      const uint32_t here = at;
      if (!is(next_character(text, at))) continue;
      if (begin < here) splitter.part({begin, here}, false);
      splitter.part({here, at}, true);
      begin = at;
    }
    if (begin < word.end) splitter.part({begin, word.end}, false);
  });
}

void split_by(Words& words, const Regex& pattern, Behavior behavior, bool invert) {
  each_word(words, [&](Range word, std::vector<Range>& out) {
    Splitter splitter(behavior, out);
    uint32_t begin = word.begin;
    pattern.each(words.text.text(), word, [&](Range match) {
      if (begin < match.begin) splitter.part({begin, match.begin}, invert);
      splitter.part(match, !invert);
      begin = match.end;
    });
    if (begin < word.end) splitter.part({begin, word.end}, invert);
  });
}

class Bert : public PreTokenizer {
 public:
  void apply(Words& words) const override {
    const std::string& text = words.text.text();
    each_word(words, [&](Range word, std::vector<Range>& out) {
      uint32_t begin = word.begin;
      for (uint32_t at = word.begin; at < word.end;) {
        const uint32_t here = at;
        const auto byte = static_cast<uint8_t>(text[at]);
        Class kind;
        if (byte < 0x80) {
          kind = kAscii[byte];
          ++at;
        } else {
          const char32_t c = next_character(text, at);
          kind = is_whitespace(c) ? kBlank : is_punctuation(c) ? kSign : kLetter;
        }
        if (kind == kLetter) continue;
        if (begin < here) out.push_back({begin, here});
        if (kind == kSign) out.push_back({here, at});
        begin = at;
      }
      if (begin < word.end) out.push_back({begin, word.end});
    });
  }

 private:
  enum Class : uint8_t { kLetter, kBlank, kSign };
  static const std::array<Class, 128> kAscii;
};
const std::array<Bert::Class, 128> Bert::kAscii = [] {
  std::array<Class, 128> classes{};
  for (char32_t c = 0; c < 128; ++c)
    classes[c] = is_whitespace(c) ? kBlank : is_punctuation(c) ? kSign : kLetter;
  return classes;
}();

/// Runs of word characters, and runs of what is neither that nor white.
class Whitespace : public PreTokenizer {
 public:
  void apply(Words& words) const override {
    const std::string& text = words.text.text();
    each_word(words, [&](Range word, std::vector<Range>& out) {
      enum { kBlank, kWord, kSign } last = kBlank;
      for (uint32_t at = word.begin; at < word.end;) {
        const uint32_t here = at;
        const char32_t c = next_character(text, at);
        const auto kind = is_word(c) ? kWord : is_whitespace(c) ? kBlank : kSign;
        if (kind != kBlank && kind == last) {
          out.back().end = at;
        } else if (kind != kBlank) {
          out.push_back({here, at});
        }
        last = kind;
      }
    });
  }
};

class WhitespaceSplit : public PreTokenizer {
 public:
  void apply(Words& words) const override { split_at(words, Behavior::kRemoved, is_whitespace); }
};

class Punctuation : public PreTokenizer {
 public:
  explicit Punctuation(const Config& config) : behavior_(behavior_of(config, "Isolated")) {}
  void apply(Words& words) const override { split_at(words, behavior_, is_punctuation); }

 private:
  Behavior behavior_;
};

class Digits : public PreTokenizer {
 public:
  explicit Digits(const Config& config)
      : behavior_(config.flag("individual_digits", false) ? Behavior::kIsolated
                                                          : Behavior::kContiguous) {}
  void apply(Words& words) const override { split_at(words, behavior_, is_numeric); }

 private:
  Behavior behavior_;
};

class CharDelimiterSplit : public PreTokenizer {
 public:
  explicit CharDelimiterSplit(const Config& config) : delimiter_(config.character("delimiter")) {}
  void apply(Words& words) const override {
    split_at(words, Behavior::kRemoved, [this](char32_t c) { return c == delimiter_; });
  }

 private:
  char32_t delimiter_;
};

class Split : public PreTokenizer {
 public:
  explicit Split(const Config& config)
      : pattern_(make_pattern(config)),
        behavior_(behavior_of(config, "Isolated")),
        invert_(config.flag("invert", false)) {}
  void apply(Words& words) const override { split_by(words, pattern_, behavior_, invert_); }

 private:
  Regex pattern_;
  Behavior behavior_;
  bool invert_;
};

/// Every so many characters.
class FixedLength : public PreTokenizer {
 public:
  explicit FixedLength(const Config& config) : length_(config.number("length", 5)) {
    if (length_ == 0) config.damaged("`length` is 0");
  }
  void apply(Words& words) const override {
    const std::string& text = words.text.text();
    each_word(words, [&](Range word, std::vector<Range>& out) {
      for (uint32_t at = word.begin; at < word.end;) {
        const uint32_t begin = at;
        for (uint32_t i = 0; i < length_ && at < word.end; ++i) at += character_size(text[at]);
        out.push_back({begin, at});
      }
    });
  }

 private:
  uint32_t length_;
};

/// Where the script changes; Japanese's three are one. A blank or an unknown character belongs
/// to what stands before it, or goes when nothing does.
class UnicodeScripts : public PreTokenizer {
 public:
  void apply(Words& words) const override {
    const std::string& text = words.text.text();
    each_word(words, [&](Range word, std::vector<Range>& out) {
      std::optional<int> last;
      for (uint32_t at = word.begin; at < word.end;) {
        const uint32_t begin = at;
        const char32_t c = next_character(text, at);
        const int script = script_of(c);
        if (c == ' ' || script == USCRIPT_UNKNOWN) {
          if (last) out.back().end = at;
          continue;
        }
        if (last == script) {
          out.back().end = at;
        } else {
          out.push_back({begin, at});
        }
        last = script;
      }
    });
  }

 private:
  static int script_of(char32_t c) {
    UErrorCode status = U_ZERO_ERROR;
    const int script = uscript_getScript(c, &status);
    return script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA || c == 0x30FC ? USCRIPT_HAN
                                                                                   : script;
  }
};

/// Blanks become a visible character, at which words begin.
class Metaspace : public PreTokenizer {
 public:
  explicit Metaspace(const Config& config) : split_(config.flag("split", true)) {
    append_character(mark_, config.character("replacement"));
    const std::string scheme =
        config.text("prepend_scheme", config.flag("add_prefix_space", true) ? "always" : "never");
    if (scheme == "always") {
      scheme_ = kAlways;
    } else if (scheme == "first") {
      scheme_ = kFirst;
    } else if (scheme == "never") {
      scheme_ = kNever;
    } else {
      config.unsupported(fmt::format("the prepend_scheme `{}`", scheme));
    }
  }

  void apply(Words& words) const override {
    const std::string& old = words.text.text();
    Rewrite rewrite(words.text);
    each_word(words, [&](Range word, std::vector<Range>& out) {
      uint32_t begin = rewrite.size();
      const std::string_view part = std::string_view(old).substr(word.begin, word.size());
      const bool marked = part.starts_with(' ') || part.starts_with(mark_);
      const Range first =
          words.text.origin(word.begin, word.begin + character_size(old[word.begin]));
      if (!marked && (scheme_ == kAlways || (scheme_ == kFirst && first.begin == 0)))
        rewrite.put(mark_, first);
      for (uint32_t at = word.begin; at < word.end;) {
        const bool blank = old[at] == ' ';
        if (split_ && (blank || old.compare(at, mark_.size(), mark_) == 0) &&
            begin < rewrite.size() && at > word.begin) {
          out.push_back({begin, rewrite.size()});
          begin = rewrite.size();
        }
        const uint32_t size = character_size(old[at]);
        if (blank) {
          rewrite.put(mark_, words.text.origin(at, at + 1));
        } else {
          rewrite.keep(at, at + size);
        }
        at += size;
      }
      if (begin < rewrite.size()) out.push_back({begin, rewrite.size()});
    });
    rewrite.finish();
  }

 private:
  enum Scheme { kAlways, kFirst, kNever };
  std::string mark_;
  Scheme scheme_ = kAlways;
  bool split_;
};

/// GPT-2's words, their bytes as printable characters.
class ByteLevel : public PreTokenizer {
 public:
  explicit ByteLevel(const Config& config)
      : add_prefix_space_(config.flag("add_prefix_space", true)) {
    if (config.flag("use_regex", true)) {
      pattern_.emplace(
          R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)");
    }
  }

  void apply(Words& words) const override {
    if (add_prefix_space_) prefix(words);
    if (pattern_) split_by(words, *pattern_, Behavior::kIsolated, false);
    Rewrite rewrite(words.text);
    for (Range& word : words.words) {
      const uint32_t begin = rewrite.size();
      put_bytes(word, rewrite);
      word = {begin, rewrite.size()};
    }
    rewrite.finish();
  }

 private:
  static void prefix(Words& words) {
    const std::string& text = words.text.text();
    bool all = true;
    for (const Range word : words.words) all &= text[word.begin] == ' ';
    if (all) return;
    Rewrite rewrite(words.text);
    for (Range& word : words.words) {
      const uint32_t begin = rewrite.size();
      if (text[word.begin] != ' ') {
        rewrite.put(" ",
                    words.text.origin(word.begin, word.begin + character_size(text[word.begin])));
      }
      rewrite.keep(word.begin, word.end);
      word = {begin, rewrite.size()};
    }
    rewrite.finish();
  }

  bool add_prefix_space_;
  std::optional<Regex> pattern_;
};

class Sequence : public PreTokenizer {
 public:
  explicit Sequence(const Config& config) {
    for (const Config& item : config.items("pretokenizers"))
      steps_.push_back(make_pre_tokenizer(item));
  }
  void apply(Words& words) const override {
    for (const auto& step : steps_) step->apply(words);
  }

 private:
  std::vector<std::unique_ptr<PreTokenizer>> steps_;
};

}  // namespace

std::unique_ptr<PreTokenizer> make_pre_tokenizer(const Config& config) {
  const std::string kind = config.kind();
  if (kind == "BertPreTokenizer") return std::make_unique<Bert>();
  if (kind == "Whitespace") return std::make_unique<Whitespace>();
  if (kind == "WhitespaceSplit") return std::make_unique<WhitespaceSplit>();
  if (kind == "Punctuation") return std::make_unique<Punctuation>(config);
  if (kind == "Digits") return std::make_unique<Digits>(config);
  if (kind == "CharDelimiterSplit") return std::make_unique<CharDelimiterSplit>(config);
  if (kind == "Split") return std::make_unique<Split>(config);
  if (kind == "FixedLength") return std::make_unique<FixedLength>(config);
  if (kind == "UnicodeScripts") return std::make_unique<UnicodeScripts>();
  if (kind == "Metaspace") return std::make_unique<Metaspace>(config);
  if (kind == "ByteLevel") return std::make_unique<ByteLevel>(config);
  if (kind == "Sequence") return std::make_unique<Sequence>(config);
  config.unsupported(fmt::format("a pre-tokenizer of the kind `{}`", kind));
}

}  // namespace firesteel::text
