// Avro and Protobuf, which Firesteel has not.
#include "functions/groups.h"

namespace firesteel {

// clang-format off
constexpr FunctionSpec kAvro[] = {
    {.name = "from_avro", .signature = "(data: binary, schema: string, [options: any]) -> any",
     .unsupported = "Avro is not read. Write Parquet, or JSON and `from_json`.", .doc = "Avro bytes as a value."},
    {.name = "from_protobuf", .signature = "(data: binary, message: string, [descriptor: any], [options: any]) -> any",
     .unsupported = "Protobuf messages are not read. Write Parquet, or JSON and `from_json`.", .doc = "A Protobuf message as a struct."},
    {.name = "schema_of_avro", .signature = "(schema: string, [options: any]) -> string",
     .unsupported = "Avro is not read. Write Parquet, or JSON and `from_json`.", .doc = "The type of an Avro schema."},
    {.name = "to_avro", .signature = "(value: any, [schema: string]) -> binary",
     .unsupported = "Avro is not written. Write Parquet, or JSON by `to_json`.", .doc = "A value as Avro bytes."},
    {.name = "to_protobuf", .signature = "(value: any, message: string, [descriptor: any], [options: any]) -> binary",
     .unsupported = "Protobuf messages are not written. Write Parquet, or JSON by `to_json`.", .doc = "A struct as a Protobuf message."},
};
// clang-format on
static_assert(checked(kAvro));

std::span<const FunctionSpec> avro_rows() { return kAvro; }

}  // namespace firesteel
