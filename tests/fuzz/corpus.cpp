// Runs a fuzz target without libFuzzer: on what is known to be nasty, on every statement of the
// tests that are data, and on mutations of both, the same each time. The text tried last is kept in
// FUZZER.last, and one that takes long is a fault.
// usage: FUZZER CORPUS [SLT_FOLDER] | FUZZER --seeds FOLDER SLT_FOLDER (statements as files)
#include <pthread.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

namespace fs = std::filesystem;

constexpr int kMutations = 3000;
// What is deep must fit into the stack of a thread. Sanitizers make frames larger, and all slower.
#ifdef __SANITIZE_ADDRESS__
constexpr size_t kStackBytes = 128 << 20;
constexpr double kSecondsMax = 60;
#else
constexpr size_t kStackBytes = 8 << 20;
constexpr double kSecondsMax = 10;
#endif

std::string read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<fs::path> files_of(const fs::path& folder, const std::string& extension) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (extension.empty() || entry.path().extension() == extension) files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

/// The statements of blocks: what stands between a block's first line and `----`.
std::vector<std::string> statements_of(const fs::path& file) {
  std::vector<std::string> statements;
  std::ifstream in(file);
  bool in_block = false, in_rows = false;
  for (std::string line; std::getline(in, line);) {
    if (line.empty()) {
      in_block = in_rows = false;
    } else if (!in_block && line[0] != '#') {
      statements.emplace_back();
      in_block = true;
    } else if (in_block && line == "----") {
      in_rows = true;
    } else if (in_block && !in_rows) {
      statements.back() += (statements.back().empty() ? "" : "\n") + line;
    }
  }
  return statements;
}

