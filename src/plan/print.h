// Plans as text for people: relations as an indented tree, expressions as Spark SQL.
#pragma once

#include <string>

namespace spark::connect {
class Expression;
class Relation;
}  // namespace spark::connect

namespace firesteel {

/// One line per relation, its inputs below it, two spaces deeper:
///   Project origin, late + 1 AS later
///     Filter late > 60
///       Read flights
std::string print(const spark::connect::Relation& relation);

/// Spark SQL that parses to an equal expression, places aside. What SQL cannot say, a subquery by
/// its plan id or a Python function, prints readably.
std::string print(const spark::connect::Expression& expression);

/// The same with every `origin` removed, so that equal text gives equal messages.
spark::connect::Expression without_origins(spark::connect::Expression expression);
spark::connect::Relation without_origins(spark::connect::Relation relation);

}  // namespace firesteel
