// Streams without a server: batches, restarts from checkpoints that a crash cut, watermarks. The
// rows and the expected answers are those that Apache Spark gave to the same files.
#include "engine/streaming.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "engine/streaming_source.h"
#include "plan/build.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Rows = std::vector<std::vector<std::string>>;

struct StreamingTest : ::testing::Test {
  std::shared_ptr<EmbeddedExecutor> engine =
      std::make_shared<EmbeddedExecutor>(DatabaseOptions{.memory_limit = "1GB", .threads = 2});
  fs::path folder =
      fs::temp_directory_path() / ("firesteel_streaming_test_" + std::to_string(::getpid()));

  void SetUp() override {
    fs::create_directories(folder / "in");
    add(R"({"t":"2024-01-01 00:00:01","k":"a","v":1}
{"t":"2024-01-01 00:00:09","k":"b","v":2}
{"t":"2024-01-01 00:00:09","k":"a","v":3})");
    add(R"({"t":"2024-01-01 00:00:21","k":"a","v":4}
{"t":"2024-01-01 00:00:05","k":"b","v":5})");
    add(R"({"t":"2024-01-01 00:00:02","k":"a","v":6}
{"t":"2024-01-01 00:00:33","k":"c","v":7})");
    add(R"({"t":"2024-01-01 00:00:50","k":"a","v":8}
{"t":"2024-01-01 00:00:22","k":"a","v":9}
{"t":"2024-01-01 00:00:31","k":"c","v":10})");
  }
  void TearDown() override {
    engine.reset();
    fs::remove_all(folder);
  }

  int files = 0;
  void add(const std::string& rows) {
    const auto file = folder / "in" / (std::to_string(files++) + ".json");
    std::ofstream(file) << rows << "\n";
    fs::last_write_time(file, fs::file_time_type::clock::now() - std::chrono::hours(1) +
                                  std::chrono::seconds(files));
  }
  std::string path(const std::string& name) const { return (folder / name).string(); }

  proto::Relation read() const {
    proto::Relation relation;
    relation.mutable_read()->set_is_streaming(true);
    auto* source = relation.mutable_read()->mutable_data_source();
    source->set_format("json");
    source->set_schema("t TIMESTAMP, k STRING, v INT");
    source->add_paths(path("in"));
    (*source->mutable_options())["maxFilesPerTrigger"] = "1";
    return relation;
  }
  proto::Relation watermarked(const std::string& delay) const {
    proto::Relation relation;
    *relation.mutable_with_watermark()->mutable_input() = read();
    relation.mutable_with_watermark()->set_event_time("t");
    relation.mutable_with_watermark()->set_delay_threshold(delay);
    return relation;
  }
  /// A query's text over the stream as `events`.
  proto::Relation query(const std::string& text, const proto::Relation& events) {
    proto::Command command;
    command.mutable_create_dataframe_view()->set_name("events");
    command.mutable_create_dataframe_view()->set_replace(true);
    *command.mutable_create_dataframe_view()->mutable_input() = events;
    engine->run(command);
    proto::Relation relation;
    relation.mutable_sql()->set_query(text);
    return relation;
  }
  static proto::WriteStreamOperationStart start(const proto::Relation& input,
                                                const std::string& mode,
                                                const std::string& format) {
    proto::WriteStreamOperationStart start;
    *start.mutable_input() = input;
    start.set_output_mode(mode);
    start.set_format(format);
    start.set_available_now(true);
    return start;
  }
  /// Runs to the end and gives the progress of each batch.
  static std::vector<json> run(StreamingQueries& queries,
                               const proto::WriteStreamOperationStart& start) {
    proto::StreamingQueryCommand command;
    *command.mutable_query_id() = queries.start(start).query_id();
    command.mutable_await_termination();
    queries.run(command);
    command.set_recent_progress(true);
    std::vector<json> out;
    const auto answer = queries.run(command);
    for (const auto& text : answer.recent_progress().recent_progress_json())
      out.push_back(json::parse(text));
    return out;
  }
  Rows rows(const std::string& sql) {
    Rows out;
    const auto held = engine->hold(engine->sql(sql));
    for (const auto& row : engine->database().rows("SELECT * FROM " + held.name)) {
      auto& cells = out.emplace_back();
      for (const auto& cell : row) cells.push_back(cell.value_or("NULL"));
    }
    engine->release(held.name);
    std::sort(out.begin(), out.end());
    return out;
  }
};

