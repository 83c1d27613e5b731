// The pickle machine: a stack of values, marks and a memo.
#include "engine/pickle.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <memory>

#include "base/error.h"

namespace firesteel {

namespace {

using Kind = PickledValue::Kind;

[[noreturn]] void malformed() { throw Error("PICKLE_ERROR", "A result's pickle is malformed."); }

/// A value while it is made: lists and dicts are filled after they are remembered.
struct Item;
using ItemPointer = std::shared_ptr<Item>;
struct Item {
  PickledValue value;
  std::string global = {};  // a class or function, "module.name"
  std::vector<ItemPointer> items = {};
  bool is_mark = false;
};

PickledValue finished(const Item& item, int depth = 0) {
  if (depth > 500) malformed();
  if (!item.global.empty())
    throw Error("PICKLE_ERROR",
                fmt::format("A function gave a value of the class {}, which Spark's types lack.",
                            item.global));
  PickledValue value = item.value;
  for (const auto& part : item.items) value.items.push_back(finished(*part, depth + 1));
  return value;
}

/// A little-endian integer of any length, two's complement.
void read_long(std::string_view bytes, PickledValue& value) {
  if (bytes.size() <= 8) {
    uint64_t number = !bytes.empty() && (bytes.back() & 0x80) ? ~uint64_t{0} : 0;
    for (size_t i = bytes.size(); i-- > 0;)
      number = number << 8 | static_cast<unsigned char>(bytes[i]);
    value.kind = Kind::kNumber;
    value.number = static_cast<int64_t>(number);
    return;
  }
  // Decimal digits by dividing the magnitude again and again.
  std::vector<uint8_t> left(bytes.begin(), bytes.end());
  const bool negative = (left.back() & 0x80) != 0;
  if (negative) {
    int carry = 1;
    for (auto& byte : left) {
      const int sum = static_cast<uint8_t>(~byte) + carry;
      byte = static_cast<uint8_t>(sum);
      carry = sum >> 8;
    }
  }
  std::string digits;
  while (!left.empty()) {
    int rest = 0;
    for (size_t i = left.size(); i-- > 0;) {
      const int part = rest << 8 | left[i];
      left[i] = static_cast<uint8_t>(part / 10);
      rest = part % 10;
    }
    digits += static_cast<char>('0' + rest);
    while (!left.empty() && left.back() == 0) left.pop_back();
  }
  if (negative) digits += '-';
  std::reverse(digits.begin(), digits.end());
  value.kind = Kind::kBigNumber;
  value.text = digits;
}

class Machine {
 public:
  explicit Machine(std::string_view bytes) : in_(bytes) {}

  PickledValue run() {
    while (step()) {
    }
    return finished(*pop());
  }

 private:
  bool step();
  void container(unsigned char code);
  void reduce();
  ItemPointer object(const Item& of, const std::vector<ItemPointer>& arguments);

  std::string_view take(size_t count) {
    if (count > in_.size() - at_) malformed();
    at_ += count;
    return in_.substr(at_ - count, count);
  }
  uint64_t little(size_t count) {
    const auto bytes = take(count);
    uint64_t number = 0;
    for (size_t i = count; i-- > 0;) number = number << 8 | static_cast<unsigned char>(bytes[i]);
    return number;
  }
  std::string_view line() {
    const auto end = in_.find('\n', at_);
    if (end == std::string_view::npos) malformed();
    const auto text = in_.substr(at_, end - at_);
    at_ = end + 1;
    return text;
  }
  void push(ItemPointer item) { stack_.push_back(std::move(item)); }
  void push(PickledValue value) { push(std::make_shared<Item>(Item{.value = std::move(value)})); }
  void text(size_t size) { push({.kind = Kind::kText, .text = std::string(take(size))}); }
  void bytes(size_t size) { push({.kind = Kind::kBytes, .text = std::string(take(size))}); }
  ItemPointer pop() {
    if (stack_.empty() || stack_.back()->is_mark) malformed();
    auto item = std::move(stack_.back());
    stack_.pop_back();
    return item;
  }
  Item& top() {
    if (stack_.empty() || stack_.back()->is_mark) malformed();
    return *stack_.back();
  }
  std::vector<ItemPointer> to_mark() {
    std::vector<ItemPointer> items;
    while (!stack_.empty() && !stack_.back()->is_mark) {
      items.push_back(std::move(stack_.back()));
      stack_.pop_back();
    }
    if (stack_.empty()) malformed();
    stack_.pop_back();
    std::reverse(items.begin(), items.end());
    return items;
  }
  void collect(Kind kind, std::vector<ItemPointer> items) {
    push(std::make_shared<Item>(Item{.value = {.kind = kind}, .items = std::move(items)}));
  }
  void collect(Kind kind, size_t count) {
    std::vector<ItemPointer> items;
    for (size_t i = 0; i < count; ++i) items.insert(items.begin(), pop());
    collect(kind, std::move(items));
  }
  void fill(std::vector<ItemPointer> items) {
    auto& into = top().items;
    into.insert(into.end(), items.begin(), items.end());
  }
  void remembered(uint64_t number) {
    const auto found = memo_.find(number);
    if (found == memo_.end()) malformed();
    push(found->second);
  }

