// Plans run by a Spark Connect server: Apache Spark's, or another Firesteel's.
#pragma once

#include <memory>
#include <set>
#include <string>

#include "plan/executor.h"

namespace firesteel::connect {

/// A session on a server. Rows that `import` is given go to the server with the plans over them.
class ConnectExecutor : public Executor {
 public:
  /// Operations begun from now on carry the tag, until it is removed.
  virtual void add_tag(const std::string& tag) = 0;
  virtual void remove_tag(const std::string& tag) = 0;
  /// Stops what carries the tag.
  virtual void interrupt_tag(const std::string& tag) = 0;
  /// A file for the session's workers, e.g. a Python module as "pyfiles/x.py".
  virtual void add_artifact(const std::string& name, const std::string& bytes) = 0;
  /// The server's version of Spark, "4.3.0".
  virtual std::string server_version() = 0;
};

/// `url` is sc://host:port/;…, as PySpark's `remote`. Calls nothing yet. Throws
/// INVALID_CONNECT_URL.
std::shared_ptr<ConnectExecutor> make_connect_executor(const std::string& url);

}  // namespace firesteel::connect
