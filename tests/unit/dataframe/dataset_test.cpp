// Datasets: rows of structs there and back, functions as tasks, and answers that are the same
// however rows are dealt.
#include "dataframe/dataset.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "base/error.h"
#include "engine/engine.h"

namespace firesteel {
namespace {

struct Number {
  int64_t id;
};
FIRESTEEL_ROW(Number, id)

struct Word {
  std::string word;
  int64_t count;
  bool operator==(const Word&) const = default;
  auto operator<=>(const Word&) const = default;
};
FIRESTEEL_ROW(Word, word, count)

struct Point {
  double x;
  std::optional<float> y;
  bool operator==(const Point&) const = default;
};
FIRESTEEL_ROW(Point, x, y)

struct Everything {
  bool flag;
  int8_t tiny;
  int16_t small;
  int32_t medium;
  int64_t large;
  float real;
  double exact;
  std::string text;
  std::vector<std::byte> bytes;
  std::chrono::sys_time<std::chrono::microseconds> moment;
  std::optional<int32_t> maybe;
  std::optional<bool> maybe_flag;
  std::optional<std::string> maybe_text;
  std::vector<int64_t> numbers;
  std::vector<std::optional<std::string>> texts;
  std::optional<std::vector<std::vector<bool>>> flags;
  Point point;
  std::vector<Point> points;
  std::optional<Point> maybe_point;
  bool operator==(const Everything&) const = default;
};
FIRESTEEL_ROW(Everything, flag, tiny, small, medium, large, real, exact, text, bytes, moment, maybe,
              maybe_flag, maybe_text, numbers, texts, flags, point, points, maybe_point)

struct Keyed {
  std::optional<std::string> key;
  int64_t value;
};
FIRESTEEL_ROW(Keyed, key, value)

struct Total {
  int64_t rows = 0, sum = 0;
};
FIRESTEEL_ROW(Total, rows, sum)

constexpr auto add_counts = [](const Word& a, const Word& b) {
  return Word{a.word, a.count + b.count};
};

struct DatasetTest : ::testing::Test {
  Session spark{make_embedded_executor({.memory_limit = "1GB", .threads = 2})};

