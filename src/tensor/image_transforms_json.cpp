// Transforms as JSON. Their names and options are those of the structs.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tensor/image_transforms.h"

namespace firesteel::images {

using nlohmann::json;

namespace {

/// The transform of this name with its defaults; each type of the variant is asked.
template <size_t i = 0>
Transform transform_named(const std::string& name, std::vector<std::string> others = {}) {
  if constexpr (i < std::variant_size_v<Transform>) {
    using Kind = std::variant_alternative_t<i, Transform>;
    if (name == Kind::kName) return Kind{};
    others.emplace_back(Kind::kName);
    return transform_named<i + 1>(name, std::move(others));
  } else {
    const auto nearest = nearest_name(name, others);
    throw Error("INVALID_OPTION",
                fmt::format("There is no transform `{}`.{}", name,
                            nearest.empty() ? "" : fmt::format(" Did you mean `{}`?", nearest)));
  }
}

template <typename Value>
void read(const json& given, Value& value) {
  given.get_to(value);
}
/// A number may stand for a list of one, null for none.
template <typename Value>
void read(const json& given, std::vector<Value>& value) {
  value = given.is_null()    ? std::vector<Value>{}
          : given.is_array() ? given.get<std::vector<Value>>()
                             : std::vector{given.get<Value>()};
}
template <typename Value>
void read(const json& given, std::optional<Value>& value) {
  value = given.is_null() ? std::nullopt : std::optional(given.get<Value>());
}

template <typename Value>
json written(const Value& value) {
  return value;
}
template <typename Value>
json written(const std::optional<Value>& value) {
  return value ? json(*value) : json();
}

void read_options(Transform& transform, const std::string& name, const json& given) {
  std::vector<std::string> known;
  std::visit(
      [&](auto& each) {
        std::remove_reference_t<decltype(each)>::options(each, [&](const char* key, auto& value) {
          known.emplace_back(key);
          if (!given.contains(key)) return;
          try {
            read(given[key], value);
          } catch (const json::exception&) {
            throw Error("INVALID_OPTION",
                        fmt::format("{}'s `{}` cannot be {}.", name, key, given[key].dump()));
          }
        });
      },
      transform);
  for (const auto& item : given.items()) {
    if (std::ranges::find(known, item.key()) != known.end()) continue;
    const auto nearest = nearest_name(item.key(), known);
    throw Error("INVALID_OPTION",
                fmt::format("{} has no option `{}`.{}", name, item.key(),
                            nearest.empty() ? "" : fmt::format(" Did you mean `{}`?", nearest)));
  }
}

Transform transform_of(const json& entry) {
  const bool alone = entry.is_string();
  if (!alone && !(entry.is_object() && entry.size() == 1 && entry.begin()->is_object()))
    throw Error("INVALID_OPTION",
                fmt::format("A transform is its name or {{name: {{option: value}}}}, not {}.",
                            entry.dump()));
  const auto name = alone ? entry.get<std::string>() : entry.begin().key();
  auto out = transform_named(name);
  if (!alone) read_options(out, name, entry.begin().value());
  return out;
}

}  // namespace

std::vector<Transform> transforms_from_json(std::string_view text) {
  const auto list = json::parse(text, nullptr, false);
  if (!list.is_array()) throw Error("INVALID_OPTION", "Transforms are a JSON list.");
  std::vector<Transform> out;
  for (const auto& entry : list) out.push_back(transform_of(entry));
  return out;
}

std::string transforms_to_json(const std::vector<Transform>& transforms) {
  auto list = nlohmann::ordered_json::array();
  for (const auto& transform : transforms)
    std::visit(
        [&](const auto& each) {
          using Kind = std::remove_cvref_t<decltype(each)>;
          auto options = nlohmann::ordered_json::object();
          Kind::options(each,
                        [&](const char* key, const auto& value) { options[key] = written(value); });
          list.push_back({{Kind::kName, options}});
        },
        transform);
  return list.dump();
}

}  // namespace firesteel::images
