// What the functions of JSON, CSV, XML and variants share: schemas and options given as constants,
// and the calls of the kernels that take them.
#pragma once

#include <string>
#include <vector>

#include "functions/spec.h"

namespace firesteel {

/// A string that is known now.
bool is_constant_text(const Resolved& value);
/// The type that a schema argument says, all of it nullable. Throws INVALID_SCHEMA.
DataType schema_argument(const Resolved& value, const CallContext& call);
/// The options as a kernel takes them; "" when the call has none. Throws INVALID_OPTIONS.
std::string options_argument(const std::vector<Resolved>& arguments, size_t index,
                             const CallContext& call);
/// The value of one option, in upper case; "" without it.
std::string option_value(const std::string& options, std::string_view name);
DataType nullable_type(const DataType& type);

/// Text that a kernel reads as a type. Throws DATATYPE_MISMATCH when `value` is no string.
Resolved read_call(const char* kernel, Resolved value, const DataType& type,
                   const std::string& options, const CallContext& call);
/// A value that a kernel writes as text.
Resolved write_call(const char* kernel, const Resolved& value, const std::string& options,
                    const CallContext& call);
/// schema_of_json and its like.
Resolved schema_call(const char* kernel, std::vector<Resolved>& arguments, const char* what,
                     const CallContext& call);
/// Refuses modes and columns for malformed records that a function cannot have.
void check_mode(const DataType& type, const std::string& options, const CallContext& call);

}  // namespace firesteel
