// Where a Spark Connect server is and who asks: connection strings as PySpark's.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace firesteel::connect {

/// sc://host:port/;token=…;use_ssl=true;user_id=…;session_id=…;user_agent=…; other names are
/// headers of every call.
struct Connection {
  std::string host;
  int port = 15002;
  bool use_ssl = false;
  std::string token, user_id, session_id, user_agent;
  std::vector<std::pair<std::string, std::string>> headers;

  /// "host:port", as gRPC takes it.
  std::string endpoint() const;
  /// For people: the token is left out.
  std::string url() const { return "sc://" + endpoint(); }
};

/// Throws INVALID_CONNECT_URL.
Connection parse_connection(std::string_view url);

}  // namespace firesteel::connect
