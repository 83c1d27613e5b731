// Sessions and their operations, found by the ids that clients choose.
#include "connect/server/session.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/uuid/random_generator.hpp>
#include <boost/uuid/string_generator.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <new>

#include "connect/server/batch_functions.h"

namespace firesteel::connect {

namespace {

constexpr size_t kGoneOperationsMax = 1000;
constexpr size_t kErrorsMax = 100;
constexpr size_t kClosedSessionsMax = 10000;

bool is_uuid(const std::string& id) {
  if (id.size() != 36) return false;
  for (size_t i = 0; i < id.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? id[i] != '-' : !std::isxdigit(static_cast<unsigned char>(id[i]))) return false;
  }
  return true;
}

void check_uuid(const std::string& id) {
  if (is_uuid(id)) return;
  throw Error("INVALID_HANDLE.FORMAT",
              fmt::format("The handle {} is invalid. Handle must be an UUID string of the format "
                          "'00112233-4455-6677-8899-aabbccddeeff'.",
                          id));
}

[[noreturn]] void bad_handle(const char* kind, const std::string& id, std::string_view text) {
  throw Error(fmt::format("INVALID_HANDLE.{}", kind),
              fmt::format("The handle {} is invalid. {}", id, text));
}

/// An operation that ended is told from one that never was.
void check_not_abandoned(const std::deque<std::string>& gone, const std::string& id) {
  if (std::ranges::find(gone, id) == gone.end()) return;
  bad_handle("OPERATION_ABANDONED", id,
             "Operation was considered abandoned because of inactivity and removed.");
}

[[noreturn]] void session_changed(const std::string& id) {
  bad_handle("SESSION_CHANGED", id,
             "The existing Spark server driver instance has restarted. Please reconnect.");
}

}  // namespace

std::string new_uuid() {
  thread_local boost::uuids::random_generator generator;
  return boost::uuids::to_string(generator());
}

ServerSession::ServerSession(std::string user, std::string id,
                             std::shared_ptr<EmbeddedExecutor> executor,
                             std::filesystem::path folder)
    : user_(std::move(user)),
      id_(std::move(id)),
      executor_(std::move(executor)),
      folder_(std::move(folder)) {
  std::filesystem::create_directories(folder_);
  std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
  executor_->set_artifacts(folder_);
  executor_->seal_static_settings();
}

