// DataFrame.writeTo: a table of the catalog made of rows, or given more of them. Said as the
// commands that do it.
#include <fmt/format.h>

#include "base/error.h"
#include "engine/embedded.h"
#include "plan/names.h"

namespace firesteel {

void EmbeddedExecutor::write(const proto::WriteOperationV2& operation) {
  using V1 = proto::WriteOperation;
  using V2 = proto::WriteOperationV2;
  const auto mode = operation.mode();
  const bool creates = mode == V2::MODE_CREATE || mode == V2::MODE_CREATE_OR_REPLACE;
  // What is not made must be there.
  if (!creates) table_entry(operation.table_name());
  const auto& condition = operation.overwrite_condition();
  if (mode == V2::MODE_OVERWRITE && !condition.literal().boolean()) {
    throw Error("UNSUPPORTED_FEATURE.OVERWRITE_BY_CONDITION",
                "writeTo(…).overwrite replaces all rows, with lit(true). Delete those of a "
                "condition first, then append.");
  }
  if (mode == V2::MODE_OVERWRITE_PARTITIONS &&
      lower_case(config("spark.sql.sources.partitionOverwriteMode")) != "dynamic") {
    throw Error("UNSUPPORTED_FEATURE.OVERWRITE_PARTITIONS",
                "writeTo(…).overwritePartitions needs the setting "
                "spark.sql.sources.partitionOverwriteMode = dynamic.");
  }
  if (mode == V2::MODE_OVERWRITE || mode == V2::MODE_OVERWRITE_PARTITIONS) {
    Insert insert;
    insert.table = operation.table_name();
    insert.overwrite = insert.by_name = true;
    insert.query = operation.input();
    run(insert);
    return;
  }
  V1 write;
  *write.mutable_input() = operation.input();
  write.mutable_table()->set_table_name(operation.table_name());
  write.mutable_table()->set_save_method(V1::SaveTable::TABLE_SAVE_METHOD_SAVE_AS_TABLE);
  write.set_mode(mode == V2::MODE_CREATE   ? V1::SAVE_MODE_ERROR_IF_EXISTS
                 : mode == V2::MODE_APPEND ? V1::SAVE_MODE_APPEND
                                           : V1::SAVE_MODE_OVERWRITE);
  if (operation.has_provider()) write.set_source(operation.provider());
  *write.mutable_options() = operation.options();
  for (const auto& column : operation.partitioning_columns()) {
    if (!column.has_unresolved_attribute()) {
      throw Error("UNSUPPORTED_FEATURE.PARTITION_TRANSFORM",
                  "Tables are partitioned by columns, not by what is computed of them.");
    }
    write.add_partitioning_columns(column.unresolved_attribute().unparsed_identifier());
  }
  this->write(write);
}

}  // namespace firesteel
