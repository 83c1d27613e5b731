// Fields of a tokenizer.json.
#include "text/config.h"

#include <fmt/format.h>

#include "base/error.h"
#include "text/unicode.h"

namespace firesteel::text {

bool Config::has(std::string_view name) const {
  const auto found = value_.find(name);
  return found != value_.end() && !found->is_null();
}

Config Config::at(std::string_view name) const {
  if (!value_.is_object() || !has(name)) damaged(fmt::format("`{}` is missing", name));
  return {*value_.find(name), file_,
          where_.empty() ? std::string(name) : fmt::format("{}.{}", where_, name)};
}

std::vector<Config> Config::items(std::string_view name) const {
  const Config list = at(name);
  if (!list.value_.is_array()) list.damaged("a list is expected");
  std::vector<Config> items;
  for (size_t i = 0; i < list.value_.size(); ++i) {
    items.emplace_back(list.value_[i], file_, fmt::format("{}[{}]", list.where_, i));
  }
  return items;
}

std::string Config::text(std::string_view name) const {
  const Config field = at(name);
  if (!field.value_.is_string()) field.damaged("a text is expected");
  return field.value_.get<std::string>();
}
std::string Config::text(std::string_view name, std::string otherwise) const {
  return has(name) ? text(name) : std::move(otherwise);
}

bool Config::flag(std::string_view name, bool otherwise) const {
  if (!has(name)) return otherwise;
  const Config field = at(name);
  if (!field.value_.is_boolean()) field.damaged("true or false is expected");
  return field.value_.get<bool>();
}

uint32_t Config::number(std::string_view name) const {
  const Config field = at(name);
  if (!field.value_.is_number_unsigned() || field.value_.get<uint64_t>() > INT32_MAX) {
    field.damaged("a whole number from 0 to 2147483647 is expected");
  }
  return field.value_.get<uint32_t>();
}
uint32_t Config::number(std::string_view name, uint32_t otherwise) const {
  return has(name) ? number(name) : otherwise;
}

char32_t Config::character(std::string_view name) const {
  const std::string value = text(name);
  if (count_characters(value) != 1) at(name).damaged("one character is expected");
  uint32_t begin = 0;
  return next_character(value, begin);
}

void Config::damaged(std::string_view what) const {
  throw Error("INVALID_ARTIFACT", fmt::format("{} is no tokenizer that can be read: {}{}{}.", file_,
                                              where_, where_.empty() ? "" : ": ", what));
}
void Config::unsupported(std::string_view what) const {
  throw Error("UNSUPPORTED_MODEL",
              fmt::format("{}: {}: {} is not supported.", file_, where_, what));
}

}  // namespace firesteel::text
