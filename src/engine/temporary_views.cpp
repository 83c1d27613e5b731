// A map and its lock. The last view of an owner ends the owner, which is never done under the lock.
#include "engine/temporary_views.h"

#include <utility>

namespace firesteel {

std::optional<TemporaryViews::View> TemporaryViews::find(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = views_.find(name);
  return found == views_.end() ? std::nullopt : std::optional(found->second);
}

bool TemporaryViews::add(const std::string& name, View view, bool replace) {
  std::lock_guard lock(mutex_);
  const auto [place, added] = views_.try_emplace(name);
  if (!added && !replace) return false;
  std::swap(place->second, view);
  return true;
}

bool TemporaryViews::erase(const std::string& name) {
  View erased;
  std::lock_guard lock(mutex_);
  const auto found = views_.find(name);
  if (found == views_.end()) return false;
  erased = std::move(found->second);
  views_.erase(found);
  return true;
}

void TemporaryViews::clear() {
  std::map<std::string, View> erased;
  std::lock_guard lock(mutex_);
  erased.swap(views_);
}

void TemporaryViews::copy(const TemporaryViews& from) {
  std::scoped_lock lock(mutex_, from.mutex_);
  views_ = from.views_;
}

std::vector<std::string> TemporaryViews::names() const {
  std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, view] : views_) names.push_back(name);
  return names;
}

}  // namespace firesteel
