// How the files of this folder make one DataFrame of another.
#pragma once

#include <spark/connect/relations.pb.h>

#include <atomic>
#include <memory>
#include <utility>

#include "base/error.h"
#include "dataframe/dataframe.h"

namespace firesteel {

/// A relation to be kept. Its id is what `df["name"]` refers to.
inline std::shared_ptr<const spark::connect::Relation> shared(spark::connect::Relation relation) {
  static std::atomic<int64_t> next_plan_id = 0;
  if (!relation.common().has_plan_id()) relation.mutable_common()->set_plan_id(next_plan_id++);
  return std::make_shared<const spark::connect::Relation>(std::move(relation));
}

/// A relation over this one: `build` fills it, and gives the relation to put this plan's copy in.
template <typename Build>
DataFrame DataFrame::derive(Build build) const {
  spark::connect::Relation relation;
  *build(relation) = plan();
  return DataFrame(executor_, shared(std::move(relation)));
}

/// What `lit(…)` holds.
inline const spark::connect::Expression::Literal& literal_of(const Column& constant) {
  if (!constant.expression().has_literal())
    throw Error("INVALID_PARAMETER_VALUE", "A constant is needed here, such as lit(1).");
  return constant.expression().literal();
}

}  // namespace firesteel
