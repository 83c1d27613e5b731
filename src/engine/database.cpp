// DuckDB's C++ API: connections, streams, types and errors.
#include "engine/database.h"

#include <dlfcn.h>
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <map>
#include <mutex>
#include <regex>
#include <set>

#include "base/number_text.h"
#include "duckdb.h"
#include "duckdb.hpp"
#include "duckdb/common/arrow/arrow_appender.hpp"
#include "duckdb/common/arrow/result_arrow_wrapper.hpp"
#include "duckdb/function/table/arrow.hpp"
#include "duckdb/main/chunk_scan_state/query_result.hpp"
#include "engine/kernels.h"
#include "engine/native_function.h"
#include "functions/coercion.h"
#include "plan/names.h"

namespace firesteel {

namespace {

constexpr duckdb::idx_t kBatchRows = 65536;
/// Bytes may be files of megabytes: a batch of them ends with the row that makes it so large.
constexpr size_t kBatchBytes = size_t{64} << 20;

DataType spark_type(const duckdb::LogicalType& type, const std::string& column) {
  using Id = duckdb::LogicalTypeId;
  switch (type.id()) {
    case Id::SQLNULL:
      return make_type(TypeKind::kNull);
    case Id::BOOLEAN:
      return make_type(TypeKind::kBoolean);
    case Id::TINYINT:
      return make_type(TypeKind::kByte);
    case Id::UTINYINT:
    case Id::SMALLINT:
      return make_type(TypeKind::kShort);
    case Id::USMALLINT:
    case Id::INTEGER:
      return make_type(TypeKind::kInteger);
    case Id::UINTEGER:
    case Id::BIGINT:
      return make_type(TypeKind::kLong);
    case Id::UBIGINT:
      return decimal_type(20, 0);
    case Id::HUGEINT:
    case Id::UHUGEINT:
      return decimal_type(38, 0);
    case Id::FLOAT:
      return make_type(TypeKind::kFloat);
    case Id::DOUBLE:
      return make_type(TypeKind::kDouble);
    case Id::DECIMAL:
      return decimal_type(duckdb::DecimalType::GetWidth(type), duckdb::DecimalType::GetScale(type));
    case Id::VARCHAR:
    case Id::UUID:
    case Id::ENUM:
      return make_type(TypeKind::kString);
    case Id::BLOB:
      return make_type(TypeKind::kBinary);
    case Id::TIME:
      return make_type(TypeKind::kTime);
    case Id::DATE:
      return make_type(TypeKind::kDate);
    case Id::TIMESTAMP_TZ:
      return make_type(TypeKind::kTimestamp);
    case Id::TIMESTAMP:
    case Id::TIMESTAMP_SEC:
    case Id::TIMESTAMP_MS:
    case Id::TIMESTAMP_NS:
      return make_type(TypeKind::kTimestampNtz);
    case Id::INTERVAL:
      return make_type(TypeKind::kDayTimeInterval);
    case Id::LIST:
      return array_type(spark_type(duckdb::ListType::GetChildType(type), column));
    case Id::ARRAY:
      return array_type(spark_type(duckdb::ArrayType::GetChildType(type), column));
    case Id::MAP:
      return map_type(spark_type(duckdb::MapType::KeyType(type), column),
                      spark_type(duckdb::MapType::ValueType(type), column));
    case Id::STRUCT: {
      Schema fields;
      for (const auto& child : duckdb::StructType::GetChildTypes(type)) {
        fields.push_back({child.first, spark_type(child.second, column), true});
      }
      return struct_type(std::move(fields));
    }
    default:
      throw Error("UNSUPPORTED_DATATYPE",
                  fmt::format("The column `{}` has the type {}, which Spark lacks.", column,
                              type.ToString()));
  }
}

/// Runs `body`, turning DuckDB's exceptions into ours.
template <typename Body>
auto guarded(Body body) {
  try {
    return body();
  } catch (const Error&) {
    throw;
  } catch (const std::exception& error) {
    throw from_duckdb(duckdb::ErrorData(error).Message());
  }
}

}  // namespace

struct QueryGroup::State {
  std::mutex mutex;
  std::set<duckdb::Connection*> running;
  std::atomic<bool> interrupted{false};

