// The functions of this program that run as tasks, by their names.
#include "base/task.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "base/error.h"

namespace firesteel {

namespace {

std::map<std::string, TaskFunction, std::less<>>& tasks() {
  static std::map<std::string, TaskFunction, std::less<>> all;
  return all;
}

}  // namespace

void register_task(const std::string& name, TaskFunction function) {
  if (!tasks().emplace(name, std::move(function)).second)
    throw Error("INVALID_OPTION", fmt::format("Two tasks are called `{}`.", name));
}

const TaskFunction& find_task(std::string_view name) {
  const auto found = tasks().find(name);
  if (found != tasks().end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, function] : tasks()) names.push_back(known);
  const auto near = nearest_name(name, names);
  throw Error("TASK_NOT_FOUND",
              fmt::format("This program has no task `{}`.{} It has: {}.", name,
                          near.empty() ? "" : fmt::format(" Did you mean `{}`?", near),
                          names.empty() ? "none" : fmt::format("{}", fmt::join(names, ", "))));
}

}  // namespace firesteel
