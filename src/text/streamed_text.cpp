// A token's text is the difference that it makes to the text of a few before it.
#include "text/streamed_text.h"

#include <algorithm>

namespace firesteel {

namespace {

constexpr size_t kContext = 16;
constexpr std::string_view kReplacement = "\uFFFD";  // of bytes that are no character yet

}  // namespace

StreamedText::StreamedText(const Tokenizer& tokenizer, std::span<const int64_t> before,
                           std::vector<std::string> stops)
    : tokenizer_(tokenizer), stops_(std::move(stops)) {
  const auto last = before.last(std::min(before.size(), kContext));
  ids_.assign(last.begin(), last.end());
  given_ = ids_.size();
}

std::string StreamedText::decoded(size_t begin, size_t end) const {
  return tokenizer_.decode(std::span(ids_).subspan(begin, end - begin));
}

std::string StreamedText::add(int64_t id) {
  if (stopped_) return {};
  ids_.push_back(id);
  const auto text = decoded(context_, ids_.size());
  const auto known = decoded(context_, given_);
  if (text.ends_with(kReplacement) || !text.starts_with(known)) return {};
  // A decoder may take a blank from the beginning: what is there must have a text.
  if (!decoded(given_, ids_.size()).empty()) context_ = given_;
  given_ = ids_.size();
  return without_stops(text.substr(known.size()), false);
}

std::string StreamedText::finish() {
  if (stopped_) return {};
  const auto text = decoded(context_, ids_.size());
  const auto known = decoded(context_, given_);
  const auto rest =
      text.starts_with(known) ? text.substr(known.size()) : decoded(given_, ids_.size());
  context_ = given_ = ids_.size();
  return without_stops(rest, true);
}

std::string StreamedText::without_stops(const std::string& more, bool last) {
  held_ += more;
  size_t end = std::string::npos;
  for (const auto& stop : stops_) end = std::min(end, held_.find(stop));
  stopped_ = end != std::string::npos;
  if (!stopped_) {
    end = held_.size();
    for (const auto& stop : stops_)  // The longest end of the text that a stop may begin with.
      for (size_t size = std::min(stop.size() - 1, held_.size()); !last && size > 0; --size)
        if (held_.ends_with(std::string_view(stop).substr(0, size))) {
          end = std::min(end, held_.size() - size);
          break;
        }
  }
  auto certain = held_.substr(0, end);
  held_.erase(0, stopped_ ? std::string::npos : end);
  return certain;
}

}  // namespace firesteel
