// A part of a tokenizer.json, read with errors that name the file and the place in it.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace firesteel::text {

/// Refers to a parsed file that must outlive it.
class Config {
 public:
  Config(const nlohmann::json& value, std::string file, std::string where)
      : value_(value), file_(std::move(file)), where_(std::move(where)) {}

  const nlohmann::json& value() const { return value_; }
  /// Is there, and not null.
  bool has(std::string_view name) const;
  Config at(std::string_view name) const;
  std::vector<Config> items(std::string_view name) const;

  /// The field "type".
  std::string kind() const { return text("type"); }
  std::string text(std::string_view name) const;
  std::string text(std::string_view name, std::string otherwise) const;
  bool flag(std::string_view name, bool otherwise) const;
  uint32_t number(std::string_view name) const;
  uint32_t number(std::string_view name, uint32_t otherwise) const;
  /// A field that is one character.
  char32_t character(std::string_view name) const;

  /// Throws INVALID_ARTIFACT.
  [[noreturn]] void damaged(std::string_view what) const;
  /// Throws UNSUPPORTED_MODEL.
  [[noreturn]] void unsupported(std::string_view what) const;

 private:
  const nlohmann::json& value_;
  std::string file_, where_;
};

}  // namespace firesteel::text
