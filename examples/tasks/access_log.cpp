// Requests, bytes and the share of errors of each path, from a web server's log in the Common Log
// Format (https://httpd.apache.org/docs/current/logs.html#common). Lines that are none are counted.
#include <cstdio>
#include <regex>

#include "jobs.h"

using namespace firesteel;

namespace log_lines {

struct Line {
  std::string value;
};
FIRESTEEL_ROW(Line, value)

/// Of one request, or of all those of a path. Lines that could not be read have no path.
struct Requests {
  std::optional<std::string> path;
  int64_t requests = 1, bytes = 0, errors = 0;
};
FIRESTEEL_ROW(Requests, path, requests, bytes, errors)

constexpr auto parse = [](const Line& line) {
  static const std::regex format(
      R"re(\S+ \S+ \S+ \[[^\]]+\] "[A-Z]+ ([^ ?"]+)[^"]*" (\d{3}) (\d{1,15}|-)( .*)?)re");
  std::smatch parts;
  if (!std::regex_match(line.value, parts, format)) return Requests{};
  return Requests{.path = parts[1],
                  .bytes = parts[3] == "-" ? 0 : std::stoll(parts[3]),
                  .errors = parts[2].str()[0] >= '4'};
};

constexpr auto add = [](const Requests& a, const Requests& b) {
  return Requests{a.path, a.requests + b.requests, a.bytes + b.bytes, a.errors + b.errors};
};

}  // namespace log_lines

void summarize_log(const Session& spark, const std::string& path) {
  using log_lines::Requests;
  const auto by_path = Dataset<log_lines::Line>::of(spark.read().text(path))
                           .map<log_lines::parse>()
                           .reduce_by_key<&Requests::path, log_lines::add>()
                           .sort<&Requests::path>();
  for (const auto& row : by_path.collect()) {
    std::printf("%-24s %6ld requests %9ld bytes %5.1f%% errors\n",
                row.path.value_or("(malformed)").c_str(), row.requests, row.bytes,
                100.0 * static_cast<double>(row.errors) / static_cast<double>(row.requests));
  }
}
