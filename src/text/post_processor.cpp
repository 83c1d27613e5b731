// All post-processors are a template of pieces, after offsets were trimmed.
#include "text/post_processor.h"

#include <fmt/format.h>

#include <algorithm>

#include "text/byte_level.h"
#include "text/unicode.h"

namespace firesteel::text {

Blanks blanks_of(std::string_view token) {
  const auto is_blank = [](char32_t c) { return c == byte_character(' ') || is_whitespace(c); };
  Blanks blanks;
  bool leading = true;
  for (uint32_t at = 0; at < token.size();) {
    const bool blank = is_blank(next_character(token, at));
    leading &= blank;
    blanks.before += leading;
    blanks.behind = blank ? blanks.behind + 1 : 0;
  }
  return blanks;
}

void Part::clear() {
  ids.clear();
  offsets.clear();
  blanks.clear();
}

void Part::truncate(size_t size, Side side) {
  const auto cut = [&](auto& values) {
    if (values.size() <= size) return;
    if (side == Side::kLeft) {
      values.erase(values.begin(), values.end() - size);
    } else {
      values.resize(size);
    }
  };
  cut(ids);
  cut(offsets);
  cut(blanks);
}

PostProcessor::PostProcessor()
    : single_{{.part = 0}}, pair_{{.part = 0}, {.part = 1, .type_id = 1}} {}

PostProcessor::PostProcessor(const Config& config) : PostProcessor() { read(config); }

void PostProcessor::read(const Config& config) {
  const std::string kind = config.kind();
  if (kind == "Sequence") {
    for (const Config& item : config.items("processors")) read(item);
    return;
  }
  if (kind == "ByteLevel" || kind == "RobertaProcessing") {
    if (config.flag("trim_offsets", true)) trims_.push_back(config.flag("add_prefix_space", true));
    if (kind == "ByteLevel") return;
  }
  if (kind == "TemplateProcessing") {
    single_ = read_template(config, "single");
    pair_ = read_template(config, "pair");
    return;
  }
  const bool roberta = kind == "RobertaProcessing";
  if (!roberta && kind != "BertProcessing")
    config.unsupported(fmt::format("a post-processor of the kind `{}`", kind));
  const auto token = [&](std::string_view name, int64_t type_id) {
    const Config field = config.at(name);
    if (!field.value().is_array() || field.value().size() != 2 ||
        !field.value()[1].is_number_unsigned()) {
      field.damaged("a token and its id are expected");
    }
    return Piece{.type_id = type_id, .ids = {field.value()[1].get<int64_t>()}};
  };
  const int64_t second = roberta ? 0 : 1;
  single_ = {token("cls", 0), {.part = 0}, token("sep", 0)};
  pair_ = single_;
  if (roberta) pair_.push_back(token("sep", 0));
  pair_.push_back({.part = 1, .type_id = second});
  pair_.push_back(token("sep", second));
}

std::vector<PostProcessor::Piece> PostProcessor::read_template(const Config& config,
                                                               std::string_view name) {
  std::vector<Piece> pieces;
  for (const Config& item : config.items(name)) {
    if (item.has("Sequence")) {
      const Config sequence = item.at("Sequence");
      const std::string which = sequence.text("id");
      if (which != "A" && which != "B") sequence.damaged("`id` is neither A nor B");
      if (which == "B" && name == "single")
        sequence.damaged("the template of one text names a second");
      pieces.push_back({.part = which == "B", .type_id = sequence.number("type_id", 0)});
      continue;
    }
    const Config special = item.at("SpecialToken");
    const Config token = config.at("special_tokens").at(special.text("id"));
    Piece piece{.type_id = special.number("type_id", 0)};
    for (const Config& id : token.items("ids")) {
      if (!id.value().is_number_unsigned()) id.damaged("an id is expected");
      piece.ids.push_back(id.value().get<int64_t>());
    }
    pieces.push_back(std::move(piece));
  }
  return pieces;
}

size_t PostProcessor::added(bool pair) const {
  size_t count = 0;
  for (const Piece& piece : pair ? pair_ : single_) count += piece.ids.size();
  return count;
}

void PostProcessor::trim(Part& part) const {
  for (const bool prefixed : trims_) {
    for (size_t i = 0; i < part.offsets.size(); ++i) {
      auto& [begin, end] = part.offsets[i];
      auto [before, behind] = part.blanks[i];
      if (prefixed && before == 1 && (i == 0 || begin == 0)) before = 0;
      if (before > 0) begin = std::min(begin + before, end);
      if (behind > 0 && end >= behind) end = std::max(end - behind, begin);
    }
  }
}

Encoding PostProcessor::join(Part& first, Part* second, bool add_special) const {
  trim(first);
  if (second) trim(*second);
  const auto& pieces = second ? pair_ : single_;
  size_t size = 0;
  for (const Piece& piece : pieces) {
    size += piece.part < 0 ? (add_special ? piece.ids.size() : 0)
                           : (piece.part == 0 ? first : *second).ids.size();
  }
  Encoding encoding;
  encoding.ids.reserve(size);
  encoding.type_ids.reserve(size);
  encoding.special_tokens_mask.reserve(size);
  encoding.offsets.reserve(size);
  encoding.attention_mask.assign(size, 1);
  for (const Piece& piece : pieces) {
    const bool special = piece.part < 0;
    if (special && !add_special) continue;
    const Part* part = special ? nullptr : piece.part == 0 ? &first : second;
    const auto& ids = special ? piece.ids : part->ids;
    encoding.ids.insert(encoding.ids.end(), ids.begin(), ids.end());
    encoding.type_ids.insert(encoding.type_ids.end(), ids.size(), piece.type_id);
    encoding.special_tokens_mask.insert(encoding.special_tokens_mask.end(), ids.size(), special);
    if (special) {
      encoding.offsets.insert(encoding.offsets.end(), ids.size(), {});
    } else {
      encoding.offsets.insert(encoding.offsets.end(), part->offsets.begin(), part->offsets.end());
    }
  }
  return encoding;
}

}  // namespace firesteel::text
