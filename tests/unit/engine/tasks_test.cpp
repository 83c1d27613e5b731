// Tasks over the partitions of a plan's rows: how rows are dealt, and that all ends well when a
// task does not. The tasks here give rows of one column `v BIGINT`, unless a test says otherwise.
#include <gtest/gtest.h>
#include <spark/connect/commands.pb.h>
#include <spark/connect/relations.pb.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <thread>

#include "base/added_columns.h"
#include "base/error.h"
#include "base/made_stream.h"
#include "base/task.h"
#include "engine/engine.h"

namespace firesteel {
namespace {

namespace proto = spark::connect;

/// The rows as they are.
FIRESTEEL_TASK(test_same, [](ArrowStream rows, const TaskContext&) { return rows; });

/// The rows with the partition they are in and their place there.
FIRESTEEL_TASK(test_placed, [](ArrowStream rows, const TaskContext& context) {
  return with_added_columns(
      std::move(rows), {{.name = "partition"}, {.name = "place"}},
      [partition = context.partition, place = 0.0](const ArrowArray& batch) mutable {
        std::vector<AddedValues> out(2);
        for (int64_t i = 0; i < batch.length; ++i) {
          out[0].numbers.push_back(static_cast<double>(partition));
          out[1].numbers.push_back(place++);
        }
        return out;
      });
});

FIRESTEEL_TASK(test_first_batch, [](ArrowStream rows, const TaskContext&) {
  auto shared = std::make_shared<ArrowStream>(std::move(rows));
  return make_stream([shared] { return shared->schema(); },
                     [shared, done = false]() mutable -> std::optional<ArrowBatch> {
                       if (std::exchange(done, true)) return std::nullopt;
                       return shared->next();
                     });
});

FIRESTEEL_TASK(test_nothing, [](ArrowStream, const TaskContext&) { return ArrowStream(); });

/// Fails as the argument says, in partition 1 after its first batch or, alone, in partition 0.
FIRESTEEL_TASK(test_fails, [](ArrowStream rows, const TaskContext& context) -> ArrowStream {
  if (context.argument == "at once") throw Error("DIVIDE_BY_ZERO", "A task's own.");
  if (context.argument == "foreign") throw std::runtime_error("foreign");
  return with_added_columns(std::move(rows), {{.name = "x"}},
                            [](const ArrowArray&) -> std::vector<AddedValues> {
                              throw Error("DIVIDE_BY_ZERO", "A task's own.");
                            });
});

/// One row: the sum of all partitions' numbers, which each says to the others.
FIRESTEEL_TASK(test_sum_of_all, [](ArrowStream rows, const TaskContext& context) -> ArrowStream {
  int64_t sum = 0;
  while (auto batch = rows.next()) {
    const auto& column = *batch->get()->children[0];
    const auto* values = static_cast<const int64_t*>(column.buffers[1]) + column.offset;
    for (int64_t i = 0; i < column.length; ++i) sum += values[i];
  }
  if (context.argument == "fails" && context.partition == 2) throw Error("DIVIDE_BY_ZERO", "Own.");
  if (context.argument == "leaves" && context.partition == 2) return {};
  int64_t all = 0;
  for (int round = 0; round < 3; ++round) {
    all = 0;
    const auto texts = context.gather(std::to_string(sum + round));
    if (static_cast<int64_t>(texts.size()) != context.partitions) throw std::runtime_error("texts");
    for (const auto& text : texts) all += std::stoll(text) - round;
  }
  if (all != 4999950000) throw std::runtime_error("sum");
  return with_added_columns(std::move(rows), {{.name = "all"}},
                            [](const ArrowArray&) { return std::vector<AddedValues>(1); });
});

std::atomic<int> slow_batches = 0;
FIRESTEEL_TASK(test_slow, [](ArrowStream rows, const TaskContext&) {
  return with_added_columns(std::move(rows), {{.name = "x"}}, [](const ArrowArray& batch) {
    ++slow_batches;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return std::vector{AddedValues{.numbers = std::vector<double>(batch.length)}};
  });
});

struct TasksTest : ::testing::Test {
  std::shared_ptr<Executor> engine = make_embedded_executor({.memory_limit = "1GB", .threads = 2});

