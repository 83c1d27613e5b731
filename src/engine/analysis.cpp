// What a plan is known to be without running it: its files, and whether it is the same as another.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>

#include "engine/embedded.h"
#include "engine/streaming_plan.h"
#include "functions/coercion.h"
#include "plan/build.h"
#include "plan/names.h"
#include "plan/visit.h"

namespace firesteel {

/// The SQL of a plan under names that depend on their order alone: `"x#5"` is the first name.
std::string EmbeddedExecutor::canonical_sql(const proto::Relation& relation) {
  const auto plan = lowered(relation);
  std::vector<std::string> names;
  for (size_t i = 0; i < plan.schema.size(); ++i) names.push_back(fmt::format("c{}", i));
  const auto sql = lowered(build::to_df(relation, names)).sql;
  std::string out;
  std::map<std::string, size_t> numbers;
  for (size_t at = 0; at < sql.size();) {
    const char quote = sql[at];
    if (quote != '"' && quote != '\'') {
      out += sql[at++];
      continue;
    }
    size_t end = at + 1;
    for (; end < sql.size(); ++end) {
      if (sql[end] != quote) continue;
      if (end + 1 >= sql.size() || sql[end + 1] != quote) break;
      ++end;
    }
    const auto name = sql.substr(at, end + 1 - at);
    const auto mark = name.rfind('#');
    const bool own = quote == '"' && mark != std::string::npos &&
                     name.find_first_not_of("0123456789", mark + 1) == name.size() - 1;
    out += own ? fmt::format("\"#{}\"", numbers.emplace(name, numbers.size()).first->second) : name;
    at = end + 1;
  }
  return out;
}

bool EmbeddedExecutor::is_streaming(const proto::Relation& relation) {
  return firesteel::is_streaming(expanded(relation, *this));
}

bool EmbeddedExecutor::same_semantics(const proto::Relation& a, const proto::Relation& b) {
  return canonical_sql(a) == canonical_sql(b);
}

int32_t EmbeddedExecutor::semantic_hash(const proto::Relation& relation) {
  uint32_t hash = 2166136261u;  // FNV-1a: the same in every process
  for (const unsigned char c : canonical_sql(relation)) hash = (hash ^ c) * 16777619u;
  return static_cast<int32_t>(hash);
}

std::vector<std::string> EmbeddedExecutor::input_files(const proto::Relation& relation) {
  lowered(relation);  // a bad plan is an error
  std::vector<std::string> files;
  std::function<void(const proto::Relation&)> add = [&](const proto::Relation& plan) {
    for_each_message(plan, [&](const google::protobuf::Message& part) {
      if (part.GetDescriptor() == proto::SQL::descriptor()) {
        add(parse_query(static_cast<const proto::SQL&>(part)));
        return false;
      }
      if (part.GetDescriptor() != proto::Read::descriptor()) return true;
      const auto& read = static_cast<const proto::Read&>(part);
      std::vector<std::string> paths;
      if (read.has_data_source()) {
        paths = {read.data_source().paths().begin(), read.data_source().paths().end()};
        const auto path = read.data_source().options().find("path");
        if (paths.empty() && path != read.data_source().options().end())
          paths.push_back(path->second);
      } else {
        const auto name = split_name(read.named_table().unparsed_identifier());
        const auto key = temporary_key(name);
        if (const auto view = views(key).find(key)) {
          if (const auto owner = std::dynamic_pointer_cast<EmbeddedExecutor>(view->owner);
              owner && owner.get() != this) {
            for (auto& file : owner->input_files(*view->plan)) files.push_back(std::move(file));
          } else {
            add(*view->plan);
          }
          return false;
        }
        const auto [database, table] = table_name(name);
        const auto entry = warehouse().table(database, table);
        if (!entry) return false;
        if (entry->kind == TableKind::kView) {
          add(*view_relation(*entry).view);
          return false;
        }
        paths.push_back(entry->location);
      }
      for (const auto& path : paths) {
        for (const auto& file : expand_path(path))
          files.push_back("file://" + std::filesystem::absolute(file).lexically_normal().string());
      }
      return false;
    });
  };
  add(relation);
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

}  // namespace firesteel
