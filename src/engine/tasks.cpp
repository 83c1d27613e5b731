// Tasks over the partitions of a plan's rows, on threads of this process.
#include "engine/embedded.h"

namespace firesteel {

proto::Relation EmbeddedExecutor::map_partitions(const proto::Relation&, const TaskCall&) {
  throw Error("UNSUPPORTED_FEATURE", "Tasks on this machine.");
}

}  // namespace firesteel
