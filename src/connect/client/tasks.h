// Tasks on a cluster: this program is sent to the executors once, and plans call it there.
#pragma once

#include <filesystem>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "cluster/archive.h"
#include "connect/client/client.h"
#include "plan/executor.h"

namespace firesteel::connect {

/// One per session. Thread-safe.
class ClusterTasks {
 public:
  explicit ClusterTasks(Client& client) : client_(client) {}

  /// A setting of the client's own: firesteel.cluster.transport (auto, python, native),
  /// firesteel.cluster.program (where the program stands on every machine; empty: it is sent).
  /// False: it is none of those. Throws INVALID_CONF_VALUE.
  bool set(const std::string& key, const std::string& value);

  /// The plan that runs the call on executors. `schema` is that of the rows. Sends what is not
  /// there yet.
  proto::Relation relation(const proto::Relation& rows, const Schema& schema, const TaskCall& call);

 private:
  enum class Transport { kPython, kNative };
  void prepare();
  void send_program();
  std::string sent_folder(const std::filesystem::path& folder);
  proto::Relation plan(const proto::Relation& rows, const Schema& schema, const TaskCall& call,
                       const std::vector<std::string>& folders);
  void ping();
  void find_python();

  Client& client_;
  std::mutex mutex_;
  std::string transport_setting_ = "auto", home_;
  Transport transport_ = Transport::kPython;
  bool prepared_ = false, bridge_sent_ = false;
  std::string program_, module_, python_version_ = "0.0";
  cluster::ArchiveFiles files_;
  std::set<std::string> sent_;
};

}  // namespace firesteel::connect
