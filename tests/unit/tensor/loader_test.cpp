// Every row once per epoch, the same batches for the same seed, resume, errors, early destruction.
#include "tensor/loader.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "arrow_fixture.h"
#include "base/error.h"

namespace firesteel {
namespace {

using testing::ArrowColumns;
using testing::StreamOf;

/// Row i has id i as an integer feature and i % 7 as a categorical one.
ArrowStream stream_of(int64_t rows, int64_t batch_rows = 1000) {
  return StreamOf::open([=](int64_t index) -> ArrowColumns {
    const int64_t begin = index * batch_rows;
    if (begin >= rows && index > 0) return {};
    std::vector<std::optional<int64_t>> ids;
    std::vector<std::optional<std::string>> words;
    std::vector<std::optional<bool>> labels;
    for (int64_t i = begin; i < std::min(rows, begin + batch_rows); ++i) {
      ids.push_back(i);
      words.push_back(std::to_string(i % 7));
      labels.push_back(i % 2 == 1);
    }
    return {testing::numbers<int64_t>("id", "l", ids), testing::texts("word", "u", words),
            testing::booleans("label", labels)};
  });
}

std::vector<EncoderSpec> specs() {
  EncoderSpec word{.column = "word", .kind = EncoderKind::kCategorical};
  word.vocabulary = {"0", "1", "2", "3", "4", "5", "6"};
  return {{.column = "id"}, word, {.column = "label", .kind = EncoderKind::kLabel}};
}

std::vector<int64_t> epoch_ids(Loader& loader) {
  std::vector<int64_t> ids;
  while (auto batch = loader.next()) {
    for (int64_t i = 0; i < batch->rows(); ++i) {
      const auto id = static_cast<int64_t>(batch->numeric[i][0].item<float>());
      EXPECT_EQ(batch->categorical[i][0].item<int64_t>(), id % 7 + 2);
      EXPECT_EQ(batch->label[i].item<float>(), static_cast<float>(id % 2));
      ids.push_back(id);
    }
  }
  return ids;
}

void expect_all_once(std::vector<int64_t> ids, int64_t rows) {
  std::sort(ids.begin(), ids.end());
  ASSERT_EQ(static_cast<int64_t>(ids.size()), rows);
  for (int64_t i = 0; i < rows; ++i) ASSERT_EQ(ids[i], i);
}

// 32768 records (the least that is kept) are fewer than these rows: the window moves.
constexpr int64_t kManyRows = 45'000;

LoaderOptions small(int64_t batch_rows) {
  LoaderOptions options;
  options.batch_rows = batch_rows;
  options.seed = 3;
  return options;
}

TEST(Loader, EveryRowOnceInANewOrderEachEpoch) {
  Loader loader([] { return stream_of(5'300); }, specs(), small(512));
  EXPECT_TRUE(loader.shuffle_is_full());
  EXPECT_EQ(loader.rows(), 5'300);
  const auto first = epoch_ids(loader), second = epoch_ids(loader);
  expect_all_once(first, 5'300);
  expect_all_once(second, 5'300);
  EXPECT_NE(first, second);
  EXPECT_FALSE(std::is_sorted(first.begin(), first.end()));
  EXPECT_EQ(loader.epoch(), 2);
}

TEST(Loader, WithoutShuffleTheOrderIsTheSource) {
  for (const int64_t rows : {int64_t{2'000}, kManyRows}) {
    auto options = small(999);
    options.shuffle = false;
    options.memory_bytes_max = 1;
    Loader loader([=] { return stream_of(rows); }, specs(), options);
    for (int epoch = 0; epoch < 2; ++epoch) {
      const auto ids = epoch_ids(loader);
      EXPECT_TRUE(std::is_sorted(ids.begin(), ids.end()));
      expect_all_once(ids, rows);
    }
  }
}

TEST(Loader, AWindowThatMovesGivesEveryRowOnce) {
  auto options = small(1'024);
  options.memory_bytes_max = 1;
  Loader loader([] { return stream_of(kManyRows); }, specs(), options);
  EXPECT_FALSE(loader.shuffle_is_full());
  EXPECT_EQ(loader.rows(), std::nullopt);
  const auto first = epoch_ids(loader), second = epoch_ids(loader);
  expect_all_once(first, kManyRows);
  expect_all_once(second, kManyRows);
  EXPECT_NE(first, second);
}

TEST(Loader, TheSameSeedGivesTheSameBatchesWhateverTheTiming) {
  for (const int64_t memory : {int64_t{1} << 30, int64_t{1}}) {
    auto options = small(4'096);
    options.memory_bytes_max = memory;
    Loader fast([] { return stream_of(kManyRows, 5'000); }, specs(), options);
    options.batches_ahead = 1;
    Loader slow([] { return stream_of(kManyRows, 777); }, specs(), options);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    EXPECT_EQ(epoch_ids(fast), epoch_ids(slow));
    options.seed = 4;
    Loader other([] { return stream_of(kManyRows); }, specs(), options);
    EXPECT_NE(epoch_ids(fast), epoch_ids(other));
  }
}

TEST(Loader, StartsInTheMiddle) {
  for (const int64_t memory : {int64_t{1} << 30, int64_t{1}}) {
    auto options = small(4'096);
    options.memory_bytes_max = memory;
    Loader whole([] { return stream_of(kManyRows); }, specs(), options);
    epoch_ids(whole);
    auto expected = epoch_ids(whole);
    expected.erase(expected.begin(), expected.begin() + 3 * 4'096);
    options.start_epoch = 1;
    options.start_batch = 3;
    Loader resumed([] { return stream_of(kManyRows); }, specs(), options);
    EXPECT_EQ(epoch_ids(resumed), expected);
  }
}

TEST(Loader, ErrorsOfTheSourceReachTheConsumer) {
  Loader loader(
      [] {
        return StreamOf::open([](int64_t index) -> ArrowColumns {
          if (index == 2) throw std::string("the disk is gone");
          return {testing::numbers<int64_t>("id", "l", {1}), testing::texts("word", "u", {"1"}),
                  testing::booleans("label", {true})};
        });
      },
      specs(), small(10));
  EXPECT_THROW(loader.next(), Error);
  EXPECT_THROW(loader.shuffle_is_full(), Error);
}

TEST(Loader, CanBeDestroyedAtAnyTime) {
  for (int taken = 0; taken < 4; ++taken) {
    Loader loader([] { return stream_of(kManyRows, 100); }, specs(), small(100));
    for (int i = 0; i < taken; ++i) loader.next();
  }
}

TEST(Loader, AnEmptySourceIsAnEmptyEpoch) {
  auto options = small(10);
  options.end_epoch = 2;
  Loader loader([] { return stream_of(0); }, specs(), options);
  EXPECT_FALSE(loader.next());
  EXPECT_FALSE(loader.next());
  EXPECT_FALSE(loader.next());
}

}  // namespace
}  // namespace firesteel