  void with_threads(int threads) {
    spark = Session(make_embedded_executor({.memory_limit = "1GB", .threads = threads}));
  }
  Dataset<Number> numbers(int64_t end) const { return Dataset<Number>::of(spark.range(0, end)); }
  template <typename T>
  static std::vector<T> in_order(const Dataset<T>& rows) {
    auto out = rows.collect();
    std::ranges::sort(out);
    return out;
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

TEST_F(DatasetTest, StructsThereAndBack) {
  const Everything full{.flag = true,
                        .tiny = -8,
                        .small = 16,
                        .medium = -32,
                        .large = int64_t{1} << 40,
                        .real = 0.5F,
                        .exact = 0.1,
                        .text = "a\xC3\xA4",
                        .bytes = {std::byte{0}, std::byte{255}},
                        .moment = std::chrono::sys_time<std::chrono::microseconds>(
                            std::chrono::microseconds(1714979289001000)),
                        .maybe = 7,
                        .maybe_flag = false,
                        .maybe_text = "",
                        .numbers = {1, 2, 3},
                        .texts = {"x", std::nullopt},
                        .flags = {{{true, false}, {}}},
                        .point = {1.5, 2.5F},
                        .points = {{1, std::nullopt}, {2, 3.F}},
                        .maybe_point = Point{4, std::nullopt}};
  std::vector<Everything> rows{full, {}, full, {}};
  rows[3].texts.assign(1000, "y");
  const auto given = Dataset<Everything>::of(spark, rows);
  EXPECT_EQ(given.collect(), rows);
  EXPECT_EQ(given.filter<[](const Everything& row) { return row.flag; }>().collect(),
            (std::vector<Everything>{full, full}));
  EXPECT_EQ(given.repartition(1).map<[](const Everything& row) { return row; }>().collect(), rows);
  EXPECT_EQ(schema_ddl(given.map<[](const Everything& row) { return row.point; }>().df().schema()),
            "x DOUBLE NOT NULL,y FLOAT");
  EXPECT_EQ(
      given.df()
          .selectExpr({"to_json(struct(text, maybe, texts, flags, points, moment))"})
          .first()
          ->at(0)
          .text,
      "{\"text\":\"a\xC3\xA4\",\"maybe\":7,\"texts\":[\"x\",null],\"flags\":[[true,false],[]],"
      "\"points\":[{\"x\":1.0},{\"x\":2.0,\"y\":3.0}],\"moment\":\"2024-05-06T07:08:09.001Z\"}");
}

TEST_F(DatasetTest, ColumnsByName) {
  const auto df = spark.sql("SELECT 2L AS count, true AS other, 'a' AS word");
  EXPECT_EQ(Dataset<Word>::of(df).collect(), (std::vector<Word>{{"a", 2}}));
  EXPECT_TRUE(
      has(error_of([&] { Dataset<Word>::of(spark.sql("SELECT 1L AS count, 'a' AS words")); }),
          "[UNRESOLVED_COLUMN.WITH_SUGGESTION] The rows have no column `word`, which their "
          "struct asks for. Is it `words`? They have count, words."));
  EXPECT_TRUE(
      has(error_of([&] { Dataset<Word>::of(spark.sql("SELECT 1 AS count, 'a' AS word")); }),
          "[DATATYPE_MISMATCH] The column `count` is INT, and its struct asks for BIGINT."));
  const auto nulls = Dataset<Word>::of(
      spark.sql("SELECT 'a' AS word, nullif(id, 100000) AS count FROM range(200000)"));
  const auto text = error_of([&] { nulls.collect(); });
  EXPECT_TRUE(text.starts_with(
      "[NULL_IN_ROW] Row 100001 of its partition has a NULL in the column `count`"))
      << text;
  EXPECT_TRUE(has(error_of([&] { nulls.filter<[](const Word&) { return true; }>().count(); }),
                  "has a NULL in the column `count`"));
}

TEST_F(DatasetTest, AnswersAreTheSameHoweverRowsAreDealt) {
  for (const int threads : {1, 2, 4}) {
    with_threads(threads);
    const auto words = numbers(1000000).flat_map<[](const Number& number, Emit<Word>& out) {
      if (number.id % 2) return;
      out({"w" + std::to_string(number.id % 1000), 1});
      out({"k" + std::to_string(number.id), number.id});
    }>();
    const auto counts = words.reduce_by_key<&Word::word, add_counts>();
    EXPECT_EQ(counts.count(), 500500);
    const auto most = counts
                          .filter<[](const Word& word) {
                            return word.word.starts_with('w') || word.count == 999998;
                          }>()
                          .sort<&Word::word>(false);
    EXPECT_EQ(most.take(2), (std::vector<Word>{{"w998", 1000}, {"w996", 1000}}));
    EXPECT_EQ(most.count(), 501);
    const auto total = words.aggregate<Total,
                                       [](Total& total, const Word& word) {
                                         ++total.rows;
                                         total.sum += word.count;
                                       },
                                       [](Total& total, const Total& other) {
                                         total.rows += other.rows;
                                         total.sum += other.sum;
                                       }>();
    EXPECT_EQ(total.rows, 1000000);
    EXPECT_EQ(total.sum, 500000 + 249999500000);
  }
}

TEST_F(DatasetTest, KeysMayBeNull) {
  const auto rows =
      Dataset<Keyed>::of(spark.sql("SELECT CASE id % 3 WHEN 0 THEN 'a' WHEN 1 THEN '' END AS key, "
                                   "id AS value FROM range(30000)"));
  const auto sums = rows.reduce_by_key<&Keyed::key,
                                       [](const Keyed& a, const Keyed& b) {
                                         return Keyed{a.key, a.value + b.value};
                                       }>(5)
                        .sort<&Keyed::key>()
                        .collect();
  ASSERT_EQ(sums.size(), 3U);
  EXPECT_EQ(sums[0].key, std::nullopt);
  EXPECT_EQ(sums[0].value, 150005000);
  EXPECT_EQ(sums[1].key, "");
  EXPECT_EQ(sums[2].value, 149985000);
}

TEST_F(DatasetTest, GroupsAreReadAsTheyCome) {
  const auto words = numbers(100000).map<[](const Number& number) {
    return Word{std::to_string(number.id % 7), number.id};
  }>();
  // The first row alone of each group is read; the argument goes along.
  const auto groups =
      words.group_by_key<&Word::word, [](const std::string& key, Rows<Word>& rows, Emit<Word>& out,
                                         const std::string& argument) {
        Word row;
        if (rows.next(row)) out({argument + key, row.count % 7});
      }>("k", 3);
  EXPECT_EQ(in_order(groups),
            (std::vector<Word>{
                {"k0", 0}, {"k1", 1}, {"k2", 2}, {"k3", 3}, {"k4", 4}, {"k5", 5}, {"k6", 6}}));
}

TEST_F(DatasetTest, Joins) {
  const auto left = Dataset<Word>::of(spark, {{"a", 1}, {"b", 2}, {"b", 3}});
  const auto right = Dataset<Keyed>::of(spark, {{"b", 10}, {"c", 20}, {std::nullopt, 30}});
  const auto pairs = left.join<&Word::word, &Keyed::key>(right).sort<&Pair<Word, Keyed>::left>();
  ASSERT_EQ(pairs.count(), 2);
  EXPECT_EQ(pairs.collect()[1].left, (Word{"b", 3}));
  EXPECT_EQ(pairs.collect()[1].right.value, 10);
  const auto sums = left.join<&Word::word, &Keyed::key, [](const Word& word, const Keyed& keyed) {
    return Word{word.word, word.count + keyed.value};
  }>(right);
  EXPECT_EQ(in_order(sums), (std::vector<Word>{{"b", 12}, {"b", 13}}));
}

TEST_F(DatasetTest, PartitionsMayEndEarlyAndTalk) {
  const auto firsts =
      numbers(1000000)
          .repartition(4)
          .map_partitions<[](Rows<Number>& rows, Emit<Word>& out, const TaskContext& context) {
            for (const auto& row : rows) {
              out({context.argument + std::to_string(context.partition), row.id});
              break;
            }
          }>("p");
  EXPECT_EQ(in_order(firsts), (std::vector<Word>{{"p0", 0}, {"p1", 1}, {"p2", 2}, {"p3", 3}}));
  const auto sums =
      numbers(1000)
          .repartition(3)
          .map_partitions<[](Rows<Number>& rows, Emit<Word>& out, const TaskContext& context) {
            int64_t sum = 0;
            for (const auto& row : rows) sum += row.id;
            int64_t all = 0;
            for (const auto& text : context.gather(std::to_string(sum))) all += std::stoll(text);
            out({std::to_string(context.partition), all});
          }>("", true);
  EXPECT_EQ(in_order(sums), (std::vector<Word>{{"0", 499500}, {"1", 499500}, {"2", 499500}}));
  // Many rows of one: what is made ahead is bounded, and left when nobody reads on.
  const auto many =
      numbers(1).map_partitions<[](Rows<Number>& rows, Emit<Number>& out, const TaskContext&) {
        for (const auto& row : rows) {
          for (int64_t i = 0; i < 1000000; ++i) out({row.id + i});
        }
      }>();
  EXPECT_EQ(many.count(), 1000000);
  EXPECT_EQ(many.map_partitions<[](Rows<Number>& rows, Emit<Number>& out, const TaskContext&) {
                  Number row{};
                  if (rows.next(row)) out(row);
                }>()
                .count(),
            2);  // of two threads
}

TEST_F(DatasetTest, ArgumentsGoWithTheFunction) {
  const auto rows = numbers(10)
                        .filter<[](const Number& number, const std::string& limit) {
                          return number.id < std::stoll(limit);
                        }>("5")
                        .map<[](const Number& number, const std::string& text) {
                          return Word{text, number.id};
                        }>("1:2:");
  EXPECT_EQ(rows.count(), 5);
  EXPECT_EQ(rows.take(1)[0].word, "1:2:");
}

TEST_F(DatasetTest, ErrorsComeOutAsTheyWere) {
  const auto rows = numbers(1000000)
                        .map<[](const Number& number) {
                          if (number.id == 700000) throw Error("DIVIDE_BY_ZERO", "Own.");
                          return number;
                        }>()
                        .filter<[](const Number&) { return true; }>();
  for (int i = 0; i < 2; ++i)
    EXPECT_TRUE(error_of([&] { rows.count(); }).starts_with("[DIVIDE_BY_ZERO] Own."));
  EXPECT_EQ(
      error_of([&] {
        numbers(5)
            .flat_map<[](const Number&, Emit<Number>&) { throw std::runtime_error("foreign"); }>()
            .collect();
      }),
      "foreign");
}

TEST_F(DatasetTest, NoRows) {
  const auto none = numbers(0).map<[](const Number& number) { return Word{"a", number.id}; }>();
  EXPECT_EQ(none.count(), 0);
  EXPECT_TRUE((none.reduce_by_key<&Word::word, add_counts>().collect().empty()));
  EXPECT_TRUE(none.sort<&Word::word>().collect().empty());
  EXPECT_TRUE((Dataset<Word>::of(spark, {}).collect().empty()));
  EXPECT_EQ((none.aggregate<Total, [](Total& total, const Word&) { ++total.rows; },
                            [](Total& total, const Total& other) { total.rows += other.rows; }>()
                 .rows),
            0);
}

TEST_F(DatasetTest, KeptRows) {
  const auto folder = std::filesystem::temp_directory_path() /
                      ("firesteel_dataset_test_" + std::to_string(::getpid()));
  const auto rows = numbers(1000).map<[](const Number& number) {
    return Everything{.tiny = static_cast<int8_t>(number.id % 100), .large = number.id};
  }>();
  const auto kept = rows.checkpoint(folder.string());
  EXPECT_EQ(kept.sort<&Everything::large>().collect(), rows.sort<&Everything::large>().collect());
  EXPECT_TRUE(has(error_of([&] { rows.checkpoint(folder.string()); }), "[PATH_ALREADY_EXISTS]"));
  std::filesystem::remove_all(folder);
  EXPECT_EQ(rows.cache().count(), 1000);
}

}  // namespace
}  // namespace firesteel
