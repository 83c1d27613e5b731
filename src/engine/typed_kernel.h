// What the kernels share that read text as a Spark type or write one as text. Their calls end with
// constants: the type's text, the options, the session's time zone.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/values.h"

namespace duckdb {
class ExtensionLoader;
}

namespace firesteel {

/// How JSON, CSV and XML spell dates and times.
struct MomentFormats {
  std::optional<MomentPattern> date, timestamp, timestamp_ntz;

  /// Those of the options; to write, what is not given has Spark's default.
  static MomentFormats to_read(const Options& options);
  static MomentFormats to_write(const Options& options);
};

/// A value of one of the types that are no arrays, maps or structs; nothing when the text is
/// malformed.
std::optional<duckdb::Value> value_of_text(std::string_view text, const DataType& type,
                                           const MomentFormats& formats, const Zone& zone);
/// The text of such a value.
std::string text_of_value(const duckdb::Value& value, const DataType& type,
                          const MomentFormats& formats, const Zone& zone);

/// What a call's constants say.
struct Typed {
  DataType type;
  Options options;
  std::string zone;
  MomentFormats to_read, to_write;
};
using TypedRow = std::function<duckdb::Value(const std::vector<duckdb::Value>&)>;
/// Made once per vector; the row is then called for each that has no null.
using MakeRow = std::function<TypedRow(const Typed& typed, const Zone& zone)>;
/// name(arguments …, type, options, zone). Types are text; "" is the type that the call gives.
void register_typed(duckdb::ExtensionLoader& loader, const char* name,
                    const std::vector<std::string>& arguments, const std::string& result,
                    MakeRow make);
/// The text in a value that is no null.
std::string_view text_in(const duckdb::Value& value);

/// Of a record that is malformed where none may be.
inline constexpr std::string_view kMalformedRecord =
    "MALFORMED_RECORD_IN_PARSING.WITHOUT_SUGGESTION";
std::string malformed_record(std::string_view record);

/// Throws DuckDB's exception of Spark's error.
[[noreturn]] void raise(std::string_view condition, std::string_view message);

}  // namespace firesteel
