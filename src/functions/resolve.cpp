// From a row and resolved arguments to SQL and a type: signatures are matched, arguments cast,
// templates filled.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <unordered_map>

#include "functions/coercion.h"
#include "functions/spec.h"

namespace firesteel {

namespace {

/// A type as a signature writes it: `array<T>`, `numeric`, `int`.
struct Pattern {
  std::string name;
  std::vector<Pattern> inner;
  bool is_variable() const { return name.size() == 1; }
};

struct Parameter {
  std::string name;
  Pattern pattern;
  bool optional = false;
  bool repeats = false;
};

struct Signature {
  std::vector<Parameter> parameters;
  Pattern result;
};

class SignatureParser {
 public:
  explicit SignatureParser(std::string_view text) : text_(text) {}

  Signature parse() {
    Signature signature;
    expect('(');
    while (!take(')')) {
      Parameter parameter;
      parameter.optional = take('[');
      parameter.name = word();
      expect(':');
      parameter.pattern = pattern();
      if (text_.substr(at_, 3) == "...") {
        parameter.repeats = true;
        at_ += 3;
      }
      if (parameter.optional) expect(']');
      signature.parameters.push_back(std::move(parameter));
      take(',');
    }
    expect('-');
    expect('>');
    signature.result = pattern();
    return signature;
  }

 private:
  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool take(char c) {
    skip();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!take(c)) throw Error("INTERNAL_ERROR", fmt::format("bad signature {}", text_));
  }
  std::string word() {
    skip();
    const size_t start = at_;
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_')) {
      ++at_;
    }
    return std::string(text_.substr(start, at_ - start));
  }
  Pattern pattern() {
    Pattern result{.name = word(), .inner = {}};
    if (take('<')) {
      do {
        result.inner.push_back(pattern());
      } while (take(','));
      expect('>');
    }
    return result;
  }

  std::string_view text_;
  size_t at_ = 0;
};

/// A row's signature, parsed once.
const Signature& signature_of(const FunctionSpec& spec) {
  static const auto* parsed = [] {
    auto* all = new std::unordered_map<const FunctionSpec*, Signature>();
    for (const auto& group : function_groups()) {
      for (const auto& row : group.rows) (*all)[&row] = SignatureParser(row.signature).parse();
    }
    return all;
  }();
  return parsed->at(&spec);
}

using Bindings = std::map<std::string, DataType>;

std::optional<DataType> concrete(const std::string& name) {
  static const std::map<std::string, TypeKind> kinds = {{"boolean", TypeKind::kBoolean},
                                                        {"byte", TypeKind::kByte},
                                                        {"short", TypeKind::kShort},
                                                        {"int", TypeKind::kInteger},
                                                        {"long", TypeKind::kLong},
                                                        {"float", TypeKind::kFloat},
                                                        {"double", TypeKind::kDouble},
                                                        {"string", TypeKind::kString},
                                                        {"binary", TypeKind::kBinary},
                                                        {"time", TypeKind::kTime},
                                                        {"date", TypeKind::kDate},
                                                        {"timestamp", TypeKind::kTimestamp},
                                                        {"timestamp_ntz", TypeKind::kTimestampNtz},
                                                        {"variant", TypeKind::kVariant},
                                                        {"void", TypeKind::kNull}};
  const auto found = kinds.find(name);
  if (found == kinds.end()) return std::nullopt;
  return make_type(found->second);
}

bool in_class(const std::string& name, const DataType& type) {
  if (name == "any") return true;
  if (type.kind == TypeKind::kNull) return true;
  if (name == "numeric") return type.is_numeric();
  if (name == "integral") return type.is_integral();
  if (name == "fractional") return type.is_fractional();
  if (name == "ordered") return type.kind != TypeKind::kMap;
  return false;
}

/// Among the bindings when a variable is that of an array's or a map's elements.
constexpr const char* kElements = "elements";

/// The casts that nobody writes: none, to a wider type, to any number.
enum class Casts { kNone, kWidening, kNarrowing };

