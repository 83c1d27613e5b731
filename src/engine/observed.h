// Metrics that DataFrame.observe asked for, after its plan has run.
#pragma once

#include <spark/connect/expressions.pb.h>

#include <string>
#include <vector>

#include "base/arrow_stream.h"
#include "plan/types.h"

namespace firesteel {

/// The metrics of one observation, as ExecutePlanResponse.observed_metrics says them.
struct ObservedMetrics {
  std::string name;
  int64_t plan_id = 0;
  std::vector<std::string> keys;
  std::vector<spark::connect::Expression::Literal> values;
};

/// A stream's rows as the protocol's literals of Spark's types.
std::vector<std::vector<spark::connect::Expression::Literal>> literal_rows(ArrowStream stream,
                                                                           const Schema& schema);

}  // namespace firesteel
