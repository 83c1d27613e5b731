// Rows that a client sends with a plan, or ahead of it as artifacts: Arrow streams made tables,
// once per content. And checkpoints: plans whose rows are kept under an id.
#include <arrow/buffer.h>
#include <arrow/c/bridge.h>
#include <arrow/io/memory.h>
#include <arrow/ipc/reader.h>
#include <arrow/record_batch.h>
#include <arrow/table.h>
#include <fmt/format.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <xxhash.h>

#include <fstream>
#include <iterator>

#include "engine/embedded.h"
#include "functions/coercion.h"

namespace firesteel {

namespace {

constexpr size_t kLocalTablesMax = 256;
constexpr uint64_t kLocalBytesMax = 1 << 30;
constexpr auto kSurelyUnused = std::chrono::minutes(5);

template <typename T>
T arrow_value(arrow::Result<T> result) {
  if (result.ok()) return std::move(result).ValueUnsafe();
  throw Error("INVALID_ARROW_DATA",
              "The rows sent with the plan are no Arrow stream: " + result.status().message());
}

/// The same for plans that are the same object of a client, whatever order maps come in.
std::string bytes_of(const proto::Relation& relation) {
  std::string bytes;
  google::protobuf::io::StringOutputStream stream(&bytes);
  google::protobuf::io::CodedOutputStream out(&stream);
  out.SetSerializationDeterministic(true);
  relation.SerializePartialToCodedStream(&out);
  out.Trim();
  return bytes;
}

/// The batches of several streams of one schema, one after another.
class Concatenated : public arrow::RecordBatchReader {
 public:
  explicit Concatenated(const std::vector<std::string>& streams) : streams_(streams) { advance(); }
  std::shared_ptr<arrow::Schema> schema() const override { return reader_->schema(); }
  arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch>* batch) override {
    for (;;) {
      ARROW_RETURN_NOT_OK(reader_->ReadNext(batch));
      if (*batch || next_ == streams_.size()) return arrow::Status::OK();
      advance();
    }
  }

 private:
  void advance() {
    auto input = std::make_shared<arrow::io::BufferReader>(
        std::make_shared<arrow::Buffer>(streams_[next_++]));
    reader_ = arrow_value(arrow::ipc::RecordBatchStreamReader::Open(input));
  }

  const std::vector<std::string>& streams_;
  size_t next_ = 0;
  std::shared_ptr<arrow::RecordBatchReader> reader_;
};

}  // namespace

Scan EmbeddedExecutor::local(const proto::Relation& relation) {
  if (relation.has_cached_local_relation()) {
    proto::Relation inner;
    const auto& hash = relation.cached_local_relation().hash();
    if (!inner.mutable_local_relation()->ParseFromString(artifact("cache/" + hash)))
      throw Error("INVALID_ARROW_DATA", fmt::format("The rows cached as {} are damaged.", hash));
    return local(inner);
  }
  if (relation.has_chunked_cached_local_relation()) {
    const auto& chunked = relation.chunked_cached_local_relation();
    std::vector<std::string> streams;
    for (const auto& hash : chunked.datahashes()) streams.push_back(artifact("cache/" + hash));
    return local_rows(streams,
                      chunked.has_schemahash() ? artifact("cache/" + chunked.schemahash()) : "");
  }
  const auto& rows = relation.local_relation();
  if (rows.has_data()) return local_rows({rows.data()}, rows.schema());
  Scan scan{.from = "(SELECT 1 WHERE false)", .columns = {}};
  if (rows.schema().empty()) return scan;
  for (const auto& field : parse_schema(rows.schema()))
    scan.columns.push_back({field, fmt::format("CAST(NULL AS {})", duckdb_type(field.type))});
  return scan;
}

Scan EmbeddedExecutor::local_rows(const std::vector<std::string>& streams,
                                  const std::string& schema) {
  std::string key = schema + "\n" + time_zone();
  uint64_t bytes = 0;
  for (const auto& stream : streams) {
    const auto hash = XXH3_128bits(stream.data(), stream.size());
    key += fmt::format("\n{:016x}{:016x} {}", hash.high64, hash.low64, stream.size());
    bytes += stream.size();
  }
  {
    std::lock_guard lock(mutex_);
    if (const auto found = local_rows_.find(key); found != local_rows_.end()) {
      found->second.used = std::chrono::steady_clock::now();
      return found->second.scan;
    }
  }
  if (streams.empty()) {
    proto::Relation none;
    none.mutable_local_relation()->set_schema(schema);
    return local(none);
  }
  const auto name = new_name("local");
  auto reader = std::make_shared<Concatenated>(streams);
  // A table needs distinct names: the columns are numbered, and named by the scan.
  const auto arrow_schema = reader->schema();
  ArrowArrayStream exported{};
  const auto status = arrow::ExportRecordBatchReader(reader, &exported);
  if (!status.ok()) throw Error("INVALID_ARROW_DATA", status.message());
  database_.create_table(name, ArrowStream(exported), arrow_schema->num_fields());
  Scan scan{.from = sql_name(name), .columns = {}};
  const auto declared = schema.empty() ? Schema() : parse_schema(schema);
  if (!schema.empty() && declared.size() != static_cast<size_t>(arrow_schema->num_fields())) {
    throw Error("INVALID_ARROW_DATA",
                fmt::format("The rows sent with the plan have {} columns, their schema {}.",
                            arrow_schema->num_fields(), declared.size()));
  }
  const auto found = database_.describe("SELECT * FROM " + scan.from);
  for (size_t i = 0; i < found.size(); ++i) {
    const auto& name = arrow_schema->field(static_cast<int>(i))->name();
    if (schema.empty()) {
      scan.columns.push_back({{name, found[i].type, true}, found[i].sql});
      continue;
    }
    const Resolved value{.sql = found[i].sql, .type = found[i].type, .name = name};
    scan.columns.push_back({declared[i], coerce(value, declared[i].type, time_zone()).sql});
  }
  std::lock_guard lock(mutex_);
  local_rows_[key] = {scan, bytes, std::chrono::steady_clock::now()};
  drop_local_rows();
  return scan;
}