  void stop_running() {
    std::lock_guard lock(mutex);
    for (auto* connection : running) connection->Interrupt();
  }
};

namespace {
thread_local const QueryGroup* current_group = nullptr;
}  // namespace

QueryGroup::QueryGroup() : state_(std::make_shared<State>()) {}

void QueryGroup::interrupt() {
  state_->interrupted = true;
  state_->stop_running();
}

bool QueryGroup::interrupted() const { return state_->interrupted; }

double QueryGroup::progress() const {
  std::lock_guard lock(state_->mutex);
  for (auto* connection : state_->running) {
    const double share = connection->GetQueryProgress();
    if (share >= 0) return share / 100;
  }
  return -1;
}

bool QueryGroup::interrupted_here() { return current_group && current_group->interrupted(); }

QueryGroup::Scope::Scope(const QueryGroup& group) : outer_(std::exchange(current_group, &group)) {}
QueryGroup::Scope::~Scope() { current_group = outer_; }

struct Database::Instance {
  duckdb::unique_ptr<duckdb::DuckDB> database;
  std::atomic<uint64_t> next_name{0};
  std::mutex mutex;
  std::map<std::string, DatabaseFunction> functions;  // by their names in lower case
};

/// A connection, known to the groups that may interrupt it while it is open.
class Database::Connected {
 public:
  Connected(std::shared_ptr<Instance> instance,
            std::vector<std::shared_ptr<QueryGroup::State>> groups)
      : instance_(std::move(instance)),
        groups_(std::move(groups)),
        connection_(duckdb::make_uniq<duckdb::Connection>(*instance_->database)) {
    for (const auto& group : groups_) {
      std::lock_guard lock(group->mutex);
      group->running.insert(connection_.get());
    }
  }
  Connected(Connected&&) = default;
  ~Connected() {
    if (!connection_) return;
    for (const auto& group : groups_) {
      std::lock_guard lock(group->mutex);
      group->running.erase(connection_.get());
    }
  }
  duckdb::Connection* operator->() const { return connection_.get(); }
  duckdb::Connection* get() const { return connection_.get(); }

 private:
  std::shared_ptr<Instance> instance_;  // outlives the connection
  std::vector<std::shared_ptr<QueryGroup::State>> groups_;
  duckdb::unique_ptr<duckdb::Connection> connection_;
};

Database::Connected Database::connect() {
  std::vector groups{queries_.state_};
  if (current_group) {
    if (current_group->interrupted())
      throw Error("OPERATION_CANCELED", "The operation was cancelled.");
    groups.push_back(current_group->state_);
  }
  return Connected(instance_, std::move(groups));
}

namespace {

/// Bytes of a chunk's row, in its columns of bytes.
class RowBytes {
 public:
  explicit RowBytes(duckdb::DataChunk& chunk) {
    for (auto& column : chunk.data) {
      if (column.GetType() != duckdb::LogicalType::BLOB) continue;
      column.ToUnifiedFormat(chunk.size(), columns_.emplace_back());
    }
  }
  size_t of(duckdb::idx_t row) const {
    size_t bytes = 0;
    for (const auto& column : columns_) {
      const auto place = column.sel->get_index(row);
      if (column.validity.RowIsValid(place))
        bytes += duckdb::UnifiedVectorFormat::GetData<duckdb::string_t>(column)[place].GetSize();
    }
    return bytes;
  }