  static proto::Relation repartition(proto::Relation rows, int partitions) {
    proto::Relation out;
    out.mutable_repartition()->set_num_partitions(partitions);
    out.mutable_repartition()->set_shuffle(true);
    *out.mutable_repartition()->mutable_input() = std::move(rows);
    return out;
  }
  static proto::Relation repartition(proto::Relation rows, const char* key, int partitions = 0) {
    proto::Relation out;
    auto& by = *out.mutable_repartition_by_expression();
    by.add_partition_exprs()->mutable_unresolved_attribute()->set_unparsed_identifier(key);
    if (partitions) by.set_num_partitions(partitions);
    *by.mutable_input() = std::move(rows);
    return out;
  }
  static proto::Relation sorted(proto::Relation rows, const char* key) {
    proto::Relation out;
    auto& order = *out.mutable_sort()->add_order();
    order.mutable_child()->mutable_unresolved_attribute()->set_unparsed_identifier(key);
    order.set_direction(proto::Expression::SortOrder::SORT_DIRECTION_DESCENDING);
    out.mutable_sort()->set_is_global(false);
    *out.mutable_sort()->mutable_input() = std::move(rows);
    return out;
  }

  proto::Relation run(const std::string& task, const proto::Relation& rows, const char* schema,
                      const std::string& argument = "", bool together = false) {
    return engine->map_partitions(
        rows,
        {.task = task, .argument = argument, .output = parse_schema(schema), .together = together});
  }
  proto::Relation sql(const std::string& text) { return engine->sql(text); }

  /// A query over rows, `{}` in its text, as one text: columns by commas, rows by semicolons.
  std::string query(const std::string& text, const proto::Relation& rows) {
    proto::Command view;
    view.mutable_create_dataframe_view()->set_name("made");
    view.mutable_create_dataframe_view()->set_replace(true);
    *view.mutable_create_dataframe_view()->mutable_input() = rows;
    engine->run(view);
    auto answer = engine->execute(
        sql("SELECT concat_ws(';', collect_list(concat_ws(',', *))) FROM (" + text + ")"));
    const auto batch = answer.next();
    const auto& column = *batch->get()->children[0];
    const auto* offsets = static_cast<const int32_t*>(column.buffers[1]);
    return std::string(static_cast<const char*>(column.buffers[2]) + offsets[0],
                       static_cast<size_t>(offsets[1] - offsets[0]));
  }
  int64_t count(const proto::Relation& rows) {
    return std::stoll(query("SELECT count(*) FROM made", rows));
  }

