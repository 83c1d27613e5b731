// Spark SQL text -> the one plan, Spark Connect's protobuf. The grammar's pieces: grammar.h.
#pragma once

#include <string_view>

namespace spark::connect {
class Expression;
class Plan;
class Relation;
}  // namespace spark::connect

namespace firesteel {

/// A statement: a query becomes Plan.root, a command Plan.command. Every expression, table and join
/// carries the place of its text (origin.jvm_origin, stop_index inclusive); the outermost relation
/// also the text itself. Throws Error with the place and the text.
spark::connect::Plan parse_statement(std::string_view sql);

/// A query: SELECT, VALUES, TABLE, WITH …
spark::connect::Relation parse_query(std::string_view sql);

/// One expression, as `filter("…")` and `selectExpr` take it; `x AS name` and `*` too.
spark::connect::Expression parse_expression(std::string_view sql);

}  // namespace firesteel