  std::string_view in_;
  size_t at_ = 0;
  std::vector<ItemPointer> stack_;
  std::map<uint64_t, ItemPointer> memo_;
};

bool Machine::step() {
  const auto code = static_cast<unsigned char>(take(1)[0]);
  switch (code) {
    case '.':
      return false;
    case 0x80:  // the protocol
      take(1);
      break;
    case 0x95:  // a frame
      take(8);
      break;
    case 'N':
      push(PickledValue{});
      break;
    case 0x88:
    case 0x89:
      push({.kind = Kind::kFlag, .number = code == 0x88});
      break;
    case 'J':
      push({.kind = Kind::kNumber, .number = static_cast<int32_t>(little(4))});
      break;
    case 'K':
      push({.kind = Kind::kNumber, .number = static_cast<int64_t>(little(1))});
      break;
    case 'M':
      push({.kind = Kind::kNumber, .number = static_cast<int64_t>(little(2))});
      break;
    case 0x8a:
    case 0x8b: {
      PickledValue value;
      read_long(take(little(code == 0x8a ? 1 : 4)), value);
      push(std::move(value));
      break;
    }
    case 'G': {
      uint64_t number = 0;
      for (const char byte : take(8)) number = number << 8 | static_cast<unsigned char>(byte);
      push({.kind = Kind::kReal, .real = std::bit_cast<double>(number)});
      break;
    }
    case 0x8c:
      text(little(1));
      break;
    case 'X':
      text(little(4));
      break;
    case 0x8d:
      text(little(8));
      break;
    case 'C':
      bytes(little(1));
      break;
    case 'B':
      bytes(little(4));
      break;
    case 0x8e:
    case 0x96:  // a bytearray
      bytes(little(8));
      break;
    case 0x94:
      top();
      memo_[memo_.size()] = stack_.back();
      break;
    case 'q':
    case 'r': {
      const auto number = little(code == 'q' ? 1 : 4);
      top();
      memo_[number] = stack_.back();
      break;
    }
    case 'h':
      remembered(little(1));
      break;
    case 'j':
      remembered(little(4));
      break;
    case 'c': {
      const std::string module(line());
      push(std::make_shared<Item>(Item{.global = fmt::format("{}.{}", module, line())}));
      break;
    }
    case 0x93: {
      const auto name = pop(), module = pop();
      push(std::make_shared<Item>(
          Item{.global = fmt::format("{}.{}", module->value.text, name->value.text)}));
      break;
    }
    case '0':
      pop();
      break;
    default:
      container(code);
  }
  return true;
}

void Machine::container(unsigned char code) {
  switch (code) {
    case '(':
      push(std::make_shared<Item>(Item{.is_mark = true}));
      break;
    case ']':
      collect(Kind::kList, 0);
      break;
    case '}':
      collect(Kind::kDict, 0);
      break;
    case ')':
      collect(Kind::kTuple, 0);
      break;
    case 0x8f:
      collect(Kind::kSet, 0);
      break;
    case 0x85:
    case 0x86:
    case 0x87:
      collect(Kind::kTuple, code - 0x84u);
      break;
    case 't':
      collect(Kind::kTuple, to_mark());
      break;
    case 'l':
      collect(Kind::kList, to_mark());
      break;
    case 'd':
      collect(Kind::kDict, to_mark());
      break;
    case 0x91:  // a frozenset
      collect(Kind::kSet, to_mark());
      break;
    case 'a':
      fill({pop()});
      break;
    case 's': {
      auto value = pop(), key = pop();
      fill({std::move(key), std::move(value)});
      break;
    }
    case 'e':
    case 'u':
    case 0x90:
      fill(to_mark());
      break;
    case 'R':
    case 0x81:  // a class's new
      reduce();
      break;
    case 'b':  // the state of an object: of none that is known
      pop();
      if (top().global.empty()) break;
      throw Error("PICKLE_ERROR",
                  fmt::format("A function gave a value of the class {}, which Spark's types lack.",
                              top().global));
    default:
      malformed();
  }
}

void Machine::reduce() {
  const auto arguments = pop(), of = pop();
  push(object(*of, arguments->items));
}

ItemPointer Machine::object(const Item& of, const std::vector<ItemPointer>& arguments) {
  if (of.global == "decimal.Decimal" && arguments.size() == 1)
    return std::make_shared<Item>(
        Item{.value = {.kind = Kind::kDecimal, .text = arguments[0]->value.text}});
  if (of.global == "pyspark.sql.types._create_row" && arguments.size() == 2)
    return std::make_shared<Item>(
        Item{.value = {.kind = Kind::kTuple}, .items = arguments[1]->items});
  if (of.global == "builtins.bytearray" || of.global == "builtins.bytes") {
    return std::make_shared<Item>(
        Item{.value = {.kind = Kind::kBytes,
                       .text = arguments.empty() ? "" : arguments[0]->value.text}});
  }
  // The values of numpy and others: Spark says the same of them.
  throw Error("PICKLE_ERROR",
              fmt::format("expected zero arguments for construction of ClassDict (for {}). This "
                          "happens when an unsupported/unregistered class is being unpickled that "
                          "requires construction arguments. Fix it by registering a custom "
                          "IObjectConstructor for this class.",
                          of.global));
}

}  // namespace

PickledValue unpickled(std::string_view bytes) { return Machine(bytes).run(); }

Pickler::Pickler() : out_("\x80\x03") {}

void Pickler::number(int64_t value) {
  const bool narrow = value == static_cast<int32_t>(value);
  out_ += narrow ? "J" : "\x8a\x08";
  for (int i = 0; i < (narrow ? 4 : 8); ++i) out_ += static_cast<char>(value >> (8 * i) & 255);
}

void Pickler::real(double value) {
  const auto bits = std::bit_cast<uint64_t>(value);
  out_ += 'G';
  for (int shift = 56; shift >= 0; shift -= 8) out_ += static_cast<char>(bits >> shift & 255);
}

void Pickler::text(std::string_view value) {
  out_ += 'X';
  for (int i = 0; i < 4; ++i) out_ += static_cast<char>(value.size() >> (8 * i) & 255);
  out_ += value;
}

void Pickler::bytes(std::string_view value) {
  out_ += 'B';
  for (int i = 0; i < 4; ++i) out_ += static_cast<char>(value.size() >> (8 * i) & 255);
  out_ += value;
}

void Pickler::decimal(std::string_view digits) {
  global("decimal", "Decimal");
  text(digits);
  out_ += '\x85';
  call();
}

void Pickler::global(std::string_view module, std::string_view name) {
  const auto text = fmt::format("c{}\n{}\n", module, name);
  for (const auto& [known, number] : globals_)
    if (known == text) return kept(number);
  out_ += text;
  globals_.emplace_back(text, 200 + static_cast<int>(globals_.size()));
  keep(globals_.back().second);
}

void Pickler::keep(int number) {
  out_ += 'q';
  out_ += static_cast<char>(number);
}

void Pickler::kept(int number) {
  out_ += 'h';
  out_ += static_cast<char>(number);
}

std::string Pickler::take() {
  out_ += '.';
  return std::move(out_);
}

}  // namespace firesteel
