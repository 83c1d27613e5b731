// A Spark Connect server over the embedded engine: what `firesteel server` runs.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "engine/database.h"

namespace firesteel::connect {

struct ServerOptions {
  std::string address = "127.0.0.1";
  int port = 15002;  // 0: a free one
  /// Bearer tokens that are let in, each with the user it speaks for; an empty user: whom the
  /// client says it is. Without a token everyone who reaches the port is let in.
  std::map<std::string, std::string> tokens;
  std::string certificate, key;     // PEM files: TLS
  std::string client_certificates;  // PEM file: clients show one that is signed by these
  DatabaseOptions database;
  std::map<std::string, std::string> settings;  // every session begins with these
  std::filesystem::path folder;                 // of what clients send; empty: a temporary one
  std::chrono::seconds session_idle{3600};
  std::chrono::seconds operation_detached{300};
  size_t sessions_max = 1000;
  int message_bytes_max = 128 << 20;
};

/// Thread-safe. Answers calls from its construction to `stop`, or its destructor.
class Server {
 public:
  /// Throws ADDRESS_IN_USE, INVALID_OPTION (certificates).
  explicit Server(ServerOptions options);
  ~Server();
  Server(const Server&) = delete;

  int port() const;
  /// Health is NOT_SERVING and new operations are refused; those that run have `grace` to finish.
  void stop(std::chrono::seconds grace);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Where the server's log goes: stderr, a JSON object per line. Levels: debug, info, warn, error,
/// off.
void log_to_stderr(const std::string& level);

/// "token" or "user:token" lines, `#` begins a comment. Throws PATH_NOT_FOUND, INVALID_OPTION.
std::map<std::string, std::string> read_tokens(const std::filesystem::path& file);

}  // namespace firesteel::connect
