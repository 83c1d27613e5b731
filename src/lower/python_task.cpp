// A task as text: JSON in base64, since quotes inside SQL inside SQL would double each time.
#include "lower/python_task.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <sstream>
#include <utility>

namespace firesteel {

namespace {

using nlohmann::json;

constexpr std::string_view kDigits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = 0;
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    for (size_t j = 0; j < 3; ++j)
      word = word << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0u);
    for (size_t j = 0; j < 4; ++j) out += j <= count ? kDigits[word >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

std::string from_base64(std::string_view text) {
  static const auto values = [] {
    std::array<signed char, 256> table;
    table.fill(-1);
    for (size_t i = 0; i < kDigits.size(); ++i)
      table[static_cast<unsigned char>(kDigits[i])] = static_cast<signed char>(i);
    return table;
  }();
  std::string out;
  out.reserve(text.size() / 4 * 3);
  uint32_t word = 0;
  int bits = 0;
  for (const char c : text) {
    const int value = values[static_cast<unsigned char>(c)];
    if (value < 0) break;
    word = word << 6 | static_cast<uint32_t>(value);
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    out += static_cast<char>(word >> bits & 255);
  }
  return out;
}

json schema_to_json(const Schema& schema) {
  json out = json::array();
  for (const auto& field : schema) out.push_back({field.name, field.type.sql(), field.nullable});
  return out;
}

Schema schema_from_json(const json& fields) {
  Schema schema;
  for (const auto& field : fields)
    schema.push_back({field[0].get<std::string>(), parse_type(field[1].get<std::string>()),
                      field[2].get<bool>()});
  return schema;
}

}  // namespace

void set_python_session(PythonTask& task, std::map<std::string, std::string> settings,
                        const std::string& time_zone) {
  task.settings = std::move(settings);
  task.settings["spark.sql.session.timeZone"] = time_zone;
  std::istringstream includes(std::exchange(task.settings["includes"], ""));
  for (std::string name; std::getline(includes, name);) task.includes.push_back(name);
}

bool python_gives_value(int kind) {
  using namespace python_kind;
  return kind == kScalarPandasIter || kind == kScalarArrowIter || kind == kWindowAggPandas ||
         kind == kWindowAggArrow;
}

std::string python_task_text(const PythonTask& task) {
  json calls = json::array();
  for (const auto& call : task.calls)
    calls.push_back({to_base64(call.command), call.arguments, call.named});
  return to_base64(json{
      {"kind", task.kind},
      {"client_version", task.client_version},
      {"includes", task.includes},
      {"calls", calls},
      {"input", schema_to_json(task.input)},
      {"output", task.output.sql()},
      {"rows", task.rows},
      {"kept", task.kept},
      {"keys", task.keys},
      {"other_rows", task.other_rows},
      {"other_input", schema_to_json(task.other_input)},
      {"name", task.name},
      {"partition_columns", task.partition_columns},
      {"analyzed", to_base64(task.analyzed)},
      {"table_arguments", task.table_arguments},
      {"settings",
       task.settings}}.dump());
}

PythonTask python_task(std::string_view text) {
  const auto from = json::parse(from_base64(text));
  PythonTask task;
  from.at("kind").get_to(task.kind);
  from.at("client_version").get_to(task.client_version);
  from.at("includes").get_to(task.includes);
  for (const auto& call : from.at("calls")) {
    task.calls.push_back({from_base64(call[0].get<std::string>()), call[1].get<std::vector<int>>(),
                          call[2].get<std::vector<std::pair<std::string, int>>>()});
  }
  task.input = schema_from_json(from.at("input"));
  task.output = parse_type(from.at("output").get<std::string>());
  from.at("rows").get_to(task.rows);
  from.at("kept").get_to(task.kept);
  from.at("keys").get_to(task.keys);
  from.at("other_rows").get_to(task.other_rows);
  task.other_input = schema_from_json(from.at("other_input"));
  from.at("name").get_to(task.name);
  from.at("partition_columns").get_to(task.partition_columns);
  task.analyzed = from_base64(from.at("analyzed").get<std::string>());
  from.at("table_arguments").get_to(task.table_arguments);
  from.at("settings").get_to(task.settings);
  return task;
}

}  // namespace firesteel
