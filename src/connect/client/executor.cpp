// The Executor of a cluster: plans go out as they are, rows and errors come back as ours.
#include "connect/client/executor.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "base/error.h"
#include "connect/arrow_encoder.h"
#include "connect/client/client.h"
#include "connect/client/protocol_version.h"
#include "connect/client/row_stream.h"
#include "connect/client/tasks.h"
#include "plan/build.h"
#include "plan/visit.h"

namespace firesteel::connect {

namespace {

constexpr int64_t kInlineBytes = 1 << 20;  // larger tables go as blocks
constexpr int64_t kBlockBytes = 16 << 20;

std::string sha256(const std::string& bytes) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), digest, &size, EVP_sha256(), nullptr);
  std::string out;
  for (unsigned int i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
  return out;
}

/// The SQL texts in a plan, to which an error's place may belong.
std::vector<std::string> sql_texts(const proto::Plan& plan) {
  static constexpr std::pair<std::string_view, const char*> kTexts[] = {
      {"spark.connect.SQL", "query"},
      {"spark.connect.SqlCommand", "sql"},
      {"spark.connect.Expression.ExpressionString", "expression"}};
  std::vector<std::string> out;
  for_each_message(plan, [&](const google::protobuf::Message& message) {
    const auto* type = message.GetDescriptor();
    for (const auto& [name, field] : kTexts) {
      if (type->full_name() == name)
        out.push_back(message.GetReflection()->GetString(message, type->FindFieldByName(field)));
    }
    return true;
  });
  return out;
}

/// The error with the text that its place is in.
Error placed(const Error& error, const proto::Plan& plan) {
  const auto fragment = error.parameters().find("fragment");
  if (!error.span().known() || fragment == error.parameters().end()) return error;
  const auto start = static_cast<size_t>(error.span().start);
  for (const auto& text : sql_texts(plan)) {
    if (text.size() > start && text.compare(start, fragment->second.size(), fragment->second) == 0)
      return error.in(text);
  }
  return error;
}

template <typename Body>
auto with_place(const proto::Plan& plan, Body body) {
  try {
    return body();
  } catch (const Error& error) {
    throw placed(error, plan);
  }
}

class RemoteExecutor : public ConnectExecutor {
 public:
  explicit RemoteExecutor(Connection connection) : client_(std::move(connection)) {}

  bool is_remote() const override { return true; }

  Schema schema(const proto::Relation& relation) override {
    proto::AnalyzePlanRequest request;
    auto& plan = *request.mutable_schema()->mutable_plan();
    plan = plan_of(relation);
    return with_place(plan, [&] {
      const auto reply = client_.analyze(request);
      return *type_from_proto(reply.schema().schema()).fields;
    });
  }

  ArrowStream execute(const proto::Relation& relation) override {
    const auto plan = plan_of(relation);
    return row_stream(
        client_.execute(plan), [this, relation] { return schema(relation); },
        [plan](const Error& error) { return placed(error, plan); });
  }

  void run(const proto::Command& command) override {
    proto::Plan plan;
    *plan.mutable_command() = command;
    run(std::move(plan));
  }

  proto::Relation sql(std::string_view text) override {
    proto::Plan plan;
    auto& command = *plan.mutable_command()->mutable_sql_command();
    if (is_since(client_.server_version(), "4.0")) {
      command.mutable_input()->mutable_sql()->set_query(std::string(text));
    } else {
      // By its number, since newer code is warned of the old field.
      command.GetReflection()->SetString(&command, command.GetDescriptor()->FindFieldByNumber(1),
                                         std::string(text));
    }
    const auto answer = run(std::move(plan));
    if (!answer) {
      throw Error("INTERNAL_ERROR", fmt::format("{} did not say what the statement gives.",
                                                client_.connection().url()));
    }
    return *answer;
  }

  proto::Relation import(ArrowStream rows) override {
    auto fields = spark_schema(rows);
    const auto json = schema_json(fields);
    ArrowEncoder encoder(std::move(fields), "UTC", std::move(rows), kBlockBytes);
    proto::Relation out;
    auto block = encoder.next();
    auto following = encoder.next();
    if (!following && static_cast<int64_t>(block->data.size()) <= kInlineBytes) {
      out.mutable_local_relation()->set_data(block->data);
      out.mutable_local_relation()->set_schema(json);
      return out;
    }
    const auto send = [&](const std::string& bytes) {
      const auto hash = sha256(bytes);
      if (!client_.has_artifact("cache/" + hash)) client_.add_artifact("cache/" + hash, bytes);
      return hash;
    };
    const bool in_chunks = is_since(client_.server_version(), "4.1");
    for (; block; block = std::exchange(following, encoder.next())) {
      if (in_chunks) {
        out.mutable_chunked_cached_local_relation()->add_datahashes(send(block->data));
        continue;
      }
      proto::LocalRelation rows_of_block;
      rows_of_block.set_data(block->data);
      rows_of_block.set_schema(json);
      proto::Relation part;
      part.mutable_cached_local_relation()->set_hash(send(rows_of_block.SerializeAsString()));
      out = out.rel_type_case() == 0 ? part : build::union_all(std::move(out), std::move(part));
    }
    if (in_chunks) out.mutable_chunked_cached_local_relation()->set_schemahash(send(json));
    return out;
  }

