// Our calls make PySpark's plans: tests/golden holds the calls of both (cases.inc), what PySpark
// makes of them (plans.json) and where ours are others on purpose (differences.txt). Nothing is
// run: an executor writes down what it is sent.
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>
#include <spark/connect/commands.pb.h>
#include <spark/connect/relations.pb.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>

#include "base/error.h"
#include "base/native_function.h"
#include "dataframe/functions.h"
#include "dataframe/session.h"

namespace firesteel {
namespace {

using namespace std::chrono;
namespace f = functions;
namespace proto = spark::connect;
using nlohmann::json;

json to_json(const google::protobuf::Message& message) {
  std::string text;
  if (!google::protobuf::util::MessageToJsonString(message, &text).ok())
    throw std::logic_error("no JSON of a plan");
  return json::parse(text);
}

/// Thrown in place of an answer.
struct Sent : std::exception {
  json plan;
};

struct Recorder : Executor {
  [[noreturn]] static void sent(const google::protobuf::Message& message) {
    Sent sent;
    sent.plan = to_json(message);
    throw sent;
  }
  // The columns that record_golden.py gives every DataFrame too.
  Schema schema(const proto::Relation&) override {
    return parse_schema("name STRING, age INT, height DOUBLE");
  }
  ArrowStream execute(const proto::Relation& relation) override { sent(relation); }
  void run(const proto::Command& command) override { sent(command); }
  proto::Relation sql(std::string_view) override { return {}; }
  proto::Relation import(ArrowStream) override { return {}; }
  proto::Relation map_partitions(const proto::Relation&, const TaskCall&) override { return {}; }
  bool is_remote() const override { return true; }
  void add_function(NativeFunction) override {}
  std::string explain(const proto::Relation&, std::string_view) override { return {}; }
  void interrupt() override {}
  double progress() override { return -1; }
  void set_config(const std::string&, const std::string&) override {}
  std::string config(const std::string&) override { return {}; }
};

/// What PySpark says with the value that the field has unsaid.
const std::map<std::string, json> kSaidByPySparkAlone = {{"isMetadataColumn", false},
                                                         {"schema", ""},
                                                         {"shuffle", false},
                                                         {"withReplacement", false},
                                                         {"withinWatermark", false}};

/// Our rows are text: `collect` puts casts on top of the plan, which PySpark does not need.
json without_casts(const json& plan) {
  if (!plan.contains("project")) return plan;
  const json& input = plan["project"]["input"];
  if (!plan["project"].contains("expressions") || !input.contains("toDf")) return plan;
  const json& expressions = plan["project"]["expressions"];
  for (size_t i = 0; i < expressions.size(); ++i) {
    const auto name = "c" + std::to_string(i);
    const auto cast = json{{"expr", {{"unresolvedAttribute", {{"unparsedIdentifier", name}}}}},
                           {"typeStr", "string"}};
    if (expressions[i] != json{{"cast", cast}} || input["toDf"]["columnNames"][i] != name)
      return plan;
  }
  return input["toDf"]["input"];
}

/// Numbers plans and the variables of lambdas by their first appearance, and leaves out the places
/// of calls and what PySpark alone says.
class Normal {
 public:
  json of(json plan) {
    visit(plan);
    return plan;
  }

 private:
  void visit(json& node) {
    if (node.is_object()) {
      node.erase("origin");
      for (const auto& [key, value] : kSaidByPySparkAlone)
        if (node.contains(key) && node[key] == value) node.erase(key);
      for (auto& [key, value] : node.items()) {
        if (key == "planId") {
          value = plans_.emplace(value.get<std::string>(), plans_.size()).first->second;
        } else {
          visit(value);
        }
      }
    } else if (node.is_array()) {
      for (auto& value : node) visit(value);
    } else if (node.is_string()) {
      static const std::regex variable("[xyz]_[0-9]+");
      const auto text = node.get<std::string>();
      if (std::regex_match(text, variable))
        node = variables_.emplace(text, "v" + std::to_string(variables_.size())).first->second;
    }
  }

  std::map<std::string, size_t> plans_;
  std::map<std::string, std::string> variables_;
};

/// A line for each place where two plans are not the same: "/project/input: theirs | ours".
void differences(const json& theirs, const json& ours, const std::string& path, std::string& out) {
  if (theirs == ours) return;
  if (theirs.is_object() && ours.is_object()) {
    auto both = theirs;
    both.update(ours);
    for (const auto& [key, value] : both.items()) {
      differences(theirs.contains(key) ? theirs[key] : json(),
                  ours.contains(key) ? ours[key] : json(), path + "/" + key, out);
    }
  } else if (theirs.is_array() && ours.is_array() && theirs.size() == ours.size()) {
    for (size_t i = 0; i < theirs.size(); ++i)
      differences(theirs[i], ours[i], path + "/" + std::to_string(i), out);
  } else {
    const auto text = [](const json& value) { return value.is_null() ? "nothing" : value.dump(); };
    out += "  " + path + ": " + text(theirs) + " | " + text(ours) + "\n";
  }
}

/// What a case is made with. Its own, so that its plans are numbered as if it stood alone.
struct Given {
  Session spark{std::make_shared<Recorder>()};
  DataFrame df = spark.table("people"), other = spark.table("words");
};

json plan_of(const DataFrame& df) { return to_json(df.plan()); }
json plan_of(const Column& column) { return to_json(column.expression()); }

struct Case {
  std::string python;
  json (*plan)(Given&);
};
#define PLAN(python, ...)                               \
  {python, [](Given& given) -> json {                   \
     [[maybe_unused]] auto& [spark, df, other] = given; \
     return plan_of(__VA_ARGS__);                       \
   }},
#define SENT(python, ...)                               \
  {python, [](Given& given) -> json {                   \
     [[maybe_unused]] auto& [spark, df, other] = given; \
     try {                                              \
       static_cast<void>(__VA_ARGS__);                  \
     } catch (const Sent& sent) {                       \
       return without_casts(sent.plan);                 \
     }                                                  \
     return "nothing was sent";                         \
   }},
const Case kCases[] = {
#include "../../golden/cases.inc"
};
#undef PLAN
#undef SENT

std::string file(const std::string& name) {
  std::ifstream in(std::string(FIRESTEEL_SOURCE_DIR "/tests/golden/") + name);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// The blocks of differences.txt: a call of PySpark's and the lines that it differs by.
std::map<std::string, std::string> meant_differences() {
  std::map<std::string, std::string> out;
  std::string* last = nullptr;
  std::istringstream lines(file("differences.txt"));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    if (line[0] == ' ') {
      *last += line + "\n";
    } else {
      last = &out[line];
    }
  }
  return out;
}

TEST(Golden, PlansArePySparks) {
  const auto theirs = json::parse(file("plans.json"));
  auto meant = meant_differences();
  for (const auto& [python, plan] : kCases) {
    ASSERT_TRUE(theirs.contains(python)) << python << ": not in plans.json";
    Given given;
    std::string found;
    differences(Normal().of(theirs[python]), Normal().of(plan(given)), "", found);
    EXPECT_EQ(found, meant[python]) << python << "\n  at: PySpark's | ours";
  }
  EXPECT_EQ(theirs.size(), std::size(kCases));
}

}  // namespace
}  // namespace firesteel
