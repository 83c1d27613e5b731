// What of a plan is a stream, and what Spark allows on streams.
#pragma once

#include <spark/connect/relations.pb.h>

#include <set>
#include <string>
#include <vector>

#include "engine/embedded.h"

namespace firesteel {

enum class OutputMode { kAppend, kComplete, kUpdate };

/// The relations that a relation is made of, outermost first; those of subqueries too.
std::vector<proto::Relation*> inputs_of(proto::Relation& relation);
std::vector<const proto::Relation*> inputs_of(const proto::Relation& relation);

/// The plan with SQL text parsed, and with the plans of streaming temporary views and of named
/// queries in place of their names.
proto::Relation expanded(const proto::Relation& relation, EmbeddedExecutor& engine);

/// Of an expanded plan: does it read a stream?
bool is_streaming(const proto::Relation& relation);

/// The columns of an expanded plan that hold the time of its events: those of withWatermark, and
/// windows of them.
std::set<std::string> event_columns(const proto::Relation& relation);
/// The one of `columns` that an expression is, or is a window of; empty when it is none.
std::string event_column_of(const proto::Expression& expression,
                            const std::set<std::string>& columns);

/// Throws what Spark's UnsupportedOperationChecker does.
void check_streaming(const proto::Relation& relation, OutputMode mode, EmbeddedExecutor& engine);

/// Is it an aggregate that has to be kept from batch to batch?
bool is_streaming_aggregate(const proto::Relation& relation);

}  // namespace firesteel
