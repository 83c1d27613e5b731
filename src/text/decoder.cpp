// Decoders, a class per kind, and the table of them.
#include "text/decoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include "text/byte_level.h"
#include "text/regex.h"
#include "text/unicode.h"

namespace firesteel::text {

namespace {

constexpr std::string_view kReplacement = "\uFFFD";

void replace_all(std::string& text, std::string_view what, std::string_view with) {
  if (what.empty()) return;
  for (size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
    text.replace(at, what.size(), with);
}

std::string joined(const std::vector<std::string>& tokens) {
  std::string all;
  for (const std::string& token : tokens) all += token;
  return all;
}

/// What English tokens lose when they are parted by blanks.
void clean_up(std::string& text) {
  static constexpr std::pair<std::string_view, std::string_view> kRules[] = {
      {" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
      {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
      {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};
  for (const auto& [what, with] : kRules) replace_all(text, what, with);
}

class WordPiece : public Decoder {
 public:
  explicit WordPiece(const Config& config)
      : prefix_(config.text("prefix", "##")), clean_(config.flag("cleanup", true)) {}
  void apply(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i) {
      if (i > 0 && tokens[i].starts_with(prefix_)) {
        tokens[i].erase(0, prefix_.size());
      } else if (i > 0) {
        tokens[i].insert(0, " ");
      }
      if (clean_) clean_up(tokens[i]);
    }
  }

 private:
  std::string prefix_;
  bool clean_;
};

/// The bytes of all tokens; those that are no UTF-8 become U+FFFD.
class ByteLevel : public Decoder {
 public:
  void apply(std::vector<std::string>& tokens) const override {
    std::string bytes;
    for (const std::string& token : tokens) {
      const size_t before = bytes.size();
      for (uint32_t at = 0; at < token.size();) {
        const auto byte = character_byte(next_character(token, at));
        if (!byte) {  // The token was never bytes.
          bytes.resize(before);
          bytes += token;
          break;
        }
        bytes += static_cast<char>(*byte);
      }
    }
    tokens.assign(1, as_text(bytes));
  }

 private:
  static std::string as_text(const std::string& bytes) {
    if (find_invalid(bytes) == std::string::npos) return bytes;
    std::string text;
    const auto size = static_cast<int32_t>(bytes.size());
    for (int32_t at = 0; at < size;) {
      UChar32 c;
      U8_NEXT_OR_FFFD(bytes.data(), at, size, c);
      append_character(text, c);
    }
    return text;
  }
};

class Metaspace : public Decoder {
 public:
  explicit Metaspace(const Config& config) {
    append_character(mark_, config.character("replacement"));
    prefixed_ = config.text("prepend_scheme",
                            config.flag("add_prefix_space", true) ? "always" : "never") != "never";
  }
  void apply(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i)
      replace_all(tokens[i], mark_, i == 0 && prefixed_ ? "" : " ");
  }

 private:
  std::string mark_;
  bool prefixed_;
};

class Bpe : public Decoder {
 public:
  explicit Bpe(const Config& config) : suffix_(config.text("suffix", "</w>")) {}
  void apply(std::vector<std::string>& tokens) const override {
    for (size_t i = 0; i < tokens.size(); ++i)
      replace_all(tokens[i], suffix_, i + 1 == tokens.size() ? "" : " ");
  }

 private:
  std::string suffix_;
};

/// Tokens like <0x61> that stand together become the text that their bytes are, or U+FFFD each.
class ByteFallback : public Decoder {
 public:
  void apply(std::vector<std::string>& tokens) const override {
    std::vector<std::string> texts;
    std::string bytes;
    const auto put_bytes = [&] {
      if (find_invalid(bytes) == std::string::npos) {
        if (!bytes.empty()) texts.push_back(bytes);
      } else {
        texts.insert(texts.end(), bytes.size(), std::string(kReplacement));
      }
      bytes.clear();
    };
    for (std::string& token : tokens) {
      if (const auto byte = byte_of(token)) {
        bytes += *byte;
        continue;
      }
      put_bytes();
      texts.push_back(std::move(token));
    }
    put_bytes();
    tokens = std::move(texts);
  }

 private:
  static std::optional<char> byte_of(std::string_view token) {
    if (token.size() != 6 || !token.starts_with("<0x") || !token.ends_with('>'))
      return std::nullopt;
    uint8_t byte = 0;
    const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, byte, 16);
    if (error != std::errc() || end != token.data() + 5) return std::nullopt;
    return static_cast<char>(byte);
  }
};

class Fuse : public Decoder {
 public:
  void apply(std::vector<std::string>& tokens) const override { tokens = {joined(tokens)}; }
};

class Replace : public Decoder {
 public:
  explicit Replace(const Config& config)
      : pattern_(make_pattern(config)), content_(config.text("content")) {}
  void apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) {
      std::string text;
      uint32_t kept = 0;
      pattern_.each(token, {0, static_cast<uint32_t>(token.size())}, [&](Range match) {
        text.append(token, kept, match.begin - kept) += content_;
        kept = match.end;
      });
      token = text.append(token, kept);
    }
  }

