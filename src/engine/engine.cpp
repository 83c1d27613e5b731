// The embedded engine: plans are lowered to SQL, which the Database runs.
#include "engine/engine.h"

#include <fmt/format.h>
#include <spark/connect/base.pb.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <mutex>

#include "engine/show.h"
#include "engine/sources.h"
#include "engine/write.h"
#include "functions/coercion.h"
#include "lower/lower.h"
#include "sql/parser.h"

namespace firesteel {

namespace proto = spark::connect;

namespace {

constexpr uint64_t kKeptTextBytesMax = 64 << 20;

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), ::tolower);
  return text;
}

std::string unquoted(const std::string& name) {
  if (name.size() > 1 && name.front() == '`' && name.back() == '`')
    return name.substr(1, name.size() - 2);
  return name;
}

/// Spark's patterns of SHOW: `*` is any text, `|` separates patterns, capitals do not matter.
bool fits_pattern(std::string_view name, std::string_view pattern) {
  for (size_t bar = pattern.find('|'); bar != std::string_view::npos; bar = pattern.find('|')) {
    if (fits_pattern(name, pattern.substr(0, bar))) return true;
    pattern.remove_prefix(bar + 1);
  }
  while (!pattern.empty() && pattern.front() == ' ') pattern.remove_prefix(1);
  while (!pattern.empty() && pattern.back() == ' ') pattern.remove_suffix(1);
  if (pattern.empty()) return name.empty();
  if (pattern.front() == '*') {
    for (size_t i = 0; i <= name.size(); ++i) {
      if (pattern.size() == 1 || fits_pattern(name.substr(i), pattern.substr(1))) return true;
    }
    return false;
  }
  return !name.empty() &&
         std::tolower(static_cast<unsigned char>(name[0])) ==
             std::tolower(static_cast<unsigned char>(pattern[0])) &&
         (pattern.size() == 1 ? name.size() == 1 : fits_pattern(name.substr(1), pattern.substr(1)));
}

/// Where each of some functions is called in a plan, and each type cast to (as DuckDB names it).
using Places = std::map<std::string, std::vector<Span>, std::less<>>;

constexpr std::pair<std::string_view, std::string_view> kOperations[] = {
    {"addition", "+"},        {"subtraction", "-"}, {"multiplication", "*"},
    {"negation", "negative"}, {"abs(", "abs"},      {"try_sum", "sum"}};

/// How DuckDB's message of a cast out of range ends or begins, by the type cast to.
std::string cast_target(const DataType& type) {
  switch (type.kind) {
    case TypeKind::kByte:
      return "destination type INT8";
    case TypeKind::kShort:
      return "destination type INT16";
    case TypeKind::kInteger:
      return "destination type INT32";
    case TypeKind::kLong:
      return "destination type INT64";
    default:
      return "to type " + duckdb_type(type);
  }
}

void collect_places(const google::protobuf::Message& message, Places& places) {
  if (message.GetDescriptor() == proto::Expression::descriptor()) {
    const auto& expression = static_cast<const proto::Expression&>(message);
    const auto& name = expression.unresolved_function().function_name();
    const auto& origin = expression.common().origin().jvm_origin();
    const bool overflows = std::any_of(std::begin(kOperations), std::end(kOperations),
                                       [&](const auto& row) { return row.second == name; });
    if (expression.has_cast() && origin.has_start_index() && origin.object_type().empty()) {
      const auto& cast = expression.cast();
      places[cast_target(cast.has_type() ? type_from_proto(cast.type())
                                         : parse_type(cast.type_str()))]
          .push_back({origin.start_index(), origin.stop_index() + 1});
    }
    if (overflows && origin.has_start_index())
      places[name].push_back({origin.start_index(), origin.stop_index() + 1});
  }
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  const auto* reflection = message.GetReflection();
  reflection->ListFields(message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE || field->is_map())
      continue;
    const int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      collect_places(field->is_repeated() ? reflection->GetRepeatedMessage(message, field, i)
                                          : reflection->GetMessage(message, field),
                     places);
    }
  }
}

