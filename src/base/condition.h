// What Spark says of an error condition, and the parameters of its message.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"

namespace firesteel {

/// A row of Spark's error-conditions.json.
struct Condition {
  std::string_view name;      // with the subclass
  std::string_view sqlstate;  // of five letters
  std::string_view message;   // with its parameters as <name>
};

/// Nothing when Spark has no such condition, or none that Firesteel raises.
const Condition* find_condition(std::string_view name);

struct MessageParameters {
  std::map<std::string, std::string> values;  // by Spark's names
  /// Whether Spark's message can be made of them.
  bool complete = false;
};

/// The parameters of an error's message, found by comparing it with Spark's. Ours may leave out
/// what follows a sentence (advice that does not hold here), and may go on where Spark's ends.
/// What a comparison cannot find, the error has from `Error::with`.
MessageParameters message_parameters(const Error& error);

}  // namespace firesteel