TEST_F(StreamingTest, FilesPassOnceThroughAFileSinkWhateverIsTriedAgain) {
  auto copy =
      start(build::project(read(), {build::column("k"), build::column("v")}), "append", "json");
  copy.set_path(path("out"));
  (*copy.mutable_options())["checkpointLocation"] = path("checkpoint");
  {
    StreamingQueries queries(engine);
    EXPECT_EQ(run(queries, copy).size(), 4u);
  }
  const auto all = rows("SELECT k, v FROM json.`" + path("out") + "`");
  EXPECT_EQ(all.size(), 10u);
  // It died between the write and the commit: the batch comes again and adds nothing.
  fs::remove(folder / "checkpoint" / "commits" / "3");
  add(R"({"t":"2024-01-01 00:01:00","k":"d","v":11})");
  StreamingQueries queries(engine);
  const auto progress = run(queries, copy);
  ASSERT_EQ(progress.size(), 2u);
  EXPECT_EQ(progress[0].at("batchId"), 3);
  const auto more = rows("SELECT k, v FROM json.`" + path("out") + "`");
  EXPECT_EQ(more.size(), 11u);
  EXPECT_TRUE(std::includes(more.begin(), more.end(), all.begin(), all.end()));
}

TEST_F(StreamingTest, AnAggregationGoesOnWhereItsCheckpointEnds) {
  auto totals =
      start(query("SELECT k, count(*), sum(v), avg(v), max(v) FROM events GROUP BY k", read()),
            "complete", "memory");
  totals.set_query_name("totals");
  (*totals.mutable_options())["checkpointLocation"] = path("checkpoint");
  {
    StreamingQueries queries(engine);
    run(queries, totals);
  }
  const Rows whole = {{"a", "6", "31", "5.166666666666667", "9"},
                      {"b", "2", "7", "3.5", "5"},
                      {"c", "2", "17", "8.5", "10"}};
  EXPECT_EQ(rows("SELECT * FROM totals"), whole);
  // The last batch is done again from the state before it.
  fs::remove(folder / "checkpoint" / "commits" / "3");
  {
    StreamingQueries queries(engine);
    EXPECT_EQ(run(queries, totals).size(), 1u);
  }
  EXPECT_EQ(rows("SELECT * FROM totals"), whole);
  add(R"({"t":"2024-01-01 00:01:00","k":"b","v":13})");
  StreamingQueries queries(engine);
  const auto progress = run(queries, totals);
  ASSERT_EQ(progress.size(), 1u);
  EXPECT_EQ(progress[0].at("batchId"), 4);
  EXPECT_EQ(progress[0].at("numInputRows"), 1);
  EXPECT_EQ(rows("SELECT * FROM totals WHERE k = 'b'"),
            (Rows{{"b", "3", "20", "6.666666666666667", "13"}}));
}

TEST_F(StreamingTest, WindowsAreGivenOnceTheWatermarkHasPassedThem) {
  auto sums = start(query("SELECT window.start AS s, k, sum(v) FROM events GROUP BY "
                          "window(t, '10 seconds'), k",
                          watermarked("10 seconds")),
                    "append", "memory");
  sums.set_query_name("sums");
  StreamingQueries queries(engine);
  const auto progress = run(queries, sums);
  EXPECT_EQ(rows("SELECT * FROM sums"), (Rows{{"2024-01-01 00:00:00", "a", "10"},
                                              {"2024-01-01 00:00:00", "b", "7"},
                                              {"2024-01-01 00:00:20", "a", "13"},
                                              {"2024-01-01 00:00:30", "c", "17"}}));
  std::vector<int> state;
  std::vector<std::string> watermarks;
  for (const auto& batch : progress) {
    state.push_back(batch.at("stateOperators").at(0).at("numRowsTotal"));
    watermarks.push_back(batch.at("eventTime").at("watermark"));
  }
  EXPECT_EQ(state, (std::vector<int>{2, 3, 2, 3, 1}));  // the last batch has no rows
  EXPECT_EQ(watermarks.back(), "2024-01-01T00:00:40.000Z");
}

TEST_F(StreamingTest, SessionsThatMeetInLaterBatchesAreOne) {
  auto sessions =
      start(query("SELECT session_window.start AS s, session_window.end AS e, k, sum(v) "
                  "FROM events GROUP BY session_window(t, '5 seconds'), k",
                  watermarked("5 seconds")),
            "append", "memory");
  sessions.set_query_name("sessions");
  StreamingQueries queries(engine);
  run(queries, sessions);
  EXPECT_EQ(rows("SELECT * FROM sessions"),
            (Rows{{"2024-01-01 00:00:01", "2024-01-01 00:00:07", "a", "7"},
                  {"2024-01-01 00:00:05", "2024-01-01 00:00:14", "b", "7"},
                  {"2024-01-01 00:00:09", "2024-01-01 00:00:14", "a", "3"},
                  {"2024-01-01 00:00:21", "2024-01-01 00:00:27", "a", "13"},
                  {"2024-01-01 00:00:31", "2024-01-01 00:00:38", "c", "17"}}));
}

