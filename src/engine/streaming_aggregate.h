// A grouped aggregation said as three: partial values of a batch's rows, partial values merged with
// those kept from earlier batches, and the answers made of them.
#pragma once

#include <spark/connect/relations.pb.h>

#include <functional>
#include <string>
#include <vector>

#include "engine/embedded.h"

namespace firesteel {

struct SplitAggregate {
  /// Of the input's columns: the keys as written, and partial values.
  std::vector<proto::Expression> keys, partials;
  /// Of the columns k0 … and p0 … of rows to be merged, and `__o`, which is greater in newer rows.
  std::vector<proto::Expression> merges;
  /// The aggregate's columns, of merged k0 … and p0 ….
  std::vector<proto::Expression> answers;
  /// The place of a key that is a session_window; -1: none.
  int session = -1;

  static std::string key(size_t i) { return "k" + std::to_string(i); }
  static std::string partial(size_t i) { return "p" + std::to_string(i); }
  std::vector<std::string> names() const;
};

/// `type_of` gives the type of an expression of the input's columns. Throws
/// UNSUPPORTED_STREAMING_AGGREGATE for functions that have no partial values.
SplitAggregate split_aggregate(const proto::Aggregate& aggregate, bool select_list,
                               EmbeddedExecutor& engine,
                               const std::function<DataType(const proto::Expression&)>& type_of);

}  // namespace firesteel