std::string repeated(const std::string& text, int times) {
  std::string out;
  out.reserve(text.size() * times);
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

/// Long and deep: before, the part that is repeated, what stands in the middle, and after, again
/// repeated.
struct Long {
  const char *before, *part, *middle, *after;
  int times = 20'000;
};
const Long kLong[] = {
    {"", "(", "", "", 10'000'000},
    {"", "ARRAY<", "INT", ">"},
    {"STRUCT<a: INT", ", a: INT", ">", ""},
    {"", "{\"a\": ", "1", "}"},
    {"", "[", "1", "]"},
    {"[1", ", 1", "]", ""},
    {"{\"a\": 1", ", \"a\": 1", "}", ""},
    {"", "9", "\n9", ""},
    {"", "yyyy-", "\n2020-", ""},
    {"", "[yyyy", "\n2020", "]"},
    {"$", ".a", "", ""},
    {"", "[", "", ""},
    {"SELECT ", "(", "1", ")"},
    {"SELECT ", "- ", "1", ""},
    {"SELECT ", "NOT ", "1", ""},
    {"SELECT ", "~", "1", ""},
    {"SELECT 1", " + 1", "", ""},
    {"SELECT 1", " || 'a' = 2", "", ""},
    {"SELECT a", " AND b", "", ""},
    {"SELECT a", " IS NULL", "", ""},
    {"SELECT a", " IN (1)", "", ""},
    {"SELECT a", " BETWEEN 1 AND 2", "", ""},
    {"SELECT a IN (1", ", 1", ")", ""},
    {"SELECT a LIKE ANY (b", ", b", ")", ""},
    {"SELECT a", ".a", "", ""},
    {"SELECT f()", ".a", "", ""},
    {"SELECT a", "[0]", "", ""},
    {"SELECT a", "::int", "", ""},
    {"SELECT a:b", "[0]", "", ""},
    {"SELECT a", ":b", "", ""},
    {"SELECT a", " COLLATE c", "", ""},
    {"SELECT ", "f(", "1", ")"},
    {"SELECT ", "CASE WHEN a THEN ", "1", " END"},
    {"SELECT CASE", " WHEN a THEN 1", " END", ""},
    {"SELECT ", "CAST(", "1", " AS INT)"},
    {"SELECT CAST(1 AS ", "ARRAY<", "INT", ">"},
    {"SELECT CAST(1 AS ", "STRUCT<a: ", "INT", ">"},
    {"SELECT ", "x -> ", "x", ""},
    {"SELECT f(", "x -> ", "x", ""},
    {"SELECT ", "'x' ", "", ""},
    {"SELECT 1", ", 1", "", "", 100'000},
    {"SELECT ", "a ", "", ""},
    {"SELECT ", "(SELECT ", "1", ")"},
    {"SELECT * FROM ", "(SELECT * FROM ", "a", ")"},
    {"SELECT * FROM ", "(", "a", ")"},
    {"SELECT * FROM a", ", a", "", ""},
    {"SELECT * FROM a", " JOIN b", "", ""},
    {"SELECT * FROM a", " JOIN b ON true", "", ""},
    {"SELECT * FROM a", " CROSS JOIN LATERAL (SELECT 1)", "", ""},
    {"SELECT * FROM a", " LATERAL VIEW explode(b) c", "", ""},
    {"SELECT * FROM a", " PIVOT (sum(b) FOR c IN (1))", "", ""},
    {"SELECT * FROM a", " TABLESAMPLE (1 ROWS)", "", ""},
    {"SELECT 1", " UNION SELECT 1", "", ""},
    {"SELECT 1", " INTERSECT SELECT 1", "", ""},
    {"FROM a", " |> WHERE b", "", ""},
    {"FROM a", " |> UNION ALL (SELECT 1)", "", ""},
    {"WITH a AS (SELECT 1)", ", b AS (SELECT 1)", " SELECT 1", ""},
    {"", "WITH a AS (", "SELECT 1", ") SELECT 1", 10'000},
    {"VALUES 1", ", 1", "", ""},
    {"SELECT 1 GROUP BY CUBE (a", ", a", ")", "", 100},
    {"SELECT 1 GROUP BY GROUPING SETS (", "GROUPING SETS (", "a", ")"},
    {"SELECT 1 GROUP BY a", ", ROLLUP (a, b, c)", "", "", 1000},
    {"SELECT 1 ORDER BY a", ", a", "", ""},
    {"SELECT 1 WINDOW w AS ()", ", w AS ()", "", ""},
    {"SELECT sum(a) OVER ", "(PARTITION BY sum(a) OVER ", "w", ")"},
    {"SELECT sum(a) OVER w", ", sum(a) OVER w", " FROM b", "", 2000},
    {"", "/*", "", "*/"},
    {"SELECT 1", "--\n", "", ""},
    {"SELECT ", "9", "", ""},
    {"SELECT 1.", "9", "", ""},
    {"SELECT 1e", "9", "", ""},
    {"SELECT INTERVAL", " 1 DAY", "", ""},
    {"SELECT '", "''", "'", ""},
    {"SELECT '", "\\", "", ""},
    {"SELECT '", "\\u0041", "'", ""},
    {"SELECT ", "a", "", "", 1'000'000},
    {"EXPLAIN ", "EXPLAIN ", "SELECT 1", ""},
    {"CREATE TABLE a (b INT", ", b INT", ")", ""},
    {"MERGE INTO a USING b ON c", " WHEN MATCHED THEN DELETE", "", ""},
    {"INSERT INTO a VALUES (1)", ", (1)", "", ""},
};

class Runner {
 public:
  explicit Runner(const std::string& program) : last_(program + ".last") {}

  void run(const std::string& text) {
    std::ofstream(last_, std::ios::binary) << text;
    const auto start = std::clock();
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(text.data()), text.size());
    const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    if (seconds < kSecondsMax) return;
    std::cerr << seconds << " s: " << text.substr(0, 200) << '\n';
    slow_ = true;
  }
  bool slow() const { return slow_; }

 private:
  fs::path last_;
  bool slow_ = false;
};

/// One change of a text: bytes, pieces of other texts, repetitions.
std::string mutated(std::string text, const std::vector<std::string>& corpus,
                    std::mt19937& random) {
  const auto below = [&](size_t limit) { return limit == 0 ? 0 : random() % limit; };
  const auto piece = [&] {
    const auto& other = corpus[below(corpus.size())];
    const size_t from = below(other.size());
    return other.substr(from, 1 + below(20));
  };
  const auto word = [&] {
    const auto& other = corpus[below(corpus.size())];
    const size_t from = other.find(' ', below(other.size()));
    return from == std::string::npos ? other.substr(0, other.find(' '))
                                     : other.substr(from, other.find(' ', from + 1) - from);
  };
  for (size_t changes = 1 + below(4); changes > 0; --changes) {
    const size_t at = below(text.size());
    switch (below(6)) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(random());
        break;
      case 1:
        text.erase(at, 1 + below(8));
        break;
      case 2:
        text.insert(at, piece());
        break;
      case 3:
        text.insert(at, word() + " ");
        break;
      case 4:
        text = text.substr(0, at) + corpus[below(corpus.size())].substr(0, 200);
        break;
      default:
        text.insert(at, std::string(1 + below(3), "()[]'\"`.,:*-<>/"[below(15)]));
    }
  }
  return text;
}

int run_all(const std::vector<std::string>& program) {
  const std::vector<std::string> arguments(program.begin() + 1, program.end());
  const bool seeds = arguments.size() == 3 && arguments[0] == "--seeds";
  if (!seeds && arguments.empty()) return 2;
  std::vector<std::string> corpus;
  if (!seeds)
    for (const auto& file : files_of(arguments[0], "")) corpus.push_back(read(file));
  if (arguments.size() > 1) {
    for (const auto& file : files_of(arguments.back(), ".slt"))
      for (auto& statement : statements_of(file)) corpus.push_back(std::move(statement));
  }
  if (seeds) {
    fs::create_directories(arguments[1]);
    for (size_t i = 0; i < corpus.size(); ++i)
      std::ofstream(fs::path(arguments[1]) / std::to_string(i), std::ios::binary) << corpus[i];
    return 0;
  }
  Runner runner(program[0]);
  for (const auto& text : corpus) runner.run(text);
  for (const auto& [before, part, middle, after, times] : kLong)
    runner.run(before + repeated(part, times) + middle + repeated(after, times));
  std::mt19937 random(1);
  for (int i = 0; i < kMutations; ++i)
    runner.run(mutated(corpus[random() % corpus.size()], corpus, random));
  std::cout << corpus.size() << " texts, " << std::size(kLong) << " long ones and " << kMutations
            << " mutations survived\n";
  return runner.slow() ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> program(argv, argv + argc);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  pthread_t thread;
  const auto start = [](void* given) -> void* {
    const auto& program = *static_cast<const std::vector<std::string>*>(given);
    return reinterpret_cast<void*>(static_cast<intptr_t>(run_all(program)));
  };
  if (pthread_create(&thread, &attributes, start, &program) != 0) return 2;
  void* result = nullptr;
  pthread_join(thread, &result);
  return static_cast<int>(reinterpret_cast<intptr_t>(result));
}