void EmbeddedExecutor::drop_local_rows() {
  uint64_t bytes = 0;
  for (const auto& [key, rows] : local_rows_) bytes += rows.bytes;
  while (local_rows_.size() > kLocalTablesMax || bytes > kLocalBytesMax) {
    const auto oldest = std::ranges::min_element(
        local_rows_, {}, [](const auto& entry) { return entry.second.used; });
    if (std::chrono::steady_clock::now() - oldest->second.used < kSurelyUnused) return;
    bytes -= oldest->second.bytes;
    database_.execute("DROP TABLE IF EXISTS " + oldest->second.scan.from);
    local_rows_.erase(oldest);
  }
}

std::string EmbeddedExecutor::artifact(const std::string& name) {
  std::ifstream in(artifacts_ / name, std::ios::binary);
  if (artifacts_.empty() || !in) {
    throw Error("INVALID_HANDLE.ARTIFACT_NOT_FOUND",
                fmt::format("The artifact {} was not sent to this session.", name));
  }
  return std::string(std::istreambuf_iterator<char>(in), {});
}

void EmbeddedExecutor::persist(const proto::Relation& relation, const proto::StorageLevel& level) {
  std::lock_guard lock(mutex_);
  persisted_.try_emplace(bytes_of(relation)).first->second.level = level;
}

void EmbeddedExecutor::unpersist(const proto::Relation& relation) {
  std::unique_lock lock(mutex_);
  const auto found = persisted_.find(bytes_of(relation));
  if (found == persisted_.end()) return;
  const auto scan = found->second.scan;
  persisted_.erase(found);
  lock.unlock();
  if (scan) database_.execute("DROP TABLE IF EXISTS " + scan->from);
}

std::optional<proto::StorageLevel> EmbeddedExecutor::storage_level(
    const proto::Relation& relation) {
  std::lock_guard lock(mutex_);
  const auto found = persisted_.find(bytes_of(relation));
  if (found == persisted_.end()) return std::nullopt;
  return found->second.level;
}

std::optional<Scan> EmbeddedExecutor::persisted(const proto::Relation& relation) {
  std::string key;
  {
    std::lock_guard lock(mutex_);
    if (persisted_.empty()) return std::nullopt;
    key = bytes_of(relation);
    const auto found = persisted_.find(key);
    if (found == persisted_.end() || found->second.runs) return std::nullopt;
    if (found->second.scan) return found->second.scan;
    found->second.runs = true;
  }
  std::optional<Scan> scan;
  try {
    const auto plan = lowered(relation);
    if (plan.schema.empty()) return std::nullopt;
    scan = Scan{.from = sql_name(new_name("persisted")), .columns = {}};
    std::string names;
    for (const auto& field : plan.schema) {
      const auto name = fmt::format("c{}", scan->columns.size());
      names += (names.empty() ? "" : ", ") + name;
      scan->columns.push_back({field, name});
    }
    database_.execute(
        fmt::format("CREATE TABLE {} AS SELECT * FROM ({}) AS t({})", scan->from, plan.sql, names));
  } catch (...) {
    std::lock_guard lock(mutex_);
    if (const auto found = persisted_.find(key); found != persisted_.end())
      found->second.runs = false;
    throw;
  }
  std::lock_guard lock(mutex_);
  if (const auto found = persisted_.find(key); found != persisted_.end()) {
    found->second.scan = scan;
    found->second.runs = false;
  }
  return scan;
}

std::string EmbeddedExecutor::checkpoint(const proto::Relation& relation) {
  auto kept = materialized(relation);
  const auto id = new_name("checkpoint");
  std::lock_guard lock(mutex_);
  remembered_[id] = std::move(kept);
  return id;
}

proto::Relation EmbeddedExecutor::remembered(const std::string& id) {
  std::lock_guard lock(mutex_);
  const auto found = remembered_.find(id);
  if (found != remembered_.end()) return found->second;
  throw Error("DATAFRAME_NOT_FOUND",
              fmt::format("DataFrame with id {} is not found. Its checkpoint was removed, or made "
                          "in another session.",
                          id));
}

void EmbeddedExecutor::forget_checkpoint(const std::string& id) {
  std::unique_lock lock(mutex_);
  const auto found = remembered_.find(id);
  if (found == remembered_.end()) return;
  const auto* plan = &found->second;
  while (plan->has_project()) plan = &plan->project().input();
  const auto table = plan->read().named_table().unparsed_identifier();
  remembered_.erase(found);
  lock.unlock();
  if (table.starts_with(prefix_)) database_.execute("DROP TABLE IF EXISTS " + sql_name(table));
}

}  // namespace firesteel