ServerSession::~ServerSession() {
  end_listening();
  streams_.stop_all();
  operations_.clear();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

std::shared_ptr<Operation> ServerSession::add_operation(Operation::Labels labels) {
  check_uuid(labels.operation_id);
  std::lock_guard lock(mutex_);
  const auto& id = labels.operation_id;
  if (operations_.contains(id))
    bad_handle("OPERATION_ALREADY_EXISTS", id, "Operation already exists.");
  check_not_abandoned(gone_operations_, id);
  auto operation = std::make_shared<Operation>(labels);
  operations_[id] = operation;
  return operation;
}

std::shared_ptr<Operation> ServerSession::operation(const std::string& id) {
  std::lock_guard lock(mutex_);
  const auto found = operations_.find(id);
  if (found != operations_.end()) return found->second;
  check_not_abandoned(gone_operations_, id);
  bad_handle("OPERATION_NOT_FOUND", id, "Operation not found.");
}

std::vector<std::shared_ptr<Operation>> ServerSession::operations() {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<Operation>> all;
  for (const auto& [id, operation] : operations_) all.push_back(operation);
  return all;
}

bool ServerSession::remove_operation(const std::string& id) {
  std::shared_ptr<Operation> removed;  // ends without the lock
  {
    std::lock_guard lock(mutex_);
    const auto found = operations_.find(id);
    if (found == operations_.end()) return false;
    removed = std::move(found->second);
    operations_.erase(found);
    gone_operations_.push_back(id);
    if (gone_operations_.size() > kGoneOperationsMax) gone_operations_.pop_front();
  }
  removed->interrupt();
  return true;
}

void ServerSession::interrupt_all() {
  for (const auto& operation : operations()) operation->interrupt();
}

RpcError ServerSession::explain(std::exception_ptr thrown) {
  const auto kept = [&](const Error& error) {
    const auto id = new_uuid();
    std::lock_guard lock(mutex_);
    errors_.emplace_back(id, error);
    if (errors_.size() > kErrorsMax) errors_.pop_front();
    return RpcError::of(error, id, remakes_messages_);
  };
  try {
    std::rethrow_exception(thrown);
  } catch (const Error& error) {
    return kept(error);
  } catch (const std::bad_alloc&) {
    return kept(Error("OUT_OF_MEMORY", "The server's memory is exhausted."));
  } catch (const std::exception& error) {
    return kept(Error("INTERNAL_ERROR", error.what()));
  }
}

void ServerSession::fetch_error(const std::string& error_id,
                                proto::FetchErrorDetailsResponse& response) {
  std::lock_guard lock(mutex_);
  for (const auto& [id, error] : errors_) {
    if (id == error_id) describe_error(error, remakes_messages_, response);
  }
}

std::shared_ptr<ServerSession> SessionRegistry::make(const Key& key,
                                                     std::shared_ptr<EmbeddedExecutor> executor) {
  if (options_.sessions_max > 0 && sessions_.size() >= options_.sessions_max) {
    throw Error("TOO_MANY_SESSIONS",
                fmt::format("The server has {} sessions, its limit. Stop one (spark.stop()), or "
                            "start the server with a higher --sessions.",
                            sessions_.size()));
  }
  auto session = std::make_shared<ServerSession>(key.first, key.second, std::move(executor),
                                                 options_.folder / new_uuid());
  session->streams().set_functions(batch_functions({.user = key.first,
                                                    .id = key.second,
                                                    .executor = &session->executor(),
                                                    .url = [this, user = key.first] {
                                                      return options_.url ? options_.url(user)
                                                                          : std::string();
                                                    }}));
  return sessions_[key] = std::move(session);
}

std::shared_ptr<ServerSession> SessionRegistry::session(const std::string& user,
                                                        const std::string& id,
                                                        const std::string& observed,
                                                        bool must_exist) {
  check_uuid(id);
  const Key key{user, id};
  std::lock_guard lock(mutex_);
  if (const auto found = sessions_.find(key); found != sessions_.end()) {
    if (!observed.empty() && observed != found->second->server_side_id()) session_changed(id);
    found->second->touch();
    return found->second;
  }
  if (std::ranges::find(closed_, key) != closed_.end())
    bad_handle("SESSION_CLOSED", id, "Session was closed.");
  if (!observed.empty()) session_changed(id);
  if (must_exist) bad_handle("SESSION_NOT_FOUND", id, "Session not found.");
  auto executor = std::make_shared<EmbeddedExecutor>(options_.database);
  executor->share_global_views(global_views(user));
  for (const auto& [name, value] : options_.settings) executor->set_config(name, value);
  return make(key, std::move(executor));
}

SessionRegistry::~SessionRegistry() {
  for (const auto& [user, views] : global_views_) views->clear();  // which hold their makers
}

std::shared_ptr<TemporaryViews> SessionRegistry::global_views(const std::string& user) {
  // Of users who have neither a session nor a view, nothing is kept.
  std::erase_if(global_views_, [](const auto& entry) {
    return entry.second.use_count() == 1 && entry.second->names().empty();
  });
  auto& views = global_views_[user];
  if (!views) views = std::make_shared<TemporaryViews>();
  return views;
}

std::shared_ptr<ServerSession> SessionRegistry::clone(ServerSession& from,
                                                      const std::string& new_id) {
  const auto id = new_id.empty() ? new_uuid() : new_id;
  if (!is_uuid(id)) {
    throw Error("INVALID_CLONE_SESSION_REQUEST.TARGET_SESSION_ID_FORMAT",
                fmt::format("Target session ID {} for clone operation must be an UUID string of "
                            "the format '00112233-4455-6677-8899-aabbccddeeff'.",
                            id));
  }
  const Key key{from.user(), id};
  auto executor = from.executor().clone();
  std::lock_guard lock(mutex_);
  if (sessions_.contains(key)) {
    throw Error("INVALID_CLONE_SESSION_REQUEST.TARGET_SESSION_ID_ALREADY_EXISTS",
                fmt::format("Cannot clone session to target session ID {} because a session with "
                            "this ID already exists.",
                            id));
  }
  if (std::ranges::find(closed_, key) != closed_.end()) {
    throw Error("INVALID_CLONE_SESSION_REQUEST.TARGET_SESSION_ID_ALREADY_CLOSED",
                fmt::format("Cannot clone session to target session ID {} because a session with "
                            "this ID was previously closed.",
                            id));
  }
  return make(key, std::move(executor));
}

void SessionRegistry::remember_closed(const Key& key) {
  closed_.push_back(key);
  if (closed_.size() > kClosedSessionsMax) closed_.pop_front();
}

std::shared_ptr<ServerSession> SessionRegistry::release(const std::string& user,
                                                        const std::string& id, bool may_return) {
  std::lock_guard lock(mutex_);
  const auto found = sessions_.find({user, id});
  if (found == sessions_.end()) return nullptr;
  auto session = std::move(found->second);
  sessions_.erase(found);
  if (!may_return) remember_closed({user, id});
  session->interrupt_all();
  return session;
}

std::vector<std::shared_ptr<ServerSession>> SessionRegistry::sessions() {
  std::lock_guard lock(mutex_);
  std::vector<std::shared_ptr<ServerSession>> all;
  for (const auto& [key, session] : sessions_) all.push_back(session);
  return all;
}

std::vector<std::shared_ptr<ServerSession>> SessionRegistry::release_idle(
    ServerSession::Clock::duration limit) {
  std::vector<std::shared_ptr<ServerSession>> idle;
  for (const auto& session : sessions()) {
    if (session->idle_for() < limit || !session->operations().empty()) continue;
    if (auto released = release(session->user(), session->id(), false))
      idle.push_back(std::move(released));
  }
  return idle;
}

}  // namespace firesteel::connect
