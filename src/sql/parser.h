// Spark SQL text -> the one plan, Spark Connect's protobuf. The grammar's pieces: grammar.h.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "sql/statement.h"

namespace firesteel {

/// What `:name` and `?` stand for.
struct SqlParameters {
  std::map<std::string, spark::connect::Expression> named;
  std::vector<spark::connect::Expression> positional;
};

/// A statement: a query is a Plan with a root, a temporary view a Plan with a command. Every
/// expression, table and join carries the place of its text (origin.jvm_origin, stop_index
/// inclusive); the outermost relation also the text itself. Throws Error with the place and the
/// text.
Statement parse_statement(std::string_view sql, const SqlParameters& parameters = {});

/// A query: SELECT, VALUES, TABLE, WITH …
spark::connect::Relation parse_query(std::string_view sql, const SqlParameters& parameters = {});

/// One expression, as `filter("…")` and `selectExpr` take it; `x AS name` and `*` too.
spark::connect::Expression parse_expression(std::string_view sql);

/// The statements of a text, which semicolons end; those within a script (BEGIN … END) do not.
std::vector<std::string> split_statements(std::string_view text);

}  // namespace firesteel