/// Binds `pattern` to a type.
bool match(const Pattern& pattern, const Resolved& value, Casts casts, Bindings& bound) {
  const bool loose = casts != Casts::kNone;
  if (pattern.is_variable()) {
    auto [entry, is_new] = bound.try_emplace(pattern.name, value.type);
    if (is_new) return true;
    const auto common = common_type(entry->second, value.type);
    // A text beside something else has no common type where elements are compared.
    const auto &a = entry->second, &b = value.type;
    if (bound.contains(kElements) && a.kind != b.kind && a.kind != TypeKind::kNull &&
        b.kind != TypeKind::kNull && (a.kind == TypeKind::kString || b.kind == TypeKind::kString))
      return false;
    if (!common || (!loose && *common != entry->second && !entry->second.is_nested())) return false;
    entry->second = *common;
    return true;
  }
  if (pattern.name == "array" || pattern.name == "map") {
    bound[kElements] = make_type(TypeKind::kNull);
    if (value.is_null()) {
      for (const auto& inner : pattern.inner) match(inner, value, casts, bound);
      return true;
    }
    const auto kind = pattern.name == "array" ? TypeKind::kArray : TypeKind::kMap;
    if (value.type.kind != kind) return false;
    for (size_t i = 0; i < pattern.inner.size(); ++i) {
      if (!match(pattern.inner[i], Resolved{.sql = "", .type = (*value.type.fields)[i].type}, casts,
                 bound)) {
        return false;
      }
    }
    return true;
  }
  if (pattern.name == "struct") return value.type.kind == TypeKind::kStruct || value.is_null();
  if (pattern.name == "interval") {
    return value.type.kind == TypeKind::kDayTimeInterval ||
           value.type.kind == TypeKind::kYearMonthInterval;
  }
  if (const auto type = concrete(pattern.name)) {
    return value.type == *type ||
           (loose && implicitly_castable(value, *type, casts == Casts::kNarrowing));
  }
  if (in_class(pattern.name, value.type)) {
    bound.try_emplace(pattern.name, value.is_null() && pattern.name != "any"
                                        ? make_type(TypeKind::kDouble)
                                        : value.type);
    return true;
  }
  // A string where a number is wanted is read as one.
  if (loose && value.type.kind == TypeKind::kString && pattern.name == "numeric") {
    bound.try_emplace(pattern.name, make_type(TypeKind::kDouble));
    return true;
  }
  return false;
}

DataType instantiate(const Pattern& pattern, const Bindings& bound) {
  if (pattern.name == "array") return array_type(instantiate(pattern.inner.at(0), bound));
  if (pattern.name == "map") {
    return map_type(instantiate(pattern.inner.at(0), bound),
                    instantiate(pattern.inner.at(1), bound));
  }
  if (const auto type = concrete(pattern.name)) return *type;
  const auto found = bound.find(pattern.name);
  if (found != bound.end()) return found->second;
  return make_type(TypeKind::kNull);
}

std::string print_pattern(const Pattern& pattern) {
  if (const auto type = concrete(pattern.name)) return fmt::format("\"{}\"", type->sql());
  std::string text = pattern.name;
  std::transform(text.begin(), text.end(), text.begin(), ::toupper);
  return fmt::format("\"{}\"", text);
}

std::string call_name(const FunctionSpec& spec, const std::vector<Resolved>& arguments);

[[noreturn]] void wrong_count(const std::vector<const FunctionSpec*>& overloads, size_t given,
                              const CallContext& call) {
  size_t least = SIZE_MAX, most = 0;
  for (const auto* spec : overloads) {
    const auto& signature = signature_of(*spec);
    size_t required = 0;
    for (const auto& parameter : signature.parameters) required += !parameter.optional;
    least = std::min(least, required);
    const bool open = !signature.parameters.empty() && signature.parameters.back().repeats;
    most = std::max(most, open ? SIZE_MAX : signature.parameters.size());
  }
  std::string expected = fmt::format("{}", least);
  if (most == SIZE_MAX) {
    expected = fmt::format("> {}", least > 0 ? least - 1 : 0);
  } else if (most != least) {
    expected = fmt::format("[{}, {}]", least, most);
  }
  throw Error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION",
              fmt::format("The `{}` requires {} parameters but the actual number is {}.", call.name,
                          expected, given))
      .at(call.span);
}

const char* ordinal(size_t i) {
  static constexpr const char* kWords[] = {"first", "second",  "third",  "fourth", "fifth",
                                           "sixth", "seventh", "eighth", "ninth",  "tenth"};
  return i < std::size(kWords) ? kWords[i] : "last";
}

