// The Config call: settings read, set and described.
#include <fmt/format.h>

#include "base/error.h"
#include "connect/server/answers.h"
#include "engine/settings.h"

namespace firesteel::connect {

namespace {

void add(proto::ConfigResponse& response, const std::string& key,
         const std::optional<std::string>& value) {
  auto* pair = response.add_pairs();
  pair->set_key(key);
  if (value) pair->set_value(*value);
}

}  // namespace

void answer_config(ServerSession& session, const proto::ConfigRequest& request,
                   proto::ConfigResponse& response) {
  using Operation = proto::ConfigRequest_Operation;
  auto& executor = session.executor();
  const auto& asked = request.operation();
  switch (asked.op_type_case()) {
    case Operation::kSet:
      for (const auto& pair : asked.set().pairs()) {
        try {
          executor.set_config(pair.key(), pair.value());
        } catch (const Error& error) {
          if (!asked.set().silent()) throw;
          response.add_warnings(error.what());
        }
        add(response, pair.key(), pair.value());
      }
      return;
    case Operation::kGet:
      for (const auto& key : asked.get().keys()) {
        const auto value = executor.setting(key);
        if (!value && !find_setting(key)) {
          throw Error("SQL_CONF_NOT_FOUND",
                      fmt::format("The SQL config \"{}\" cannot be found. Please verify that the "
                                  "config exists.",
                                  key));
        }
        add(response, key, value);
      }
      return;
    case Operation::kGetWithDefault: {
      const auto set = executor.settings_set();  // the client's default goes before Spark's
      for (const auto& pair : asked.get_with_default().pairs()) {
        const auto found = set.find(pair.key());
        if (found != set.end()) {
          add(response, pair.key(), found->second);
        } else {
          add(response, pair.key(),
              pair.has_value() ? std::optional(pair.value()) : executor.setting(pair.key()));
        }
      }
      return;
    }
    case Operation::kGetOption:
      for (const auto& key : asked.get_option().keys()) add(response, key, executor.setting(key));
      return;
    case Operation::kGetAll:
      for (const auto& [key, value] : executor.settings_set()) {
        const auto& prefix = asked.get_all().prefix();
        if (key.starts_with(prefix)) add(response, key.substr(prefix.size()), value);
      }
      return;
    case Operation::kUnset:
      for (const auto& key : asked.unset().keys()) {
        executor.unset_config(key);
        add(response, key, {});
      }
      return;
    case Operation::kIsModifiable:
      for (const auto& key : asked.is_modifiable().keys()) {
        const auto* known = find_setting(key);
        add(response, key, known && known->modifiable ? "true" : "false");
      }
      return;
    case Operation::OP_TYPE_NOT_SET:
      break;
  }
  throw Error("CONNECT_INVALID_PLAN.CONFIG_OPERATION", "The Config call names no operation.");
}

}  // namespace firesteel::connect
