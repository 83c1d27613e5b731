// A task is Spark's mapInArrow. In place of a pickled Python function stands a pickle that names a
// function of the bridge module, or, with the native transport, the call itself, which the program
// reads as the worker that Spark takes it for.
#include "connect/client/tasks.h"

#include <arrow/buffer.h>
#include <arrow/ipc/writer.h>
#include <arrow/type.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "base/error.h"
#include "base/file.h"
#include "cluster/bridge.h"
#include "connect/arrow_encoder.h"
#include "connect/client/protocol_version.h"
#include "engine/arrow_result.h"
#include "plan/build.h"
#include "plan/names.h"

namespace firesteel::connect {

namespace fs = std::filesystem;

namespace {

constexpr int kMapInArrow = 207;  // pyspark.util.PythonEvalType
constexpr const char* kPing = "firesteel_ping";
/// The Spark whose protocol of workers daemon.cpp speaks.
constexpr std::string_view kNativeVersion = "4.3";

/// Rows as they come: whether a task runs at all.
const TaskRegistration kPingTask(kPing, [](ArrowStream rows, const TaskContext&) { return rows; });

std::string hex(const uint8_t* bytes, int64_t size) {
  std::string out;
  for (int64_t i = 0; i < size; ++i) out += fmt::format("{:02x}", bytes[i]);
  return out;
}

/// Pickle's opcodes that call a module's function with a text.
std::string pickled(const std::string& module, const std::string& function,
                    const std::string& text) {
  std::string out = fmt::format("c{}\n{}\n(X", module, function);
  for (size_t i = 0, size = text.size(); i < 4; ++i, size >>= 8)
    out += static_cast<char>(size & 0xFF);
  return out + text + "tR";
}

/// A pickle of (a function, the type of what it gives).
std::string pickled_call(const std::string& module, const std::string& text, const Schema& output) {
  return pickled(module, "make", text) +
         pickled("pyspark.sql.types", "_parse_datatype_json_string", schema_json(output)) + "\x86.";
}

int64_t partitions_of(const proto::Relation& rows) {
  if (rows.has_repartition()) return rows.repartition().num_partitions();
  if (rows.has_repartition_by_expression())
    return rows.repartition_by_expression().num_partitions();
  if (rows.has_sort() && !rows.sort().is_global()) return partitions_of(rows.sort().input());
  return 0;
}

}  // namespace

bool ClusterTasks::set(const std::string& key, const std::string& value) {
  if (!key.starts_with("firesteel.cluster.")) return false;
  std::lock_guard lock(mutex_);
  if (key == "firesteel.cluster.transport") {
    if (value != "auto" && value != "python" && value != "native")
      throw Error("INVALID_CONF_VALUE",
                  fmt::format("{} is auto, python or native, not '{}'.", key, value));
    transport_setting_ = value;
  } else if (key == "firesteel.cluster.program") {
    home_ = value;
  } else {
    throw Error("INVALID_CONF_VALUE",
                fmt::format("There is no setting `{}`. There are firesteel.cluster.transport and "
                            "firesteel.cluster.program.",
                            key));
  }
  prepared_ = false;
  return true;
}

proto::Relation ClusterTasks::relation(const proto::Relation& rows, const Schema& schema,
                                       const TaskCall& call) {
  find_task(call.task);
  std::lock_guard lock(mutex_);
  prepare();
  std::vector<std::string> folders;
  for (const auto& folder : call.folders) folders.push_back(sent_folder(folder));
  return plan(rows, schema, call, folders);
}

/// Once a session: the program is where tasks find it, and one has run.
void ClusterTasks::prepare() {
  if (prepared_) return;
  const auto& version = client_.server_version();
  const bool is_verified = version.starts_with(kNativeVersion);
  if (transport_setting_ == "native" && !is_verified) {
    throw Error("UNSUPPORTED_FEATURE.NATIVE_TRANSPORT",
                fmt::format("The server runs Spark {}, whose workers' protocol is not known here; "
                            "that of Spark {} is. Set firesteel.cluster.transport to python.",
                            version, kNativeVersion));
  }
  transport_ = transport_setting_ == "native" || (transport_setting_ == "auto" && is_verified)
                   ? Transport::kNative
                   : Transport::kPython;
  if (home_.empty() && program_.empty()) {
    files_ = cluster::program_files();
    program_ = cluster::content_name(files_);
  }
  if (transport_ == Transport::kPython) {
    const auto text = cluster::bridge_module();
    module_ = "firesteel_bridge_" + hash_text(hash_bytes(text));
    if (!bridge_sent_) client_.add_artifact(fmt::format("pyfiles/{}.py", module_), text);
    bridge_sent_ = true;
    find_python();
  } else {
    const auto script = cluster::worker_script(program_, cluster::program_name(), home_);
    const auto name = "firesteel-worker-" + hash_text(hash_bytes(script));
    client_.add_artifact("files/" + name, script);
    proto::ConfigRequest::Operation operation;
    auto* pair = operation.mutable_set()->add_pairs();
    pair->set_key("spark.sql.execution.pyspark.python");
    pair->set_value("./" + name);
    client_.config(std::move(operation));
  }
  try {
    ping();
  } catch (const Error&) {
    if (!home_.empty() || sent_.contains(program_)) throw;
    send_program();
    ping();
  }
  prepared_ = true;
}

/// Python functions are made for one version of Python, that of the executors: they tell it.
void ClusterTasks::find_python() {
  if (python_version_ != "0.0") return;
  try {
    ping();
  } catch (const Error& error) {
    static const std::regex kVersion(R"(different version:? *([0-9]+\.[0-9]+))");
    std::smatch found;
    const auto& text = error.message();
    if (!std::regex_search(text, found, kVersion)) throw;
    python_version_ = found[1];
  }
}

void ClusterTasks::send_program() {
  const auto archive = cluster::machine_cache() / (program_ + ".tar");
  cluster::pack(files_, archive);
  client_.add_artifact_file(fmt::format("files/{}.tar", program_), archive.string());
  std::error_code ignored;
  fs::remove(archive, ignored);
  sent_.insert(program_);
}

std::string ClusterTasks::sent_folder(const fs::path& folder) {
  const auto files = cluster::files_of(folder);
  const auto name = cluster::content_name(files);
  if (!sent_.contains(name)) {
    const auto archive = cluster::machine_cache() / (name + ".tar");
    cluster::pack(files, archive);
    client_.add_artifact_file(fmt::format("files/{}.tar", name), archive.string());
    std::error_code ignored;
    fs::remove(archive, ignored);
    sent_.insert(name);
  }
  return name;
}

/// Runs a task on every place that the cluster has for one.
void ClusterTasks::ping() {
  proto::Relation rows;
  rows.mutable_range()->set_end(1000);
  rows.mutable_range()->set_step(1);
  const Schema schema = {{"id", make_type(TypeKind::kLong), false}};
  proto::Plan out;
  *out.mutable_root() = plan(rows, schema, {.task = kPing, .output = schema}, {});
  const auto responses = client_.execute(std::move(out));
  while (responses->next()) {
  }
}

proto::Relation ClusterTasks::plan(const proto::Relation& rows, const Schema& schema,
                                   const TaskCall& call, const std::vector<std::string>& folders) {
  const int64_t partitions = call.together ? partitions_of(rows) : 0;
  if (call.together && partitions < 1) {
    throw Error("INVALID_OPTION",
                "Tasks that run together need rows of a repartition, which says how many.");
  }
  const auto arrow = arrow_value(arrow::ipc::SerializeSchema(*arrow_schema(schema, "UTC")));
  const nlohmann::json json = {{"program", program_},
                               {"home", home_},
                               {"executable", cluster::program_name()},
                               {"task", call.task},
                               {"argument", call.argument},
                               {"partitions", partitions},
                               {"folders", folders},
                               {"schema", hex(arrow->data(), arrow->size())}};
  proto::Relation out;
  auto& map = *out.mutable_map_partitions();
  *map.mutable_input() = rows;
  if (call.together) map.set_is_barrier(true);
  auto& function = *map.mutable_func();
  function.set_function_name(call.task);
  function.set_deterministic(true);
  for (const auto& field : schema)
    *function.add_arguments() = build::attribute(quoted({field.name}));
  auto& udf = *function.mutable_python_udf();
  udf.set_eval_type(kMapInArrow);
  udf.set_python_ver(transport_ == Transport::kPython ? python_version_ : "native");
  udf.set_command(transport_ == Transport::kPython ? pickled_call(module_, json.dump(), call.output)
                                                   : json.dump());
  type_to_proto(struct_type(call.output), udf.mutable_output_type());
  return out;
}

}  // namespace firesteel::connect