  template <typename Body>
  static std::string error_of(Body body) {
    try {
      body();
    } catch (const std::exception& error) {
      return error.what();
    }
    return "no error";
  }
  /// Whether it is there; at the begin when it begins with its class.
  static bool has(const std::string& text, std::string_view part) {
    return part.starts_with('[') ? text.starts_with(part) : text.find(part) != std::string::npos;
  }
};

constexpr const char* kPlaced = "v BIGINT, partition DOUBLE NOT NULL, place DOUBLE NOT NULL";

TEST_F(TasksTest, BatchesGoToThreadsInTurn) {
  for (const int threads : {1, 2, 4}) {
    engine = make_embedded_executor({.memory_limit = "1GB", .threads = threads});
    const auto made = run("test_placed", sql("SELECT id AS v FROM range(1000000)"), kPlaced);
    EXPECT_EQ(
        query("SELECT count(*), sum(v), count(DISTINCT v), count(DISTINCT partition) FROM made",
              made),
        "1000000,499999500000,1000000," + std::to_string(threads));
    // The first partition has the first batch and the one whose turn comes again.
    EXPECT_EQ(query("SELECT v FROM made WHERE partition = 0 AND place = 65536", made),
              std::to_string(65536 * threads));
    EXPECT_EQ(query("SELECT partition, place FROM made LIMIT 1", made), "0.0,0.0");
  }
}

TEST_F(TasksTest, KeysGoWhereSparkSendsThem) {
  const auto rows = sql("SELECT id AS v FROM range(100000)");
  for (const int threads : {1, 2, 4}) {
    engine = make_embedded_executor({.memory_limit = "1GB", .threads = threads});
    const auto made = run("test_placed", sorted(repartition(rows, "v", 7), "v"), kPlaced);
    EXPECT_EQ(count(made), 100000);
    EXPECT_EQ(query("SELECT count(*) FROM made WHERE partition <> pmod(hash(v), 7)", made), "0");
    EXPECT_EQ(query("SELECT count(*) FROM (SELECT v, lag(v) OVER (PARTITION BY partition ORDER BY "
                    "place) AS before FROM made) WHERE before < v",
                    made),
              "0");
    // Rows stand by partition.
    EXPECT_EQ(query("SELECT count(*) FROM (SELECT partition, lag(partition) OVER (ORDER BY n) AS "
                    "before FROM (SELECT partition, monotonically_increasing_id() AS n FROM made)) "
                    "WHERE before > partition",
                    made),
              "0");
  }
}

TEST_F(TasksTest, RowsWithoutKeysGoToEachInTurnAndKeepTheirOrder) {
  const auto made =
      run("test_placed", repartition(sql("SELECT id AS v FROM range(200000)"), 3), kPlaced);
  EXPECT_EQ(query("SELECT count(*) FROM made WHERE v <> 3 * place + partition", made), "0");
  const auto by_threads =
      run("test_placed", repartition(sql("SELECT id AS v FROM range(1000)"), "v"), kPlaced);
  EXPECT_EQ(query("SELECT count(*) FROM made WHERE partition <> pmod(hash(v), 2)", by_threads),
            "0");
}

TEST_F(TasksTest, RangesAreCutByAllRows) {
  auto ranges = repartition(sql("SELECT id DIV 10 AS v FROM range(1000)"), 1);
  proto::Relation by;
  auto& order =
      *by.mutable_repartition_by_expression()->add_partition_exprs()->mutable_sort_order();
  order.mutable_child()->mutable_unresolved_attribute()->set_unparsed_identifier("v");
  order.set_direction(proto::Expression::SortOrder::SORT_DIRECTION_ASCENDING);
  by.mutable_repartition_by_expression()->set_num_partitions(4);
  *by.mutable_repartition_by_expression()->mutable_input() = ranges.repartition().input();
  const auto made = run("test_placed", by, kPlaced);
  EXPECT_EQ(
      query("SELECT partition, min(v), max(v), count(*) FROM made GROUP BY 1 ORDER BY 1", made),
      "0.0,0,24,250;1.0,25,49,250;2.0,50,74,250;3.0,75,99,250");
}

TEST_F(TasksTest, TypesComeBackAsTheyWere) {
  const auto rows = sql(
      "SELECT * FROM VALUES (true, 1Y, 2S, 3, 4L, 1.5F, 2.5D, 'a', X'00FF', 1.25BD, "
      "DATE'2024-05-06', "
      "TIMESTAMP'2024-05-06 07:08:09', TIMESTAMP_NTZ'2024-05-06 07:08:09', array(1, NULL), "
      "named_struct('s', 'x', 'n', array(1L)), map('k', 1)), (NULL, NULL, NULL, NULL, NULL, NULL, "
      "NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL) AS t(a, b, c, d, e, f, g, h, i, "
      "j, "
      "k, l, m, n, o, p)");
  const auto schema = engine->schema(rows);
  const auto made = engine->map_partitions(rows, {.task = "test_same", .output = schema});
  EXPECT_EQ(engine->schema(made), schema);
  const auto* all = "SELECT to_json(struct(*)) FROM made";
  EXPECT_EQ(query(all, made), query(all, rows));
  const auto dealt =
      engine->map_partitions(repartition(rows, 5), {.task = "test_same", .output = schema});
  EXPECT_EQ(query(all, dealt), query(all, rows));
}

TEST_F(TasksTest, TasksMayEndEarlyOrGiveNothing) {
  const auto rows = sql("SELECT id AS v FROM range(1000000)");
  EXPECT_EQ(count(run("test_first_batch", rows, "v BIGINT NOT NULL")), 2 * 65536);
  EXPECT_EQ(count(run("test_nothing", rows, "v BIGINT")), 0);
  EXPECT_EQ(count(run("test_first_batch", repartition(rows, 5), "v BIGINT NOT NULL")), 5 * 65536);
  EXPECT_EQ(count(run("test_same", sql("SELECT id AS v FROM range(0)"), "v BIGINT")), 0);
  EXPECT_EQ(
      count(run("test_same", repartition(sql("SELECT id AS v FROM range(0)"), 3), "v BIGINT")), 0);
}

TEST_F(TasksTest, RowsWithoutColumns) {
  auto none = sql("SELECT id FROM range(100000)");
  proto::Relation rows;
  *rows.mutable_drop()->mutable_input() = none;
  rows.mutable_drop()->add_column_names("id");
  EXPECT_EQ(count(engine->map_partitions(rows, {.task = "test_same", .output = {}})), 100000);
  EXPECT_EQ(
      count(engine->map_partitions(repartition(rows, 3), {.task = "test_same", .output = {}})),
      100000);
}

TEST_F(TasksTest, ErrorsComeOutAsTheyWere) {
  const auto rows = sql("SELECT id AS v FROM range(1000000)");
  for (const auto& plan : {rows, repartition(rows, 5)}) {
    for (const char* when : {"at once", "later"}) {
      EXPECT_TRUE(has(error_of([&] { run("test_fails", plan, "v BIGINT, x DOUBLE", when); }),
                      "[DIVIDE_BY_ZERO] A task's own."));
    }
    EXPECT_EQ(error_of([&] { run("test_fails", plan, "v BIGINT", "foreign"); }), "foreign");
  }
  EXPECT_TRUE(
      has(error_of([&] { run("test_sane", rows, "v BIGINT"); }),
          "[TASK_NOT_FOUND] This program has no task `test_sane`. Did you mean `test_same`?"));
  // The plan's own error, with its place in the text.
  const auto bad = sql("SELECT CAST(if(id = 900000, 'x', '1') AS BIGINT) AS v FROM range(1000000)");
  for (const auto& plan : {bad, repartition(bad, 5)}) {
    const auto text = error_of([&] { run("test_same", plan, "v BIGINT"); });
    EXPECT_TRUE(has(text, "[CAST_INVALID_INPUT]") && has(text, "^^^")) << text;
  }
  EXPECT_EQ(count(run("test_same", rows, "v BIGINT")), 1000000);  // and all goes on
}

TEST_F(TasksTest, OutputIsHeldToItsSchema) {
  const auto rows = sql("SELECT 1 AS n, array(named_struct('a', 1)) AS l, CAST(NULL AS INT) AS m");
  const auto error = [&](const char* schema) {
    return error_of([&] { run("test_same", rows, schema); });
  };
  EXPECT_EQ(error("n INT, l ARRAY<STRUCT<a: INT>>, m INT"), "no error");
  EXPECT_TRUE(has(error("n BIGINT, l ARRAY<STRUCT<a: INT>>, m INT"),
                  "[TASK_OUTPUT_INVALID] The task `test_same` declares its column `n` as bigint, "
                  "Arrow's int64, and gives int32."));
  EXPECT_TRUE(has(error("n INT, l ARRAY<STRUCT<a: STRING>>, m INT"),
                  "declares its column `l` as array<struct<a:string>>"));
  EXPECT_TRUE(has(error("n INT, l ARRAY<STRUCT<b: INT>>, m INT"), "struct<a: int32>"));
  EXPECT_TRUE(has(error("n INT, k ARRAY<STRUCT<a: INT>>, m INT"),
                  "gives `l` where it declares the column `k`."));
  EXPECT_TRUE(has(error("n INT"), "gives rows of 3 columns, and declares 1"));
  EXPECT_TRUE(has(error("n INT, l ARRAY<STRUCT<a: INT>>, m INT NOT NULL"),
                  "declares its column `m` as NOT NULL, and gives a null."));
}

TEST_F(TasksTest, TasksTogetherSeeEachOther) {
  const auto rows = repartition(sql("SELECT id AS v FROM range(100000)"), "v", 5);
  EXPECT_EQ(count(run("test_sum_of_all", rows, "v BIGINT, all DOUBLE", "", true)), 0);
  EXPECT_TRUE(
      has(error_of([&] { run("test_sum_of_all", rows, "v BIGINT, all DOUBLE", "fails", true); }),
          "[DIVIDE_BY_ZERO] Own."));
  EXPECT_TRUE(
      has(error_of([&] { run("test_sum_of_all", rows, "v BIGINT, all DOUBLE", "leaves", true); }),
          "[TASK_GATHER_FAILED] Partition 2 has ended"));
  for (const auto& plan : {rows.repartition_by_expression().input(),
                           repartition(sql("SELECT id AS v FROM range(9)"), "v")}) {
    EXPECT_TRUE(has(error_of([&] { run("test_same", plan, "v BIGINT", "", true); }),
                    "[INVALID_OPTION] Tasks run together over the partitions of a repartition"));
  }
  EXPECT_TRUE(
      has(error_of([&] { run("test_same", repartition(sql("SELECT 1L AS v"), 0), "v BIGINT"); }),
          "[INVALID_PARAMETER_VALUE] Rows are dealt to one partition or more, not to 0."));
}

TEST_F(TasksTest, AnInterruptionEndsThem) {
  const auto rows = sql("SELECT id AS v FROM range(100000000)");
  for (const auto& plan : {rows, repartition(rows, 64)}) {
    slow_batches = 0;
    std::jthread stop([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      engine->interrupt();
    });
    EXPECT_TRUE(has(error_of([&] { run("test_slow", plan, "v BIGINT, x DOUBLE"); }),
                    "[OPERATION_CANCELED]"));
    EXPECT_LT(slow_batches, 200);
  }
  EXPECT_EQ(count(run("test_same", sql("SELECT id AS v FROM range(10)"), "v BIGINT")), 10);
}

}  // namespace
}  // namespace firesteel