/// The overload's parameter for argument i.
const Parameter* parameter_of(const Signature& signature, size_t i) {
  if (i < signature.parameters.size()) return &signature.parameters[i];
  if (!signature.parameters.empty() && signature.parameters.back().repeats) {
    return &signature.parameters.back();
  }
  return nullptr;
}

bool count_fits(const Signature& signature, size_t given) {
  size_t required = 0;
  for (const auto& parameter : signature.parameters) required += !parameter.optional;
  const bool open = !signature.parameters.empty() && signature.parameters.back().repeats;
  return given >= required && (open || given <= signature.parameters.size());
}

std::string fill(std::string_view text, const std::vector<Resolved>& arguments) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '{') {
      out += text[i];
      continue;
    }
    size_t depth = 1, end = i + 1;
    for (; end < text.size() && depth > 0; ++end)
      depth += text[end] == '{' ? 1 : text[end] == '}' ? -1 : 0;
    const auto inside = text.substr(i + 1, end - i - 2);
    i = end - 1;
    if (inside == "*") {
      for (size_t a = 0; a < arguments.size(); ++a) out += (a ? ", " : "") + arguments[a].sql;
      continue;
    }
    const size_t index = inside[0] - '0';
    if (inside.size() > 1) {  // {n?text} or {n!text}: given or not
      const bool given = index < arguments.size();
      if (given == (inside[1] == '?')) out += fill(inside.substr(2), arguments);
    } else {
      out += arguments.at(index).sql;
    }
  }
  return out;
}

std::string call_name(const FunctionSpec& spec, const std::vector<Resolved>& arguments) {
  if (!spec.print.empty()) {
    std::vector<Resolved> names = arguments;
    for (auto& argument : names) argument.sql = argument.name;
    return fill(spec.print, names);
  }
  std::vector<std::string> names;
  for (const auto& argument : arguments) names.push_back(argument.name);
  return fmt::format("{}({})", spec.name, fmt::join(names, ", "));
}

}  // namespace

Resolved resolve_call(const std::vector<const FunctionSpec*>& overloads,
                      std::vector<Resolved> arguments, const CallContext& call) {
  if (!overloads.front()->unsupported.empty()) {
    throw Error("UNSUPPORTED_FEATURE.FUNCTION",
                fmt::format("The function `{}` is not supported: {}", call.name,
                            overloads.front()->unsupported))
        .at(call.span);
  }
  const FunctionSpec* chosen = nullptr;
  Bindings bound;
  bool any_count = false;
  std::optional<Error> mismatch;
  for (const auto casts : {Casts::kNone, Casts::kWidening, Casts::kNarrowing}) {
    for (const auto* spec : overloads) {
      const auto& signature = signature_of(*spec);
      if (!count_fits(signature, arguments.size())) continue;
      any_count = true;
      bound.clear();
      bool fits = true;
      for (size_t i = 0; i < arguments.size() && fits; ++i) {
        if (casts == Casts::kNarrowing && spec->exact_numbers) fits = false;
        fits = fits && match(parameter_of(signature, i)->pattern, arguments[i], casts, bound);
        if (!fits && casts == Casts::kWidening && !mismatch) {
          const auto& pattern = parameter_of(signature, i)->pattern;
          const bool element = pattern.is_variable() && bound.contains(kElements),
                     arrays = i > 0 && pattern.name == "array" &&
                              arguments[i].type.kind == TypeKind::kArray;
          mismatch =
              Error(element  ? "DATATYPE_MISMATCH.ARRAY_FUNCTION_DIFF_TYPES"
                    : arrays ? "DATATYPE_MISMATCH.BINARY_ARRAY_DIFF_TYPES"
                             : "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
                    fmt::format("Cannot resolve \"{}\" due to data type mismatch: The {} "
                                "parameter requires the {} type, however \"{}\" has the type "
                                "\"{}\".",
                                call_name(*spec, arguments), ordinal(i),
                                print_pattern(parameter_of(signature, i)->pattern),
                                arguments[i].name, arguments[i].type.sql()))
                  .at(call.span);
        }
      }
      if (fits) {
        chosen = spec;
        break;
      }
    }
    if (chosen) break;
  }
  if (!any_count) wrong_count(overloads, arguments.size(), call);
  if (!chosen) throw *mismatch;
  const auto& signature = signature_of(*chosen);

  const std::string name = call_name(*chosen, arguments);
  bool nullable = false;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto& pattern = parameter_of(signature, i)->pattern;
    // A class keeps the argument's own type, but an inexact one is put right.
    const bool is_class = in_class(pattern.name, arguments[i].type) && !pattern.is_variable();
    const auto wanted =
        is_class && !arguments[i].is_null() ? arguments[i].type : instantiate(pattern, bound);
    if (pattern.name != "struct" && pattern.name != "interval" && pattern.name != "any" &&
        wanted.kind != TypeKind::kNull) {
      arguments[i] = coerce(arguments[i], wanted, call.time_zone);
    }
    nullable = nullable || arguments[i].nullable;
  }
  Resolved result;
  if (chosen->lower) {
    try {
      result = chosen->lower(arguments, call);
    } catch (const Error& error) {
      // A cast that nobody wrote: Spark speaks of the argument's type.
      const bool own = name.find("variant") != std::string::npos ||
                       std::any_of(arguments.begin(), arguments.end(), [](const Resolved& value) {
                         return value.type.kind == TypeKind::kTime;
                       });
      // Of the call, a lowering knows the function's name alone.
      const auto unnamed = fmt::format("Cannot resolve \"{}\" due", call.name);
      if (error.message().starts_with(unnamed)) {
        throw Error(error.condition(), fmt::format("Cannot resolve \"{}\" due{}", name,
                                                   error.message().substr(unnamed.size())))
            .at(error.span());
      }
      if (own || !error.condition().starts_with("DATATYPE_MISMATCH.CAST_WITH")) throw;
      throw Error(
          "DATATYPE_MISMATCH.UNEXPECTED_INPUT_TYPE",
          fmt::format("Cannot resolve \"{}\" due to data type mismatch: {}", name, error.message()))
          .at(call.span);
    }
    if (result.name.empty()) result.name = name;
  } else {
    result.sql = fill(chosen->lowering, arguments);
    result.type = instantiate(signature.result, bound);
    result.exact = !result.type.is_integral() && result.type.kind != TypeKind::kDecimal;
    result.name = name;
  }
  if (!chosen->lower || chosen->nulls != Nulls::kAnyArgument) {
    result.nullable =
        chosen->nulls == Nulls::kAlways || (chosen->nulls == Nulls::kAnyArgument && nullable);
  }
  result.span = call.span;
  return result;
}

