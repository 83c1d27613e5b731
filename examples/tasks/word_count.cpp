// How often each word of a text occurs.
#include <cctype>

#include "jobs.h"

using namespace firesteel;

namespace words {

struct Line {
  std::string value;
};
FIRESTEEL_ROW(Line, value)

struct Word {
  std::string word;
  int64_t count;
};
FIRESTEEL_ROW(Word, word, count)

constexpr auto split = [](const Line& line, Emit<Word>& out) {
  std::string word;
  for (const char c : line.value + " ") {
    if (std::isalpha(static_cast<unsigned char>(c))) {
      word += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else if (!word.empty()) {
      out({word, 1});
      word.clear();
    }
  }
};

constexpr auto add = [](const Word& a, const Word& b) { return Word{a.word, a.count + b.count}; };

}  // namespace words

void count_words(const Session& spark, const std::string& path) {
  const auto counts = Dataset<words::Line>::of(spark.read().text(path))
                          .flat_map<words::split>()
                          .reduce_by_key<&words::Word::word, words::add>();
  counts.df().orderBy({col("count").desc(), col("word")}).show(10);
}
