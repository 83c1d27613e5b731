// The gRPC server around the service, and the thread that ends what clients left behind.
#include "connect/server/server.h"

#include <fmt/format.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <condition_variable>
#include <fstream>
#include <mutex>
#include <thread>

#include "base/error.h"
#include "base/file.h"
#include "connect/server/service.h"
#include "connect/server/session.h"

namespace firesteel::connect {

namespace fs = std::filesystem;

namespace {

constexpr auto kHousekeepingEvery = std::chrono::seconds(5);

std::shared_ptr<grpc::ServerCredentials> credentials(const ServerOptions& options) {
  if (options.certificate.empty() != options.key.empty())
    throw Error("INVALID_OPTION", "TLS wants both a certificate and its key.");
  if (options.certificate.empty()) {
    if (!options.client_certificates.empty())
      throw Error("INVALID_OPTION", "Client certificates want TLS: give a certificate and a key.");
    return grpc::InsecureServerCredentials();
  }
  grpc::SslServerCredentialsOptions tls(
      options.client_certificates.empty()
          ? GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE
          : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  tls.pem_key_cert_pairs.push_back({read_file(options.key), read_file(options.certificate)});
  if (!options.client_certificates.empty())
    tls.pem_root_certs = read_file(options.client_certificates);
  return grpc::SslServerCredentials(tls);
}

fs::path own_folder(const fs::path& wanted) {
  if (!wanted.empty()) {
    fs::create_directories(wanted);
    return wanted;
  }
  auto pattern = (fs::temp_directory_path() / "firesteel-server-XXXXXX").string();
  if (!::mkdtemp(pattern.data()))
    throw Error("IO_ERROR",
                fmt::format("No folder can be made in {}.", fs::temp_directory_path().string()));
  return pattern;
}

}  // namespace

struct Server::State {
  explicit State(ServerOptions asked)
      : options(std::move(asked)),
        folder(own_folder(options.folder)),
        sessions({.database = Database(options.database),
                  .settings = options.settings,
                  .folder = folder,
                  .sessions_max = options.sessions_max,
                  .url = [this](const std::string& user) { return local_url(user); }}) {}
  ~State() {
    std::error_code ignored;
    if (options.folder.empty()) fs::remove_all(folder, ignored);
  }

  /// Empty with certificates, which a process that is started here does not have.
  std::string local_url(const std::string& user) const {
    if (!options.certificate.empty()) return "";
    const bool any = options.address == "0.0.0.0" || options.address == "::";
    auto url =
        fmt::format("sc://{}:{}/;user_id={}", any ? "127.0.0.1" : options.address, port, user);
    for (const auto& [token, owner] : options.tokens) {
      if (!owner.empty() && owner != user) continue;
      // A token alone would make the client ask for TLS.
      return url + ";use_ssl=false;token=" + token;
    }
    return url;
  }

  void keep_house() {
    std::unique_lock lock(mutex);
    while (!stopped) {
      woken.wait_for(lock, kHousekeepingEvery);
      if (stopped) return;
      lock.unlock();
      for (const auto& session : sessions.sessions()) {
        for (const auto& operation : session->operations()) {
          if (operation->detached_for() > options.operation_detached)
            session->remove_operation(operation->labels().operation_id);
        }
      }
      sessions.release_idle(options.session_idle);
      lock.lock();
    }
  }

  size_t running() {
    size_t count = 0;
    for (const auto& session : sessions.sessions()) {
      for (const auto& operation : session->operations()) count += !operation->finished();
    }
    return count;
  }

  const ServerOptions options;
  const fs::path folder;
  SessionRegistry sessions;
  std::atomic<bool> draining{false};
  std::shared_ptr<grpc::Service> service;
  std::unique_ptr<grpc::Server> server;
  int port = 0;
  std::mutex mutex;
  std::condition_variable woken;
  bool stopped = false;
  std::thread housekeeper;
};

Server::Server(ServerOptions options) : state_(std::make_unique<State>(std::move(options))) {
  auto& state = *state_;
  const auto& wanted = state.options;
  static std::once_flag plugins;
  std::call_once(plugins, [] {
    grpc::EnableDefaultHealthCheckService(true);
    grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  });
  state.service =
      make_service(state.sessions, {.tokens = wanted.tokens, .draining = &state.draining});
  grpc::ServerBuilder builder;
  builder.AddListeningPort(fmt::format("{}:{}", wanted.address, wanted.port), credentials(wanted),
                           &state.port);
  builder.RegisterService(state.service.get());
  builder.SetMaxReceiveMessageSize(wanted.message_bytes_max);
  builder.SetMaxSendMessageSize(-1);
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  state.server = builder.BuildAndStart();
  if (!state.server || state.port == 0) {
    throw Error("ADDRESS_IN_USE",
                fmt::format("The server cannot listen at {}:{}: the port is taken, the address is "
                            "not this machine's, or the certificate and key do not fit.",
                            wanted.address, wanted.port));
  }
  state.housekeeper = std::thread([&state] { state.keep_house(); });
}

Server::~Server() { stop(std::chrono::seconds(0)); }

int Server::port() const { return state_->port; }

void Server::stop(std::chrono::seconds grace) {
  auto& state = *state_;
  {
    std::lock_guard lock(state.mutex);
    if (state.stopped) return;
    state.stopped = true;
    state.woken.notify_all();
  }
  state.draining = true;
  if (!state.server) return;
  if (auto* health = state.server->GetHealthCheckService()) health->SetServingStatus(false);
  const auto deadline = std::chrono::steady_clock::now() + grace;
  while (state.running() > 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  for (const auto& session : state.sessions.sessions()) session->interrupt_all();
  state.server->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(2));
  if (state.housekeeper.joinable()) state.housekeeper.join();
}

void log_to_stderr(const std::string& level) {
  auto logger = spdlog::stderr_logger_mt("firesteel");
  logger->set_pattern(R"({"time": "%Y-%m-%dT%H:%M:%S.%e%z", "level": "%l", %v})");
  logger->set_level(spdlog::level::from_str(level));
  spdlog::set_default_logger(std::move(logger));
}

std::map<std::string, std::string> read_tokens(const fs::path& file) {
  std::ifstream in(file);
  if (!in)
    throw Error("PATH_NOT_FOUND", fmt::format("The token file {} cannot be read.", file.string()));
  std::map<std::string, std::string> tokens;
  std::string line;
  while (std::getline(in, line)) {
    line.resize(line.find_last_not_of(" \t\r") + 1);
    if (line.empty() || line[0] == '#') continue;
    const auto colon = line.find(':');
    if (colon == std::string::npos)
      tokens[line] = "";
    else
      tokens[line.substr(colon + 1)] = line.substr(0, colon);
  }
  if (tokens.empty())
    throw Error("INVALID_OPTION", fmt::format("The token file {} has no token.", file.string()));
  return tokens;
}

}  // namespace firesteel::connect
