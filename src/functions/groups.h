// The rows of each category; `function_groups` lists them.
#pragma once

#include "functions/spec.h"

namespace firesteel {

std::span<const FunctionSpec> operator_rows();
std::span<const FunctionSpec> math_rows();
std::span<const FunctionSpec> string_rows();
std::span<const FunctionSpec> bytes_rows();
std::span<const FunctionSpec> datetime_rows();
std::span<const FunctionSpec> collection_rows();
std::span<const FunctionSpec> json_rows();
std::span<const FunctionSpec> variant_rows();
std::span<const FunctionSpec> csv_rows();
std::span<const FunctionSpec> xml_rows();
std::span<const FunctionSpec> avro_rows();
std::span<const FunctionSpec> sketch_rows();
std::span<const FunctionSpec> aggregate_rows();
std::span<const FunctionSpec> window_rows();
std::span<const FunctionSpec> generator_rows();
std::span<const FunctionSpec> miscellaneous_rows();

}  // namespace firesteel
