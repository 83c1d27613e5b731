// Scripts step by step. A script's own variables are the session's while their block runs, which
// then gets back those that they hid.
#include <fmt/format.h>

#include "engine/embedded.h"
#include "functions/coercion.h"
#include "plan/build.h"
#include "plan/names.h"

namespace firesteel {

using Kind = ScriptStep::Kind;

proto::Relation EmbeddedExecutor::run(const Script& script) {
  interrupted_ = false;
  auto result = no_rows();
  std::string label;
  run_block(script.steps, result, label);
  return result;
}

bool EmbeddedExecutor::holds(const proto::Relation& condition) {
  const auto plan = lowered(condition);
  if (plan.schema.size() != 1 || plan.schema[0].type.kind != TypeKind::kBoolean) {
    throw Error("INVALID_BOOLEAN_STATEMENT",
                "Boolean statement is expected in the condition, but it gives something else.");
  }
  const auto rows = database_.rows(plan.sql);
  if (rows.size() != 1 || !rows[0][0]) {
    throw Error("BOOLEAN_STATEMENT_WITH_EMPTY_ROW",
                "A condition gave no value, where true or false is needed.");
  }
  return *rows[0][0] == "true";
}

/// While it lives, variables are declared one block deeper. Then those that were set keep their
/// values, and those that were hidden come back.
class EmbeddedExecutor::VariableBlock {
 public:
  explicit VariableBlock(EmbeddedExecutor& executor) : executor_(executor) {
    std::lock_guard lock(executor_.mutex_);
    before_ = executor_.variables_;
    ++executor_.script_depth_;
  }
  ~VariableBlock() {
    std::lock_guard lock(executor_.mutex_);
    for (auto& [name, variable] : before_) {
      const auto now = executor_.variables_.find(name);
      if (now != executor_.variables_.end() && now->second.depth == variable.depth)
        variable = now->second;
    }
    executor_.variables_ = std::move(before_);
    --executor_.script_depth_;
  }
  VariableBlock(const VariableBlock&) = delete;
  VariableBlock& operator=(const VariableBlock&) = delete;

