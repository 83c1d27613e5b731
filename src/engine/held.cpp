// Rows that streams hold as tables of the engine, from one batch to the next or within one.
#include <fmt/format.h>

#include "engine/embedded.h"
#include "functions/coercion.h"
#include "plan/names.h"

namespace firesteel {

proto::Relation HeldRows::relation() const {
  proto::Relation read;
  read.mutable_read()->mutable_named_table()->set_unparsed_identifier(name);
  return read;
}

std::string EmbeddedExecutor::next_held_name() { return new_name("held"); }

HeldRows EmbeddedExecutor::hold_table(const std::string& name, const Schema& schema) {
  Scan scan{.from = name, .columns = {}};
  for (size_t i = 0; i < schema.size(); ++i)
    scan.columns.push_back({schema[i], HeldRows::column(i)});
  HeldRows held{.name = name, .schema = schema};
  held.rows = std::stoll(*database_.rows("SELECT count(*) FROM " + name).at(0).at(0));
  std::lock_guard lock(mutex_);
  held_[name] = std::move(scan);
  return held;
}

HeldRows EmbeddedExecutor::hold(const proto::Relation& relation) {
  const auto plan = lowered(relation, true);
  const PlanTables tables{database_, plan.tables};
  const auto name = next_held_name();
  std::string columns;
  for (size_t i = 0; i < plan.schema.size(); ++i) columns += (i ? ", " : "") + HeldRows::column(i);
  database_.execute(fmt::format("CREATE TABLE {} AS SELECT * FROM ({}) AS t({})", name, plan.sql,
                                columns.empty() ? "c0" : columns));
  return hold_table(name, plan.schema);
}

HeldRows EmbeddedExecutor::hold(const Scan& scan) {
  const auto name = next_held_name();
  std::string list;
  Schema schema;
  for (size_t i = 0; i < scan.columns.size(); ++i) {
    list += fmt::format("{}{} AS {}", i ? ", " : "", scan.columns[i].sql, HeldRows::column(i));
    schema.push_back(scan.columns[i].field);
  }
  if (!scan.file.empty())
    list += fmt::format("{}{} AS __file", list.empty() ? "" : ", ", scan.file);
  database_.execute(fmt::format("CREATE TABLE {} AS SELECT {} FROM {}", name,
                                list.empty() ? "NULL AS c0" : list, scan.from));
  auto held = hold_table(name, schema);
  std::lock_guard lock(mutex_);
  if (!scan.file.empty()) held_[name].file = "__file";
  return held;
}

void EmbeddedExecutor::release(const std::string& name) {
  {
    std::lock_guard lock(mutex_);
    held_.erase(name);
  }
  database_.execute("DROP TABLE IF EXISTS " + name);
}

std::shared_ptr<const proto::Relation> EmbeddedExecutor::temporary_view(const std::string& name) {
  const auto key = temporary_key(split_name(name));
  const auto found = views(key).find(key);
  return found ? found->plan : nullptr;
}

std::optional<TableEntry> EmbeddedExecutor::table(const std::string& name) {
  const auto [database, table] = table_name(name);
  return warehouse().table(database, table);
}

}  // namespace firesteel
