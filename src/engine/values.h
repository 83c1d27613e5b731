// Spark's values outside of SQL, as the kernels of JSON, CSV, XML and variants read and write them:
// DuckDB's type of each, numbers, dates and times as text.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "plan/types.h"

namespace duckdb {
class ClientContext;
class Value;
struct LogicalType;
}  // namespace duckdb

namespace firesteel {

using Wide = __int128;

duckdb::LogicalType logical_type(const DataType& type);
duckdb::Value null_of(const DataType& type);

/// A decimal number of any size: digits * 10^-scale.
struct BigDecimal {
  bool negative = false;
  std::string digits;  // without leading zeros, at least one
  int64_t scale = 0;

  static std::optional<BigDecimal> parse(std::string_view text);
  int64_t precision() const { return static_cast<int64_t>(digits.size()); }
  /// Rounded half up to a scale; nothing when it has more digits than 38 or `precision`.
  std::optional<Wide> unscaled(int precision, int wanted_scale) const;
  /// As Java's BigDecimal writes it.
  std::string text() const;
};
BigDecimal big_decimal(Wide unscaled, int scale);
duckdb::Value decimal_value(Wide unscaled, int precision, int scale);
Wide unscaled_of(const duckdb::Value& decimal);

/// Times of one time zone, within one call of a kernel.
class Zone {
 public:
  Zone(duckdb::ClientContext& context, std::string name)
      : context_(context), name_(std::move(name)) {}
  int64_t to_local(int64_t utc) const;
  int64_t to_utc(int64_t local) const { return *to_utc(local, name_); }
  /// Local time of another zone, an offset or a region; nothing when there is none of that name.
  std::optional<int64_t> to_utc(int64_t local, const std::string& zone) const;

 private:
  duckdb::ClientContext& context_;
  std::string name_;
};

/// A pattern of Java's DateTimeFormatter. Throws UNSUPPORTED_FEATURE.DATETIME_PATTERN.
class MomentPattern {
 public:
  explicit MomentPattern(std::string_view text);
  std::string format(int64_t local, int64_t offset_seconds) const;
  struct Moment {
    int64_t local = 0;
    std::optional<std::string> zone;
  };
  std::optional<Moment> parse(std::string_view text) const;

 private:
  struct Part {
    char letter = 0;  // 0: `text`; [ and ] begin and end what may be left out
    int count = 0;
    std::string text = {};
  };
  std::vector<Part> parts_;
};

/// Text as Spark's casts read it.
std::optional<int64_t> timestamp_of_text(std::string_view text, const Zone& zone);
std::optional<int64_t> timestamp_ntz_of_text(std::string_view text, bool zone_allowed);
std::optional<int32_t> date_of_text(std::string_view text);
std::optional<int64_t> integer_of_text(std::string_view text);
/// As Spark's casts write them.
std::string date_text(int64_t days);
std::string timestamp_text(int64_t local);

/// Keys and values of `map('key', 'value', …)`, as the literal that functions pass on.
class Options {
 public:
  Options() = default;
  explicit Options(std::string_view literal);
  bool flag(const std::string& name, bool otherwise) const;
  std::string get(const std::string& name, const std::string& otherwise) const;
  std::optional<std::string> find(const std::string& name) const;

 private:
  std::map<std::string, std::string> values_;  // names in lower case
};

/// Bytes of base64 text; nothing when it is malformed.
std::optional<std::string> bytes_of_base64(std::string_view text);
std::string base64_text(std::string_view bytes);

}  // namespace firesteel