 private:
  EmbeddedExecutor& executor_;
  std::map<std::string, SessionVariable> before_;
};

EmbeddedExecutor::Flow EmbeddedExecutor::run_block(const std::vector<ScriptStep>& steps,
                                                   proto::Relation& result, std::string& label) {
  const VariableBlock block(*this);
  return run_steps(steps, result, label);
}

EmbeddedExecutor::Flow EmbeddedExecutor::run_steps(const std::vector<ScriptStep>& steps,
                                                   proto::Relation& result, std::string& label) {
  for (const auto& step : steps) {
    if (interrupted_) throw Error("OPERATION_CANCELED", "The operation was cancelled.");
    const auto flow = run_step(step, result, label);
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

EmbeddedExecutor::Flow EmbeddedExecutor::run_step(const ScriptStep& step, proto::Relation& result,
                                                  std::string& label) {
  // What a loop's body asks for: to go on with the next round, to end, or to end what is around it.
  const auto ends_loop = [&](Flow flow) {
    const bool own = !step.label.empty() && lower_case(step.label) == lower_case(label);
    if (flow == Flow::kLeave && own) return std::optional(Flow::kNext);
    if (flow == Flow::kNext || (flow == Flow::kIterate && own)) return std::optional<Flow>();
    return std::optional(flow);
  };
  switch (step.kind) {
    case Kind::kStatement: {
      const auto parsed = parse_statement(step.text);
      auto rows = std::visit([&](const auto& statement) { return run(statement); }, parsed);
      const auto* plan = std::get_if<proto::Plan>(&parsed);
      if (plan && plan->has_root()) result = materialized(rows);
      return Flow::kNext;
    }
    case Kind::kBlock: {
      const auto flow = run_block(step.branches[0].second, result, label);
      const bool own = !step.label.empty() && lower_case(step.label) == lower_case(label);
      return flow == Flow::kLeave && own ? Flow::kNext : flow;
    }
    case Kind::kIf:
      for (const auto& [condition, steps] : step.branches) {
        if (holds(condition)) return run_steps(steps, result, label);
      }
      return run_steps(step.otherwise, result, label);
    case Kind::kWhile:
    case Kind::kLoop:
      while (step.kind == Kind::kLoop || holds(step.branches[0].first)) {
        if (const auto end = ends_loop(run_steps(step.branches[0].second, result, label)))
          return *end;
        if (interrupted_) throw Error("OPERATION_CANCELED", "The operation was cancelled.");
      }
      return Flow::kNext;
    case Kind::kRepeat:
      do {
        if (const auto end = ends_loop(run_steps(step.branches[0].second, result, label)))
          return *end;
      } while (!holds(step.branches[0].first));
      return Flow::kNext;
    case Kind::kFor:
      return run_rows(step, result, label);
    case Kind::kLeave:
    case Kind::kIterate:
      label = step.name;
      return step.kind == Kind::kLeave ? Flow::kLeave : Flow::kIterate;
  }
  return Flow::kNext;
}

/// FOR: the columns of each row are variables, and the row one of structs.
EmbeddedExecutor::Flow EmbeddedExecutor::run_rows(const ScriptStep& step, proto::Relation& result,
                                                  std::string& label) {
  const auto plan = lowered(step.branches[0].first);
  const auto rows = sql_name(new_name("rows"));
  std::string columns, fields;
  for (size_t i = 0; i < plan.schema.size(); ++i) {
    columns += fmt::format(", c{}", i);
    fields += fmt::format("{}{} := c{}", i ? ", " : "", sql_name(plan.schema[i].name), i);
  }
  database_.execute(
      fmt::format("CREATE TABLE {} AS SELECT row_number() OVER () AS n, * FROM ({}) AS t({})", rows,
                  plan.sql, columns.substr(2)));
  const auto count =
      std::stoll(database_.rows("SELECT count(*) FROM " + rows).at(0).at(0).value_or("0"));
  const VariableBlock block(*this);
  auto flow = Flow::kNext;
  for (int64_t row = 1; row <= count && flow == Flow::kNext; ++row) {
    const auto declare = [&](const std::string& name, const DataType& type,
                             const std::string& value) {
      const auto table = new_name("variable");
      database_.execute(fmt::format("CREATE TABLE {} AS SELECT {} AS v FROM {} WHERE n = {}",
                                    sql_name(table), value, rows, row));
      std::lock_guard lock(mutex_);
      variables_[lower_case(name)] = {type, table, script_depth_};
    };
    for (size_t i = 0; i < plan.schema.size(); ++i)
      declare(plan.schema[i].name, plan.schema[i].type, fmt::format("c{}", i));
    if (!step.name.empty())
      declare(step.name, struct_type(plan.schema), fmt::format("struct_pack({})", fields));
    flow = run_steps(step.branches[0].second, result, label);
    const bool own = !step.label.empty() && lower_case(step.label) == lower_case(label);
    if (flow == Flow::kIterate && own) flow = Flow::kNext;
    if (flow == Flow::kLeave && own) {
      flow = Flow::kNext;
      break;
    }
  }
  return flow;
}

/// A query's rows now, since the variables that it names change.
proto::Relation EmbeddedExecutor::materialized(const proto::Relation& rows) {
  const auto plan = lowered(rows);
  if (plan.schema.empty()) return rows;
  std::string names;
  for (size_t i = 0; i < plan.schema.size(); ++i) names += fmt::format("{}c{}", i ? ", " : "", i);
  const auto name = new_name("import");
  database_.execute(fmt::format("CREATE TABLE {} AS SELECT * FROM ({}) AS t({})", sql_name(name),
                                plan.sql, names));
  proto::Relation table;
  table.mutable_read()->mutable_named_table()->set_unparsed_identifier(name);
  std::vector<proto::Expression> columns;
  for (size_t i = 0; i < plan.schema.size(); ++i) {
    columns.push_back(
        build::alias(build::cast(build::column(fmt::format("c{}", i)), plan.schema[i].type),
                     plan.schema[i].name));
  }
  return build::project(std::move(table), std::move(columns));
}

}  // namespace firesteel
