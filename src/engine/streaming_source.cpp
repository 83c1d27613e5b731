// The rate sources, and which source a streaming read is.
#include "engine/streaming_source.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "engine/streaming_files.h"
#include "engine/streaming_python.h"
#include "functions/coercion.h"
#include "plan/names.h"

namespace firesteel {

namespace fs = std::filesystem;
using nlohmann::json;
using Options = std::map<std::string, std::string>;

int64_t now_millis() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

namespace {

std::string option(const Options& options, const char* name, const std::string& otherwise) {
  const auto found = options.find(name);
  return found == options.end() ? otherwise : found->second;
}

int64_t positive(const Options& options, const char* name, const char* shown, int64_t otherwise,
                 int64_t least) {
  const auto text = option(options, name, std::to_string(otherwise));
  try {
    size_t used = 0;
    const auto value = std::stoll(text, &used);
    if (used == text.size() && value >= least) return value;
  } catch (const std::exception&) {
  }
  throw Error("_LEGACY_ERROR_TEMP_1280",
              fmt::format("Invalid value '{}'. The option '{}' must be {}.", text, shown,
                          least > 0 ? "positive" : ">= 0"));
}

const Schema& rate_schema() {
  static const Schema schema = {{"timestamp", make_type(TypeKind::kTimestamp), true},
                                {"value", make_type(TypeKind::kLong), true}};
  return schema;
}

/// Rows `first` … `end` - 1 whose time in microseconds is an SQL expression of `range`.
HeldRows rate_rows(EmbeddedExecutor& engine, int64_t first, int64_t end,
                   const std::string& micros) {
  return engine.hold(Scan{.from = fmt::format("range({}, {})", first, end),
                          .columns = {{rate_schema()[0], fmt::format("make_timestamp({})", micros)},
                                      {rate_schema()[1], "range"}}});
}

/// So many rows per second since the query first started.
class RateSource : public StreamSource {
 public:
  RateSource(const Options& options, EmbeddedExecutor& engine, const fs::path& log)
      : engine_(engine),
        rows_per_second_(positive(options, "rowspersecond", "rowsPerSecond", 1, 1)),
        partitions_(option(options, "numpartitions", "default")) {
    if (partitions_ != "default") positive(options, "numpartitions", "numPartitions", 1, 1);
    ramp_up_ = interval_micros(option(options, "rampuptime", "0s")) / 1000000;
    const auto file = log / "0";
    if (fs::exists(file)) {
      started_ = std::stoll(read_file(file).substr(3));
    } else {
      started_ = now_millis();
      fs::create_directories(log);
      write_file_aside(file, fmt::format("v1\n{}", started_));
    }
  }
  std::string description() const override {
    return fmt::format("RateStreamV2[rowsPerSecond={}, rampUpTimeSeconds={}, numPartitions={}",
                       rows_per_second_, ramp_up_, partitions_);
  }
  std::string next(const std::string& start) override {
    const auto now = last_ ? *last_ : std::max<int64_t>((now_millis() - started_) / 1000, 0);
    return std::to_string(std::max<int64_t>(now, start.empty() ? 0 : std::stoll(start)));
  }
  void stop_at_latest() override { last_ = (now_millis() - started_) / 1000; }
  HeldRows rows(const std::string& start, const std::string& end) override {
    const int64_t from = start.empty() ? 0 : std::stoll(start), to = std::stoll(end);
    const auto first = rate_value_at(from, rows_per_second_, ramp_up_),
               last = rate_value_at(to, rows_per_second_, ramp_up_);
    const double each =
        last > first ? static_cast<double>(to - from) * 1000 / static_cast<double>(last - first)
                     : 0;
    return rate_rows(engine_, first, last,
                     fmt::format("({} + CAST(round((range - {}) * {}::DOUBLE) AS BIGINT)) * 1000",
                                 started_ + from * 1000, first, each));
  }

 private:
  EmbeddedExecutor& engine_;
  int64_t rows_per_second_, ramp_up_ = 0, started_ = 0;
  std::string partitions_;
  std::optional<int64_t> last_;
};

/// So many rows in each batch, whose time goes on by so much from one to the next.
class RateMicroBatchSource : public StreamSource {
 public:
  RateMicroBatchSource(const Options& options, EmbeddedExecutor& engine)
      : engine_(engine),
        rows_(positive(options, "rowsperbatch", "rowsPerBatch", 0, 1)),
        advance_(positive(options, "advancemillisperbatch", "advanceMillisPerBatch", 1000, 0)),
        start_(positive(options, "starttimestamp", "startTimestamp", 0, 0)) {
    if (options.contains("numpartitions"))
      positive(options, "numpartitions", "numPartitions", 1, 1);
  }
  std::string description() const override {
    return fmt::format(
        "RatePerMicroBatchStream[rowsPerBatch={}, numPartitions=default, startTimestamp={}, "
        "advanceMsPerBatch={}]",
        rows_, start_, advance_);
  }
  std::string next(const std::string& start) override {
    if (start == last_ && !last_.empty()) return start;
    const auto [offset, time] = parts(start);
    return json{{"offset", offset + rows_}, {"timestamp", time + advance_}}.dump();
  }
  void stop_at_latest() override { last_ = next(""); }
  HeldRows rows(const std::string& start, const std::string& end) override {
    const auto [first, time] = parts(start);
    return rate_rows(engine_, first, parts(end).first, fmt::format("{}", time * 1000));
  }