  proto::Relation map_partitions(const proto::Relation& rows, const TaskCall& call) override {
    return tasks_.relation(rows, schema(rows), call);
  }

  void add_function(NativeFunction function) override {
    throw Error("UNSUPPORTED_FEATURE.FUNCTION_ON_CLUSTER",
                fmt::format("The model `{}` is no function of SQL on {}: it is code of this "
                            "program. Call it with `predict`, whose tasks run on the executors.",
                            function.name, client_.connection().url()));
  }

  std::string explain(const proto::Relation& relation, std::string_view mode) override {
    static const std::map<std::string_view, proto::AnalyzePlanRequest::Explain::ExplainMode>
        kModes = {{"simple", proto::AnalyzePlanRequest::Explain::EXPLAIN_MODE_SIMPLE},
                  {"extended", proto::AnalyzePlanRequest::Explain::EXPLAIN_MODE_EXTENDED},
                  {"codegen", proto::AnalyzePlanRequest::Explain::EXPLAIN_MODE_CODEGEN},
                  {"cost", proto::AnalyzePlanRequest::Explain::EXPLAIN_MODE_COST},
                  {"formatted", proto::AnalyzePlanRequest::Explain::EXPLAIN_MODE_FORMATTED}};
    const auto found = kModes.find(mode);
    if (found == kModes.end()) {
      throw Error("UNSUPPORTED_FEATURE.EXPLAIN_MODE",
                  fmt::format("Spark does not explain in the mode `{}`. It has: simple, extended, "
                              "codegen, cost, formatted.",
                              mode));
    }
    proto::AnalyzePlanRequest request;
    request.mutable_explain()->set_explain_mode(found->second);
    auto& plan = *request.mutable_explain()->mutable_plan();
    plan = plan_of(relation);
    return with_place(plan, [&] { return client_.analyze(request).explain().explain_string(); });
  }

  void interrupt() override { client_.interrupt(); }
  double progress() override { return client_.progress(); }

  void set_config(const std::string& key, const std::string& value) override {
    if (tasks_.set(key, value)) return;
    proto::ConfigRequest::Operation operation;
    auto* pair = operation.mutable_set()->add_pairs();
    pair->set_key(key);
    pair->set_value(value);
    client_.config(std::move(operation));
  }
  std::string config(const std::string& key) override {
    proto::ConfigRequest::Operation operation;
    operation.mutable_get_option()->add_keys(key);
    const auto reply = client_.config(std::move(operation));
    return reply.pairs_size() > 0 ? reply.pairs(0).value() : "";
  }

  void add_tag(const std::string& tag) override {
    std::lock_guard lock(mutex_);
    auto tags = tags_;
    tags.insert(tag);
    client_.set_tags(tags);
    tags_ = std::move(tags);
  }
  void remove_tag(const std::string& tag) override {
    std::lock_guard lock(mutex_);
    tags_.erase(tag);
    client_.set_tags(tags_);
  }
  void interrupt_tag(const std::string& tag) override { client_.interrupt_tag(tag); }
  void add_artifact(const std::string& name, const std::string& bytes) override {
    client_.add_artifact(name, bytes);
  }
  std::string server_version() override { return client_.server_version(); }

 private:
  proto::Plan plan_of(const proto::Relation& relation) {
    proto::Plan plan;
    *plan.mutable_root() = relation;
    fit_protocol(plan, client_.server_version());
    return plan;
  }

  /// Runs a command to its end; the rows that it answers, as a plan.
  std::optional<proto::Relation> run(proto::Plan plan) {
    fit_protocol(plan, client_.server_version());
    return with_place(plan, [&] {
      std::optional<proto::Relation> answer;
      const auto responses = client_.execute(plan);
      while (auto response = responses->next()) {
        if (response->has_sql_command_result())
          answer = std::move(*response->mutable_sql_command_result()->mutable_relation());
      }
      return answer;
    });
  }

  Client client_;
  ClusterTasks tasks_{client_};
  std::mutex mutex_;
  std::set<std::string> tags_;
};

}  // namespace

std::shared_ptr<ConnectExecutor> make_connect_executor(const std::string& url) {
  return std::make_shared<RemoteExecutor>(parse_connection(url));
}

}  // namespace firesteel::connect
