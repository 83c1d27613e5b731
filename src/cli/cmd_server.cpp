// firesteel server and firesteel pyspark: a Spark Connect server for all, or for one script.
#include <fmt/format.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "connect/server/server.h"

namespace firesteel::cli {

namespace {

constexpr auto kLookEvery = std::chrono::milliseconds(50);

struct ServerFlags {
  connect::ServerOptions server;
  std::string token, token_file, python, log_level = "info";
  int idle_s = 3600, grace_s = 30;
};

struct ScriptFlags {
  std::string python;
  std::vector<std::string> arguments;
};

bool is_loopback(const std::string& address) {
  return address == "localhost" || address == "::1" || address == "[::1]" ||
         address.starts_with("127.");
}

/// What every session of the server begins with.
void take_settings(const GlobalOptions& options, connect::ServerOptions& server) {
  server.database = options.database;
  server.settings["spark.sql.session.timeZone"] = options.time_zone;
  if (!options.warehouse.empty())
    server.settings["spark.sql.warehouse.dir"] =
        std::filesystem::absolute(options.warehouse).string();
  for (const auto& setting : options.settings) {
    const auto [key, value] = split_setting(setting);
    server.settings[key] = value;
  }
}

int serve(const GlobalOptions& options, ServerFlags& flags) {
  auto& wanted = flags.server;
  take_settings(options, wanted);
  if (!flags.python.empty()) wanted.settings["spark.sql.execution.pyspark.python"] = flags.python;
  if (!flags.token.empty()) wanted.tokens[flags.token] = "";
  if (!flags.token_file.empty()) wanted.tokens.merge(connect::read_tokens(flags.token_file));
  if (!is_loopback(wanted.address) && wanted.tokens.empty() && wanted.client_certificates.empty()) {
    throw Error("INVALID_OPTION",
                fmt::format("{} can be reached from other machines, and whoever reaches the server "
                            "may run code on this one. Give --token, --token-file or "
                            "--client-certificates, or stay at 127.0.0.1.",
                            wanted.address));
  }
  wanted.session_idle = std::chrono::seconds(flags.idle_s);
  finish_step_on_signal();
  connect::log_to_stderr(flags.log_level);
  connect::Server server(wanted);
  const bool tls = !wanted.certificate.empty();
  fmt::print(
      "Firesteel answers at sc://{}:{}{}\n"
      "  spark = SparkSession.builder.remote(\"sc://{}:{}{}\").getOrCreate()\n"
      "Ctrl-C stops it.\n",
      wanted.address, server.port(), tls ? "/;use_ssl=true" : "", wanted.address, server.port(),
      tls ? "/;use_ssl=true" : "");
  std::fflush(stdout);
  while (!interrupted()) std::this_thread::sleep_for(kLookEvery);
  server.stop(std::chrono::seconds(flags.grace_s));
  return 0;
}

/// Runs a program with the terminal's signals, and gives its exit code.
int run_child(const std::vector<std::string>& arguments) {
  std::vector<char*> words;
  for (const auto& argument : arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
  pid_t child = 0;
  const int code = posix_spawnp(&child, words[0], nullptr, &attributes, words.data(), environ);
  posix_spawnattr_destroy(&attributes);
  if (code != 0) {
    throw Error("PYTHON_NOT_FOUND",
                fmt::format("`{}` cannot be started: {}. Name a Python that has PySpark: --python, "
                            "or PYSPARK_PYTHON.",
                            words[0], std::strerror(code)));
  }
  int status = 0;
  while (waitpid(child, &status, WNOHANG) == 0) {
    // Ctrl-C is Python's, which stops its query and goes on; SIGTERM is for both.
    if (interrupted().exchange(false) && !isatty(STDIN_FILENO)) kill(child, SIGTERM);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int run_pyspark(const GlobalOptions& options, const ScriptFlags& flags) {
  connect::ServerOptions wanted;
  take_settings(options, wanted);
  wanted.port = 0;
  const char* named = std::getenv("PYSPARK_PYTHON");
  const auto python = !flags.python.empty() ? flags.python : named ? named : "python3";
  wanted.settings["spark.sql.execution.pyspark.python"] = python;
  finish_step_on_signal();
  connect::log_to_stderr("off");  // the client has the errors
  connect::Server server(wanted);
  setenv("SPARK_REMOTE", fmt::format("sc://127.0.0.1:{}", server.port()).c_str(), 1);
  setenv("PYSPARK_PYTHON", python.c_str(), 1);
  std::vector<std::string> command{python};
  if (flags.arguments.empty()) {
    command.insert(command.end(),
                   {"-i", "-c",
                    "from pyspark.sql import SparkSession, functions as F\n"
                    "spark = SparkSession.builder.getOrCreate()\n"
                    "print('PySpark on Firesteel: `spark` is the session, `F` its functions.')"});
  }
  command.insert(command.end(), flags.arguments.begin(), flags.arguments.end());
  const int code = run_child(command);
  server.stop(std::chrono::seconds(0));
  return code;
}

}  // namespace

Run server_command(CLI::App& app, const GlobalOptions& options) {
  auto flags = std::make_shared<ServerFlags>();
  auto& server = flags->server;
  app.add_option("--address", server.address, "Address to listen at (default: 127.0.0.1)");
  app.add_option("--port", server.port, "Port to listen at (default: 15002; 0: a free one)")
      ->check(CLI::Range(0, 65535));
  app.add_option("--token", flags->token, "Bearer token that clients must show");
  app.add_option("--token-file", flags->token_file,
                 "Tokens, one a line; `user:token` binds it to a user");
  app.add_option("--certificate", server.certificate, "PEM file of the server's certificate (TLS)");
  app.add_option("--key", server.key, "PEM file of its key");
  app.add_option("--client-certificates", server.client_certificates,
                 "PEM file of authorities: clients must show a certificate signed by one");
  app.add_option("--session-idle", flags->idle_s,
                 "Seconds until an unused session ends (default: 3600)")
      ->check(CLI::PositiveNumber);
  app.add_option("--grace", flags->grace_s,
                 "Seconds that running queries have when the server is told to stop (default: 30)")
      ->check(CLI::NonNegativeNumber);
  app.add_option("--sessions", server.sessions_max, "Most sessions at once (default: 1000)")
      ->check(CLI::PositiveNumber);
  app.add_option("--log", flags->log_level, "debug, info, warn, error or off (default: info)")
      ->check(CLI::IsMember({"debug", "info", "warn", "error", "off"}));
  app.add_option("--artifacts", server.folder, "Folder for the files that clients send");
  app.add_option("--python", flags->python,
                 "Python, with PySpark, that runs Python functions (default: python3)");
  return [flags, &options] { return serve(options, *flags); };
}

Run pyspark_command(CLI::App& app, const GlobalOptions& options) {
  auto flags = std::make_shared<ScriptFlags>();
  app.add_option("--python", flags->python,
                 "Python that has PySpark (default: PYSPARK_PYTHON, python3)");
  // A script's name and all behind it are the script's.
  app.prefix_command();
  app.fallthrough(false);
  return [flags, &options, &app] {
    flags->arguments = app.remaining();
    return run_pyspark(options, *flags);
  };
}

}  // namespace firesteel::cli