TEST_F(StreamingTest, DuplicatesAreKnownOverBatchesAndRestarts) {
  proto::Relation distinct;
  *distinct.mutable_deduplicate()->mutable_input() = read();
  distinct.mutable_deduplicate()->add_column_names("k");
  auto first = start(distinct, "append", "json");
  first.set_path(path("out"));
  (*first.mutable_options())["checkpointLocation"] = path("checkpoint");
  {
    StreamingQueries queries(engine);
    run(queries, first);
  }
  add(R"({"t":"2024-01-01 00:01:00","k":"b","v":13}
{"t":"2024-01-01 00:01:00","k":"d","v":14})");
  StreamingQueries queries(engine);
  run(queries, first);
  EXPECT_EQ(rows("SELECT k, v FROM json.`" + path("out") + "`"),
            (Rows{{"a", "1"}, {"b", "2"}, {"c", "7"}, {"d", "14"}}));
}

TEST_F(StreamingTest, TwoStreamsAreJoinedAcrossBatches) {
  auto joined = start(query("SELECT a.k, a.v, b.v FROM events a JOIN events b ON a.k = b.k AND "
                            "a.v < b.v WHERE a.k <> 'a'",
                            read()),
                      "append", "memory");
  joined.set_query_name("joined");
  StreamingQueries queries(engine);
  run(queries, joined);
  EXPECT_EQ(rows("SELECT * FROM joined"), (Rows{{"b", "2", "5"}, {"c", "7", "10"}}));
}

TEST_F(StreamingTest, WhatFailsSaysSoAndAStopIsNoFailure) {
  auto bad = start(query("SELECT CAST(k AS INT) FROM events", read()), "append", "noop");
  StreamingQueries queries(engine);
  std::vector<std::string> events;
  queries.add_listener([&](const proto::StreamingQueryListenerEvent& event) {
    events.push_back(event.event_json());
  });
  try {
    run(queries, bad);
    ADD_FAILURE() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.condition(), "STREAM_FAILED");
    EXPECT_NE(error.message().find("CAST_INVALID_INPUT"), std::string::npos);
  }
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(json::parse(events[0]).at("errorClassOnException"), "CAST_INVALID_INPUT");

  proto::Relation rate;
  rate.mutable_read()->set_is_streaming(true);
  rate.mutable_read()->mutable_data_source()->set_format("rate");
  auto endless = start(rate, "append", "noop");
  endless.clear_available_now();
  endless.set_query_name("endless");
  proto::StreamingQueryCommand command;
  *command.mutable_query_id() = queries.start(endless).query_id();
  EXPECT_THROW(queries.start(endless), Error);  // the name is taken
  command.set_stop(true);
  queries.run(command);
  command.set_exception(true);
  EXPECT_FALSE(queries.run(command).exception().has_exception_message());
  command.set_status(true);
  EXPECT_EQ(queries.run(command).status().status_message(), "Stopped");
}

TEST_F(StreamingTest, WhatSparkRefusesIsRefused) {
  StreamingQueries queries(engine);
  const auto condition = [&](const proto::WriteStreamOperationStart& start) {
    try {
      queries.start(start);
    } catch (const Error& error) {
      return error.condition();
    }
    return std::string("no error");
  };
  EXPECT_EQ(condition(start(query("SELECT k, count(*) FROM events GROUP BY k", read()), "append",
                            "noop")),
            "STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION");
  EXPECT_EQ(condition(start(read(), "complete", "noop")),
            "STREAMING_OUTPUT_MODE.UNSUPPORTED_OPERATION");
  EXPECT_EQ(condition(start(query("SELECT * FROM events ORDER BY k", read()), "append", "noop")),
            "_LEGACY_ERROR_TEMP_3102");
  EXPECT_EQ(condition(start(query("SELECT k, median(v) FROM events GROUP BY k", read()), "update",
                            "noop")),
            "no error");  // found when it runs: STREAM_FAILED
  EXPECT_EQ(condition(start(read(), "append", "parquet")), "_LEGACY_ERROR_TEMP_1298");
  proto::Relation still;
  still.mutable_range()->set_end(3);
  still.mutable_range()->set_step(1);
  EXPECT_EQ(condition(start(still, "append", "noop")), "WRITE_STREAM_NOT_ALLOWED");
  EXPECT_THROW(engine->execute(read()), Error);
  EXPECT_TRUE(engine->is_streaming(query("SELECT * FROM events", read())));
}

TEST(Streaming, TheRateRampsUpAsSparksDoes) {
  std::vector<int64_t> values;
  for (int second = 0; second <= 6; ++second) values.push_back(rate_value_at(second, 10, 4));
  EXPECT_EQ(values, (std::vector<int64_t>{0, 2, 6, 12, 20, 30, 40}));
  EXPECT_EQ(interval_micros("1 hour 5 minutes"), int64_t{3900} * 1000000);
  EXPECT_EQ(interval_micros("interval 10 seconds"), 10000000);
  EXPECT_THROW(interval_micros("soon"), Error);
}

}  // namespace
}  // namespace firesteel