 private:
  Regex pattern_;
  std::string content_;
};

/// Takes a character off the ends of each token, so many times at most.
class Strip : public Decoder {
 public:
  explicit Strip(const Config& config)
      : start_(config.number("start")), stop_(config.number("stop")) {
    append_character(content_, config.character("content"));
  }
  void apply(std::vector<std::string>& tokens) const override {
    for (std::string& token : tokens) {
      for (uint32_t i = 0; i < start_ && token.starts_with(content_); ++i)
        token.erase(0, content_.size());
      for (uint32_t i = 0; i < stop_ && token.ends_with(content_); ++i)
        token.resize(token.size() - content_.size());
    }
  }

 private:
  uint32_t start_, stop_;
  std::string content_;
};

/// Connectionist temporal classification: what is said twice in a row is one.
class Ctc : public Decoder {
 public:
  explicit Ctc(const Config& config)
      : pad_(config.text("pad_token", "<pad>")),
        delimiter_(config.text("word_delimiter_token", "|")),
        clean_(config.flag("cleanup", true)) {}
  void apply(std::vector<std::string>& tokens) const override {
    tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
    for (std::string& token : tokens) {
      replace_all(token, pad_, "");
      if (!clean_) continue;
      clean_up(token);
      replace_all(token, delimiter_, " ");
    }
    std::erase(tokens, "");
  }

 private:
  std::string pad_, delimiter_;
  bool clean_;
};

class Sequence : public Decoder {
 public:
  explicit Sequence(const Config& config) {
    for (const Config& item : config.items("decoders")) steps_.push_back(make_decoder(item));
  }
  void apply(std::vector<std::string>& tokens) const override {
    for (const auto& step : steps_) step->apply(tokens);
  }

 private:
  std::vector<std::unique_ptr<Decoder>> steps_;
};

}  // namespace

std::unique_ptr<Decoder> make_decoder(const Config& config) {
  const std::string kind = config.kind();
  if (kind == "WordPiece") return std::make_unique<WordPiece>(config);
  if (kind == "ByteLevel") return std::make_unique<ByteLevel>();
  if (kind == "Metaspace") return std::make_unique<Metaspace>(config);
  if (kind == "BPEDecoder") return std::make_unique<Bpe>(config);
  if (kind == "ByteFallback") return std::make_unique<ByteFallback>();
  if (kind == "Fuse") return std::make_unique<Fuse>();
  if (kind == "Replace") return std::make_unique<Replace>(config);
  if (kind == "Strip") return std::make_unique<Strip>(config);
  if (kind == "CTC") return std::make_unique<Ctc>(config);
  if (kind == "Sequence") return std::make_unique<Sequence>(config);
  config.unsupported(fmt::format("a decoder of the kind `{}`", kind));
}

}  // namespace firesteel::text
