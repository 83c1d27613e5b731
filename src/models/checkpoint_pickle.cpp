// Python's pickletools says what each operation does. All of protocol 2 to 5 that torch.save writes
// for tensors and containers is here; what would make or call another object is refused by its
// name.
#include "models/checkpoint_pickle.h"

#include <fmt/format.h>

#include <cstring>
#include <optional>
#include <utility>

#include "base/error.h"
#include "models/storage_reach.h"

namespace firesteel {

namespace {

constexpr size_t kValuesMax = 5'000'000;  // of one file; a tensor takes some thirty

struct TypeNames {
  std::string_view storage, type;
  torch::ScalarType scalar;
};
constexpr TypeNames kTypes[] = {
    {"FloatStorage", "float32", torch::kFloat32},
    {"DoubleStorage", "float64", torch::kFloat64},
    {"HalfStorage", "float16", torch::kFloat16},
    {"BFloat16Storage", "bfloat16", torch::kBFloat16},
    {"LongStorage", "int64", torch::kInt64},
    {"IntStorage", "int32", torch::kInt32},
    {"ShortStorage", "int16", torch::kInt16},
    {"CharStorage", "int8", torch::kInt8},
    {"ByteStorage", "uint8", torch::kUInt8},
    {"BoolStorage", "bool", torch::kBool},
    {"ComplexFloatStorage", "complex64", torch::kComplexFloat},
    {"ComplexDoubleStorage", "complex128", torch::kComplexDouble},
    {"", "complex32", torch::kComplexHalf},
    {"", "uint16", torch::kUInt16},
    {"", "uint32", torch::kUInt32},
    {"", "uint64", torch::kUInt64},
    {"", "float8_e4m3fn", torch::kFloat8_e4m3fn},
    {"", "float8_e4m3fnuz", torch::kFloat8_e4m3fnuz},
    {"", "float8_e5m2", torch::kFloat8_e5m2},
    {"", "float8_e5m2fnuz", torch::kFloat8_e5m2fnuz},
    {"", "float8_e8m0fnu", torch::kFloat8_e8m0fnu},
    {"UntypedStorage", "", torch::kUInt8},  // of torch.storage: tensors say their type themselves
};

std::optional<torch::ScalarType> type_named(std::string_view global, bool storage) {
  for (std::string_view module : {"torch.", "torch.cuda.", "torch.storage."}) {
    if (!global.starts_with(module)) continue;
    const auto name = global.substr(module.size());
    for (const auto& row : kTypes)
      if (!name.empty() && (storage ? row.storage : row.type) == name) return row.scalar;
  }
  return std::nullopt;
}

/// What functions of Python are in place of which we do the same.
enum class Function { kFirstArgument, kDict, kTensor };
struct FunctionName {
  std::string_view name;
  Function function;
};
constexpr FunctionName kFunctions[] = {
    {"collections.OrderedDict", Function::kDict},
    {"collections.Counter", Function::kFirstArgument},
    {"builtins.set", Function::kFirstArgument},
    {"builtins.frozenset", Function::kFirstArgument},
    {"_codecs.encode", Function::kFirstArgument},
    {"torch.Size", Function::kFirstArgument},
    {"torch.device", Function::kFirstArgument},
    {"torch._utils._rebuild_tensor", Function::kTensor},
    {"torch._utils._rebuild_tensor_v2", Function::kTensor},
    {"torch._utils._rebuild_tensor_v3", Function::kTensor},
    {"torch._utils._rebuild_parameter", Function::kFirstArgument},
    {"torch._utils._rebuild_parameter_with_state", Function::kFirstArgument},
};

const FunctionName* function_named(std::string_view name) {
  for (const auto& row : kFunctions)
    if (row.name == name) return &row;
  return nullptr;
}

}  // namespace

void refuse_checkpoint(const std::filesystem::path& origin, const std::string& what) {
  throw Error("INVALID_ARTIFACT",
              fmt::format("`{}` is no whole file of torch.save: {}.", origin.string(), what));
}

CheckpointPickle::CheckpointPickle(std::string_view bytes, std::filesystem::path origin,
                                   Storages storages)
    : bytes_(bytes), origin_(std::move(origin)), storages_(std::move(storages)) {}

const PickleValue& CheckpointPickle::next() {
  stack_.clear();
  marks_.clear();
  memo_.clear();
  while (true) {
    const auto operation = static_cast<unsigned char>(number(1));
    if (operation == '.') return *pop();
    step(operation);
  }
}

void CheckpointPickle::step(unsigned char operation) {
  // clang-format off
  switch (operation) {
    case 0x80: take(1); return;                                        // PROTO
    case 0x95: take(8); return;                                        // FRAME
    case 'N': case 0x88: case 0x89: make(Kind::kOther); return;        // NONE, NEWTRUE, NEWFALSE
    case 'G': take(8); make(Kind::kOther); return;                     // BINFLOAT
    case 'J': push_integer(static_cast<int32_t>(number(4))); return;   // BININT
    case 'K': push_integer(static_cast<int64_t>(number(1))); return;   // BININT1
    case 'M': push_integer(static_cast<int64_t>(number(2))); return;   // BININT2
    case 0x8a: push_long(number(1)); return;                           // LONG1
    case 0x8b: push_long(number(4)); return;                           // LONG4
    case 'U': case 'C': case 0x8c: push_text(1); return;               // SHORT_: BINSTRING, BINBYTES, BINUNICODE
    case 'T': case 'B': case 'X': push_text(4); return;                // BINSTRING, BINBYTES, BINUNICODE
    case 0x8d: case 0x8e: push_text(8); return;                        // BINUNICODE8, BINBYTES8
    case '(': marks_.push_back(stack_.size()); return;                 // MARK
    case ')': make(Kind::kTuple); return;                              // EMPTY_TUPLE
    case 0x85: push_container(Kind::kTuple, pop_last(1)); return;      // TUPLE1
    case 0x86: push_container(Kind::kTuple, pop_last(2)); return;      // TUPLE2
    case 0x87: push_container(Kind::kTuple, pop_last(3)); return;      // TUPLE3
    case 't': push_container(Kind::kTuple, pop_mark()); return;        // TUPLE
    case ']': case 0x8f: make(Kind::kList); return;                    // EMPTY_LIST, EMPTY_SET
    case 'a': extend(Kind::kList, pop_last(1)); return;                // APPEND
    case 'e': case 0x90: extend(Kind::kList, pop_mark()); return;      // APPENDS, ADDITEMS
    case 0x91: push_container(Kind::kList, pop_mark()); return;        // FROZENSET
    case '}': make(Kind::kDict); return;                               // EMPTY_DICT
    case 's': extend(Kind::kDict, pop_last(2)); return;                // SETITEM
    case 'u': extend(Kind::kDict, pop_mark()); return;                 // SETITEMS
    case 'q': remember(number(1)); return;                             // BINPUT
    case 'r': remember(number(4)); return;                             // LONG_BINPUT
    case 0x94: remember(memo_.size()); return;                         // MEMOIZE
    case 'h': push(remembered(number(1))); return;                     // BINGET
    case 'j': push(remembered(number(4))); return;                     // LONG_BINGET
    case 'Q': push_storage(*pop(Kind::kTuple)); return;                // BINPERSID
    default: step_with_objects(operation);
  }
  // clang-format on
}

/// Operations that name or make objects of Python.
void CheckpointPickle::step_with_objects(unsigned char operation) {
  switch (operation) {
    case 'c': {  // GLOBAL
      const auto module = line();
      return push_global(module + "." + line());
    }
    case 0x93: {  // STACK_GLOBAL
      const auto names = pop_last(2);
      return push_global(names[0]->text + "." + names[1]->text);
    }
    case 'R': {  // REDUCE
      const auto* arguments = pop(Kind::kTuple);
      const auto* function = pop(Kind::kGlobal);
      return call(*function, arguments->items);
    }
    case 'b':  // BUILD: attributes of an OrderedDict, as `_metadata` of a state_dict
      pop();
      top(Kind::kDict);
      return;
    case 'i': {  // INST
      const auto module = line();
      refuse_global(module + "." + line());
    }
    case 0x81:  // NEWOBJ
      pop();
      refuse_global(pop(Kind::kGlobal)->text);
    default:
      refuse(fmt::format("it has the operation {:#04x}, which makes no tensor", operation));
  }
}

void CheckpointPickle::refuse_global(const std::string& name) const {
  throw Error("INVALID_ARTIFACT",
              fmt::format("`{}` asks for {} of Python; only tensors and containers are read. Save "
                          "the module's state_dict() alone.",
                          origin_.string(), name));
}

std::string_view CheckpointPickle::take(uint64_t count) {
  if (count > bytes_.size()) refuse("it ends too early");
  const auto taken = bytes_.substr(0, count);
  bytes_.remove_prefix(count);
  return taken;
}

uint64_t CheckpointPickle::number(size_t bytes) {
  uint64_t value = 0;
  std::memcpy(&value, take(bytes).data(), bytes);
  return value;
}

std::string CheckpointPickle::line() {
  const auto end = bytes_.find('\n');
  if (end == std::string_view::npos) refuse("it ends too early");
  const std::string text(take(end));
  take(1);
  return text;
}

PickleValue* CheckpointPickle::make(Kind kind) {
  if (values_.size() >= kValuesMax) refuse(fmt::format("it has more than {} values", kValuesMax));
  auto* value = &values_.emplace_back(PickleValue{.kind = kind});
  push(value);
  return value;
}

void CheckpointPickle::push_text(size_t length_bytes) {
  const auto text = take(number(length_bytes));
  make(Kind::kText)->text = text;
}

/// Longer ones than 8 bytes are kept as their bytes: torch.save's magic number is one.
void CheckpointPickle::push_long(uint64_t count) {
  const auto bytes = take(count);
  if (count > 8) {
    make(Kind::kText)->text = bytes;
    return;
  }
  uint64_t value = count > 0 && (bytes.back() & 0x80) ? ~uint64_t{0} : 0;
  std::memcpy(&value, bytes.data(), count);
  push_integer(static_cast<int64_t>(value));
}

void CheckpointPickle::push_global(std::string name) {
  constexpr std::string_view kOld = "__builtin__.";  // Python 2's
  if (name.starts_with(kOld)) name = "builtins." + name.substr(kOld.size());
  if (!function_named(name) && !type_named(name, true) && !type_named(name, false))
    refuse_global(name);
  make(Kind::kGlobal)->text = std::move(name);
}

PickleValue* CheckpointPickle::pop() {
  if (stack_.size() <= (marks_.empty() ? 0 : marks_.back())) refuse("its values do not add up");
  auto* value = stack_.back();
  stack_.pop_back();
  return value;
}

PickleValue* CheckpointPickle::pop(Kind kind) {
  auto* value = pop();
  if (value->kind != kind) refuse("its values do not add up");
  return value;
}

PickleValue* CheckpointPickle::top(Kind kind) {
  auto* value = pop(kind);
  push(value);
  return value;
}

PickleValue::Items CheckpointPickle::pop_last(size_t count) {
  Items items(count);
  while (count > 0) items[--count] = pop();
  return items;
}

PickleValue::Items CheckpointPickle::pop_mark() {
  if (marks_.empty()) refuse("its values do not add up");
  auto items = pop_last(stack_.size() - marks_.back());
  marks_.pop_back();
  return items;
}

void CheckpointPickle::extend(Kind kind, const Items& items) {
  auto& all = top(kind)->items;
  if (kind == Kind::kDict && items.size() % 2 != 0) refuse("its values do not add up");
  all.insert(all.end(), items.begin(), items.end());
}

void CheckpointPickle::remember(uint64_t number) {
  auto* value = pop();
  push(value);
  memo_[number] = value;
}

PickleValue* CheckpointPickle::remembered(uint64_t number) const {
  const auto found = memo_.find(number);
  if (found == memo_.end()) refuse("it names a value that it does not have");
  return found->second;
}

void CheckpointPickle::call(const PickleValue& function, const Items& arguments) {
  const auto* row = function_named(function.text);
  if (!row) refuse_global(function.text);
  if (row->function == Function::kTensor) return push_tensor(arguments);
  if (row->function == Function::kDict) {
    make(Kind::kDict);
    if (arguments.empty()) return;
    for (const auto* pair : arguments[0]->items) {
      if (pair->items.size() != 2) refuse("its values do not add up");
      extend(Kind::kDict, pair->items);
    }
    return;
  }
  if (arguments.empty()) refuse(fmt::format("{} lacks its argument", function.text));
  push(arguments[0]);
}

/// _rebuild_tensor(storage, offset, sizes, strides, …); _rebuild_tensor_v3 has a type as well.
void CheckpointPickle::push_tensor(const Items& arguments) {
  const auto integers = [&](const PickleValue& list) {
    std::vector<int64_t> out;
    for (const auto* item : list.items) out.push_back(item->integer);
    return out;
  };
  if (arguments.size() < 4 || arguments[0]->kind != Kind::kStorage)
    refuse("a tensor has no storage");
  const auto& flat = arguments[0]->tensor;
  auto type = flat.scalar_type();
  for (const auto* argument : arguments) {
    if (argument->kind == Kind::kGlobal) type = type_named(argument->text, false).value_or(type);
    if (argument->kind == Kind::kDict && !argument->items.empty())
      refuse("a tensor has hooks, or is a view that conjugates or negates another");
  }
  const auto sizes = integers(*arguments[2]), strides = integers(*arguments[3]);
  const auto bytes = storage_reach(sizes, strides, arguments[1]->integer, type);
  if (!bytes || *bytes > flat.nbytes())
    refuse(fmt::format("a tensor does not fit into its storage of {} bytes", flat.nbytes()));
  if (elements_overlap(sizes, strides))
    refuse("the elements of a tensor overlap; save its clone()");
  make(Kind::kTensor)->tensor = torch::empty({0}, type).set_(
      flat.storage(), flat.storage_offset() + arguments[1]->integer, sizes, strides);
}

/// ("storage", type, key, device, elements), and the part that is meant (key, begin, elements) in
/// old files.
void CheckpointPickle::push_storage(const PickleValue& id) {
  const auto& items = id.items;
  if (items.size() < 5 || items[0]->text != "storage")
    refuse("it holds whole modules; save the module's state_dict() alone");
  const auto type = type_named(items[1]->text, true);
  if (!type) refuse("a storage has no type");
  int64_t count = items[4]->integer, begin = 0;
  uint64_t bytes = 0;
  if (count < 0 || __builtin_mul_overflow(uint64_t(count), torch::elementSize(*type), &bytes))
    refuse("a storage's size is out of bounds");
  const auto storage = storages_(items[2]->text, bytes);
  if (storage.nbytes() != bytes)
    refuse(fmt::format("the storage {} has {} bytes instead of {}", items[2]->text,
                       storage.nbytes(), bytes));
  if (items.size() > 5 && items[5]->items.size() == 3) {
    begin = items[5]->items[1]->integer;
    const auto part = items[5]->items[2]->integer;
    if (begin < 0 || part < 0 || begin > count || part > count - begin)
      refuse("a part of a storage is out of bounds");
    count = part;
  }
  make(Kind::kStorage)->tensor = torch::empty({0}, *type).set_(storage, begin, {count}, {1});
}

}  // namespace firesteel
