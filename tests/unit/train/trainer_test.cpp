// Learning, early stopping, bit-exact resume after a stop and after a kill, damaged checkpoints.
#include "train/trainer.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <torch/torch.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>

#include "../tensor/arrow_fixture.h"
#include "base/error.h"
#include "base/file.h"
#include "base/quantity.h"
#include "nn/mlp.h"
#include "train/checkpoint.h"
#include "train/progress.h"

namespace firesteel {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kRows = 2'000;

/// The label depends on x and on the word.
ArrowStream rows_of(int64_t) {
  return testing::StreamOf::open([](int64_t index) -> testing::ArrowColumns {
    if (index > 0) return {};
    std::vector<std::optional<double>> x;
    std::vector<std::optional<std::string>> words;
    std::vector<std::optional<bool>> labels;
    for (int64_t i = 0; i < kRows; ++i) {
      x.push_back(std::sin(static_cast<double>(i) * 1.7));
      words.push_back(std::to_string(i % 3));
      labels.push_back(*x.back() + (i % 3 == 0 ? 1 : -1) * 0.5 > 0);
    }
    return {testing::numbers<double>("x", "g", x), testing::texts("word", "u", words),
            testing::booleans("label", labels)};
  });
}

OpenLoader open_rows(bool shuffle = true) {
  return [shuffle](LoaderStart start) {
    EncoderSpec word{.column = "word", .kind = EncoderKind::kCategorical};
    word.vocabulary = {"0", "1", "2"};
    LoaderOptions options;
    options.batch_rows = 256;
    options.seed = 11;
    options.shuffle = shuffle;
    options.start_epoch = start.epoch;
    options.start_batch = start.batch;
    return std::make_unique<Loader>(
        [] { return rows_of(0); },
        std::vector<EncoderSpec>{
            {.column = "x"}, word, {.column = "label", .kind = EncoderKind::kLabel}},
        options);
  };
}

Trainable new_model(double dropout = 0.1) {
  torch::manual_seed(1);
  nn::TabularNetOptions options;
  options.numeric = 1;
  options.cardinalities = {5};
  options.hidden = {16};
  options.dropout = dropout;
  nn::Mlp mlp(options);
  return {mlp.ptr(),
          [mlp](const Batch& batch) mutable { return mlp(batch.numeric, batch.categorical); }};
}

TrainerOptions some_options() {
  TrainerOptions options;
  options.epochs = 6;
  options.learning_rate = 0.02;
  options.schedule.kind = Schedule::kCosine;
  options.seed = 5;
  options.device = "cpu";
  return options;
}

/// A folder of its own, removed at the end.
struct Folder {
  Folder() : path(fs::temp_directory_path() / ("firesteel-train-" + std::to_string(getpid()))) {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  fs::path path;
};

void expect_same(const TrainResult& a, const TrainResult& b, const Trainable& first,
                 const Trainable& second) {
  ASSERT_EQ(a.history.size(), b.history.size());
  for (size_t i = 0; i < a.history.size(); ++i) {
    EXPECT_EQ(a.history[i].loss, b.history[i].loss) << "epoch " << i;
    EXPECT_EQ(a.history[i].validation, b.history[i].validation) << "epoch " << i;
  }
  const auto left = weights_of(*first.module), right = weights_of(*second.module);
  for (const auto& [name, tensor] : left) EXPECT_TRUE(torch::equal(tensor, right.at(name))) << name;
}

TEST(Trainer, PausesKeepsTheBestAndEndsWhenAsked) {
  const Folder folder;
  auto options = some_options();
  options.checkpoints = folder.path / "whole";
  options.best_kept = 2;
  const auto whole = new_model();
  const auto expected = train(whole, open_rows(), open_rows(false), options);
  std::vector<std::pair<double, std::string>> ranked;
  for (const auto& epoch : expected.history) {
    ranked.emplace_back(epoch.validation, "best-00000" + std::to_string(epoch.epoch + 1));
  }
  std::sort(ranked.begin(), ranked.end());
  std::set<std::string> kept;
  for (const auto& entry : fs::directory_iterator(options.checkpoints)) {
    if (entry.path().extension() == ".safetensors") kept.insert(entry.path().stem());
  }
  EXPECT_EQ(kept, (std::set<std::string>{ranked[0].second, ranked[1].second}));

  options.checkpoints = folder.path / "paused";
  options.resume = true;
  TrainResult result;
  const auto paused = new_model();
  for (const int64_t until : {2, 3, 6}) {
    options.pause_after = until;
    result = train(paused, open_rows(), open_rows(false), options);
    EXPECT_EQ(result.paused, until < 6);
    EXPECT_EQ(static_cast<int64_t>(result.history.size()), until);
  }
  expect_same(result, expected, paused, whole);

  auto ended = some_options();
  ended.after_epoch = [](const EpochRecord& record) { return record.epoch < 1; };
  const auto short_run = train(new_model(), open_rows(), {}, ended);
  EXPECT_EQ(short_run.history.size(), 2u);
  EXPECT_TRUE(short_run.stopped_early);
  options.checkpoints.clear();
  EXPECT_THROW(train(new_model(), open_rows(), {}, options), Error);
}

TEST(Trainer, NamesTheFirstModuleWhoseNumbersAreNotFinite) {
  const auto model = new_model(0);
  {
    torch::NoGradGuard no_grad;
    for (auto& row : model.module->named_parameters()) {
      if (row.key() == "layers.2.weight") row.value().fill_(3e38);
    }
  }
  try {
    train(model, open_rows(), {}, some_options());
    ADD_FAILURE() << "it trained";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("in aten::addmm of `layers.2`"), std::string::npos)
        << error.message();
  }
}

TEST(Trainer, Learns) {
  const auto model = new_model();
  std::vector<std::string> lines;
  const auto result =
      train(model, open_rows(), open_rows(false), some_options(), [&](const TrainProgress& now) {
        if (now.finished) lines.push_back(epoch_line(now));
      });
  EXPECT_EQ(lines.size(), 6u);
  EXPECT_NE(lines[0].find("epoch 1/6  loss "), std::string::npos) << lines[0];
  EXPECT_LT(result.history.back().loss, result.history.front().loss / 2);
  auto loader = open_rows(false)({});
  EXPECT_GT(metrics_of(predict(model, *loader, Task::kBinary)).at("auc"), 0.97);
}

TEST(Trainer, ResumedAfterAStopIsBitEqual) {
  const Folder folder;
  const auto whole = new_model();
  const auto expected = train(whole, open_rows(), open_rows(false), some_options());

  auto options = some_options();
  options.checkpoints = folder.path / "run";
  std::atomic<bool> interrupt{false};
  options.interrupt = &interrupt;
  const auto stopped = new_model();
  try {
    train(stopped, open_rows(), open_rows(false), options, [&](const TrainProgress& now) {
      if (now.finished && now.epoch == 2) interrupt = true;
    });
    FAIL() << "not stopped";
  } catch (const Error& error) {
    EXPECT_EQ(error.condition(), "OPERATION_CANCELED");
    EXPECT_NE(error.message().find("Resume to continue from there"), std::string::npos)
        << error.what();
  }
  interrupt = false;
  options.resume = true;
  const auto resumed = new_model();
  const auto result = train(resumed, open_rows(), open_rows(false), options);
  EXPECT_EQ(result.resumed_from, 3);
  EXPECT_EQ(result.resumed_batch, 1);
  expect_same(expected, result, whole, resumed);

  options.learning_rate = 0.5;
  EXPECT_THROW(train(new_model(), open_rows(), open_rows(false), options), Error);
}

// The child sleeps in its fourth epoch until it is killed. It runs this program anew, since a fork
// of a process with threads could not train.
TEST(Trainer, DISABLED_Child) {
  auto options = some_options();
  options.checkpoints = std::getenv("FIRESTEEL_TEST_CHECKPOINTS");
  train(new_model(), open_rows(), open_rows(false), options, [&](const TrainProgress& now) {
    if (now.finished && now.epoch == 3) {
      std::ofstream(options.checkpoints / "ready").put('1');
      while (true) sleep(1);
    }
  });
}

TEST(Trainer, ResumedAfterAKillIsBitEqual) {
  const Folder folder;
  const auto whole = new_model();
  const auto expected = train(whole, open_rows(), open_rows(false), some_options());
  const std::string self = fs::read_symlink("/proc/self/exe");
  const pid_t child = fork();
  if (child == 0) {
    setenv("FIRESTEEL_TEST_CHECKPOINTS", (folder.path / "run").c_str(), 1);
    execl(self.c_str(), self.c_str(), "--gtest_also_run_disabled_tests",
          "--gtest_filter=Trainer.DISABLED_Child", nullptr);
    _exit(1);
  }
  for (int i = 0; i < 600 && !fs::exists(folder.path / "run" / "ready"); ++i) usleep(100'000);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);

  auto options = some_options();
  options.checkpoints = folder.path / "run";
  options.resume = true;
  const auto resumed = new_model();
  const auto result = train(resumed, open_rows(), open_rows(false), options);
  EXPECT_EQ(result.resumed_from, 3);
  expect_same(expected, result, whole, resumed);
}

// Stops after each of these batches in turn, until none is left: one run in many pieces.
TEST(Trainer, ResumedInTheMiddleOfEpochsIsBitEqual) {
  auto options = some_options();
  options.accumulate = 3;
  options.average = 0.9;
  options.epochs = 3;
  const auto whole = new_model();
  const auto expected = train(whole, open_rows(), open_rows(false), options);

  const Folder folder;
  options.checkpoints = folder.path / "run";
  options.resume = true;
  std::atomic<bool> interrupt{true};  // after its first step each piece is stopped
  options.interrupt = &interrupt;
  int pieces = 0;
  std::optional<TrainResult> result;
  Trainable model = new_model();
  while (!result && pieces < 20) {
    model = new_model();
    try {
      result = train(model, open_rows(), open_rows(false), options);
    } catch (const Error& error) {
      ASSERT_EQ(error.condition(), "OPERATION_CANCELED");
      ++pieces;
    }
  }
  EXPECT_EQ(pieces, 6);  // two whole steps of three batches per epoch; the last two batches are
                         // stepped at its end
  ASSERT_TRUE(result);
  expect_same(expected, *result, whole, model);
}

TEST(Trainer, AccumulatedBatchesAreOneBatch) {
  const auto with = [](int64_t batch_rows, int64_t accumulate, Trainable model) {
    auto options = some_options();
    options.epochs = 2;
    options.accumulate = accumulate;
    const OpenLoader open = [batch_rows](LoaderStart start) {
      EncoderSpec word{.column = "word", .kind = EncoderKind::kCategorical};
      word.vocabulary = {"0", "1", "2"};
      LoaderOptions loader{.batch_rows = batch_rows, .seed = 11};
      loader.start_epoch = start.epoch;
      return std::make_unique<Loader>(
          [] { return rows_of(0); },
          std::vector<EncoderSpec>{
              {.column = "x"}, word, {.column = "label", .kind = EncoderKind::kLabel}},
          loader);
    };
    train(model, open, {}, options);
    return model;
  };
  const auto large = with(512, 1, new_model(0)), small = with(128, 4, new_model(0));
  const auto left = weights_of(*large.module), right = weights_of(*small.module);
  for (const auto& [name, tensor] : left) {
    EXPECT_TRUE(torch::allclose(tensor, right.at(name), 1e-4, 1e-5)) << name;
  }
}

TEST(Trainer, LowerPrecisionLearnsTheSame) {
  for (const auto precision : {Precision::kBFloat16, Precision::kFloat16}) {
    auto options = some_options();
    options.precision = precision;
    const auto model = new_model();
    const auto result = train(model, open_rows(), open_rows(false), options);
    EXPECT_GT(metrics_of(predict(model, *open_rows(false)({}), Task::kBinary)).at("auc"), 0.97)
        << precision_name(precision);
    for (const auto& [name, tensor] : weights_of(*model.module)) {
      EXPECT_EQ(tensor.scalar_type(), torch::kFloat32) << name;
    }
  }
}

TEST(Trainer, FrozenParametersStayAndGroupsHaveTheirOwnRate) {
  auto options = some_options();
  options.optimizer.groups = {
      {.prefix = "embeddings.", .weight_decay = {}, .frozen = true},
      {.prefix = "layers.0.", .learning_rate_factor = 0, .weight_decay = {}}};
  const auto model = new_model();
  const auto before = weights_of(*new_model().module);
  train(model, open_rows(), {}, options);
  for (const auto& [name, tensor] : weights_of(*model.module)) {
    EXPECT_EQ(torch::equal(tensor, before.at(name)),
              name.starts_with("embeddings.") || name.starts_with("layers.0."))
        << name;
  }
  options.optimizer.groups = {{.prefix = "embedings", .weight_decay = {}}};
  EXPECT_THROW(train(new_model(), open_rows(), {}, options), Error);
  options.optimizer.groups = {{.prefix = "", .weight_decay = {}, .frozen = true}};
  EXPECT_THROW(train(new_model(), open_rows(), {}, options), Error);
}

TEST(Trainer, NamesWhatIsNotANumber) {
  const auto refused = [](Trainable model, TrainerOptions options) {
    try {
      train(model, open_rows(), {}, options);
    } catch (const Error& error) {
      return error.message();
    }
    return std::string("not refused");
  };
  const auto broken = new_model();
  {
    torch::NoGradGuard no_grad;
    broken.module->named_parameters()["layers.0.bias"].fill_(std::nan(""));
  }
  EXPECT_NE(refused(broken, some_options()).find("`layers.0.bias`"), std::string::npos);
}

TEST(Trainer, ADamagedCheckpointIsPassedOver) {
  const Folder folder;
  auto options = some_options();
  options.checkpoints = folder.path;
  const auto whole = new_model();
  const auto expected = train(whole, open_rows(), open_rows(false), options);
  const auto damage = [&](const std::string& name) {
    std::string bytes = read_file(folder.path / name);
    bytes[bytes.size() / 2] ^= 1;
    std::ofstream(folder.path / name, std::ios::binary) << bytes;
  };
  EXPECT_FALSE(fs::exists(folder.path / "checkpoint-000004-000000000.ckpt"));
  damage("checkpoint-000006-000000000.ckpt");
  options.resume = true;
  const auto resumed = new_model();
  const auto result = train(resumed, open_rows(), open_rows(false), options);
  EXPECT_EQ(result.resumed_from, 5);
  expect_same(expected, result, whole, resumed);

  damage("checkpoint-000005-000000000.ckpt");
  fs::resize_file(folder.path / "checkpoint-000006-000000000.ckpt", 10);
  try {
    train(new_model(), open_rows(), open_rows(false), options);
    FAIL() << "not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.condition(), "CHECKPOINT_DAMAGED");
  }
}

TEST(Trainer, StopsEarlyWithTheBestWeights) {
  auto options = some_options();
  options.epochs = 60;
  options.patience = 2;
  options.learning_rate = 0.3;
  options.schedule.kind = Schedule::kConstant;
  const auto model = new_model();
  const auto result = train(model, open_rows(), open_rows(false), options);
  EXPECT_TRUE(result.stopped_early);
  EXPECT_EQ(result.best_epoch + 3, static_cast<int64_t>(result.history.size()));
  auto loader = open_rows(false)({});
  EXPECT_EQ(metrics_of(predict(model, *loader, Task::kBinary)).at("log_loss"),
            result.history[result.best_epoch].validation);
}

TEST(Trainer, RefusesWhatCannotBe) {
  auto options = some_options();
  options.metric = "rmse";
  EXPECT_THROW(train(new_model(), open_rows(), {}, options), Error);
  options = some_options();
  options.epochs = 0;
  EXPECT_THROW(train(new_model(), open_rows(), {}, options), Error);
  options = some_options();
  options.device = "tpu";
  EXPECT_THROW(train(new_model(), open_rows(), {}, options), Error);
  options = some_options();
  options.learning_rate = 1e30;
  EXPECT_THROW(train(new_model(), open_rows(), {}, options), Error);
}

TEST(Progress, TextsAreShort) {
  EXPECT_EQ(duration_text(52.4), "52 s");
  EXPECT_EQ(duration_text(200), "3 min 20 s");
  EXPECT_EQ(duration_text(7500), "2 h 05 min");
  EXPECT_EQ(count_text(12'345), "12.3k");
}

}  // namespace
}  // namespace firesteel
