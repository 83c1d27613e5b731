// Temporary views: of a session, or those of GLOBAL, which sessions share.
#pragma once

#include <spark/connect/relations.pb.h>

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "lower/lower.h"

namespace firesteel {

/// By lower-case name; those of GLOBAL begin with "global_temp.". Thread-safe.
class TemporaryViews {
 public:
  struct View {
    std::shared_ptr<const spark::connect::Relation> plan;
    /// Whose names the plan's are, and whose rows it may stand on, when others share the view; it
    /// lives as long as the view.
    std::shared_ptr<Environment> owner;
  };

  std::optional<View> find(const std::string& name) const;
  bool contains(const std::string& name) const { return find(name).has_value(); }
  /// False, and nothing is changed, when it is there and is not to be replaced.
  bool add(const std::string& name, View view, bool replace);
  bool erase(const std::string& name);
  void clear();
  void copy(const TemporaryViews& from);
  std::vector<std::string> names() const;

 private:
  mutable std::mutex mutex_;
  std::map<std::string, View> views_;
};

}  // namespace firesteel
