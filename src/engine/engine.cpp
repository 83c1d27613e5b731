// The embedded engine: plans are lowered to SQL, which the Database runs.
#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "engine/embedded.h"
#include "engine/settings.h"
#include "engine/show.h"
#include "functions/coercion.h"
#include "plan/names.h"
#include "plan/print.h"
#include "plan/visit.h"

// Clients of Spark 3 give the arguments of SQL in fields that are deprecated.
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

namespace firesteel {

namespace {

/// Where each of some functions is called in a plan, and each type cast to (as DuckDB names it).
using Places = std::map<std::string, std::vector<Span>, std::less<>>;

constexpr std::pair<std::string_view, std::string_view> kOperations[] = {
    {"try_add", "+"},      {"addition", "+"},     // of decimals
    {"try_subtract", "-"}, {"subtraction", "-"},  //
    {"try_multiply", "*"}, {"multiplication", "*"}, {"in negation", "negative"},
    {"in abs", "abs"},     {"try_sum", "sum"}};

/// How the message of a cast out of range names the type.
std::string cast_target(const DataType& type) {
  return type.kind == TypeKind::kDecimal
             ? fmt::format(" represented as Decimal({}, {}).", type.precision, type.scale)
             : fmt::format(" cast to \"{}\" ", type.sql());
}

Places places_of(const proto::Relation& relation) {
  Places places;
  for_each_message(relation, [&](const google::protobuf::Message& message) {
    if (message.GetDescriptor() != proto::Expression::descriptor()) return true;
    const auto& expression = static_cast<const proto::Expression&>(message);
    const auto& name = expression.unresolved_function().function_name();
    const auto& origin = expression.common().origin().jvm_origin();
    if (!origin.has_start_index()) return true;
    const Span span{origin.start_index(), origin.stop_index() + 1};
    if (expression.has_cast() && origin.object_type().empty()) {
      const auto& cast = expression.cast();
      const auto type =
          cast.has_type() ? type_from_proto(cast.type()) : parse_type(cast.type_str());
      places[cast_target(type)].push_back(span);
    }
    if (std::any_of(std::begin(kOperations), std::end(kOperations),
                    [&](const auto& row) { return row.second == name; }))
      places[name].push_back(span);
    return true;
  });
  return places;
}

/// DuckDB's overflows name the operation or the type, not the place: when the plan has one such
/// call or cast, it is that one.
Error placed(const Error& error, const Places& places) {
  if (error.span().known()) return error;
  if (error.condition() == "CAST_OVERFLOW" ||
      error.condition().starts_with("NUMERIC_VALUE_OUT_OF_RANGE")) {
    for (const auto& [target, found] : places) {
      const bool cast = target.starts_with(" ");
      if (cast && found.size() == 1 && error.message().find(target) != std::string::npos)
        return error.at(found[0]);
    }
  }
  if (!error.condition().ends_with("ARITHMETIC_OVERFLOW") &&
      !error.condition().starts_with("NUMERIC_VALUE_OUT_OF_RANGE"))
    return error;
  for (const auto& [word, function] : kOperations) {
    if (error.message().find(word) == std::string::npos) continue;
    const auto found = places.find(function);
    if (found != places.end() && found->second.size() == 1) return error.at(found->second[0]);
  }
  return error;
}

}  // namespace

proto::Relation statement_of(const proto::SqlCommand& command) {
  if (command.has_input()) return command.input();
  proto::Relation relation;
  auto* sql = relation.mutable_sql();
  sql->set_query(command.sql());
  *sql->mutable_args() = command.args();
  *sql->mutable_pos_args() = command.pos_args();
  *sql->mutable_named_arguments() = command.named_arguments();
  *sql->mutable_pos_arguments() = command.pos_arguments();
  return relation;
}

std::string text_of(const proto::Relation& relation) {
  if (relation.has_sql()) return relation.sql().query();
  const auto& own = relation.common().origin().jvm_origin().sql_text();
  if (!own.empty()) return own;
  // The relation's kind is a message whose `input`, when it has one, is the plan below.
  const auto* reflection = relation.GetReflection();
  const auto* kind = relation.GetDescriptor()->FindFieldByNumber(relation.rel_type_case());
  if (!kind) return "";
  const auto& message = reflection->GetMessage(relation, kind);
  const auto* input = message.GetDescriptor()->FindFieldByName("input");
  if (!input || !message.GetReflection()->HasField(message, input)) return "";
  const auto* below =
      dynamic_cast<const proto::Relation*>(&message.GetReflection()->GetMessage(message, input));
  return below ? text_of(*below) : "";
}

EmbeddedExecutor::~EmbeddedExecutor() {
  try {
    const auto tables = database_.rows(
        fmt::format("SELECT table_name FROM duckdb_tables() WHERE starts_with(table_name, {})",
                    sql_string(prefix_)));
    for (const auto& row : tables) database_.execute("DROP TABLE " + sql_name(*row[0]));
  } catch (const std::exception&) {  // the database takes them with it
  }
}

std::string EmbeddedExecutor::new_name(std::string_view kind) {
  return database_.new_name(fmt::format("{}{}_", prefix_, kind));
}

Schema EmbeddedExecutor::schema(const proto::Relation& relation) {
  if (relation.has_show_string()) return {{"show_string", make_type(TypeKind::kString), false}};
  if (relation.has_html_string()) return {{"html_string", make_type(TypeKind::kString), false}};
  return lowered(relation).schema;
}

ArrowStream EmbeddedExecutor::execute(const proto::Relation& relation) {
  return std::move(query(relation).rows);
}

EmbeddedExecutor::Query EmbeddedExecutor::query(const proto::Relation& relation) {
  if (relation.has_show_string()) return {schema(relation), show(relation.show_string())};
  if (relation.has_html_string()) return {schema(relation), show_html(relation.html_string())};
  const auto plan =
      relation.has_catalog() ? catalog_call(relation.catalog(), true) : lowered(relation, true);
  // Of a statement, the plan is made again only to say where it failed.
  const auto places = [sql = relation.sql(), own = places_of(relation)] {
    if (sql.query().empty()) return own;
    return places_of(firesteel::parse_query(sql.query(), parameters_of(sql)));
  };
  const auto tables = std::make_shared<PlanTables>(database_, plan.tables);
  ArrowStream stream;
  try {
    stream = database_.query(plan.sql, plan.schema);
  } catch (const Error& error) {  // constants are worked out before the first row
    throw placed(error, places()).in(text_of(relation));
  }
  // Errors found while running carry the place; the text they point into is the plan's.
  stream.raise = [inner = stream.raise, text = text_of(relation), places,
                  tables](const std::string& message) {
    try {
      inner(message);
    } catch (const Error& error) {
      throw placed(error, places()).in(text);
    }
  };
  return {plan.schema, std::move(stream)};
}

void EmbeddedExecutor::run(const proto::Command& command) {
  const bool writes = command.has_write_operation() || command.has_write_operation_v2();
  const auto reads_stream = [&](const proto::Relation& relation) {
    try {
      return is_streaming(relation);
    } catch (const Error&) {  // a bad plan, as the write will say
      return false;
    }
  };
  if (writes &&
      reads_stream(command.has_write_operation() ? command.write_operation().input()
                                                 : command.write_operation_v2().input())) {
    throw Error("CALL_ON_STREAMING_DATASET_UNSUPPORTED",
                fmt::format("The method `{}` can not be called on streaming Dataset/DataFrame.",
                            command.has_write_operation() ? "write" : "writeTo"));
  }
  if (command.has_create_dataframe_view()) return create_view(command.create_dataframe_view());
  if (command.has_write_operation()) return write(command.write_operation());
  if (command.has_write_operation_v2()) return write(command.write_operation_v2());
  if (command.has_merge_into_table_command()) {
    run(Merge{command.merge_into_table_command(), ""});
    return;
  }
  if (command.has_register_function()) return register_python(command.register_function());
  if (command.has_register_table_function())
    return register_python(command.register_table_function());
  if (command.has_register_data_source()) return register_python(command.register_data_source());
  if (command.has_sql_command()) {
    const auto statement = statement_of(command.sql_command());
    sql(statement.has_with_relations() ? statement.with_relations().root().sql() : statement.sql());
    return;
  }
  const auto* field = command.GetDescriptor()->FindFieldByNumber(command.command_type_case());
  throw Error("UNSUPPORTED_FEATURE.COMMAND",
              fmt::format("The command `{}` is not supported by the embedded engine.",
                          field ? field->name() : "(none)"));
}

proto::Relation EmbeddedExecutor::sql(std::string_view text) {
  proto::SQL sql;
  sql.set_query(std::string(text));
  return this->sql(sql);
}

proto::Relation EmbeddedExecutor::sql(const proto::SQL& sql) {
  try {
    return std::visit([&](const auto& statement) { return run(statement); },
                      parse_statement(sql.query(), parameters_of(sql)));
  } catch (const Error& error) {
    throw error.in(sql.query());
  }
}

bool EmbeddedExecutor::is_query(const proto::SQL& sql) {
  const auto statement = parse_statement(sql.query(), parameters_of(sql));
  const auto* plan = std::get_if<proto::Plan>(&statement);
  return plan && plan->has_root();
}

proto::Relation EmbeddedExecutor::import(ArrowStream rows) {
  const auto name = new_name("import");
  database_.create_table(name, std::move(rows));
  proto::Relation relation;
  relation.mutable_read()->mutable_named_table()->set_unparsed_identifier(name);
  return relation;
}

std::string EmbeddedExecutor::explain(const proto::Relation& relation, std::string_view mode) {
  const auto plan = lowered(relation);
  std::string out;
  if (mode == "extended" || mode == "cost")
    out += "== Parsed Logical Plan ==\n" + print(relation) + "\n";
  if (mode != "simple" && mode != "analyze") out += "== SQL ==\n" + plan.sql + "\n\n";
  out += mode == "analyze" ? "== Physical Plan, as run ==\n" : "== Physical Plan ==\n";
  return out + database_.explain(plan.sql, mode == "analyze");
}

void EmbeddedExecutor::interrupt() {
  interrupted_ = true;
  ++interruptions_;
  database_.interrupt();
}

void EmbeddedExecutor::set_config(const std::string& key, const std::string& value) {
  const auto* known = find_setting(key);
  if (sealed_ && ((known && !known->modifiable) || key == "spark.sql.warehouse.dir")) {
    throw Error("CANNOT_MODIFY_CONFIG",
                fmt::format("Cannot modify the value of the Spark config: \"{}\".", key));
  }
  if (key == "spark.sql.session.timeZone") {
    try {
      database_.rows(fmt::format("SELECT timezone({}, TIMESTAMP '2020-01-01')", sql_string(value)));
    } catch (const Error&) {
      throw Error("INVALID_CONF_VALUE.TIME_ZONE",
                  fmt::format("The value '{}' in the config \"spark.sql.session.timeZone\" is "
                              "invalid. Cannot resolve the "
                              "given timezone.",
                              value));
    }
  }
  if (key == "spark.sql.ansi.enabled" && lower_case(value) != "true") {
    throw Error("UNSUPPORTED_FEATURE.ANSI_DISABLED",
                "Only ANSI mode is supported: spark.sql.ansi.enabled must stay true.");
  }
  std::lock_guard lock(mutex_);
  config_[key] = value;
}

std::string EmbeddedExecutor::config(const std::string& key) { return setting(key).value_or(""); }

std::optional<std::string> EmbeddedExecutor::setting(const std::string& key) {
  {
    std::lock_guard lock(mutex_);
    const auto found = config_.find(key);
    if (found != config_.end()) return found->second;
  }
  const auto* known = find_setting(key);
  return known && known->value ? std::optional<std::string>(known->value) : std::nullopt;
}

std::map<std::string, std::string> EmbeddedExecutor::settings_set() {
  std::lock_guard lock(mutex_);
  return config_;
}

void EmbeddedExecutor::unset_config(const std::string& key) {
  const auto fresh = first_config();
  const auto first = fresh.find(key);
  std::lock_guard lock(mutex_);
  if (first == fresh.end())
    config_.erase(key);
  else if (key != "spark.sql.warehouse.dir")
    config_[key] = first->second;
}

bool EmbeddedExecutor::is_set(const std::string& key) { return lower_case(config(key)) == "true"; }

std::string EmbeddedExecutor::time_zone() {
  const auto zone = config("spark.sql.session.timeZone");
  return zone.empty() || zone == "Etc/UTC" || zone == "Z" ? "UTC" : zone;
}

LowerSettings EmbeddedExecutor::settings() {
  return {.time_zone = time_zone(),
          .case_sensitive = is_set("spark.sql.caseSensitive"),
          .database = current_database(),
          .last_key_wins = lower_case(config("spark.sql.mapKeyDedupPolicy")) == "last_win"};
}

LoweredPlan EmbeddedExecutor::lowered(const proto::Relation& relation, bool runs, bool shows) {
  auto settings = this->settings();
  settings.runs = runs;
  settings.shows = shows;
  try {
    return lower(relation, *this, settings);
  } catch (const Error& error) {
    throw error.in(text_of(relation));
  }
}

EmbeddedExecutor::ShownRows EmbeddedExecutor::shown_rows(const proto::Relation& relation,
                                                         int rows) {
  const auto plan = lowered(relation, true, true);
  const PlanTables tables{database_, plan.tables};
  std::string names, cells;
  ShownRows out;
  const auto zone = time_zone();
  for (size_t i = 0; i < plan.schema.size(); ++i) {
    names += fmt::format("{}c{}", i ? ", " : "", i);
    cells += (i ? ", " : "") +
             shown_sql({.sql = fmt::format("c{}", i), .type = plan.schema[i].type}, zone);
    out.titles.push_back(plan.schema[i].name);
  }
  try {
    if (!out.titles.empty()) {
      out.cells =
          database_.rows(fmt::format("SELECT {} FROM (SELECT * FROM ({}) LIMIT {}) AS t({})", cells,
                                     plan.sql, int64_t{rows} + 1, names));
    }
  } catch (const Error& error) {
    throw error.in(text_of(relation));
  }
  return out;
}

std::string EmbeddedExecutor::shown(const proto::Relation& relation, int rows, int truncate) {
  const auto first = shown_rows(relation, rows);
  return show_table(first.titles, first.cells, rows, truncate, false);
}

ArrowStream EmbeddedExecutor::show(const proto::ShowString& show) {
  const auto rows = shown_rows(show.input(), show.num_rows());
  const auto table =
      show_table(rows.titles, rows.cells, show.num_rows(), show.truncate(), show.vertical());
  return database_.query(fmt::format("SELECT {} AS show_string", sql_string(table)),
                         {{"show_string", make_type(TypeKind::kString), false}});
}

ArrowStream EmbeddedExecutor::show_html(const proto::HtmlString& show) {
  const auto rows = shown_rows(show.input(), show.num_rows());
  const auto table = html_table(rows.titles, rows.cells, show.num_rows(), show.truncate());
  return database_.query(fmt::format("SELECT {} AS html_string", sql_string(table)),
                         {{"html_string", make_type(TypeKind::kString), false}});
}

namespace {

WriteMode write_mode(proto::WriteOperation::SaveMode mode) {
  switch (mode) {
    case proto::WriteOperation::SAVE_MODE_APPEND:
      return WriteMode::kAppend;
    case proto::WriteOperation::SAVE_MODE_OVERWRITE:
      return WriteMode::kOverwrite;
    case proto::WriteOperation::SAVE_MODE_IGNORE:
      return WriteMode::kIgnore;
    default:
      return WriteMode::kError;
  }
}

}  // namespace

void EmbeddedExecutor::write(const proto::WriteOperation& operation) {
  if (operation.has_table()) return save_as_table(operation);
  if (const auto source = python_source(operation.source()))
    return write_python(*source, operation);
  WriteRequest request{
      .sql = {},
      .schema = {},
      .format = lower_case(operation.source().empty() ? "parquet" : operation.source()),
      .path = operation.path(),
      .mode = write_mode(operation.mode()),
      .partition_by = {operation.partitioning_columns().begin(),
                       operation.partitioning_columns().end()}};
  request.partitions_alone =
      lower_case(config("spark.sql.sources.partitionOverwriteMode")) == "dynamic" &&
      !request.partition_by.empty();
  read_write_options({operation.options().begin(), operation.options().end()}, request);
  write_rows(operation.input(), std::move(request));
}

void EmbeddedExecutor::write_once(const proto::Relation& rows, WriteRequest request) {
  write_rows(rows, std::move(request));
}

void EmbeddedExecutor::write_rows(const proto::Relation& rows, WriteRequest request) {
  const auto plan = lowered(rows, true);
  const PlanTables tables{database_, plan.tables};
  request.sql = plan.sql;
  request.schema = plan.schema;
  request.time_zone = time_zone();
  try {
    write_files(request, database_);
  } catch (const Error& error) {
    throw error.in(text_of(rows));
  }
}

void EmbeddedExecutor::create_view(const proto::CreateDataFrameViewCommand& view) {
  lowered(view.input());  // a bad plan is found now, not at its first use
  auto parts = split_name(view.name());
  if (view.is_global() && parts.size() == 1) parts.insert(parts.begin(), "global_temp");
  const auto key = temporary_key(parts);
  const bool shared = shares_global_views_ && key.starts_with(kGlobalViews);
  if (!views(key).add(key,
                      {.plan = std::make_shared<proto::Relation>(view.input()),
                       .owner = shared ? shared_from_this() : nullptr},
                      view.replace())) {
    throw Error("TEMP_TABLE_OR_VIEW_ALREADY_EXISTS",
                fmt::format("Cannot create the temporary view `{}` because it already exists. "
                            "Choose a different name, "
                            "drop or replace the existing view.",
                            view.name()));
  }
}

void EmbeddedExecutor::share_global_views(std::shared_ptr<TemporaryViews> views) {
  global_views_ = std::move(views);
  shares_global_views_ = true;
}

TemporaryViews& EmbeddedExecutor::views(std::string_view key) {
  return key.starts_with(kGlobalViews) && key.find('.') == kGlobalViews.size() ? *global_views_
                                                                               : views_;
}

/// A scan's rows as a table of the engine.
Scan EmbeddedExecutor::kept(const Scan& scan) {
  const auto name = new_name("kept");
  std::string list;
  Scan out{.from = sql_name(name), .columns = {}};
  for (const auto& column : scan.columns) {
    list += fmt::format("{}{} AS {}", list.empty() ? "" : ", ", column.sql,
                        sql_name(column.field.name));
    out.columns.push_back({column.field, sql_name(column.field.name)});
  }
  if (!scan.file.empty()) {
    out.file = "__file";
    list += fmt::format("{}{} AS {}", list.empty() ? "" : ", ", scan.file, out.file);
  }
  database_.execute(fmt::format("CREATE TABLE {} AS SELECT {} FROM {}", out.from, list, scan.from));
  return out;
}

proto::Relation EmbeddedExecutor::text_rows(const Rows& rows,
                                            const std::vector<std::string>& names) {
  const auto is_flag = [&](size_t column) { return names[column].starts_with("is"); };
  if (rows.empty()) {
    std::string ddl;
    for (size_t i = 0; i < names.size(); ++i) {
      ddl += fmt::format("{}`{}` {}", i ? ", " : "", names[i], is_flag(i) ? "BOOLEAN" : "STRING");
    }
    proto::Relation none;
    none.mutable_local_relation()->set_schema(ddl);
    return none;
  }
  std::vector<proto::Relation> parts;
  for (const auto& cells : rows) {
    auto* row = parts.emplace_back().mutable_project();
    for (size_t i = 0; i < names.size(); ++i) {
      auto* alias = row->add_expressions()->mutable_alias();
      alias->add_name(names[i]);
      auto* literal = alias->mutable_expr()->mutable_literal();
      if (!cells[i]) {
        type_to_proto(make_type(TypeKind::kString), literal->mutable_null());
      } else if (is_flag(i)) {
        literal->set_boolean(*cells[i] == "true");
      } else {
        literal->set_string(*cells[i]);
      }
    }
  }
  while (parts.size() > 1) {  // pairs of pairs, so that many rows are not a deep plan
    std::vector<proto::Relation> pairs;
    for (size_t i = 0; i < parts.size(); i += 2) {
      if (i + 1 == parts.size()) {
        pairs.push_back(std::move(parts[i]));
        continue;
      }
      auto* both = pairs.emplace_back().mutable_set_op();
      both->set_set_op_type(proto::SetOperation::SET_OP_TYPE_UNION);
      both->set_is_all(true);
      *both->mutable_left_input() = std::move(parts[i]);
      *both->mutable_right_input() = std::move(parts[i + 1]);
    }
    parts = std::move(pairs);
  }
  return std::move(parts[0]);
}

std::shared_ptr<EmbeddedExecutor> EmbeddedExecutor::clone() {
  auto copy = std::make_shared<EmbeddedExecutor>(database_);
  std::lock_guard lock(mutex_);
  copy->views_.copy(views_);
  copy->global_views_ = global_views_;
  copy->shares_global_views_ = shares_global_views_;
  copy->functions_ = functions_;
  copy->python_functions_ = python_functions_;
  copy->python_tables_ = python_tables_;
  copy->python_sources_ = python_sources_;
  copy->artifacts_ = artifacts_;
  copy->remembered_ = remembered_;  // with the tables of this session, which must stay
  copy->held_ = held_;
  copy->config_ = config_;
  copy->current_database_ = current_database_;
  for (const auto& [name, variable] : variables_) {
    auto own = variable;
    own.table = copy->new_name("variable");
    database_.execute(fmt::format("CREATE TABLE {} AS SELECT v FROM {}", sql_name(own.table),
                                  sql_name(variable.table)));
    copy->variables_[name] = std::move(own);
  }
  return copy;
}

std::shared_ptr<Executor> make_embedded_executor(const DatabaseOptions& options) {
  return std::make_shared<EmbeddedExecutor>(options);
}

}  // namespace firesteel