/// DuckDB's overflows name the operation or the type, not the place: when the plan has one such
/// call or cast, it is that one.
Error placed(const Error& error, const Places& places) {
  if (error.span().known()) return error;
  if (error.condition() == "CAST_OVERFLOW" ||
      error.condition().starts_with("NUMERIC_VALUE_OUT_OF_RANGE")) {
    for (const auto& [target, found] : places) {
      const bool cast = target.starts_with("destination type ") || target.starts_with("to type ");
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

class EmbeddedExecutor : public Executor,
                         public Catalog,
                         public std::enable_shared_from_this<EmbeddedExecutor> {
 public:
  explicit EmbeddedExecutor(const DatabaseOptions& options) : database_(options) {}

  // Executor

  Schema schema(const proto::Relation& relation) override {
    if (relation.has_show_string()) return {{"show_string", make_type(TypeKind::kString), false}};
    return lowered(relation).schema;
  }

  ArrowStream execute(const proto::Relation& relation) override {
    if (relation.has_show_string()) return show(relation.show_string());
    const auto plan = lowered(relation);
    Places places;
    collect_places(relation, places);
    ArrowStream stream;
    try {
      stream = database_.query(plan.sql, plan.schema);
    } catch (const Error& error) {  // constants are worked out before the first row
      throw placed(error, places).in(text_of(relation));
    }
    // Errors found while running carry the place; the text they point into is the plan's.
    stream.raise = [inner = stream.raise, text = text_of(relation),
                    places](const std::string& message) {
      try {
        inner(message);
      } catch (const Error& error) {
        throw placed(error, places).in(text);
      }
    };
    return stream;
  }

  void run(const proto::Command& command) override {
    if (command.has_create_dataframe_view()) {
      const auto& view = command.create_dataframe_view();
      const auto plan = lowered(view.input());  // a bad plan is found now, not at its first use
      std::lock_guard lock(mutex_);
      const auto name = lower_case(unquoted(view.name()));
      if (views_.contains(name) && !view.replace()) {
        throw Error("TEMP_TABLE_OR_VIEW_ALREADY_EXISTS",
                    fmt::format("Cannot create the temporary view `{}` because it already exists. "
                                "Choose a different name, "
                                "drop or replace the existing view.",
                                view.name()));
      }
      views_[name] = std::make_unique<proto::Relation>(view.input());
      return;
    }
    if (command.has_write_operation()) return write(command.write_operation());
    if (command.has_sql_command()) return set_from_sql(command.sql_command().input().sql().query());
    const auto* field = command.GetDescriptor()->FindFieldByNumber(command.command_type_case());
    throw Error("UNSUPPORTED_FEATURE.COMMAND",
                fmt::format("The command `{}` is not supported by the embedded engine.",
                            field ? field->name() : "(none)"));
  }

  proto::Relation sql(std::string_view text) override {
    const auto plan = parse_statement(text);
    if (plan.has_root()) {
      const auto& root = plan.root();
      if (root.has_catalog()) return catalog(root.catalog());
      lowered(root);
      return root;
    }
    run(plan.command());
    return text_rows({});
  }

  proto::Relation import(ArrowStream rows) override {
    const auto name = fmt::format("__import_{}", next_import_++);
    database_.create_table(name, std::move(rows));
    proto::Relation relation;
    relation.mutable_read()->mutable_named_table()->set_unparsed_identifier(name);
    return relation;
  }

  std::string explain(const proto::Relation& relation) override {
    const auto plan = lowered(relation);
    std::string out = "== SQL ==\n" + plan.sql + "\n\n== Physical Plan ==\n";
    return out + database_.explain(plan.sql);
  }

  void interrupt() override { database_.interrupt(); }
  double progress() override { return database_.progress(); }

  void set_config(const std::string& key, const std::string& value) override {
    if (key == "spark.sql.session.timeZone") {
      try {
        database_.rows(
            fmt::format("SELECT timezone({}, TIMESTAMP '2020-01-01')", sql_string(value)));
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

  std::string config(const std::string& key) override {
    std::lock_guard lock(mutex_);
    const auto found = config_.find(key);
    return found == config_.end() ? "" : found->second;
  }

  // Catalog

  const proto::Relation* view(const std::vector<std::string>& name) override {
    if (name.size() != 1) return nullptr;
    std::lock_guard lock(mutex_);
    const auto found = views_.find(lower_case(name[0]));
    return found == views_.end() ? nullptr : found->second.get();
  }

  std::optional<Scan> table(const std::vector<std::string>& name) override {
    // Imported rows are the tables there are.
    if (!name.back().starts_with("__import_")) return std::nullopt;
    Scan scan{.from = sql_name(name.back()), .columns = {}};
    for (auto& column : database_.describe("SELECT * FROM " + scan.from)) {
      scan.columns.push_back({{column.name, column.type, true}, column.sql});
    }
    return scan;
  }

  std::vector<std::string> table_names() override {
    std::lock_guard lock(mutex_);
    std::vector<std::string> names;
    for (const auto& [name, plan] : views_) names.push_back(name);
    return names;
  }

  Scan source(const proto::Read_DataSource& source) override {
    SourceRequest request{
        .format = lower_case(source.format().empty() ? "parquet" : source.format()),
        .paths = {source.paths().begin(), source.paths().end()},
        .options = {},
        .schema = {}};
    for (const auto& [key, value] : source.options()) request.options[lower_case(key)] = value;
    if (const auto path = request.options.find("path");
        path != request.options.end() && request.paths.empty()) {
      request.paths.push_back(path->second);
    }
    if (!source.schema().empty()) request.schema = parse_schema(source.schema());
    const auto zone = config("spark.sql.session.timeZone");
    if (!zone.empty()) request.time_zone = zone == "Etc/UTC" || zone == "Z" ? "UTC" : zone;
    // A source is asked about for every plan over it: what was found is kept while its files are
    // the same.
    std::string key = request.format + " " + source.schema() + " " + request.time_zone, state;
    for (const auto& path : request.paths) key += "\n" + path;
    for (const auto& [option, value] : request.options) key += "\n" + option + "=" + value;
    uint64_t bytes = 0;
    for (const auto& path : request.paths) {
      for (const auto& file : expand_path(path)) {
        std::error_code ignored;
        bytes += std::filesystem::file_size(file, ignored);
        state +=
            fmt::format("{} {} {}\n", file, std::filesystem::file_size(file, ignored),
                        std::filesystem::last_write_time(file, ignored).time_since_epoch().count());
      }
    }
    {
      std::lock_guard lock(mutex_);
      const auto found = scans_.find(key);
      if (found != scans_.end() && found->second.first == state) return found->second.second;
    }
    auto scan = scan_source(request, database_);
    // Text is parsed once: a plan may read the same file several times.
    if (request.format != "parquet" && bytes < kKeptTextBytesMax) scan = kept(scan);
    std::lock_guard lock(mutex_);
    scans_[key] = {state, scan};
    return scan;
  }

  Scan local(const proto::LocalRelation& rows) override {
    // Rows made by this program: text of a schema, or a VALUES list of it.
    if (!rows.has_data() && rows.has_schema()) {
      Scan scan{.from = "(SELECT 1 WHERE false)", .columns = {}};
      for (const auto& field : parse_schema(rows.schema())) {
        scan.columns.push_back({field, fmt::format("CAST(NULL AS {})", duckdb_type(field.type))});
      }
      return scan;
    }
    throw Error("UNSUPPORTED_FEATURE.LOCAL_RELATION",
                "Local relations with Arrow data are not supported yet here.");
  }

  std::optional<std::string> evaluate(const std::string& sql) override {
    return database_.rows("SELECT " + sql).at(0).at(0);
  }

  proto::Relation parse_query(std::string_view sql) override { return firesteel::parse_query(sql); }
  proto::Expression parse_expression(std::string_view sql) override {
    return firesteel::parse_expression(sql);
  }

 private:
  LoweredPlan lowered(const proto::Relation& relation) {
    LowerSettings settings;
    const auto zone = config("spark.sql.session.timeZone");
    if (!zone.empty()) settings.time_zone = zone == "Etc/UTC" || zone == "Z" ? "UTC" : zone;
    settings.case_sensitive = lower_case(config("spark.sql.caseSensitive")) == "true";
    try {
      return lower(relation, *this, settings);
    } catch (const Error& error) {
      throw error.in(text_of(relation));
    }
  }

  /// The SQL text that a plan, or the plan it stands on, was made from.
  static std::string text_of(const proto::Relation& relation) {
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

  /// A scan's rows as a table of the engine.
  Scan kept(const Scan& scan) {
    const auto name = fmt::format("__kept_{}", next_import_++);
    std::string list;
    Scan out{.from = sql_name(name), .columns = {}};
    for (const auto& column : scan.columns) {
      list += fmt::format("{}{} AS {}", list.empty() ? "" : ", ", column.sql,
                          sql_name(column.field.name));
      out.columns.push_back({column.field, sql_name(column.field.name)});
    }
    database_.execute(
        fmt::format("CREATE TABLE {} AS SELECT {} FROM {}", out.from, list, scan.from));
    return out;
  }

  /// SET key=value
  void set_from_sql(const std::string& text) {
    const auto equals = text.find('=');
    if (!text.starts_with("SET ") || equals == std::string::npos) {
      throw Error("UNSUPPORTED_FEATURE.SQL_STATEMENT",
                  fmt::format("The statement is not supported: {}.", text));
    }
    set_config(text.substr(4, equals - 4), text.substr(equals + 1));
  }

  ArrowStream show(const proto::ShowString& show) {
    const auto plan = lowered(show.input());
    std::string names, cells;
    std::vector<std::string> titles;
    for (size_t i = 0; i < plan.schema.size(); ++i) {
      names += fmt::format("{}c{}", i ? ", " : "", i);
      const auto text = shown_sql({.sql = fmt::format("c{}", i), .type = plan.schema[i].type},
                                  config("spark.sql.session.timeZone").empty()
                                      ? "UTC"
                                      : config("spark.sql.session.timeZone"));
      cells += (i ? ", " : "") + text;
      titles.push_back(plan.schema[i].name);
    }
    std::vector<std::vector<std::optional<std::string>>> rows;
    try {
      if (!titles.empty()) {
        rows = database_.rows(fmt::format("SELECT {} FROM ({} LIMIT {}) AS t({})", cells,
                                          "SELECT * FROM (" + plan.sql + ")", show.num_rows() + 1,
                                          names));
      }
    } catch (const Error& error) {
      throw error.in(text_of(show.input()));
    }
    const auto table = show_table(titles, rows, show.num_rows(), show.truncate(), show.vertical());
    return database_.query(fmt::format("SELECT {} AS show_string", sql_string(table)),
                           {{"show_string", make_type(TypeKind::kString), false}});
  }

  void write(const proto::WriteOperation& operation) {
    if (!operation.has_path()) {
      throw Error("UNSUPPORTED_FEATURE.SAVE_AS_TABLE",
                  "Only writes to a path are supported: df.write.parquet(\"path\").");
    }
    const auto plan = lowered(operation.input());
    WriteRequest request{
        .sql = plan.sql,
        .schema = plan.schema,
        .format = lower_case(operation.source().empty() ? "parquet" : operation.source()),
        .path = operation.path(),
        .partition_by = {operation.partitioning_columns().begin(),
                         operation.partitioning_columns().end()}};
    switch (operation.mode()) {
      case proto::WriteOperation::SAVE_MODE_APPEND:
        request.mode = WriteMode::kAppend;
        break;
      case proto::WriteOperation::SAVE_MODE_OVERWRITE:
        request.mode = WriteMode::kOverwrite;
        break;
      case proto::WriteOperation::SAVE_MODE_IGNORE:
        request.mode = WriteMode::kIgnore;
        break;
      default:
        request.mode = WriteMode::kError;
        break;
    }
    for (const auto& [key, value] : operation.options()) {
      const auto name = lower_case(key);
      if (name == "header") {
        request.header = lower_case(value) == "true";
      } else if (name == "sep" || name == "delimiter") {
        request.separator = value;
      } else if (name == "compression") {
        request.compression = value;
      } else if (name != "path") {
        throw Error("INVALID_OPTION",
                    fmt::format("Writing {} has no option `{}`.", request.format, key));
      }
    }
    try {
      write_files(request, database_);
    } catch (const Error& error) {
      throw error.in(text_of(operation.input()));
    }
  }

  /// SHOW TABLES, DROP VIEW …: their rows as a plan.
  proto::Relation catalog(const proto::Catalog& request) {
    if (request.has_drop_temp_view() || request.has_drop_view()) {
      std::lock_guard lock(mutex_);
      const auto& given = request.has_drop_view() ? request.drop_view().view_name()
                                                  : request.drop_temp_view().view_name();
      const bool gone = views_.erase(lower_case(unquoted(given))) == 0;
      if (gone && request.has_drop_view() && !request.drop_view().if_exists()) {
        throw Error("TABLE_OR_VIEW_NOT_FOUND",
                    fmt::format("The table or view `{}` cannot be found. To tolerate the error on "
                                "drop use DROP VIEW IF EXISTS.",
                                unquoted(given)));
      }
      return text_rows({});
    }
    if (request.has_list_tables()) {
      const auto& list = request.list_tables();
      std::vector<std::vector<std::string>> rows;
      for (const auto& name : table_names()) {
        if (!list.has_pattern() || fits_pattern(name, list.pattern()))
          rows.push_back({"", name, "true"});
      }
      return text_rows(rows, {"namespace", "tableName", "isTemporary"});
    }
    if (request.has_list_columns()) {
      proto::Relation table;
      table.mutable_read()->mutable_named_table()->set_unparsed_identifier(
          request.list_columns().table_name());
      std::vector<std::vector<std::string>> rows;
      for (const auto& field : lowered(table).schema)
        rows.push_back({field.name, field.type.simple_string(), ""});
      return text_rows(rows, {"col_name", "data_type", "comment"});
    }
    throw Error("UNSUPPORTED_FEATURE.CATALOG",
                fmt::format("The catalog call is not supported: {}.", request.ShortDebugString()));
  }

  /// Rows of text, and of booleans in columns named is…, as a plan: a UNION ALL of literals.
  static proto::Relation text_rows(const std::vector<std::vector<std::string>>& rows,
                                   const std::vector<std::string>& names = {"result"}) {
    proto::Relation out;
    if (rows.empty()) {
      std::string ddl;
      for (const auto& name : names)
        ddl += fmt::format("{}`{}` {}", ddl.empty() ? "" : ", ", name,
                           name.starts_with("is") ? "BOOLEAN" : "STRING");
      out.mutable_local_relation()->set_schema(ddl);
      return out;
    }
    for (size_t i = 0; i < rows.size(); ++i) {
      proto::Relation row;
      for (size_t c = 0; c < names.size(); ++c) {
        auto* alias = row.mutable_project()->add_expressions()->mutable_alias();
        alias->add_name(names[c]);
        auto* literal = alias->mutable_expr()->mutable_literal();
        if (names[c].starts_with("is")) {
          literal->set_boolean(rows[i][c] == "true");
        } else {
          literal->set_string(rows[i][c]);
        }
      }
      if (i == 0) {
        out = std::move(row);
        continue;
      }
      proto::Relation both;
      auto* operation = both.mutable_set_op();
      operation->set_set_op_type(proto::SetOperation::SET_OP_TYPE_UNION);
      operation->set_is_all(true);
      *operation->mutable_left_input() = std::move(out);
      *operation->mutable_right_input() = std::move(row);
      out = std::move(both);
    }
    return out;
  }

  Database database_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<proto::Relation>> views_;
  std::map<std::string, std::string> config_ = {{"spark.sql.ansi.enabled", "true"},
                                                {"spark.sql.session.timeZone", "UTC"}};
  std::map<std::string, std::pair<std::string, Scan>> scans_;
  std::atomic<int> next_import_{0};
};

}  // namespace

std::shared_ptr<Executor> make_embedded_executor(const DatabaseOptions& options) {
  return std::make_shared<EmbeddedExecutor>(options);
}

}  // namespace firesteel
