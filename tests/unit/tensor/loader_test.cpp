// Every row once per epoch, the same batches for the same seed, resume, errors, early destruction.
#include "tensor/loader.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <set>
#include <thread>

#include "arrow_fixture.h"
#include "base/error.h"
#include "base/file.h"

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

int64_t epoch_ids_count(Loader& loader) {
  int64_t rows = 0;
  while (const auto batch = loader.next()) rows += batch->rows();
  return rows;
}

void expect_all_once(std::vector<int64_t> ids, int64_t rows) {
  std::sort(ids.begin(), ids.end());
  ASSERT_EQ(static_cast<int64_t>(ids.size()), rows);
  for (int64_t i = 0; i < rows; ++i) ASSERT_EQ(ids[i], i);
}

// 32768 records (the least that is kept) are fewer than these rows: they go to a file.
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

TEST(Loader, RowsThatDoNotFitComeOnceEachEpoch) {
  auto options = small(1'024);
  options.memory_bytes_max = 1;
  Loader loader([] { return stream_of(kManyRows); }, specs(), options);
  EXPECT_FALSE(loader.shuffle_is_full());
  EXPECT_EQ(loader.rows(), kManyRows);
  const auto first = epoch_ids(loader), second = epoch_ids(loader);
  expect_all_once(first, kManyRows);
  expect_all_once(second, kManyRows);
  EXPECT_NE(first, second);
}

/// Packed rows on disk.
struct LoaderFile : ::testing::Test {
  LoaderFile() : folder(std::filesystem::path(::testing::TempDir()) / "firesteel_loader") {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
  }
  ~LoaderFile() override { std::filesystem::remove_all(folder); }
  LoaderOptions options(int64_t memory = int64_t{1} << 30) const {
    auto options = small(1'000);
    options.memory_bytes_max = memory;
    options.records = folder / "rows.records";
    options.records_key = "key";
    options.share_records = true;
    return options;
  }
  std::filesystem::path folder;
};

TEST_F(LoaderFile, IsReadInPlaceOfTheSource) {
  int opened = 0;
  const auto source = [&] {
    ++opened;
    return stream_of(kManyRows);
  };
  std::vector<int64_t> in_memory, ids;
  {
    Loader loader(source, specs(), small(1'000));
    in_memory = epoch_ids(loader);
  }
  for (int run = 0; run < 2; ++run) {
    Loader loader(source, specs(), options());
    EXPECT_TRUE(loader.shuffle_is_full());
    ids = epoch_ids(loader);
    EXPECT_EQ(ids, in_memory);  // The same permutation, wherever the rows are.
  }
  EXPECT_EQ(opened, 2);
  Loader without_source({}, specs(), options());
  EXPECT_EQ(epoch_ids(without_source), in_memory);
  auto other = options();
  other.records_key = "other";
  Loader missing({}, specs(), other);
  EXPECT_THROW(missing.next(), Error);
  Loader again(source, specs(), other);
  EXPECT_EQ(epoch_ids(again), in_memory);
  EXPECT_EQ(opened, 3);
}

TEST_F(LoaderFile, ADamagedBlockIsFound) {
  for (const int64_t memory : {int64_t{1} << 30, int64_t{1}}) {
    {
      Loader(([] { return stream_of(kManyRows); }), specs(), options()).rows();
    }
    const auto path = folder / "rows.records";
    auto bytes = read_file(path);
    bytes[100'000] = static_cast<char>(bytes[100'000] ^ 1);
    write_file_aside(path, bytes);
    Loader loader({}, specs(), options(memory));
    EXPECT_THROW(while (loader.next()){}, Error);
    // One that is cut short is written anew.
    write_file_aside(path, std::string_view(bytes).substr(0, bytes.size() / 2));
    Loader anew([] { return stream_of(kManyRows); }, specs(), options(memory));
    expect_all_once(epoch_ids(anew), kManyRows);
    std::filesystem::remove(path);
  }
}

TEST_F(LoaderFile, NothingIsLeftWhenTheSourceFails) {
  Loader loader(
      [] {
        return StreamOf::open([](int64_t index) -> ArrowColumns {
          if (index == 2) throw std::string("the disk is gone");
          return {testing::numbers<int64_t>("id", "l", {1}), testing::texts("word", "u", {"1"}),
                  testing::booleans("label", {true})};
        });
      },
      specs(), options());
  EXPECT_THROW(loader.next(), Error);
  EXPECT_TRUE(std::filesystem::is_empty(folder));
}

TEST_F(LoaderFile, ProcessesShareEveryBatchWithoutOverlap) {
  for (const int64_t memory : {int64_t{1} << 30, int64_t{1}}) {
    Loader whole([] { return stream_of(kManyRows); }, specs(), options(memory));
    std::vector<std::unique_ptr<Loader>> parts;
    for (int64_t rank = 0; rank < 3; ++rank) {
      auto mine = options(memory);
      mine.rank = rank;
      mine.world = 3;
      parts.push_back(std::make_unique<Loader>([] { return stream_of(kManyRows); }, specs(), mine));
    }
    while (const auto batch = whole.next()) {
      std::vector<torch::Tensor> joined;
      for (const auto& part : parts) joined.push_back(part->next()->numeric);
      EXPECT_TRUE(torch::equal(torch::cat(joined), batch->numeric));
    }
    for (const auto& part : parts) EXPECT_FALSE(part->next());
  }
}

/// Rows [begin, end) of `stream_of`.
ArrowStream rows_between(int64_t begin, int64_t end) {
  return StreamOf::open([=](int64_t index) -> ArrowColumns {
    if (index > 0) return {};
    std::vector<std::optional<int64_t>> ids;
    std::vector<std::optional<std::string>> words;
    std::vector<std::optional<bool>> labels;
    for (int64_t i = begin; i < end; ++i) {
      ids.push_back(i);
      words.push_back(std::to_string(i % 7));
      labels.push_back(i % 2 == 1);
    }
    return {testing::numbers<int64_t>("id", "l", ids), testing::texts("word", "u", words),
            testing::booleans("label", labels)};
  });
}

/// Three processes with rows of their own, of which there are so many.
std::vector<std::unique_ptr<Loader>> parts_of(const std::vector<int64_t>& counts,
                                              LoaderOptions options) {
  std::vector<std::unique_ptr<Loader>> parts;
  options.rows_by_rank = counts;
  options.world = static_cast<int64_t>(counts.size());
  int64_t begin = 0;
  for (options.rank = 0; options.rank < options.world; ++options.rank) {
    const int64_t end = begin + counts[options.rank];
    parts.push_back(
        std::make_unique<Loader>([=] { return rows_between(begin, end); }, specs(), options));
    begin = end;
  }
  return parts;
}

TEST(Loader, ProcessesWithRowsOfTheirOwnMakeTheBatchesOfOne) {
  const std::vector<int64_t> counts = {1700, 1500, 2001};
  Loader whole([] { return rows_between(0, 5201); }, specs(), small(500));
  const auto parts = parts_of(counts, small(500));
  for (int epoch = 0; epoch < 2; ++epoch) {
    while (const auto batch = whole.next()) {
      std::vector<int64_t> wanted, ids;
      for (int64_t i = 0; i < batch->rows(); ++i)
        wanted.push_back(static_cast<int64_t>(batch->numeric[i][0].item<float>()));
      for (const auto& part : parts) {
        const auto mine = part->next();
        EXPECT_EQ(mine->total_rows, batch->rows());
        EXPECT_EQ(part->rows(), 5201);
        for (int64_t i = 0; i < mine->rows(); ++i)
          ids.push_back(static_cast<int64_t>(mine->numeric[i][0].item<float>()));
      }
      std::sort(ids.begin(), ids.end());
      std::sort(wanted.begin(), wanted.end());
      ASSERT_EQ(ids, wanted);
    }
    for (const auto& part : parts) EXPECT_FALSE(part->next());
  }
}

TEST(Loader, ProcessesWithRowsOfTheirOwnShareSmallBatchesEvenly) {
  // 30 rows are too few to be sure of some of each process in every batch of a common order.
  const auto parts = parts_of({1700, 1500, 1801}, small(30));
  std::vector<int64_t> ids;
  for (int64_t batches = 0;; ++batches) {
    int64_t rows = 0, total = 0;
    for (const auto& part : parts) {
      const auto mine = part->next();
      if (!mine) continue;
      EXPECT_GE(mine->rows(), 8);
      rows += mine->rows();
      total = mine->total_rows;
      for (int64_t i = 0; i < mine->rows(); ++i)
        ids.push_back(static_cast<int64_t>(mine->numeric[i][0].item<float>()));
    }
    EXPECT_EQ(rows, total);
    if (rows > 0) continue;
    EXPECT_EQ(batches, 5001 / 30);
    break;
  }
  expect_all_once(ids, 5001);
  // One row more than ten batches goes into the tenth.
  const auto ends = parts_of({2500, 2501}, small(500));
  for (int i = 0; i < 10; ++i) {
    const auto rows = ends[0]->next()->rows() + ends[1]->next()->rows();
    EXPECT_EQ(rows, i < 9 ? 500 : 501);
  }
  EXPECT_FALSE(ends[0]->next() || ends[1]->next());
  const auto few = parts_of({5000, 1}, small(500));
  EXPECT_THROW(few[0]->next(), Error);
}

TEST_F(LoaderFile, AWindowedShuffleMixesSortedRows) {
  // 400,000 rows in order of their ids, of which 1/12 fit: how far from uniform are the batches?
  constexpr int64_t kRows = 400'000;
  Loader loader([] { return stream_of(kRows, 10'000); }, specs(), options(1));
  ASSERT_FALSE(loader.shuffle_is_full());
  double sum = 0, squares = 0, count = 0, place = 0, place_products = 0;
  while (const auto batch = loader.next()) {
    const auto ids = batch->numeric.select(1, 0).to(torch::kFloat64) / kRows;
    const double mean = ids.mean().item<double>();
    sum += mean;
    squares += mean * mean;
    place_products += mean * count;
    place += count;
    ++count;
  }
  const double mean = sum / count, variance = squares / count - mean * mean;
  EXPECT_NEAR(mean, 0.5, 0.001);
  // Uniform rows would give batches of 1000 a deviation of sqrt(1/12/1000) = 0.0091; windows of 33
  // blocks add that of the windows' means.
  EXPECT_LT(std::sqrt(variance), 0.06);
  const double covariance = place_products / count - place / count * mean;
  EXPECT_LT(std::abs(covariance / (std::sqrt(variance) * count / std::sqrt(12.0))), 0.5);
}

/// 1,000 rows; row i has i % 10 words.
ArrowStream stream_of_words() {
  return StreamOf::open([](int64_t index) -> ArrowColumns {
    if (index > 0) return {};
    std::vector<std::optional<int64_t>> ids;
    std::vector<std::optional<int64_t>> lengths;
    std::vector<std::optional<std::string>> words;
    std::vector<std::optional<bool>> labels;
    for (int64_t i = 0; i < 1'000; ++i) {
      ids.push_back(i);
      lengths.push_back(i % 10);
      words.insert(words.end(), i % 10, "a");
      labels.push_back(i % 2 == 0);
    }
    return {testing::numbers<int64_t>("id", "l", ids),
            testing::lists("words", "+l", lengths, testing::texts("element", "u", words)),
            testing::booleans("label", labels)};
  });
}

std::vector<EncoderSpec> specs_of_words() {
  return {{.column = "id"},
          {.column = "words", .kind = EncoderKind::kWordSequence, .vocabulary = {"a"}, .length = 9},
          {.column = "label", .kind = EncoderKind::kLabel}};
}

TEST(Loader, BatchesByLengthHoldEveryRowOnce) {
  auto options = small(30);  // 33 batches and a row less than half of one
  options.by_length = true;
  options.end_epoch = 2;
  Loader loader(stream_of_words, specs_of_words(), options);
  std::vector<int64_t> orders[2], firsts;
  for (auto& ids : orders) {
    double padding = 0;
    std::vector<int64_t> longest;
    while (const auto batch = loader.next()) {
      const auto& words = batch->sequences[0];
      padding += static_cast<double>(words.values.numel() - words.lengths.sum().item<int64_t>());
      longest.push_back(words.values.size(1));
      for (int64_t i = 0; i < batch->rows(); ++i)
        ids.push_back(static_cast<int64_t>(batch->numeric[i][0].item<float>()));
      firsts.push_back(ids[ids.size() - static_cast<size_t>(batch->rows())]);
    }
    EXPECT_LT(padding, 250);  // of 4,500 words; 4,400 in a random order
    EXPECT_FALSE(std::is_sorted(longest.begin(), longest.end()));
    expect_all_once(ids, 1'000);
  }
  EXPECT_NE(orders[0], orders[1]);
  options.start_epoch = 1;
  options.start_batch = 5;
  Loader resumed(stream_of_words, specs_of_words(), options);
  EXPECT_EQ(static_cast<int64_t>(resumed.next()->numeric[0][0].item<float>()), firsts[34 + 5]);
}

TEST(Loader, BatchesOfSoManyElements) {
  auto options = small(100);
  options.batch_elements = 90;
  options.end_epoch = 1;
  Loader loader(stream_of_words, specs_of_words(), options);
  EXPECT_EQ(loader.batches(), 50);  // of 4,500 elements
  std::vector<int64_t> first_ids;
  int64_t rows = 0;
  while (const auto batch = loader.next()) {
    const auto elements = batch->sequences[0].lengths.sum().item<int64_t>();
    EXPECT_LE(elements, 90);
    EXPECT_LE(batch->sequences[0].values.size(1), 9);
    const auto packed = batch->sequences[0].packed();
    EXPECT_EQ(packed.numel(), elements);
    EXPECT_TRUE((packed == kFirstWordId).all().item<bool>());
    rows += batch->rows();
    first_ids.push_back(static_cast<int64_t>(batch->numeric[0][0].item<float>()));
  }
  EXPECT_EQ(rows, 1'000);
  EXPECT_LT(static_cast<int64_t>(first_ids.size()), 60);
  options.start_batch = 7;
  Loader resumed(stream_of_words, specs_of_words(), options);
  EXPECT_EQ(static_cast<int64_t>(resumed.next()->numeric[0][0].item<float>()), first_ids[7]);
  Loader without([] { return stream_of(10); }, specs(), options);
  EXPECT_THROW(without.next(), Error);
}

TEST(Loader, LongRecordsKeepWithinTheMemoryToo) {
  // 3,000 rows with room for 1,000 numbers each are 12 MB, of which 4 may be used.
  const auto source = [] {
    return StreamOf::open([](int64_t index) -> ArrowColumns {
      if (index == 3) return {};
      const std::vector<std::optional<int64_t>> lengths(1'000, 1);
      return {testing::lists("x", "+l", lengths,
                             testing::numbers<double>(
                                 "element", "g", std::vector<std::optional<double>>(1'000, 1))),
              testing::booleans("label", std::vector<std::optional<bool>>(1'000, true))};
    });
  };
  auto options = small(64);
  options.memory_bytes_max = 4 << 20;
  Loader loader(source,
                {{.column = "x", .kind = EncoderKind::kNumberSequence, .length = 1'000},
                 {.column = "label", .kind = EncoderKind::kLabel}},
                options);
  EXPECT_FALSE(loader.shuffle_is_full());
  EXPECT_EQ(epoch_ids_count(loader), 3'000);
}

TEST(Loader, ARankingsGroupsStayTogether) {
  // 900 rows of groups of 7, far apart in the source.
  const auto source = [] {
    return StreamOf::open([](int64_t index) -> ArrowColumns {
      if (index > 0) return {};
      std::vector<std::optional<int64_t>> ids, groups;
      std::vector<std::optional<double>> labels;
      for (int64_t i = 0; i < 900; ++i) {
        ids.push_back(i);
        groups.push_back(i % 129);
        labels.push_back(i % 3);
      }
      return {testing::numbers<int64_t>("id", "l", ids),
              testing::numbers<int64_t>("group", "l", groups),
              testing::numbers<double>("label", "g", labels)};
    });
  };
  const std::vector<EncoderSpec> columns = {
      {.column = "id"},
      {.column = "label", .kind = EncoderKind::kLabel, .task = Task::kRanking},
      {.column = "group", .kind = EncoderKind::kGroup}};
  auto options = small(50);
  Loader loader(source, columns, options);
  std::vector<std::vector<int64_t>> batches;
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::set<int64_t> ids, closed;
    while (const auto batch = loader.next()) {
      EXPECT_LE(batch->rows(), 50);
      std::set<int64_t> here;
      batches.emplace_back();
      for (int64_t i = 0; i < batch->rows(); ++i) {
        const auto id = static_cast<int64_t>(batch->numeric[i][0].item<float>());
        ids.insert(id);
        here.insert(id % 129);
        batches.back().push_back(id);
      }
      for (const int64_t group : here) EXPECT_TRUE(closed.insert(group).second) << group;
    }
    EXPECT_EQ(ids.size(), 900u);
  }
  options.start_batch = 3;
  options.end_epoch = 1;
  Loader resumed(source, columns, options);
  for (size_t at = 3; const auto batch = resumed.next(); ++at) {
    EXPECT_EQ(static_cast<int64_t>(batch->numeric[0][0].item<float>()), batches[at][0]);
  }
  options.world = 2;
  Loader parted(source, columns, options);
  EXPECT_THROW(parted.next(), Error);
}

TEST(Loader, DrawsByWeightAndByClass) {
  // Ids 0…999; the weight is 3 for ids below 100, else 1; one label in ten is true.
  const auto source = [] {
    return StreamOf::open([](int64_t index) -> ArrowColumns {
      if (index > 0) return {};
      std::vector<std::optional<int64_t>> ids;
      std::vector<std::optional<double>> weights;
      std::vector<std::optional<bool>> labels;
      for (int64_t i = 0; i < 1'000; ++i) {
        ids.push_back(i);
        weights.push_back(i < 100 ? 3 : 1);
        labels.push_back(i % 10 == 0);
      }
      return {testing::numbers<int64_t>("id", "l", ids),
              testing::numbers<double>("weight", "g", weights), testing::booleans("label", labels)};
    });
  };
  const std::vector<EncoderSpec> columns = {{.column = "id"},
                                            {.column = "label", .kind = EncoderKind::kLabel},
                                            {.column = "weight", .kind = EncoderKind::kWeight}};
  for (const auto sampling : {Sampling::kWeighted, Sampling::kBalanced}) {
    auto options = small(1'000);
    options.sampling = sampling;
    Loader loader(source, columns, options);
    double below = 0, positive = 0, drawn = 0;
    for (int epoch = 0; epoch < 20; ++epoch) {
      while (const auto batch = loader.next()) {
        EXPECT_EQ(batch->weight.defined(), sampling == Sampling::kBalanced);
        below += (batch->numeric < 100).sum().item<double>();
        positive += batch->label.sum().item<double>();
        drawn += static_cast<double>(batch->rows());
      }
    }
    EXPECT_EQ(drawn, 20'000);
    EXPECT_NEAR(below / drawn, sampling == Sampling::kWeighted ? 0.25 : 0.1, 0.015);
    EXPECT_NEAR(positive / drawn, sampling == Sampling::kWeighted ? 0.1 : 0.5, 0.015);
  }
  auto options = small(100);
  options.sampling = Sampling::kWeighted;
  Loader loader([] { return stream_of(10); }, specs(), options);
  EXPECT_THROW(loader.next(), Error);
}

/// Bytes of this process in memory.
int64_t resident_bytes() {
  const std::string text = read_file("/proc/self/statm");
  return std::stoll(text.substr(text.find(' '))) * 4096;
}

TEST_F(LoaderFile, MemoryStaysFlatOverManyEpochs) {
  Loader loader([] { return stream_of(2'000'000, 50'000); }, specs(), options(1));
  epoch_ids_count(loader);
  const int64_t before = resident_bytes();
  for (int epoch = 0; epoch < 10; ++epoch) EXPECT_EQ(epoch_ids_count(loader), 2'000'000);
  EXPECT_LT(resident_bytes() - before, int64_t{8} << 20);
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