 private:
  std::vector<duckdb::UnifiedVectorFormat> columns_;
};

/// What the wrapper's own `get_next` does, with an end to a batch's bytes too.
int next_of_bytes(duckdb::ResultArrowArrayStreamWrapper& wrapper, ArrowArray* out) {
  *out = ArrowArray{};
  try {
    auto& scan = *wrapper.scan_state;
    duckdb::ArrowAppender appender(scan.Types(), STANDARD_VECTOR_SIZE,
                                   wrapper.result->client_properties, wrapper.extension_types);
    size_t bytes = 0;
    const auto is_full = [&] { return appender.RowCount() >= kBatchRows || bytes >= kBatchBytes; };
    while (!is_full()) {
      if (scan.RemainingInChunk() == 0) {
        if (!scan.LoadNextChunk(wrapper.last_error)) {
          if (scan.HasError()) wrapper.last_error = scan.GetError();
          return wrapper.last_error.HasError() ? EIO : 0;
        }
        if (scan.ChunkIsEmpty() || scan.Finished()) break;
      }
      auto& chunk = scan.CurrentChunk();
      const RowBytes row_bytes(chunk);
      const auto begin = scan.CurrentOffset();
      auto end = begin;
      const auto rows_max = kBatchRows - appender.RowCount();
      while (end < chunk.size() && end - begin < rows_max && bytes < kBatchBytes)
        bytes += row_bytes.of(end++);
      appender.Append(chunk, begin, end, chunk.size());
      scan.IncreaseOffset(end - begin);
    }
    if (appender.RowCount() > 0) *out = appender.Finalize();
    return 0;
  } catch (const std::exception& error) {
    wrapper.last_error = duckdb::ErrorData(error);
    return EIO;
  }
}

}  // namespace

/// A running query. The formats of UTC timestamps are replaced as the schema passes through.
struct Database::Stream {
  Connected connection;
  duckdb::unique_ptr<duckdb::ResultArrowArrayStreamWrapper> wrapper;
  Schema schema;