 private:
  std::pair<int64_t, int64_t> parts(const std::string& offset) const {
    if (offset.empty()) return {0, start_};
    const auto value = json::parse(offset);
    return {value.at("offset").get<int64_t>(), value.at("timestamp").get<int64_t>()};
  }
  EmbeddedExecutor& engine_;
  int64_t rows_, advance_, start_;
  std::string last_;
};

Options lower_keys(const proto::Read_DataSource& source) {
  Options out;
  for (const auto& [key, value] : source.options()) out[lower_case(key)] = value;
  return out;
}

}  // namespace

int64_t rate_value_at(int64_t second, int64_t rows_per_second, int64_t ramp_up) {
  // While it ramps up, the speed is a multiple of this; the rows are their sum.
  const int64_t step = rows_per_second / (ramp_up + 1);
  if (second <= ramp_up) return step * second * (second + 1) / 2;
  return rate_value_at(ramp_up, rows_per_second, ramp_up) + (second - ramp_up) * rows_per_second;
}

int64_t interval_micros(std::string text) {
  static const std::map<std::string, double> units = {
      {"microsecond", 1}, {"us", 1},       {"millisecond", 1e3}, {"ms", 1e3},
      {"msec", 1e3},      {"second", 1e6}, {"s", 1e6},           {"sec", 1e6},
      {"minute", 60e6},   {"m", 60e6},     {"min", 60e6},        {"hour", 36e8},
      {"h", 36e8},        {"day", 864e8},  {"d", 864e8},         {"week", 6048e8}};
  const auto given = text;
  const auto bad = [&] {
    return Error("CANNOT_PARSE_INTERVAL",
                 fmt::format("Unable to parse '{}'. Please ensure that the value provided is in a "
                             "valid format for defining an interval. You can reference the "
                             "documentation for the correct format.",
                             given));
  };
  text = lower_case(text);
  double total = 0;
  bool any = false;
  for (size_t at = 0; at < text.size();) {
    if (std::isspace(static_cast<unsigned char>(text[at]))) {
      ++at;
      continue;
    }
    if (!any && text.compare(at, 8, "interval") == 0) {
      at += 8;
      continue;
    }
    char* end = nullptr;
    const double number = std::strtod(text.c_str() + at, &end);
    size_t after = static_cast<size_t>(end - text.c_str());
    if (after == at) throw bad();
    while (after < text.size() && text[after] == ' ') ++after;
    size_t stop = after;
    while (stop < text.size() && std::isalpha(static_cast<unsigned char>(text[stop]))) ++stop;
    auto unit = text.substr(after, stop - after);
    if (!units.contains(unit) && unit.ends_with('s')) unit.pop_back();
    const auto found = units.find(unit);
    if (found == units.end()) throw bad();
    total += number * found->second;
    any = true;
    at = stop;
  }
  if (!any) throw bad();
  return static_cast<int64_t>(std::llround(total));
}

Schema stream_schema(const proto::Read& read, EmbeddedExecutor& engine) {
  if (!read.has_data_source()) return {};
  const auto format = lower_case(read.data_source().format());
  if (format == "rate" || format == "rate-micro-batch") return rate_schema();
  if (const auto python = engine.python_source(format)) {
    PythonSourceWorker worker(*python, engine.python_session());
    return engine.describe_python(worker, read.data_source()).schema;
  }
  return file_stream_schema(read.data_source(), engine);
}

std::unique_ptr<StreamSource> make_stream_source(const proto::Read& read, EmbeddedExecutor& engine,
                                                 const fs::path& log) {
  if (read.has_named_table()) return make_table_source(read.named_table(), engine, log);
  const auto format = lower_case(read.data_source().format());
  const auto options = lower_keys(read.data_source());
  if (format == "rate") return std::make_unique<RateSource>(options, engine, log);
  if (format == "rate-micro-batch") return std::make_unique<RateMicroBatchSource>(options, engine);
  if (const auto python = engine.python_source(format))
    return make_python_source(*python, read.data_source(), engine);
  return make_file_source(read.data_source(), engine, log);
}

Scan EmbeddedExecutor::stream(const proto::Read& read) {
  Scan scan{.from = "(SELECT 1 WHERE false)", .columns = {}};
  for (const auto& field : stream_schema(read, *this))
    scan.columns.push_back({field, fmt::format("CAST(NULL AS {})", duckdb_type(field.type))});
  return scan;
}

}  // namespace firesteel
