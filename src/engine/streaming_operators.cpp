// A stream's plan run on one batch: what remembers becomes the rows that it gives now, and what is
// left of the plan is an ordinary one.
#include "engine/streaming_operators.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/file.h"
#include "engine/streaming_source.h"
#include "functions/coercion.h"
#include "plan/build.h"
#include "plan/names.h"

namespace firesteel {

namespace fs = std::filesystem;
using build::column;

namespace {

std::string moment(int64_t millis) { return fmt::format("make_timestamp({})", millis * 1000); }

/// SQL of the time that a column of event time ends at: a window's end, or the column itself.
std::string end_of(const Field& field, size_t place) {
  const auto name = HeldRows::column(place);
  return field.type.kind == TypeKind::kStruct ? fmt::format("struct_extract({}, 'end')", name)
                                              : name;
}

bool of_time(const DataType& type) {
  if (type.kind == TypeKind::kStruct && type.fields->size() == 2)
    return of_time(type.fields->at(0).type);
  return type.kind == TypeKind::kTimestamp || type.kind == TypeKind::kTimestampNtz;
}

std::string columns_of(const Schema& schema, const std::string& table = "") {
  std::string out;
  for (size_t i = 0; i < schema.size(); ++i)
    out += fmt::format("{}{}{}", i ? ", " : "", table, HeldRows::column(i));
  return out.empty() ? "NULL AS c0" : out;
}

}  // namespace

StreamOperators::StreamOperators(proto::Relation plan, OutputMode mode, EmbeddedExecutor& engine)
    : plan_(std::move(plan)), mode_(mode), engine_(engine) {
  look(plan_);
}

StreamOperators::~StreamOperators() {
  try {
    finish();
    for (auto& state : states_) {
      if (state.rows) engine_.release(state.rows->name);
    }
  } catch (const Error&) {  // the session drops what is left
  }
}

/// In the order in which `reduced` meets them.
void StreamOperators::look(const proto::Relation& relation) {
  if (relation.has_read() && relation.read().is_streaming()) reads_.push_back(relation.read());
  for (const auto* input : inputs_of(relation)) look(*input);
  if (!is_streaming(relation)) return;
  if (relation.has_with_watermark()) {
    const auto& delay = relation.with_watermark().delay_threshold();
    const auto micros = interval_micros(delay);
    if (micros < 0) {
      throw Error("_LEGACY_ERROR_TEMP_2184",
                  fmt::format("delay threshold ({}) should not be negative.", delay));
    }
    delays_.push_back(micros / 1000);
    latest_.emplace_back();
  }
  if (relation.has_aggregate()) {
    const auto columns = event_columns(relation.aggregate().input());
    for (const auto& key : relation.aggregate().grouping_expressions())
      evicts_ =
          evicts_ || (mode_ != OutputMode::kComplete && !event_column_of(key, columns).empty());
  }
  if (relation.has_deduplicate()) {
    const auto& deduplicate = relation.deduplicate();
    const auto columns = event_columns(deduplicate.input());
    const bool all = deduplicate.all_columns_as_keys() || deduplicate.column_names_size() == 0;
    evicts_ = evicts_ || (!columns.empty() && (all || deduplicate.within_watermark())) ||
              std::any_of(deduplicate.column_names().begin(), deduplicate.column_names().end(),
                          [&](const auto& name) { return columns.contains(lower_case(name)); });
  }
}

proto::Relation StreamOperators::run(const std::vector<HeldRows>& sources,
                                     const Watermarks& watermarks) {
  sources_ = &sources;
  watermarks_ = watermarks;
  next_read_ = next_state_ = next_watermark_ = 0;
  event_times_.reset();
  return reduced(plan_);
}

std::vector<OperatorProgress> StreamOperators::finish() {
  for (const auto& name : held_) engine_.release(name);
  held_.clear();
  std::vector<OperatorProgress> out;
  for (auto& state : states_) {
    state.progress.rows_total = state.rows ? state.rows->rows : 0;
    out.push_back(std::exchange(state.progress, {.name = state.progress.name}));
  }
  return out;
}

HeldRows StreamOperators::held(const proto::Relation& relation) {
  auto rows = engine_.hold(relation);
  held_.push_back(rows.name);
  return rows;
}

HeldRows StreamOperators::made(const std::string& sql, const Schema& schema) {
  const auto name = engine_.next_held_name();
  engine_.database().execute(fmt::format("CREATE TABLE {} AS {}", name, sql));
  held_.push_back(name);
  return engine_.hold_table(name, schema);
}

/// Rows of an operator in its place: a client's columns of the plan are found in them.
proto::Relation StreamOperators::given(const proto::Relation& original, HeldRows rows) {
  auto out = rows.relation();
  if (original.common().has_plan_id())
    out.mutable_common()->set_plan_id(original.common().plan_id());
  return out;
}

StreamOperators::State& StreamOperators::next_state(const char* name) {
  if (next_state_ == states_.size()) states_.push_back({.progress = {.name = name}});
  auto& state = states_[next_state_++];
  state.progress.name = name;
  return state;
}

/// Rows of the batch become the state, which outlives it.
void StreamOperators::put_state(State& state, HeldRows rows) {
  std::erase(held_, rows.name);
  if (state.rows) held_.push_back(state.rows->name);
  state.rows = std::move(rows);
}

int64_t StreamOperators::erase(HeldRows& rows, const std::string& condition) {
  const auto gone =
      engine_.database().rows(fmt::format("DELETE FROM {} WHERE {}", rows.name, condition));
  const auto count = std::stoll(gone.at(0).at(0).value_or("0"));
  rows.rows -= count;
  return count;
}

proto::Relation StreamOperators::reduced(const proto::Relation& relation) {
  if (relation.has_read()) {
    if (!relation.read().is_streaming()) return relation;
    auto out = given(relation, sources_->at(next_read_++));
    if (!relation.read().has_named_table()) return out;
    proto::Relation named;  // t.column
    named.mutable_subquery_alias()->set_alias(
        split_name(relation.read().named_table().unparsed_identifier()).back());
    *named.mutable_subquery_alias()->mutable_input() = std::move(out);
    if (relation.common().has_plan_id())
      named.mutable_common()->set_plan_id(relation.common().plan_id());
    return named;
  }
  auto out = relation;
  const bool streams = is_streaming(relation);
  if (!streams) return out;
  const bool two_streams = relation.has_join() && is_streaming(relation.join().left()) &&
                           is_streaming(relation.join().right());
  for (auto* input : inputs_of(out)) *input = reduced(*input);
  if (out.has_with_watermark()) watch(out.with_watermark());
  if (out.has_aggregate()) return aggregated(out, event_columns(relation.aggregate().input()));
  if (out.has_deduplicate())
    return deduplicated(out, event_columns(relation.deduplicate().input()));
  if (out.has_limit() && mode_ == OutputMode::kAppend) return limited(out);
  if (two_streams) return joined(out);
  return out;
}

void StreamOperators::watch(const proto::WithWatermark& watermark) {
  const auto place = next_watermark_++;
  const auto rows = engine_.schema(watermark.input());
  const auto name = split_name(watermark.event_time()).back();
  const auto found = std::find_if(rows.begin(), rows.end(), [&](const Field& field) {
    return equal_ignoring_case(field.name, name);
  });
  auto written = watermark.event_time();
  if (found != rows.end() && found->type.kind == TypeKind::kStruct) written += ".end";
  const auto times = engine_.hold(
      build::project(watermark.input(), {build::alias(build::attribute(written), "time")}));
  const auto found_times = engine_.database()
                               .rows(fmt::format("SELECT epoch_ms(max(c0)), epoch_ms(min(c0)), "
                                                 "CAST(avg(epoch_ms(c0)) AS BIGINT) FROM {}",
                                                 times.name))
                               .at(0);
  engine_.release(times.name);
  if (!found_times[0]) return;
  const EventTimes own{std::stoll(*found_times[0]), std::stoll(*found_times[1]),
                       std::stoll(*found_times[2])};
  latest_[place] = std::max(latest_[place].value_or(INT64_MIN), own.latest);
  event_times_ = own;
}

int64_t StreamOperators::watermark() const {
  int64_t least = INT64_MAX;
  for (size_t i = 0; i < delays_.size(); ++i)
    least = std::min(least, latest_[i] ? *latest_[i] - delays_[i] : 0);
  return delays_.empty() ? 0 : std::max<int64_t>(least, 0);
}

proto::Relation StreamOperators::aggregated(const proto::Relation& relation,
                                            const std::set<std::string>& events) {
  const auto& aggregate = relation.aggregate();
  const bool select_list = relation.common().origin().jvm_origin().object_type() == "SELECT";
  auto& state = next_state("stateStoreSave");
  const auto output = engine_.schema(relation);
  if (!state.split) {
    state.split = split_aggregate(aggregate, select_list, engine_, [&](const auto& expression) {
      return engine_.schema(build::project(aggregate.input(), {expression})).at(0).type;
    });
    if (state.split->session >= 0) state.progress.name = "sessionWindowStateStoreSaveExec";
  }
  const auto& split = *state.split;
  const auto names = split.names();
  auto fresh =
      held(build::to_df(build::aggregate(aggregate.input(), split.keys, split.partials), names));
  std::string ends;  // the time when a group is finished
  for (size_t i = 0; i < split.keys.size() && ends.empty(); ++i) {
    if (!event_column_of(split.keys[i], events).empty() && of_time(fresh.schema[i].type))
      ends = end_of(fresh.schema[i], i);
  }
  if (!ends.empty() && watermarks_.late > 0 && mode_ != OutputMode::kComplete)
    state.progress.rows_dropped += erase(fresh, ends + " <= " + moment(watermarks_.late));
  state.progress.rows_updated = fresh.rows;

  const auto part = [&](const HeldRows& rows, int order) {
    std::vector<proto::Expression> columns;
    for (const auto& name : names) columns.push_back(column(name));
    columns.push_back(build::alias(build::integer(order), "__o"));
    return build::project(build::to_df(rows.relation(), names), std::move(columns));
  };
  auto all = part(fresh, 1);
  if (state.rows) {
    auto before = state.rows->relation();
    std::vector<proto::Expression> columns;
    for (const auto& name : names) columns.push_back(column(name));
    columns.push_back(build::alias(build::integer(0), "__o"));
    auto with_flag = names;
    with_flag.push_back("__new");
    all = build::union_all(
        build::project(build::to_df(std::move(before), with_flag), std::move(columns)),
        std::move(all));
  }
  std::vector<proto::Expression> keys, merges;
  for (size_t i = 0; i < split.keys.size(); ++i) {
    auto key = column(SplitAggregate::key(i));
    if (static_cast<int>(i) == split.session)
      key = build::call("session_window", {key, build::text("1 second")});
    keys.push_back(std::move(key));
  }
  for (size_t i = 0; i < split.merges.size(); ++i) {
    merges.push_back(build::cast(split.merges[i], fresh.schema[split.keys.size() + i].type));
  }
  merges.push_back(build::call("max", {column("__o")}));
  auto merged_names = names;
  merged_names.push_back("__new");
  auto merged = held(build::to_df(
      build::aggregate(std::move(all), std::move(keys), std::move(merges)), merged_names));

  const auto finished = ends.empty() || watermarks_.evict <= 0
                            ? std::string("false")
                            : ends + " <= " + moment(watermarks_.evict);
  const auto flag = HeldRows::column(names.size());
  const std::string shown = mode_ == OutputMode::kComplete ? "true"
                            : mode_ == OutputMode::kUpdate ? flag + " = 1"
                                                           : finished;
  const auto chosen =
      made(fmt::format("SELECT {} FROM {} WHERE {}", columns_of(merged.schema), merged.name, shown),
           merged.schema);
  std::vector<proto::Expression> answers;
  std::vector<std::string> titles;
  for (size_t i = 0; i < output.size(); ++i) {
    const auto& answer = split.answers.at(i);
    answers.push_back(build::alias(
        build::cast(answer.has_alias() ? answer.alias().expr() : answer, output[i].type),
        fmt::format("a{}", i)));
    titles.push_back(output[i].name);
  }
  auto answered = held(build::to_df(
      build::project(build::to_df(chosen.relation(), merged_names), std::move(answers)), titles));
  if (mode_ != OutputMode::kComplete) state.progress.rows_removed = erase(merged, finished);
  put_state(state, std::move(merged));
  return given(relation, std::move(answered));
}

proto::Relation StreamOperators::deduplicated(const proto::Relation& relation,
                                              const std::set<std::string>& events) {
  const auto& deduplicate = relation.deduplicate();
  const bool within = deduplicate.within_watermark();
  auto& state = next_state(within ? "dedupeWithinWatermark" : "dedupe");
  auto fresh = held(deduplicate.input());
  std::vector<size_t> keys;
  for (size_t i = 0; i < fresh.schema.size(); ++i) {
    const auto& names = deduplicate.column_names();
    if (deduplicate.all_columns_as_keys() || names.empty() ||
        std::any_of(names.begin(), names.end(), [&](const auto& name) {
          return equal_ignoring_case(name, fresh.schema[i].name);
        }))
      keys.push_back(i);
  }
  // The event's time: among the keys, or any column of it within the watermark.
  std::string time;
  for (size_t i = 0; i < fresh.schema.size() && time.empty(); ++i) {
    const bool is_key = std::find(keys.begin(), keys.end(), i) != keys.end();
    if (events.contains(lower_case(fresh.schema[i].name)) && of_time(fresh.schema[i].type) &&
        (is_key || within))
      time = end_of(fresh.schema[i], i);
  }
  if (!time.empty() && watermarks_.late > 0)
    state.progress.rows_dropped += erase(fresh, time + " <= " + moment(watermarks_.late));
  // State: the keys, and the time after which they are forgotten.
  Schema state_schema;
  std::string partition, same, key_list;
  for (size_t i = 0; i < keys.size(); ++i) {
    const auto own = HeldRows::column(keys[i]);
    state_schema.push_back(fresh.schema[keys[i]]);
    partition += (i ? ", " : "PARTITION BY ") + own;
    same +=
        fmt::format("{}s.{} IS NOT DISTINCT FROM q.{}", i ? " AND " : "", HeldRows::column(i), own);
    key_list += fmt::format("{} AS {}, ", own, HeldRows::column(i));
  }
  state_schema.push_back({"expires", make_type(TypeKind::kTimestampNtz), true});
  const auto expires = time.empty() ? std::string("CAST(NULL AS TIMESTAMP)")
                       : within     ? fmt::format("{} + to_milliseconds({})", time,
                                              delays_.empty() ? 0 : delays_.front())
                                    : time;
  std::string unseen = "seen_row = 1";
  if (state.rows)
    unseen += fmt::format(" AND NOT EXISTS (SELECT 1 FROM {} s WHERE {})", state.rows->name,
                          same.empty() ? "true" : same);
  auto chosen =
      made(fmt::format("SELECT {0} FROM (SELECT *, rowid AS place, row_number() OVER ({1} ORDER BY "
                       "rowid) AS seen_row FROM {2}) q WHERE {3} ORDER BY place",
                       columns_of(fresh.schema), partition, fresh.name, unseen),
           fresh.schema);
  state.progress.rows_updated = chosen.rows;
  auto rows = fmt::format("SELECT {}{} AS {} FROM {}", key_list, expires,
                          HeldRows::column(keys.size()), chosen.name);
  if (state.rows)
    rows = fmt::format("SELECT {} FROM {} UNION ALL {}", columns_of(state_schema), state.rows->name,
                       rows);
  auto next = made(rows, state_schema);
  if (!time.empty() && watermarks_.evict > 0) {
    state.progress.rows_removed =
        erase(next, HeldRows::column(keys.size()) + " <= " + moment(watermarks_.evict));
  }
  put_state(state, std::move(next));
  return given(relation, std::move(chosen));
}

proto::Relation StreamOperators::limited(const proto::Relation& relation) {
  auto& state = next_state("globalLimit");
  const int64_t before =
      state.rows ? std::stoll(*engine_.database()
                                   .rows(fmt::format("SELECT c0 FROM {}", state.rows->name))
                                   .at(0)
                                   .at(0))
                 : 0;
  auto rest = relation;
  rest.mutable_limit()->set_limit(
      static_cast<int32_t>(std::max<int64_t>(relation.limit().limit() - before, 0)));
  auto rows = held(rest);
  state.progress.rows_updated = 1;
  put_state(state, made(fmt::format("SELECT CAST({} AS BIGINT) AS c0", before + rows.rows),
                        {{"rows", make_type(TypeKind::kLong), false}}));
  return given(relation, std::move(rows));
}

/// New rows of each side meet all rows of the other so far.
proto::Relation StreamOperators::joined(const proto::Relation& relation) {
  const auto left_place = next_state_;
  next_state("symmetricHashJoin");
  next_state("symmetricHashJoin");
  const auto new_left = held(relation.join().left()), new_right = held(relation.join().right());
  const auto with_old = [&](const HeldRows& fresh, size_t place) {
    auto& state = states_[place];
    std::string sql = fmt::format("SELECT {} FROM {}", columns_of(fresh.schema), fresh.name);
    if (state.rows)
      sql = fmt::format("SELECT {} FROM {} UNION ALL {}", columns_of(fresh.schema),
                        state.rows->name, sql);
    state.progress.rows_updated = fresh.rows;
    return made(sql, fresh.schema);
  };
  auto all_right = with_old(new_right, left_place + 1);
  const auto side = [&](const proto::Relation& original, const HeldRows& rows) {
    auto out = given(original, rows);
    const auto* alias = original.has_subquery_alias() ? &original.subquery_alias() : nullptr;
    if (!alias) return out;
    proto::Relation named;
    named.mutable_subquery_alias()->set_alias(alias->alias());
    *named.mutable_subquery_alias()->mutable_input() = std::move(out);
    if (original.common().has_plan_id())
      named.mutable_common()->set_plan_id(original.common().plan_id());
    return named;
  };
  auto out = relation;
  *out.mutable_join()->mutable_left() = side(relation.join().left(), new_left);
  *out.mutable_join()->mutable_right() = side(relation.join().right(), all_right);
  auto rows = held(out);
  if (states_[left_place].rows) {
    auto other = relation;
    *other.mutable_join()->mutable_left() = side(relation.join().left(), *states_[left_place].rows);
    *other.mutable_join()->mutable_right() = side(relation.join().right(), new_right);
    const auto old = held(other);
    rows = made(fmt::format("SELECT {0} FROM {1} UNION ALL SELECT {0} FROM {2}",
                            columns_of(rows.schema), rows.name, old.name),
                rows.schema);
  }
  put_state(states_[left_place], with_old(new_left, left_place));
  put_state(states_[left_place + 1], std::move(all_right));
  if (relation.join().using_columns_size() > 0) return given(relation, std::move(rows));
  // The two halves of each row by the names of their sides: a.k, b.k.
  const size_t left_columns = new_left.schema.size();
  const auto half = [&](size_t from, size_t to, const char* place) {
    Schema schema = {{place, make_type(TypeKind::kLong), false}};
    std::string list = "rowid AS c0";
    for (size_t i = from; i < to; ++i) {
      list += fmt::format(", {} AS {}", HeldRows::column(i), HeldRows::column(i - from + 1));
      schema.push_back(rows.schema[i]);
    }
    return made(fmt::format("SELECT {} FROM {}", list, rows.name), schema);
  };
  constexpr const char *kLeft = "__left_place", *kRight = "__right_place";
  proto::Relation whole;
  auto* join = whole.mutable_drop()->mutable_input()->mutable_join();
  join->set_join_type(proto::Join::JOIN_TYPE_INNER);
  *join->mutable_left() = side(relation.join().left(), half(0, left_columns, kLeft));
  *join->mutable_right() =
      side(relation.join().right(), half(left_columns, rows.schema.size(), kRight));
  *join->mutable_join_condition() = build::call("==", {column(kLeft), column(kRight)});
  whole.mutable_drop()->add_column_names(kLeft);
  whole.mutable_drop()->add_column_names(kRight);
  if (relation.has_common()) *whole.mutable_common() = relation.common();
  return whole;
}

void StreamOperators::save(const fs::path& folder, int64_t batch) {
  for (size_t i = 0; i < states_.size(); ++i) {
    if (!states_[i].rows) continue;
    const auto own = folder / std::to_string(i);
    fs::create_directories(own);
    const auto& rows = *states_[i].rows;
    write_file_aside(own / fmt::format("{}.json", batch), schema_json(rows.schema));
    const auto file = own / fmt::format("{}.parquet", batch), aside = own / ".writing.parquet";
    engine_.database().execute(fmt::format("COPY (SELECT {} FROM {}) TO {} (FORMAT PARQUET)",
                                           columns_of(rows.schema), rows.name,
                                           sql_string(aside.string())));
    fs::rename(aside, file);
    constexpr int64_t kKeptBatches = 10;
    for (const char* end : {"json", "parquet"})
      fs::remove(own / fmt::format("{}.{}", batch - kKeptBatches, end));
  }
}

void StreamOperators::load(const fs::path& folder, int64_t batch) {
  for (size_t i = 0;; ++i) {
    const auto own = folder / std::to_string(i);
    if (!fs::is_directory(own)) break;
    const auto file = own / fmt::format("{}.parquet", batch);
    if (!fs::exists(file)) {
      throw Error("STREAMING_STATEFUL_OPERATOR_MISSING_STATE_DIRECTORY",
                  fmt::format("Cannot restart streaming query with stateful operators because the "
                              "state of batch {} is missing: {}.",
                              batch, file.string()));
    }
    const auto schema = *type_from_json(read_file(own / fmt::format("{}.json", batch))).fields;
    std::string columns;
    for (size_t c = 0; c < schema.size(); ++c)
      columns += fmt::format("{0}CAST({1} AS {2}) AS {1}", c ? ", " : "", HeldRows::column(c),
                             duckdb_type(schema[c].type));
    auto rows = made(
        fmt::format("SELECT {} FROM read_parquet({})", columns, sql_string(file.string())), schema);
    if (states_.size() <= i) states_.resize(i + 1);
    put_state(states_[i], std::move(rows));
  }
}

}  // namespace firesteel
