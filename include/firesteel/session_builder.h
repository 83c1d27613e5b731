// `auto spark = Session::builder().config("spark.memory.limit", "4GB").getOrCreate();`, or on a
// cluster: `Session::builder().remote("sc://host:15002").getOrCreate();`
#pragma once

#include "base/error.h"
#include "connect/client/executor.h"
#include "dataframe/session.h"
#include "engine/engine.h"

namespace firesteel {

/// Makes sessions on the embedded engine, or on a Spark Connect server.
class Session::Builder {
 public:
  /// sc://host:port/;token=…;use_ssl=true, as PySpark's.
  Builder& remote(const std::string& url) {
    remote_ = url;
    return *this;
  }
  /// Engine keys: spark.memory.limit ("4GB"), spark.threads, spark.local.dir (where it spills).
  /// Others are session settings, e.g. spark.sql.session.timeZone.
  Builder& config(const std::string& key, const std::string& value) {
    if (key == "spark.memory.limit") {
      options_.memory_limit = value;
    } else if (key == "spark.threads") {
      options_.threads = std::stoi(value);
    } else if (key == "spark.local.dir") {
      options_.temp_directory = value;
    } else {
      settings_[key] = value;
    }
    return *this;
  }
  Session getOrCreate() const {
    const std::shared_ptr<Executor> executor = remote_.empty()
                                                   ? make_embedded_executor(options_)
                                                   : connect::make_connect_executor(remote_);
    for (const auto& [key, value] : settings_) executor->set_config(key, value);
    return Session(executor);
  }

 private:
  DatabaseOptions options_;
  std::string remote_;
  std::map<std::string, std::string> settings_;
};

inline Session::Builder Session::builder() { return {}; }

}  // namespace firesteel
