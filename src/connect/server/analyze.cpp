// The AnalyzePlan call: what is known of a plan without running it.
#include "base/error.h"
#include "connect/server/answers.h"
#include "plan/types.h"

namespace firesteel::connect {

namespace {

std::string explain_mode(proto::AnalyzePlanRequest_Explain_ExplainMode mode) {
  using Explain = proto::AnalyzePlanRequest_Explain;
  switch (mode) {
    case Explain::EXPLAIN_MODE_EXTENDED:
      return "extended";
    case Explain::EXPLAIN_MODE_CODEGEN:
      return "codegen";
    case Explain::EXPLAIN_MODE_COST:
      return "cost";
    case Explain::EXPLAIN_MODE_FORMATTED:
      return "formatted";
    default:
      return "simple";
  }
}

/// The plan's relation, as it stands in the request.
proto::Relation relation_of(const proto::Plan& plan) {
  auto plain = plain_plan(plan);
  if (plain.has_root()) return std::move(*plain.mutable_root());
  throw Error("CONNECT_INVALID_PLAN.ROOT", "The plan to analyze has no relation.");
}

}  // namespace

void analyze_plan(ServerSession& session, const proto::AnalyzePlanRequest& request,
                  proto::AnalyzePlanResponse& response) {
  using Request = proto::AnalyzePlanRequest;
  auto& executor = session.executor();
  switch (request.analyze_case()) {
    case Request::kSchema:
      type_to_proto(struct_type(executor.schema(relation_of(request.schema().plan()))),
                    response.mutable_schema()->mutable_schema());
      return;
    case Request::kExplain:
      response.mutable_explain()->set_explain_string(executor.explain(
          relation_of(request.explain().plan()), explain_mode(request.explain().explain_mode())));
      return;
    case Request::kTreeString: {
      const auto schema = executor.schema(relation_of(request.tree_string().plan()));
      response.mutable_tree_string()->set_tree_string(
          request.tree_string().has_level() ? schema_tree(schema, request.tree_string().level())
                                            : schema_tree(schema));
      return;
    }
    case Request::kIsLocal: {
      const auto relation = relation_of(request.is_local().plan());
      response.mutable_is_local()->set_is_local(relation.has_local_relation() ||
                                                relation.has_show_string());
      return;
    }
    case Request::kIsStreaming:
      response.mutable_is_streaming()->set_is_streaming(
          executor.is_streaming(relation_of(request.is_streaming().plan())));
      return;
    case Request::kInputFiles:
      for (auto& file : executor.input_files(relation_of(request.input_files().plan())))
        response.mutable_input_files()->add_files(std::move(file));
      return;
    case Request::kSparkVersion:
      response.mutable_spark_version()->set_version(kSparkVersion);
      return;
    case Request::kDdlParse: {
      const auto& text = request.ddl_parse().ddl_string();
      DataType type;
      try {
        type = struct_type(parse_schema(text));
      } catch (const Error&) {
        type = parse_type(text);  // "int" alone is a type
      }
      type_to_proto(type, response.mutable_ddl_parse()->mutable_parsed());
      return;
    }
    case Request::kSameSemantics:
      response.mutable_same_semantics()->set_result(
          executor.same_semantics(relation_of(request.same_semantics().target_plan()),
                                  relation_of(request.same_semantics().other_plan())));
      return;
    case Request::kSemanticHash:
      response.mutable_semantic_hash()->set_result(
          executor.semantic_hash(relation_of(request.semantic_hash().plan())));
      return;
    case Request::kPersist: {
      proto::StorageLevel level;
      level.set_use_disk(true);  // MEMORY_AND_DISK_DESER, as Dataset.persist()
      level.set_use_memory(true);
      level.set_deserialized(true);
      level.set_replication(1);
      if (request.persist().has_storage_level()) level = request.persist().storage_level();
      executor.persist(request.persist().relation(), level);
      response.mutable_persist();
      return;
    }
    case Request::kUnpersist:
      executor.unpersist(request.unpersist().relation());
      response.mutable_unpersist();
      return;
    case Request::kGetStorageLevel: {
      auto* level = response.mutable_get_storage_level()->mutable_storage_level();
      level->set_replication(1);
      if (const auto found = executor.storage_level(request.get_storage_level().relation()))
        *level = *found;
      return;
    }
    case Request::kJsonToDdl:
      response.mutable_json_to_ddl()->set_ddl_string(
          schema_ddl(parse_schema(request.json_to_ddl().json_string())));
      return;
    case Request::ANALYZE_NOT_SET:
      break;
  }
  throw Error("CONNECT_INVALID_PLAN.ANALYSIS",
              "The AnalyzePlan call asks for something that this server does not know.");
}

}  // namespace firesteel::connect
