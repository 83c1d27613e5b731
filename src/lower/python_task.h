// What a Python worker is asked to do: functions as PySpark pickled them, the columns they are
// given, what they give. It goes from lowering to the engine as one text inside the SQL, so that
// a query needs nothing but its text to run.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "plan/types.h"

namespace firesteel {

/// Spark's numbers of the kinds of functions (pyspark.util.PythonEvalType).
namespace python_kind {
inline constexpr int kBatched = 100, kArrowBatched = 101;
inline constexpr int kScalarPandas = 200, kScalarPandasIter = 204;
inline constexpr int kScalarArrow = 250, kScalarArrowIter = 251;
inline constexpr int kMapPandas = 205, kMapArrow = 207;
inline constexpr int kGroupedMapPandas = 201, kGroupedMapArrow = 209;
inline constexpr int kGroupedMapArrowIter = 215, kGroupedMapPandasIter = 216;
inline constexpr int kCogroupedMapPandas = 206, kCogroupedMapArrow = 210;
inline constexpr int kGroupedAggPandas = 202, kGroupedAggPandasIter = 217;
inline constexpr int kGroupedAggArrow = 252, kGroupedAggArrowIter = 254;
inline constexpr int kWindowAggPandas = 203, kWindowAggArrow = 253;
inline constexpr int kTable = 300, kArrowTable = 301, kArrowUdtf = 302;
}  // namespace python_kind

struct PythonTask {
  int kind = 0;
  std::string client_version;  // of Python, "3.11"; empty: the worker's
  std::vector<std::string> includes;
  /// A function, and which columns of `input` are its arguments.
  struct Call {
    std::string command;
    std::vector<int> arguments = {};
    std::vector<std::pair<std::string, int>> named = {};
  };
  std::vector<Call> calls;
  Schema input;
  /// A value's type; of kinds that make rows the struct of their columns.
  DataType output;

  /// Kinds that make rows: SQL of the rows that go in. First come `kept` columns, which go around
  /// the worker and stand beside its rows again, then `keys`, which tell groups apart and are sent
  /// too, then the rest.
  std::string rows = {};
  int kept = 0, keys = 0;
  /// The other side of a cogrouped map, whose keys compare with the first side's.
  std::string other_rows = {};
  Schema other_input = {};

  /// Table functions: the name, which columns of the table argument part it, and what its method
  /// `analyze` gave, pickled.
  std::string name = {};
  std::vector<int> partition_columns = {};
  std::string analyzed = {};
  /// Arguments that are tables, by their place.
  std::vector<int> table_arguments = {};

  /// Settings of the session that the worker reads or that choose it.
  std::map<std::string, std::string> settings = {};

  bool makes_rows() const { return !rows.empty(); }
};

/// What a table function's method `analyze` is told of an argument.
struct AnalyzeArgument {
  DataType type;
  std::optional<std::string> pickled = {};  // a constant's value
  bool table = false;
  std::string keyword = {};
};

/// What `analyze` says: the columns, and what is to be done to the rows of a table argument.
struct AnalyzedTable {
  Schema columns;
  std::string pickled;                      // the whole answer, for the function itself
  std::vector<std::string> partition = {};  // SQL expressions
  struct Order {
    std::string expression;
    bool ascending = true;
    std::optional<bool> nulls_first = {};
  };
  std::vector<Order> order = {};
  /// Expressions and their aliases, perhaps empty; all columns when there are none.
  std::vector<std::pair<std::string, std::string>> select = {};
};

/// Tells a task of the session that it runs in: `settings` are Environment's.
void set_python_session(PythonTask& task, std::map<std::string, std::string> settings,
                        const std::string& time_zone);
/// Kinds over relations that give one value beside each row, where others give rows.
bool python_gives_value(int kind);

std::string python_task_text(const PythonTask& task);
PythonTask python_task(std::string_view text);

}  // namespace firesteel
