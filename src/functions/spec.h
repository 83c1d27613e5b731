// A Spark function is one row: name, signature, how DuckDB says it, documentation and an example
// with its result. Resolving a call, its documentation and its tests all read that row.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "plan/types.h"

namespace firesteel {

/// A resolved expression: DuckDB SQL, and the Spark type it stands for.
struct Resolved {
  std::string sql;
  DataType type;
  bool nullable = true;
  /// DuckDB's own type of `sql` is that of `type`, so no cast is needed where it matters.
  bool exact = true;
  /// A literal's value as text; empty when it is none. `NULL` for the null literal.
  std::string literal = {};
  /// The column's name when the user gives none, as Spark makes it.
  std::string name = {};
  /// The name is a column's, a field's or an alias's, not made of the expression's text.
  bool named = false;
  std::string metadata = {};  // Field::metadata
  Span span = {};

  bool is_null() const { return type.kind == TypeKind::kNull; }
};

/// What a row's function may know of the call besides its arguments.
struct CallContext {
  std::string_view name;
  Span span;
  const std::string& time_zone;
  bool windowed = false;  // an OVER clause follows
  std::string_view database = "default";
  /// A map that is given a key twice keeps the last value; else it is an error.
  bool last_key_wins = false;
};

enum class FunctionKind { kScalar, kAggregate, kWindow, kGenerator };
enum class Nulls {
  kAnyArgument,  // null when an argument is
  kNever,
  kAlways,  // may be null whatever the arguments
};

struct FunctionSpec;
using LowerFunction = Resolved (*)(std::vector<Resolved>& arguments, const CallContext& call);

struct FunctionSpec {
  std::string_view name;
  /// "(str: string, [len: int]) -> string". Types are Spark's, or `any`, `numeric`, `integral`,
  /// `fractional`, `ordered`; single capitals are variables, bound to the arguments' common type.
  /// `[x: …]` may be left out, `x: T...` repeats. `fn(T) -> U` is a lambda.
  std::string_view signature;
  /// A wider number is not cast to the type that a parameter names, as it else is.
  bool exact_numbers = false;
  /// DuckDB SQL: {0} is the first argument, {*} all of them; `{n?text}` only if argument n is
  /// given.
  std::string_view lowering = {};
  /// In place of `lowering`, when text cannot say it. Its result carries the type.
  LowerFunction lower = nullptr;
  /// In place of both: `lower/` knows the call itself (generators, grouping(), window()).
  bool of_resolver = false;
  /// In place of all: why Firesteel does not have it, and what to use instead. A call of it is
  /// UNSUPPORTED_FEATURE.FUNCTION with this text; such a row needs no example.
  std::string_view unsupported = {};
  FunctionKind kind = FunctionKind::kScalar;
  Nulls nulls = Nulls::kAnyArgument;
  /// From this argument on, expressions of constants are given as literals: schemas, options.
  int constants_from = kNoConstants;
  static constexpr int kNoConstants = 1000;
  /// The unaliased column's name, e.g. "({0} + {1})"; `name(arguments)` when empty.
  std::string_view print = {};
  std::string_view doc = {};
  /// A Spark SQL expression and what `SELECT example` shows, recorded from Apache Spark.
  std::string_view example = {};
  std::string_view gives = {};
};

/// All rows, by category. Rows of one name stand together: they are overloads, tried in order.
struct FunctionGroup {
  std::string_view title;
  std::span<const FunctionSpec> rows;
};
std::span<const FunctionGroup> function_groups();

/// True when rows are sorted by name, each has one lowering and documentation. For static_assert.
template <size_t N>
constexpr bool checked(const FunctionSpec (&rows)[N]) {
  for (size_t i = 0; i < N; ++i) {
    if (i > 0 && rows[i].name < rows[i - 1].name) return false;
    if (!rows[i].lowering.empty() + (rows[i].lower != nullptr) + rows[i].of_resolver +
            !rows[i].unsupported.empty() !=
        1) {
      return false;
    }
    const bool overload = i > 0 && rows[i].name == rows[i - 1].name;
    if (!overload && rows[i].doc.empty()) return false;
    if (!overload && rows[i].example.empty() == rows[i].unsupported.empty()) return false;
    if (rows[i].signature.empty()) return false;
  }
  return true;
}

/// The overloads of a name (case-insensitive), or none.
std::vector<const FunctionSpec*> find_function(std::string_view name);
/// The names of a row's parameters, as named arguments give them.
std::vector<std::string> parameter_names(const FunctionSpec& spec);
/// Every name, sorted.
std::vector<std::string> function_names();

/// Resolves a call: chooses the overload, casts the arguments as Spark's ANSI rules say, makes the
/// SQL and the result's type. Throws WRONG_NUM_ARGS or DATATYPE_MISMATCH. Lambda arguments are
/// resolved by `lower`: this is for calls without.
Resolved resolve_call(const std::vector<const FunctionSpec*>& overloads,
                      std::vector<Resolved> arguments, const CallContext& call);

/// `docs/functions.md`, printed from the rows.
std::string functions_markdown();

}  // namespace firesteel