  static int get_schema(ArrowArrayStream* stream, ArrowSchema* out) {
    auto* self = static_cast<Stream*>(stream->private_data);
    const int code = self->wrapper->stream.get_schema(&self->wrapper->stream, out);
    if (code != 0) return code;
    const auto columns = std::min<int64_t>(out->n_children, self->schema.size());
    for (int64_t i = 0; i < columns; ++i) {
      if (self->schema[i].type.kind == TypeKind::kTimestamp) out->children[i]->format = "tsu:UTC";
      if (!self->schema[i].nullable) out->children[i]->flags &= ~ARROW_FLAG_NULLABLE;
    }
    return 0;
  }
  static int get_next(ArrowArrayStream* stream, ArrowArray* out) {
    auto* self = static_cast<Stream*>(stream->private_data);
    auto& wrapper = *self->wrapper;
    const bool bytes = std::ranges::find(wrapper.result->types, duckdb::LogicalType::BLOB) !=
                       wrapper.result->types.end();
    return bytes ? next_of_bytes(wrapper, out) : wrapper.stream.get_next(&wrapper.stream, out);
  }
  static const char* get_last_error(ArrowArrayStream* stream) {
    auto* self = static_cast<Stream*>(stream->private_data);
    return self->wrapper->stream.get_last_error(&self->wrapper->stream);
  }
  static void release(ArrowArrayStream* stream) {
    delete static_cast<Stream*>(stream->private_data);
    stream->release = nullptr;
  }
};

Database::Database(const DatabaseOptions& options) : instance_(std::make_shared<Instance>()) {
  guarded([&] {
    duckdb::DBConfig config;
    const auto set = [&](const char* name, const std::string& value, const char* option) {
      if (value.empty()) return;
      try {
        config.SetOptionByName(name, duckdb::Value(value));
      } catch (const std::exception& error) {
        throw Error("INVALID_OPTION",
                    fmt::format("{} takes a size such as 4GB, not '{}'.", option, value));
      }
    };
    config.SetOptionByName("allow_unsigned_extensions", duckdb::Value::BOOLEAN(false));
    config.SetOptionByName("autoinstall_known_extensions", duckdb::Value::BOOLEAN(false));
    if (options.threads > 0)
      config.SetOptionByName("threads", duckdb::Value::BIGINT(options.threads));
    set("memory_limit", options.memory_limit, "The memory limit (--memory)");
    if (!options.temp_directory.empty())
      config.SetOptionByName("temp_directory", duckdb::Value(options.temp_directory));
    set("max_temp_directory_size", options.temp_size_limit, "The limit of spilling (--temp-limit)");
    instance_->database = duckdb::make_uniq<duckdb::DuckDB>(nullptr, &config);
    register_kernels(*instance_->database->instance);
    duckdb::Connection connection(*instance_->database);
    for (const char* sql : {"SET GLOBAL TimeZone = 'UTC'",
                            "SET GLOBAL default_null_order = 'nulls_first'", kKernelMacros}) {
      const auto result = connection.Query(sql);
      if (result->HasError()) throw Error("INTERNAL_ERROR", result->GetError());
    }
  });
  for (const auto& function : options.functions) add_function(function);
}

Database Database::sibling() const { return Database(instance_); }

std::string Database::new_name(const std::string& prefix) {
  return fmt::format("{}{}", prefix, instance_->next_name++);
}

void Database::add_function(NativeFunction function) {
  DatabaseFunction entry{.sql = new_name("native_"), .parameters = {}, .returns = {}};
  for (const auto argument : function.arguments) {
    const bool text = argument == NativeFunction::Argument::kText;
    entry.parameters.push_back({fmt::format("p{}", entry.parameters.size() + 1),
                                make_type(text ? TypeKind::kString : TypeKind::kBinary), true});
  }
  switch (function.returns.kind) {
    case AddedColumn::Kind::kDouble:
      entry.returns = make_type(TypeKind::kDouble);
      break;
    case AddedColumn::Kind::kText:
      entry.returns = make_type(TypeKind::kString);
      break;
    case AddedColumn::Kind::kFloatList:
      entry.returns = array_type(make_type(TypeKind::kFloat));
      break;
  }
  const auto name = lower_case(function.name);
  guarded([&] {
    register_native(*instance_->database->instance, entry.sql,
                    std::make_shared<const NativeFunction>(std::move(function)));
  });
  const std::lock_guard lock(instance_->mutex);
  instance_->functions.insert_or_assign(name, std::move(entry));
}

std::optional<DatabaseFunction> Database::function(const std::string& name) const {
  const std::lock_guard lock(instance_->mutex);
  const auto found = instance_->functions.find(lower_case(name));
  if (found == instance_->functions.end()) return std::nullopt;
  return found->second;
}

ArrowStream Database::query(const std::string& sql, const Schema& schema) {
  return guarded([&] {
    auto running = std::make_unique<Stream>(Stream{connect(), nullptr, schema});
    auto& settings = running->connection->context->config;
    settings.enable_progress_bar = true;
    settings.print_progress_bar = false;
    auto result = running->connection->SendQuery(sql);
    if (result->HasError()) throw from_duckdb(result->GetError());
    running->wrapper =
        duckdb::make_uniq<duckdb::ResultArrowArrayStreamWrapper>(std::move(result), kBatchRows);
    // With these the wrapper answers for the schema after the last row too.
    running->wrapper->column_types = running->wrapper->result->types;
    running->wrapper->column_names = running->wrapper->result->names;
    ArrowStream out({.get_schema = Stream::get_schema,
                     .get_next = Stream::get_next,
                     .get_last_error = Stream::get_last_error,
                     .release = Stream::release,
                     .private_data = running.release()});
    out.raise = [](const std::string& message) { throw from_duckdb(message); };
    return out;
  });
}

void Database::execute(const std::string& sql) {
  guarded([&] {
    const auto result = connect()->Query(sql);
    if (result->HasError()) throw from_duckdb(result->GetError());
  });
}

std::vector<DatabaseColumn> Database::describe(const std::string& sql) {
  return guarded([&] {
    const auto connection = connect();
    const auto statement = connection->Prepare(sql);
    if (statement->HasError()) throw from_duckdb(statement->GetError());
    std::vector<DatabaseColumn> columns;
    for (size_t i = 0; i < statement->GetTypes().size(); ++i) {
      const auto& name = statement->GetNames()[i];
      const auto& type = statement->GetTypes()[i];
      DatabaseColumn column{name, spark_type(type, name), sql_name(name)};
      if (type.id() == duckdb::LogicalTypeId::TIMESTAMP_TZ) {
        column.sql = fmt::format("make_timestamp(epoch_us({}))", column.sql);
      } else if (type.ToString() != duckdb_type(column.type) &&
                 column.type.kind != TypeKind::kNull) {
        column.sql = fmt::format("CAST({} AS {})", column.sql, duckdb_type(column.type));
      }
      columns.push_back(std::move(column));
    }
    return columns;
  });
}

int Database::threads() {
  return std::stoi(rows("SELECT current_setting('threads')").at(0).at(0).value());
}

std::vector<std::vector<std::optional<std::string>>> Database::rows(const std::string& sql) {
  return guarded([&] {
    const auto result = connect()->Query(sql);
    if (result->HasError()) throw from_duckdb(result->GetError());
    std::vector<std::vector<std::optional<std::string>>> out;
    for (size_t row = 0; row < result->RowCount(); ++row) {
      auto& cells = out.emplace_back();
      for (size_t column = 0; column < result->ColumnCount(); ++column) {
        const auto value = result->GetValue(column, row);
        cells.push_back(value.IsNull() ? std::nullopt
                                       : std::optional<std::string>(value.ToString()));
      }
    }
    return out;
  });
}

namespace {

/// An Arrow stream of the caller's as DuckDB's scan takes it.
struct GivenStream {
  static duckdb::unique_ptr<duckdb::ArrowArrayStreamWrapper> produce(
      uintptr_t stream, duckdb::ArrowStreamParameters&) {
    auto wrapper = duckdb::make_uniq<duckdb::ArrowArrayStreamWrapper>();
    wrapper->arrow_array_stream = *reinterpret_cast<ArrowArrayStream*>(stream);
    wrapper->arrow_array_stream.release = [](ArrowArrayStream* own) { own->release = nullptr; };
    return wrapper;
  }
  static void schema(ArrowArrayStream* stream, ArrowSchema& out) {
    if (stream->get_schema(stream, &out) != 0)
      throw duckdb::InvalidInputException("the Arrow stream's schema could not be read");
  }
};

}  // namespace

void Database::create_table(const std::string& name, ArrowStream rows, int columns) {
  std::string names;
  for (int i = 0; i < columns; ++i) names += fmt::format("{}c{}", i ? ", " : "", i);
  if (columns > 0) names = fmt::format(" AS t({})", names);
  const auto view = name + "_stream";
  read_stream(
      std::move(rows), view,
      fmt::format("CREATE TABLE {} AS SELECT * FROM {}{}", sql_name(name), sql_name(view), names));
}

void Database::append(const std::string& name, ArrowStream rows) {
  const auto view = name + "_stream";
  read_stream(std::move(rows), view,
              fmt::format("INSERT INTO {} SELECT * FROM {}", sql_name(name), sql_name(view)));
}

void Database::read_stream(ArrowStream rows, const std::string& view, const std::string& sql) {
  guarded([&] {
    const auto connection = connect();
    auto raw = rows.release();
    duckdb::unique_ptr<duckdb::MaterializedQueryResult> result;
    try {
      // As duckdb_arrow_scan does, which leaks the schema.
      const auto pointer = [](auto to) {
        return duckdb::Value::POINTER(reinterpret_cast<uintptr_t>(to));
      };
      connection
          ->TableFunction("arrow_scan", {pointer(&raw), pointer(&GivenStream::produce),
                                         pointer(&GivenStream::schema)})
          ->CreateView(view, true, true);
      result = connection->Query(sql);
    } catch (...) {
      if (raw.release) raw.release(&raw);
      throw;
    }
    connection->Query(fmt::format("DROP VIEW IF EXISTS {}", sql_name(view)));
    if (raw.release) raw.release(&raw);
    if (result->HasError()) {
      if (rows.raise) rows.raise(result->GetError());
      throw from_duckdb(result->GetError());
    }
  });
}

std::string Database::explain(const std::string& sql, bool analyze) {
  const auto plan = rows((analyze ? "EXPLAIN ANALYZE " : "EXPLAIN ") + sql);
  std::string out;
  for (const auto& row : plan) out += row.back().value_or("") + "\n";
  return out;
}

void Database::interrupt() { queries_.state_->stop_running(); }

double Database::progress() { return queries_.progress(); }

std::string Database::extension(const std::string& name) {
  namespace fs = std::filesystem;
  Dl_info library{};
  if (!::dladdr(reinterpret_cast<const void*>(&duckdb::DuckDB::LibraryVersion), &library))
    return "";
  const auto folder = fs::absolute(library.dli_fname).parent_path();
  for (const auto& place : {folder, folder / "../extensions"}) {
    const auto file = place / (name + ".duckdb_extension");
    if (fs::exists(file)) return file.lexically_normal().string();
  }
  return "";
}

std::string Database::version() { return duckdb::DuckDB::LibraryVersion(); }

namespace {

/// An overflow in Spark's words, which name the operation or type that engine.cpp finds the place
/// by.
std::optional<Error> overflow(const std::string& text) {
  static const std::regex binary(R"(Overflow in (\w+) of (INT\d+) \((-?\d+) (.) (-?\d+)\).*)");
  static const std::regex unary(R"(Overflow (?:in|on) (negation|abs).*)");
  static const std::regex cast(
      R"(Type (\w+) with value (\S+) can't be cast because the value is out of range for the destination type (\w+))");
  static const std::regex decimal(
      R"re(Casting value "(.*)" to type DECIMAL\((\d+),(\d+)\) failed: value is out of range!.*)re");
  static const std::map<std::string, std::pair<const char*, const char*>> types = {
      {"INT8", {"TINYINT", ""}},  {"INT16", {"SMALLINT", "S"}}, {"INT32", {"INT", ""}},
      {"INT64", {"BIGINT", "L"}}, {"FLOAT", {"FLOAT", ""}},     {"DOUBLE", {"DOUBLE", "D"}}};
  static const std::map<std::string, const char*> operations = {
      {"addition", "try_add"}, {"subtraction", "try_subtract"}, {"multiplication", "try_multiply"}};
  std::smatch found;
  if (std::regex_match(text, found, unary))
    return Error("ARITHMETIC_OVERFLOW", fmt::format("overflow in {}.", found[1].str()));
  if (std::regex_match(text, found, binary) && operations.contains(found[1])) {
    const auto* instead = operations.at(found[1]);
    if (found[2] == "INT8" || found[2] == "INT16") {
      return Error(
          "BINARY_ARITHMETIC_OVERFLOW",
          fmt::format("{}S {} {}S caused overflow. Use `{}` to ignore overflow problem and "
                      "return NULL.",
                      found[3].str(), found[4].str(), found[5].str(), instead));
    }
    return Error(
        "ARITHMETIC_OVERFLOW",
        fmt::format("overflow. Use '{}' to tolerate overflow and return NULL instead.", instead));
  }
  if (std::regex_match(text, found, cast) && types.contains(found[1]) && types.contains(found[3])) {
    const auto [source, suffix] = types.at(found[1]);
    const auto value = found[1] == "DOUBLE" ? java_text(std::stod(found[2].str())) : found[2].str();
    return Error(
        "CAST_OVERFLOW",
        fmt::format("The value {}{} of the type \"{}\" cannot be cast to \"{}\" due to an "
                    "overflow. Use `try_cast` to tolerate overflow and return NULL instead.",
                    value, suffix, source, types.at(found[3]).first));
  }
  if (std::regex_match(text, found, decimal)) {
    return Error("NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION",
                 fmt::format("{} cannot be represented as Decimal({}, {}).", found[1].str(),
                             found[2].str(), found[3].str()));
  }
  return std::nullopt;
}

}  // namespace

Error from_duckdb(const std::string& message) {
  if (const auto raised = raised_error(message)) return *raised;
  const auto colon = message.find(": ");
  const std::string kind = message.substr(0, colon == std::string::npos ? 0 : colon);
  std::string text = colon == std::string::npos ? message : message.substr(colon + 2);
  // Behind the first line stands the generated SQL, which is not the user's.
  for (const char* generated : {"\n\nLINE ", "\n\nStack Trace:"})
    text.resize(std::min(text.find(generated), text.size()));
  if (kind == "INTERNAL Error") return Error("INTERNAL_ERROR", text);
  const auto has = [&](std::string_view part) { return text.find(part) != std::string::npos; };
  if (kind == "INTERRUPT Error") return Error("OPERATION_CANCELED", "The operation was cancelled.");
  if (kind == "Out of Memory Error") {
    return Error(
        "OUT_OF_MEMORY",
        fmt::format("The memory limit is reached: {} Raise it (--memory, spark.memory.limit) or "
                    "free space in the temporary folder.",
                    text.substr(0, text.find('\n'))));
  }
  if (has("No space left on device")) {
    return Error("DISK_FULL", fmt::format("{}. Free space or choose another folder.",
                                          text.substr(0, text.find('\n'))));
  }
  if (const auto error = overflow(text)) return *error;
  if (has("Failed to cast decimal value")) return Error("CAST_OVERFLOW", text);
  if (has("The map key list does not align")) {
    return Error("INVALID_PARAMETER_VALUE",
                 "The key array and value array of a map must have the same length.");
  }
  if (has("INT128") &&
      has("destination type INT64")) {  // what DuckDB's sum() of integers does not fit
    return Error("ARITHMETIC_OVERFLOW",
                 "long overflow. Use `try_sum` to tolerate overflow and return NULL instead.");
  }
  if (kind == "Out of Range Error" || has("Overflow in") || has("out of range")) {
    if (has("Overflow in") || has("Overflow on") || has("overflow")) {
      if (has("DECIMAL")) return Error("NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION", text);
      return Error(
          has("INT8") || has("INT16") ? "BINARY_ARITHMETIC_OVERFLOW" : "ARITHMETIC_OVERFLOW", text);
    }
    return Error(has("DECIMAL") ? "NUMERIC_VALUE_OUT_OF_RANGE.WITH_SUGGESTION" : "CAST_OVERFLOW",
                 text);
  }
  if (kind == "Conversion Error") {
    return Error(has("out of range") ? "CAST_OVERFLOW" : "CAST_INVALID_INPUT", text);
  }
  if (kind == "Invalid Input Error" &&
      (has("missing argument to repetition") || has("invalid perl operator") ||
       has("unexpected )") || has("missing ]") || has("missing )") || has("bad repetition") ||
       has("invalid escape"))) {
    return Error("INVALID_PARAMETER_VALUE.PATTERN",
                 fmt::format("The regular expression is not one that RE2 can run: {}", text));
  }
  if (has("Map keys must be unique")) {
    return Error("DUPLICATED_MAP_KEY",
                 "A map has a key twice. Set no key twice, or remove what is double before.");
  }
  if (has("Map keys can not be NULL")) return Error("NULL_MAP_KEY", "Cannot use null as map key.");
  if (has("Unknown TimeZone")) {
    return Error("INVALID_TIMEZONE",
                 fmt::format("{} It must be either a region-based zone ID or a zone offset.",
                             text.substr(0, text.find('\n'))));
  }
  if (has("More than one row returned by a subquery")) {
    return Error("SCALAR_SUBQUERY_TOO_MANY_ROWS",
                 "More than one row returned by a subquery used as an expression.");
  }
  if (has("CSV Error")) return Error("MALFORMED_CSV_RECORD", text);
  if (kind == "IO Error" || has("magic bytes") || has("parquet") || has("Parquet") ||
      has("TProtocol") || has("JSON")) {
    return Error("FAILED_READ_FILE.NO_HINT",
                 fmt::format("Encountered error while reading a file: {}", text));
  }
  return Error("INTERNAL_ERROR", fmt::format("{}: {}", kind, text));
}

}  // namespace firesteel
