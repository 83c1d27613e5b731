// Python's pickles as far as results of functions need them: values made of the built-in types
// and Decimal. Anything else is an error that names its class.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firesteel {

struct PickledValue {
  enum class Kind {
    kNone,
    kFlag,
    kNumber,
    kBigNumber,  // `text` is its digits
    kReal,
    kDecimal,  // `text`
    kText,
    kBytes,
    kList,
    kTuple,
    kDict,  // `items` are keys and values by turns
    kSet,
  };
  Kind kind = Kind::kNone;
  int64_t number = 0;
  double real = 0;
  std::string text = {};
  std::vector<PickledValue> items = {};
};

/// Protocols up to 5. Throws PICKLE_ERROR.
PickledValue unpickled(std::string_view bytes);

/// Writes one pickle, protocol 3.
class Pickler {
 public:
  Pickler();
  void none() { out_ += 'N'; }
  void flag(bool value) { out_ += value ? '\x88' : '\x89'; }
  void number(int64_t value);
  void real(double value);
  void text(std::string_view value);
  void bytes(std::string_view value);
  void decimal(std::string_view digits);
  void mark() { out_ += '('; }
  /// What stands behind the last mark, as a tuple, a list or a dict of keys and values.
  void tuple() { out_ += 't'; }
  void list() { out_ += 'l'; }
  void dict() { out_ += 'd'; }
  /// Calls what stands before the last tuple.
  void call() { out_ += 'R'; }
  /// A module's name; kept, so that a second time is short.
  void global(std::string_view module, std::string_view name);
  /// Keeps the value on top by a number below 200, and puts it on top again.
  void keep(int number);
  void kept(int number);
  std::string take();

 private:
  std::string out_;
  std::vector<std::pair<std::string, int>> globals_;
};

}  // namespace firesteel