std::vector<const FunctionSpec*> find_function(std::string_view name) {
  static const auto* index = [] {
    auto* map = new std::unordered_map<std::string, std::vector<const FunctionSpec*>>();
    for (const auto& group : function_groups()) {
      for (const auto& row : group.rows) (*map)[std::string(row.name)].push_back(&row);
    }
    return map;
  }();
  std::string key(name);
  std::transform(key.begin(), key.end(), key.begin(), ::tolower);
  const auto found = index->find(key);
  return found == index->end() ? std::vector<const FunctionSpec*>() : found->second;
}

std::vector<std::string> parameter_names(const FunctionSpec& spec) {
  std::vector<std::string> names;
  for (const auto& parameter : signature_of(spec).parameters) names.push_back(parameter.name);
  return names;
}

std::vector<std::string> function_names() {
  std::vector<std::string> names;
  for (const auto& group : function_groups()) {
    for (const auto& row : group.rows) {
      if (names.empty() || names.back() != row.name) names.emplace_back(row.name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::string functions_markdown() {
  std::string out =
      "# Functions\n\nPrinted by `firesteel functions --markdown` from the rows in "
      "`src/functions/`; the tests run every example.\n";
  for (const auto& group : function_groups()) {
    out += fmt::format(
        "\n## {}\n\n| function | signature | | example | gives |\n|---|---|---|---|---|\n",
        group.title);
    for (const auto& row : group.rows) {
      auto cell = [](std::string_view text) {
        std::string escaped;
        for (char c : text) escaped += c == '|' ? std::string("\\|") : std::string(1, c);
        return escaped;
      };
      out += fmt::format("| `{}` | `{}` | {} | {} | {} |\n", cell(row.name), cell(row.signature),
                         row.unsupported.empty()
                             ? cell(row.doc)
                             : fmt::format("{} **Not supported**: {}", row.doc, row.unsupported),
                         row.example.empty() ? "" : fmt::format("`{}`", cell(row.example)),
                         row.example.empty() ? "" : fmt::format("`{}`", cell(row.gives)));
    }
  }
  return out;
}

}  // namespace firesteel
