// What tests that are data cannot say: cancellation, limits, streams, files and save modes.
#include "engine/engine.h"

#include <gtest/gtest.h>
#include <spark/connect/relations.pb.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/error.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;

struct EngineTest : ::testing::Test {
  std::shared_ptr<Executor> engine = make_embedded_executor({.memory_limit = "1GB", .threads = 2});
  fs::path folder =
      fs::temp_directory_path() / ("firesteel_engine_test_" + std::to_string(::getpid()));
  void SetUp() override { fs::create_directories(folder); }
  void TearDown() override { fs::remove_all(folder); }

  std::string path(const std::string& name) const { return (folder / name).string(); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(folder / name) << text;
  }

  /// Rows and the largest batch of a query.
  static std::pair<int64_t, int64_t> count(Executor& engine, const std::string& sql) {
    auto rows = engine.execute(engine.sql(sql));
    int64_t total = 0, largest = 0;
    while (auto batch = rows.next()) {
      total += batch->get()->length;
      largest = std::max(largest, batch->get()->length);
    }
    return {total, largest};
  }

  template <typename Body>
  static std::string condition_of(Body body) {
    try {
      body();
    } catch (const Error& error) {
      return error.condition();
    }
    return "no error";
  }
};

TEST_F(EngineTest, BatchesOfBytesAreBounded) {
  // 300 values of a megabyte: 64 of them are a batch. Small ones fill it by their rows.
  auto rows = engine->execute(
      engine->sql("SELECT id, CAST(repeat('x', 1048576) AS BINARY) AS bytes FROM range(300)"));
  std::vector<int64_t> lengths, ids;
  while (auto batch = rows.next()) {
    lengths.push_back(batch->rows());
    const auto* id = static_cast<const int64_t*>(batch->get()->children[0]->buffers[1]);
    ids.insert(ids.end(), id, id + batch->rows());
    const auto* offsets = static_cast<const int32_t*>(batch->get()->children[1]->buffers[1]);
    EXPECT_EQ(offsets[batch->rows()], batch->rows() << 20);
  }
  EXPECT_EQ(lengths, (std::vector<int64_t>{64, 64, 64, 64, 44}));
  for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(ids[i], static_cast<int64_t>(i));
  EXPECT_EQ(rows.schema().get()->n_children, 2) << "after the last row too";
  const auto [total, largest] =
      count(*engine, "SELECT CAST(CAST(id AS STRING) AS BINARY) AS bytes FROM range(200000)");
  EXPECT_EQ(total, 200'000);
  EXPECT_EQ(largest, 65'536);
  EXPECT_EQ(count(*engine, "SELECT CAST('a' AS BINARY) AS b FROM range(10) WHERE id > 10").first,
            0);
  EXPECT_NE(condition_of([&] {
              count(*engine,
                    "SELECT CAST(if(id = 9, raise_error('ninth'), 'a') AS BINARY) FROM range(10)");
            }),
            "no error");
}

TEST_F(EngineTest, InterruptCancelsFromAnotherThread) {
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
      engine->interrupt();
    }
  });
  const auto condition = condition_of([&] {
    count(*engine, "SELECT sum(a.id * b.id % 7) FROM range(3000000) a CROSS JOIN range(3000000) b");
  });
  done = true;
  other.join();
  EXPECT_EQ(condition, "OPERATION_CANCELED");
  EXPECT_EQ(count(*engine, "SELECT 1").first, 1);  // the engine is still usable
}

TEST_F(EngineTest, MemoryLimitIsAnError) {
  auto small = make_embedded_executor({.memory_limit = "20MB",
                                       .threads = 1,
                                       .temp_directory = path("spill"),
                                       .temp_size_limit = "1MB"});
  EXPECT_EQ(
      condition_of([&] { count(*small, "SELECT id, uuid() AS u FROM range(4000000) ORDER BY u"); }),
      "OUT_OF_MEMORY");
}

TEST_F(EngineTest, LargeResultsArriveInLargeBatches) {
  const auto [total, largest] = count(*engine, "SELECT id FROM range(200000)");
  EXPECT_EQ(total, 200000);
  EXPECT_GE(largest, 60000);
  EXPECT_LT(largest, 200000);
}

TEST_F(EngineTest, FilesThatCannotBeRead) {
  EXPECT_EQ(condition_of([&] {
              engine->sql("SELECT * FROM parquet.`" + path("none.parquet") + "`");
              count(*engine, "SELECT * FROM parquet.`" + path("none.parquet") + "`");
            }),
            "PATH_NOT_FOUND");
  write("broken.parquet", "this is no Parquet file, whatever its name says");
  EXPECT_EQ(condition_of(
                [&] { count(*engine, "SELECT * FROM parquet.`" + path("broken.parquet") + "`"); }),
            "FAILED_READ_FILE.NO_HINT");
}

TEST_F(EngineTest, LivesOnAfterWhatDoesNotFit) {
  const auto small = make_embedded_executor({.memory_limit = "20MB",
                                             .threads = 2,
                                             .temp_directory = path("temp"),
                                             .temp_size_limit = "1MB"});
  const std::string sort =
      "SELECT id, hash(id) AS h FROM range(8000000) ORDER BY h DESC LIMIT 4000000";
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(condition_of([&] { count(*small, sort); }), "OUT_OF_MEMORY");
    EXPECT_EQ(count(*small, "SELECT id FROM range(1000)").first, 1000);
  }
}

}  // namespace
}  // namespace firesteel
