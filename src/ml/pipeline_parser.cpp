// Reading of the pipeline file. Each table is read through a Section, which knows the keys that are
// allowed and the line of every value.
#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <optional>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "ml/pipeline.h"
#include "models/pretrained.h"

namespace firesteel {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void refuse(const fs::path& file, int64_t line, const std::string& what) {
  const auto place = line > 0 ? fmt::format("{}:{}", file.string(), line) : file.string();
  throw Error("INVALID_PIPELINE", fmt::format("{}: {}", place, what));
}

std::string suggestion(const std::string& name, const std::vector<std::string>& names) {
  const std::string near = nearest_name(name, names);
  return near.empty() ? fmt::format(" There are {}.", fmt::join(names, ", "))
                      : fmt::format(" Did you mean `{}`?", near);
}

int64_t line_of(const toml::node& node) { return node.source().begin.line; }

/// One table of the file and the only keys it may have.
class Section {
 public:
  Section(const fs::path& file, std::string name, const toml::table* table, int64_t line,
          std::vector<std::string> keys, std::map<std::string, std::string>* settings = nullptr)
      : file_(file), name_(std::move(name)), table_(table), line_(line), settings_(settings) {
    if (!table_) return;
    for (const auto& [key, node] : *table_) {
      const std::string text(key.str());
      if (std::find(keys.begin(), keys.end(), text) == keys.end()) {
        refuse(file_, key.source().begin.line,
               fmt::format("[{}] has no key `{}`.{}", name_, text, suggestion(text, keys)));
      }
    }
  }

  bool has(std::string_view key) const { return table_ && table_->contains(key); }
  int64_t line(std::string_view key) const { return has(key) ? line_of(*table_->get(key)) : line_; }
  [[noreturn]] void wrong(std::string_view key, const std::string& what) const {
    refuse(file_, line(key), fmt::format("`{}` in [{}] {}.", key, name_, what));
  }
  void need(std::string_view key) const {
    if (!has(key)) refuse(file_, line_, fmt::format("[{}] needs `{}`.", name_, key));
  }

  std::string text(std::string_view key, std::string otherwise = "") const {
    if (!has(key)) return noted(key, std::move(otherwise));
    const auto value = table_->get(key)->value_exact<std::string>();
    if (!value) wrong(key, "must be a string");
    return noted(key, *value);
  }
  /// A string, a date or a time, as text.
  std::string moment(std::string_view key) const {
    if (!has(key)) return "";
    const auto* node = table_->get(key);
    if (const auto* date = node->as_date()) {
      return noted(key, fmt::format("{:04}-{:02}-{:02}", date->get().year, date->get().month,
                                    date->get().day));
    }
    if (const auto* time = node->as_date_time()) {
      const auto& [date, clock] = std::pair(time->get().date, time->get().time);
      return noted(key, fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", date.year, date.month,
                                    date.day, clock.hour, clock.minute, clock.second));
    }
    return text(key);
  }
  double number(std::string_view key, double otherwise, double low, double high) const {
    if (!has(key)) return noted(key, otherwise);
    const auto* node = table_->get(key);
    if (!node->is_number()) wrong(key, "must be a number");
    const double value = *node->value<double>();
    if (!(value >= low && value <= high)) {
      wrong(key, std::isfinite(high)
                     ? fmt::format("is {}; it must lie in [{}, {}]", value, low, high)
                     : fmt::format("is {}; it must be at least {}", value, low));
    }
    return noted(key, value);
  }
  int64_t integer(std::string_view key, int64_t otherwise, int64_t low) const {
    if (!has(key)) return noted(key, otherwise);
    const auto value = table_->get(key)->value_exact<int64_t>();
    if (!value) wrong(key, "must be a whole number");
    if (*value < low) wrong(key, fmt::format("is {}; it must be at least {}", *value, low));
    return noted(key, *value);
  }
  bool flag(std::string_view key, bool otherwise) const {
    if (!has(key)) return noted(key, otherwise);
    const auto value = table_->get(key)->value_exact<bool>();
    if (!value) wrong(key, "must be true or false");
    return noted(key, *value);
  }
  template <typename T>
  std::vector<T> list(std::string_view key, std::vector<T> otherwise = {}) const {
    if (!has(key)) return noted(key, std::move(otherwise));
    const auto* array = table_->get(key)->as_array();
    if (!array) wrong(key, "must be a list");
    std::vector<T> values;
    for (const auto& node : *array) {
      const auto value = node.value<T>();
      if (!value)
        wrong(key, std::is_same_v<T, std::string> ? "must hold strings" : "must hold numbers");
      values.push_back(*value);
    }
    return noted(key, std::move(values));
  }
  std::string choice(std::string_view key, std::string otherwise,
                     const std::vector<std::string>& names) const {
    const std::string value = text(key, std::move(otherwise));
    if (std::find(names.begin(), names.end(), value) == names.end()) {
      wrong(key, fmt::format("is \"{}\".{}", value, suggestion(value, names)));
    }
    return value;
  }
  const toml::table* table() const { return table_; }

 private:
  /// Remembers what a key came to. Of split and features only what the file says, since there a
  /// default may be without a meaning.
  template <typename T>
  T noted(std::string_view key, T value) const {
    if (!settings_ || (!has(key) && name_ != "model" && name_ != "train")) return value;
    std::string text;
    if constexpr (std::is_arithmetic_v<T> || std::is_convertible_v<T, std::string_view>) {
      text = fmt::format("{}", value);
    } else {
      text = fmt::format("{}", fmt::join(value, ", "));
    }
    if (!text.empty()) (*settings_)[fmt::format("{}.{}", name_, key)] = text;
    return value;
  }

  const fs::path& file_;
  std::string name_;
  const toml::table* table_;
  int64_t line_;
  std::map<std::string, std::string>* settings_;
};

/// Puts the values of a table in place of those of another.
void merge(const toml::table& from, toml::table* to) {
  for (const auto& [key, value] : from) {
    auto* old = to->get(key);
    if (value.is_table() && old && old->is_table()) {
      merge(*value.as_table(), old->as_table());
    } else {
      to->insert_or_assign(key, value);
    }
  }
}

/// A value as a file would have it, on one line unless a text has several.
std::string written(const toml::node& node) {
  std::vector<std::string> parts;
  if (const auto* list = node.as_array()) {
    for (const auto& value : *list) parts.push_back(written(value));
    return fmt::format("[{}]", fmt::join(parts, ", "));
  }
  if (const auto* table = node.as_table()) {
    for (const auto& [key, value] : *table) {
      parts.push_back(fmt::format("\"{}\" = {}", key.str(), written(value)));
    }
    return fmt::format("{{ {} }}", fmt::join(parts, ", "));
  }
  if (const auto number = node.value_exact<double>()) {
    const auto text = fmt::format("{}", *number);  // toml++ writes 0.1 with 17 digits.
    return text.find_first_of(".en") == std::string::npos ? text + ".0" : text;
  }
  std::ostringstream text;
  node.visit([&](const auto& value) { text << value; });
  return text.str();
}

/// A whole file.
std::string written_file(const toml::table& root) {
  std::string text;
  const auto add = [&](const std::string& head, const toml::table& table) {
    text += "\n" + head + "\n";
    for (const auto& [key, value] : table) {
      text += fmt::format("\"{}\" = {}\n", key.str(), written(value));
    }
  };
  for (const auto& [key, value] : root) {
    if (const auto* table = value.as_table()) add(fmt::format("[{}]", key.str()), *table);
    if (!value.is_array()) continue;
    for (const auto& step : *value.as_array()) {
      add(fmt::format("[[{}]]", key.str()), *step.as_table());
    }
  }
  return text;
}

/// One reading of a file.
struct Parser {
  explicit Parser(const fs::path& path) : file(path) {}

  const fs::path& file;
  Pipeline pipeline;
  toml::table root;

  void run();
  Section section(const std::string& name, std::vector<std::string> keys, bool needed = false);
  fs::path path_of(const std::string& text) const {
    return fs::absolute(file.parent_path() / text).lexically_normal();
  }
  void sources();
  void functions();
  void steps();
  void split();
  void features();
  void labels(const Section& table);
  void texts(const Section& table);
  void images(const Section& table);
  void model();
  void fine_tuning(const Section& table);
  void training();
  void parameter_groups(const Section& table, std::vector<ParameterGroup>* groups);
  void track();
  void tune();
  void space(const Section& table, const std::string& prefix, const toml::table& keys);
};

}  // namespace

std::string format_of(const fs::path& path) {
  auto ending = path.extension().string();
  if (ending == ".gz") ending = path.stem().extension().string();
  if (ending == ".csv" || ending == ".tsv") return "csv";
  return ending == ".json" || ending == ".jsonl" ? "json" : "parquet";
}

Pipeline parse_pipeline(const fs::path& file, const TuneValues& set) {
  Parser parser(file);
  parser.pipeline.file = file;
  parser.pipeline.text = read_file(file);
  parser.pipeline.set = set;
  try {
    parser.root = toml::parse(parser.pipeline.text);
  } catch (const toml::parse_error& error) {
    refuse(file, error.source().begin.line, std::string(error.description()));
  }
  for (const auto& [key, value] : set) {
    const auto text = fmt::format("{} = {}", key, value);
    try {
      merge(toml::parse(text), &parser.root);
    } catch (const toml::parse_error& error) {
      throw Error("INVALID_PIPELINE",
                  fmt::format("`{}` is not as in a pipeline file: {}. A text is in quotes: "
                              "train.schedule=\"cosine\".",
                              text, error.description()));
    }
  }
  try {
    parser.run();
  } catch (const Error& error) {
    if (set.empty()) throw;
    throw Error(error.condition(),
                fmt::format("{} ({} was set)", error.message(), values_text(set)));
  }
  if (!set.empty()) {
    // The file as it was run. Tables come in the order of their names, so the last one says less.
    if (parser.root.contains("features")) {
      parser.root["features"].as_table()->insert_or_assign("from", parser.pipeline.from);
    }
    parser.pipeline.text = fmt::format("# {}\n{}", values_text(set), written_file(parser.root));
  }
  return std::move(parser.pipeline);
}

namespace {

void Parser::run() {
  const std::vector<std::string> tables = {"source",    "function", "step",  "split",
                                           "features",  "model",    "train", "output",
                                           "baselines", "track",    "tune"};
  for (const auto& [key, node] : root) {
    const std::string name(key.str());
    if (std::find(tables.begin(), tables.end(), name) == tables.end()) {
      refuse(file, key.source().begin.line,
             fmt::format("A pipeline has no [{}].{}", name, suggestion(name, tables)));
    }
  }
  sources();
  functions();
  steps();
  split();
  features();
  model();
  training();
  const auto output = section("output", {"path"}, true);
  output.need("path");
  pipeline.output = path_of(output.text("path"));
  const auto baselines = section("baselines", {"list"});
  pipeline.baselines = baselines.list<std::string>("list");
  for (const auto& name : pipeline.baselines) {
    const auto& names = baseline_names();
    if (std::find(names.begin(), names.end(), name) == names.end()) {
      baselines.wrong("list", fmt::format("names the unknown baseline \"{}\".{}", name,
                                          suggestion(name, names)));
    }
    if (name != "base_rate" && !pipeline.features.has_plain_features()) {
      baselines.wrong("list",
                      fmt::format("names {}, which reads no sequences and images, and there is no "
                                  "other feature",
                                  name));
    }
    const auto task = pipeline.features.task();
    if (task && !baseline_suits(name, *task)) {
      baselines.wrong("list",
                      fmt::format("names {}, which is not for a {} task", name, task_name(*task)));
    }
  }
  track();
  tune();
}

Section Parser::section(const std::string& name, std::vector<std::string> keys, bool needed) {
  const auto* node = root.get(name);
  if (!node && needed) refuse(file, 1, fmt::format("The pipeline needs [{}].", name));
  if (node && !node->is_table())
    refuse(file, line_of(*node), fmt::format("`{0}` must be a table: [{0}].", name));
  const bool is_setting = name != "output" && name != "track";
  return {file,
          name,
          node ? node->as_table() : nullptr,
          node ? line_of(*node) : 1,
          std::move(keys),
          is_setting ? &pipeline.settings : nullptr};
}

void Parser::sources() {
  const auto* node = root.get("source");
  const auto* step = root.get("step");
  if (!node && step && step->is_array() && !step->as_array()->empty())
    return;  // Steps may read the session's tables and views.
  if (!node || !node->is_table() || node->as_table()->empty()) {
    refuse(file, node ? line_of(*node) : 1,
           "The pipeline needs a source: [source.NAME] with a path.");
  }
  // A TOML table is in alphabetical order; sources are in the file's.
  std::map<std::pair<uint32_t, uint32_t>, std::pair<std::string, const toml::node*>> by_place;
  for (const auto& [key, value] : *node->as_table()) {
    const auto& place = value.source().begin;
    by_place[{place.line, place.column}] = {std::string(key.str()), &value};
  }
  for (const auto& [place, named] : by_place) {
    const auto& name = named.first;
    const toml::node& value = *named.second;
    if (!value.is_table()) {
      refuse(file, line_of(value),
             fmt::format("A source is a table with a name: [source.{}].", name));
    }
    const Section table(file, "source." + name, value.as_table(), line_of(value),
                        {"path", "format", "options", "schema"});
    table.need("path");
    PipelineSource source;
    source.name = name;
    source.path = path_of(table.text("path"));
    source.format =
        table.choice("format", format_of(source.path), {"parquet", "csv", "json", "binaryFile"});
    source.schema = table.text("schema");
    if (table.has("options")) {
      const auto* options = table.table()->get("options")->as_table();
      if (!options) table.wrong("options", "must be a table");
      for (const auto& [option, setting] : *options) {
        if (const auto text = setting.value_exact<std::string>()) {
          source.options[std::string(option.str())] = *text;
        } else if (const auto flag = setting.value_exact<bool>()) {
          source.options[std::string(option.str())] = *flag ? "true" : "false";
        } else if (const auto number = setting.value_exact<int64_t>()) {
          source.options[std::string(option.str())] = std::to_string(*number);
        } else {
          refuse(file, line_of(setting), "An option is a string, a whole number, true or false.");
        }
      }
    }
    pipeline.sources.push_back(std::move(source));
  }
}

void Parser::functions() {
  const auto* node = root.get("function");
  if (!node) return;
  if (!node->is_table())
    refuse(file, line_of(*node), "A function is a table with a name: [function.NAME].");
  for (const auto& [key, value] : *node->as_table()) {
    const std::string name(key.str());
    if (!value.is_table())
      refuse(file, line_of(value),
             fmt::format("A function is a table with a name: [function.{}].", name));
    if (!std::ranges::all_of(name, [](unsigned char c) { return std::isalnum(c) || c == '_'; }))
      refuse(file, line_of(value),
             fmt::format("A function's name is letters, digits and `_`, not `{}`.", name));
    const Section table(file, "function." + name, value.as_table(), line_of(value), {"path"});
    table.need("path");
    pipeline.functions.push_back({name, path_of(table.text("path"))});
  }
}

void Parser::steps() {
  std::set<std::string> names;
  for (const auto& source : pipeline.sources) names.insert(source.name);
  if (!pipeline.sources.empty()) pipeline.from = pipeline.sources.back().name;
  const auto* node = root.get("step");
  if (!node) return;
  if (!node->is_array()) refuse(file, line_of(*node), "Steps are a list: write [[step]].");
  for (const auto& value : *node->as_array()) {
    if (!value.is_table()) refuse(file, line_of(value), "Steps are tables: write [[step]].");
    const Section table(file, "[step]", value.as_table(), line_of(value), {"name", "sql", "file"});
    table.need("name");
    PipelineStep step;
    step.name = table.text("name");
    if (!names.insert(step.name).second) {
      table.wrong("name", fmt::format("is \"{}\", which a source or step before has", step.name));
    }
    if (table.has("sql") == table.has("file")) {
      refuse(file, line_of(value),
             fmt::format("Step `{}` needs either `sql` or `file`.", step.name));
    }
    step.sql = table.text("sql");
    if (table.has("file")) {
      try {
        step.sql = read_file(path_of(table.text("file")));
      } catch (const Error& error) {
        table.wrong("file", fmt::format("cannot be used: {}", error.message()));
      }
    }
    pipeline.from = step.name;
    pipeline.steps.push_back(std::move(step));
  }
}

void Parser::split() {
  const auto table = section("split", {"by", "column", "columns", "test_from", "validation_from",
                                       "test", "validation", "folds", "fold", "seed"});
  auto& split = pipeline.split;
  if (!table.has("by") && table.has("test_from")) split.by = PipelineSplit::By::kTime;
  if (table.choice("by", split.by == PipelineSplit::By::kTime ? "time" : "hash",
                   {"time", "hash"}) == "time") {
    split.by = PipelineSplit::By::kTime;
  }
  const bool by_time = split.by == PipelineSplit::By::kTime;
  const auto only_for = [&](std::string_view key, bool fits) {
    if (table.has(key) && !fits) {
      table.wrong(key, by_time ? "is of no use when the split is by time"
                               : "is of no use when the split is by hash: add by = \"time\"");
    }
  };
  for (const auto* key : {"test_from", "validation_from"}) only_for(key, by_time);
  for (const auto* key : {"columns", "test", "folds", "fold", "seed"}) only_for(key, !by_time);
  if (table.has("folds") && table.has("validation")) {
    table.wrong("validation", "contradicts `folds`, of which one validates: keep one");
  }
  if (table.has("fold") && !table.has("folds")) table.wrong("fold", "is of no use without `folds`");
  if (table.has("validation") && table.has("validation_from")) {
    table.wrong("validation", "contradicts `validation_from`: keep one");
  }
  if (by_time) {
    table.need("column");
    table.need("test_from");
  }
  split.column = table.text("column");
  split.test_from = table.moment("test_from");
  split.validation_from = table.moment("validation_from");
  split.columns = table.list<std::string>("columns");
  if (!by_time && !split.column.empty()) split.columns.push_back(split.column);
  split.test = table.number("test", 0.2, 0, 0.9);
  split.validation = table.number("validation", 0.1, 0, 0.9);
  split.seed = static_cast<uint64_t>(table.integer("seed", 0, 0));
  if (table.has("folds")) {
    split.folds = table.integer("folds", 0, 2);
    split.fold = table.integer("fold", 1, 1);
    if (split.fold > split.folds) {
      table.wrong("fold", fmt::format("is {}, and there are {} folds", split.fold, split.folds));
    }
    split.validation = (1 - split.test) / static_cast<double>(split.folds);
    return;
  }
  if (!by_time && split.test + split.validation > 0.95) {
    table.wrong("test", fmt::format("and `validation` leave {:.0f} % of the rows to train on",
                                    100 * (1 - split.test - split.validation)));
  }
}

/// The label or the labels, and the task.
void Parser::labels(const Section& table) {
  constexpr Task kTasks[] = {Task::kBinary,        Task::kMulticlass, Task::kRegression,
                             Task::kMultilabel,    Task::kRetrieval,  Task::kRanking,
                             Task::kReconstruction};
  auto& features = pipeline.features;
  const bool several = table.has("labels");
  if (several && table.has("label")) table.wrong("labels", "takes the place of `label`: keep one");
  std::optional<Task> task;
  if (table.has("task")) {
    std::vector<std::string> names;
    for (const Task one : kTasks) names.emplace_back(task_name(one));
    const auto name = table.choice("task", "", names);
    task = *std::find_if(std::begin(kTasks), std::end(kTasks),
                         [&](Task one) { return task_name(one) == name; });
    if (several != (task == Task::kMultilabel)) {
      table.wrong("task", several ? "must be \"multilabel\" with `labels`"
                                  : "is \"multilabel\", which needs `labels`");
    }
    features.task(*task);
  }
  if (table.has("group") != (task == Task::kRanking)) {
    if (task == Task::kRanking) table.need("group");
    table.wrong("group", "is read with task = \"ranking\" alone");
  }
  features.group(table.text("group"));
  if (table.has("group") && table.has("weight")) table.wrong("weight", "is not for a ranking");
  if (task && !has_label(*task)) {
    if (table.has("label")) {
      table.wrong("label",
                  fmt::format("is of no use for {}, which has no label", task_name(*task)));
    }
  } else if (several) {
    const auto names = table.list<std::string>("labels");
    if (names.empty()) table.wrong("labels", "names no column");
    features.labels(names);
  } else {
    table.need("label");
    features.label(table.text("label"));
  }
}

/// Texts are cut into the tokens of the model that reads them, unless another tokenizer is named.
void Parser::texts(const Section& table) {
  const auto columns = table.list<std::string>("text");
  for (const char* key : {"text_length", "tokenizer"})
    if (table.has(key) && columns.empty()) table.wrong(key, "is of no use without `text`");
  if (columns.empty()) return;
  auto tokenizer = table.text("tokenizer");
  auto length = table.integer("text_length", 0, 1);
  const auto model = root["model"]["path"].value_or<std::string>("");
  if (!model.empty() && root["model"]["kind"].value_or<std::string>("") == "hf") {
    if (tokenizer.empty()) tokenizer = model;
    if (length == 0) length = text_length_max(path_of(model).string());
  }
  if (tokenizer.empty())
    table.wrong("text", "needs a `tokenizer`: a tokenizer.json, or the folder that has it");
  pipeline.features.text(columns, path_of(tokenizer).string(), length);
}

/// Images of the size that the network sees, or larger where it augments them.
void Parser::images(const Section& table) {
  const auto columns = table.list<std::string>("image");
  for (const char* key : {"image_size", "image_resize", "on_bad_image"})
    if (table.has(key) && columns.empty()) table.wrong(key, "is of no use without `image`");
  if (columns.empty()) return;
  const auto model = root["model"];
  auto network = model["network"].value_or<std::string>("");
  const auto path = model["path"].value_or<std::string>("");
  if (network.empty() && !path.empty()) network = network_of(path_of(path).string());
  ImageShape shape{.resize = 256, .size = 224, .interpolation = "bilinear"};
  if (!network.empty()) shape = image_shape(network);
  const auto size = table.integer("image_size", shape.size, 1);
  const auto resize = table.integer("image_resize", size * shape.resize / shape.size, 1);
  const bool skip = table.choice("on_bad_image", "error", {"error", "skip"}) == "skip";
  pipeline.model.network = network;
  pipeline.model.image_size = size;
  pipeline.features.image(columns, resize, model["augment"] ? std::max(resize, size) : size,
                          shape.interpolation, skip);
}

void Parser::features() {
  const auto table = section(
      "features", {"label",        "labels",        "numeric",  "categorical",     "hashed",
                   "buckets",      "date",          "sequence", "sequence_length", "text",
                   "text_length",  "tokenizer",     "vector",   "image",           "image_size",
                   "image_resize", "on_bad_image",  "weight",   "group",           "from",
                   "task",         "max_categories"},
      true);
  auto& features = pipeline.features;
  labels(table);
  features.numeric(table.list<std::string>("numeric"));
  features.categorical(table.list<std::string>("categorical"));
  const auto hashed = table.list<std::string>("hashed");
  if (table.has("buckets") && hashed.empty())
    table.wrong("buckets", "is of no use without `hashed`");
  features.hashed(hashed, table.integer("buckets", 1000, 1));
  features.date(table.list<std::string>("date"));
  const auto sequences = table.list<std::string>("sequence");
  if (table.has("sequence_length") && sequences.empty()) {
    table.wrong("sequence_length", "is of no use without `sequence`");
  }
  features.sequence(sequences, table.integer("sequence_length", 50, 1));
  texts(table);
  images(table);
  features.vector(table.list<std::string>("vector"));
  features.weight(table.text("weight"));
  features.max_categories(table.integer("max_categories", 10'000, 1));
  const auto columns = features.columns();
  if (!features.has_features()) {
    refuse(file, table.line("label"),
           "[features] names no feature: add numeric, categorical, hashed, date, sequence, text, "
           "vector or image.");
  }
  std::set<std::string> seen;
  for (const auto& name : columns) {
    if (!seen.insert(name).second) {
      refuse(file, table.line("label"),
             fmt::format("[features] names the column `{}` twice.", name));
    }
  }
  std::vector<std::string> names;
  for (const auto& source : pipeline.sources) names.push_back(source.name);
  for (const auto& step : pipeline.steps) names.push_back(step.name);
  pipeline.from = table.choice("from", pipeline.from, names);
}

/// A key that only one choice of another key reads.
void belongs(const Section& table, const char* key, const char* of, const char* choice) {
  if (!table.has(key) || table.text(of) == choice) return;
  table.wrong(key, fmt::format("is read with {} = \"{}\" alone", of, choice));
}

void Parser::model() {
  const auto table = section(
      "model", {"kind", "hidden", "dropout", "activation", "embedding_dimension", "batch_norm",
                "blocks", "heads", "ensemble", "item", "path", "fine_tune", "network", "augment",
                "inputs", "lora_rank", "lora_alpha", "lora_dropout", "lora_targets"});
  auto& model = pipeline.model;
  auto kinds = tabular_kinds();
  kinds.emplace_back("linear");
  const auto pretrained = pretrained_kinds();
  kinds.insert(kinds.end(), pretrained.begin(), pretrained.end());
  const auto kind = table.choice("kind", "mlp", kinds);
  if (kind == "linear" && table.has("hidden")) {
    table.wrong("hidden", "contradicts kind = \"linear\"");
  }
  if (kind != "linear") model.kind = kind;
  if (is_pretrained(kind)) return fine_tuning(table);
  for (const char* key : {"path", "fine_tune", "network", "augment", "inputs", "lora_rank",
                          "lora_alpha", "lora_dropout", "lora_targets"}) {
    if (table.has(key))
      table.wrong(
          key, fmt::format("is read by pre-trained models alone: {}", fmt::join(pretrained, ", ")));
  }
  const auto readers = sequence_kinds();
  const bool reads = std::find(readers.begin(), readers.end(), kind) != readers.end();
  if (reads != pipeline.features.has_sequences()) {
    table.wrong("kind", reads ? fmt::format("is \"{}\", which needs [features] `sequence`", kind)
                              : fmt::format("is \"{}\", which reads no `sequence` of [features]; "
                                            "use {}",
                                            kind, fmt::join(readers, ", ")));
  }
  model.hidden =
      kind == "linear" ? std::vector<int64_t>() : table.list<int64_t>("hidden", model.hidden);
  for (const int64_t width : model.hidden) {
    if (width < 1) table.wrong("hidden", fmt::format("has a layer of width {}", width));
  }
  model.dropout = table.number("dropout", model.dropout, 0, 0.99);
  model.activation = table.choice("activation", model.activation, {"relu", "gelu", "silu"});
  model.embedding_dimension = table.integer("embedding_dimension", 0, 1);
  model.batch_norm = table.flag("batch_norm", false);
  model.blocks = table.integer("blocks", model.blocks, 1);
  model.heads = table.integer("heads", model.heads, 1);
  model.ensemble = table.integer("ensemble", model.ensemble, 1);
  belongs(table, "ensemble", "kind", "tabm");
  model.item = table.list<std::string>("item");
  belongs(table, "item", "kind", "two_tower");
  for (const auto& row : kOwnTasks) {
    const bool asked = pipeline.features.task() == row.value;
    if (asked == (kind == row.name)) continue;
    const auto task = task_name(row.value);
    table.wrong("kind", asked ? fmt::format("must be \"{}\" for task = \"{}\"", row.name, task)
                              : fmt::format("is \"{}\", which needs [features] task = \"{}\"",
                                            row.name, task));
  }
  if (kind == "two_tower") table.need("item");
  const auto columns = pipeline.features.columns();
  for (const auto& column : model.item) {
    if (std::find(columns.begin(), columns.end(), column) == columns.end()) {
      table.wrong("item", fmt::format("names `{}`, which is no feature.{}", column,
                                      suggestion(column, columns)));
    }
  }
}

/// A pre-trained model, and what of it is trained.
void Parser::fine_tuning(const Section& table) {
  for (const char* key : {"hidden", "dropout", "activation", "embedding_dimension", "batch_norm",
                          "blocks", "heads", "ensemble", "item"}) {
    if (table.has(key)) table.wrong(key, "is not read by a pre-trained model");
  }
  auto& model = pipeline.model;
  const bool vision = model.kind == "vision";
  const bool program = model.kind == "pt2";  // on any features
  if (!program && !pipeline.features.has(vision ? EncoderKind::kImage : EncoderKind::kText))
    table.wrong("kind", fmt::format("is \"{}\", which needs [features] `{}`", model.kind,
                                    vision ? "image" : "text"));
  if (!vision) table.need("path");  // a network for images may be new
  if (table.has("path")) model.path = path_of(table.text("path")).string();
  for (const char* key : {"network", "augment"}) belongs(table, key, "kind", "vision");
  belongs(table, "inputs", "kind", "pt2");
  if (table.has("inputs")) {
    const auto* inputs = table.table()->get("inputs")->as_table();
    if (!inputs) table.wrong("inputs", "must be a table: { input_ids = \"sequence\" }");
    for (const auto& [name, part] : *inputs)
      model.inputs[std::string(name.str())] = part.value_or<std::string>("");
  }
  if (vision && model.network.empty()) table.need("network");
  if (table.has("augment")) {
    std::ostringstream json;
    json << toml::json_formatter{*table.table()->get("augment")};
    model.augment = json.str();
    try {
      check_transforms(model.augment);
    } catch (const Error& error) {
      table.wrong("augment", fmt::format("cannot be used: {}", error.message()));
    }
  }
  auto& tuning = model.fine_tuning;
  tuning.of = value_named(kFineTunings, "fine-tuning",
                          table.choice("fine_tune", "all", {"all", "head", "lora"}));
  for (const char* key : {"lora_rank", "lora_alpha", "lora_dropout", "lora_targets"})
    belongs(table, key, "fine_tune", "lora");
  constexpr double kNoEnd = std::numeric_limits<double>::infinity();
  tuning.lora.rank = table.integer("lora_rank", tuning.lora.rank, 1);
  tuning.lora.alpha = table.number("lora_alpha", tuning.lora.alpha, 0, kNoEnd);
  tuning.lora.dropout = table.number("lora_dropout", tuning.lora.dropout, 0, 0.99);
  tuning.lora.targets = table.list<std::string>("lora_targets");
}

/// Parameters that are trained otherwise than the rest.
void Parser::parameter_groups(const Section& table, std::vector<ParameterGroup>* groups) {
  if (!table.has("groups")) return;
  const auto* list = table.table()->get("groups")->as_array();
  if (!list) table.wrong("groups", "must be a list of tables: { prefix = \"embeddings.\", … }");
  for (const auto& node : *list) {
    if (!node.is_table())
      table.wrong("groups", "must hold tables: { prefix = \"embeddings.\", … }");
    const Section row(file, "train.groups", node.as_table(), line_of(node),
                      {"prefix", "learning_rate_factor", "weight_decay"});
    row.need("prefix");
    constexpr double kNoEnd = std::numeric_limits<double>::infinity();
    ParameterGroup group{.prefix = row.text("prefix"), .weight_decay = {}};
    group.learning_rate_factor = row.number("learning_rate_factor", 1, 0, kNoEnd);
    if (row.has("weight_decay")) group.weight_decay = row.number("weight_decay", 0, 0, kNoEnd);
    groups->push_back(std::move(group));
  }
}

void Parser::training() {
  const auto table = section("train", {"epochs",
                                       "batch_size",
                                       "batch_elements",
                                       "by_length",
                                       "groups",
                                       "learning_rate",
                                       "optimizer",
                                       "weight_decay",
                                       "momentum",
                                       "nesterov",
                                       "frozen",
                                       "schedule",
                                       "warm_up",
                                       "power",
                                       "plateau_patience",
                                       "plateau_factor",
                                       "accumulate",
                                       "clip_norm",
                                       "average",
                                       "precision",
                                       "loss",
                                       "label_smoothing",
                                       "focal_gamma",
                                       "huber_delta",
                                       "quantile",
                                       "positive_weight",
                                       "class_weights",
                                       "patience",
                                       "metric",
                                       "seed",
                                       "checkpoint_seconds",
                                       "device",
                                       "memory",
                                       "sampling",
                                       "workers",
                                       "keep_best",
                                       "deterministic"});
  auto& train = pipeline.train;
  auto& options = train.trainer;
  constexpr double kNoEnd = std::numeric_limits<double>::infinity();
  options.epochs = table.integer("epochs", options.epochs, 1);
  if (is_pretrained(pipeline.model.kind)) {
    train.batches.rows = 32;
    const auto& model = pipeline.model;
    if (model.fine_tuning.of == FineTuning::Of::kAll && !model.path.empty())
      options.learning_rate = model.kind == "vision" ? 1e-4 : 5e-5;
  }
  train.batches.rows = table.integer("batch_size", train.batches.rows, 1);
  train.batches.elements = table.integer("batch_elements", 0, 0);
  train.batches.by_length = table.flag("by_length", pipeline.model.kind == "hf");
  if (train.batches.by_length && !pipeline.features.has_sequences())
    table.wrong("by_length", "needs [features] `text` or `sequence`");
  options.learning_rate = table.number("learning_rate", options.learning_rate, 1e-12, kNoEnd);
  auto& optimizer = options.optimizer;
  optimizer.kind =
      optimizer_from_name(table.choice("optimizer", "adamw", {"adamw", "adam", "sgd", "lion"}));
  optimizer.weight_decay = table.number("weight_decay", optimizer.weight_decay, 0, kNoEnd);
  optimizer.momentum = table.number("momentum", 0, 0, 0.9999);
  optimizer.nesterov = table.flag("nesterov", false);
  belongs(table, "momentum", "optimizer", "sgd");
  belongs(table, "nesterov", "optimizer", "sgd");
  if (optimizer.nesterov && optimizer.momentum == 0) {
    table.wrong("nesterov", "needs a `momentum` above 0");
  }
  for (const auto& prefix : table.list<std::string>("frozen")) {
    optimizer.groups.push_back({.prefix = prefix, .weight_decay = {}, .frozen = true});
  }
  parameter_groups(table, &optimizer.groups);
  auto& schedule = options.schedule;
  schedule.kind = schedule_from_name(
      table.choice("schedule", "constant",
                   {"constant", "linear", "cosine", "one_cycle", "polynomial", "plateau"}));
  schedule.warm_up = table.number("warm_up", schedule.warm_up, 0, 0.99);
  schedule.power = table.number("power", schedule.power, 1e-9, kNoEnd);
  schedule.plateau_patience = table.integer("plateau_patience", schedule.plateau_patience, 0);
  schedule.plateau_factor = table.number("plateau_factor", schedule.plateau_factor, 1e-9, 1);
  belongs(table, "power", "schedule", "polynomial");
  belongs(table, "plateau_patience", "schedule", "plateau");
  belongs(table, "plateau_factor", "schedule", "plateau");
  options.accumulate = table.integer("accumulate", 1, 1);
  options.average = table.number("average", 0, 0, 0.999999);
  options.precision =
      precision_from_name(table.choice("precision", "float32", {"float32", "bfloat16", "float16"}));
  auto& loss = options.loss;
  if (table.has("loss")) {
    loss.kind = loss_from_name(table.choice(
        "loss", "",
        {"cross_entropy", "focal", "squared_error", "absolute_error", "huber", "quantile"}));
  }
  loss.label_smoothing = table.number("label_smoothing", 0, 0, 0.99);
  loss.focal_gamma = table.number("focal_gamma", loss.focal_gamma, 0, kNoEnd);
  loss.huber_delta = table.number("huber_delta", loss.huber_delta, 1e-9, kNoEnd);
  loss.quantile = table.number("quantile", loss.quantile, 1e-6, 1 - 1e-6);
  belongs(table, "focal_gamma", "loss", "focal");
  belongs(table, "huber_delta", "loss", "huber");
  belongs(table, "quantile", "loss", "quantile");
  loss.positive_weight = table.number("positive_weight", 1, 1e-9, kNoEnd);
  loss.class_weights = table.list<double>("class_weights");
  options.checkpoint_seconds =
      table.number("checkpoint_seconds", options.checkpoint_seconds, 0, kNoEnd);
  options.clip_norm = table.number("clip_norm", options.clip_norm, 0, kNoEnd);
  options.patience = table.integer("patience", options.patience, 0);
  options.metric = table.text("metric");
  if (table.has("metric")) {
    table.choice("metric", "",
                 {"auc", "log_loss", "accuracy", "precision", "recall", "f1", "brier", "rmse",
                  "mae", "r2", "recall_at_10", "mrr", "ndcg", "ndcg_at_10"});
  }
  options.seed = static_cast<uint64_t>(table.integer("seed", 0, 0));
  options.device = table.choice("device", "auto", {"auto", "cpu", "cuda"});
  train.batches.sampling =
      sampling_from_name(table.choice("sampling", "each", {"each", "weighted", "balanced"}));
  train.workers = table.integer("workers", 1, 1);
  options.best_kept = table.integer("keep_best", 0, 0);
  options.deterministic = table.flag("deterministic", false);
  train.batches.memory_bytes_max = table.integer("memory", 1024, 1) << 20;  // in MB
  if (pipeline.split.by == PipelineSplit::By::kHash && pipeline.split.validation == 0 &&
      options.patience > 0) {
    table.wrong("patience", "needs validation rows, and [split] gives none");
  }
}

void Parser::track() {
  const auto table =
      section("track", {"log", "tensorboard", "mlflow", "experiment", "run", "required"});
  auto& track = pipeline.track;
  const auto path = [&](std::string_view key) {
    if (!table.has(key)) return fs::path();
    if (table.text(key).empty()) table.wrong(key, "is empty");
    return path_of(table.text(key));
  };
  track.log = path("log");
  track.tensorboard = path("tensorboard");
  track.mlflow = table.text("mlflow");
  while (track.mlflow.ends_with('/')) track.mlflow.pop_back();
  if (table.has("mlflow") && !track.mlflow.starts_with("http://") &&
      !track.mlflow.starts_with("https://")) {
    table.wrong("mlflow", "must be a server's address: \"http://127.0.0.1:5000\"");
  }
  if (track.mlflow.find('@') != std::string::npos) {
    table.wrong("mlflow", "may hold no password: set MLFLOW_TRACKING_TOKEN in the environment");
  }
  track.experiment = table.text("experiment", track.experiment);
  track.run = table.text("run");
  if (track.run.find('/') != std::string::npos) {
    table.wrong("run", "is the name of a folder too, so it may not hold `/`");
  }
  track.required = table.flag("required", false);
  for (const char* key : {"experiment", "required"}) {
    if (table.has(key) && track.mlflow.empty()) table.wrong(key, "is read with `mlflow` alone");
  }
}

void Parser::tune() {
  const auto table = section(
      "tune", {"method", "trials", "parallel", "first_epochs", "reduction", "seed", "space"});
  auto& tune = pipeline.tune;
  tune.method = tune_method_from_name(table.choice("method", "asha", {"random", "grid", "asha"}));
  const bool grid = tune.method == TuneMethod::kGrid;
  tune.trials = table.integer("trials", grid ? 0 : tune.trials, 1);
  tune.parallel = table.integer("parallel", 0, 1);
  for (const auto* key : {"first_epochs", "reduction"}) {
    if (table.has(key) && tune.method != TuneMethod::kAsha) {
      table.wrong(key, "is read with method = \"asha\" alone");
    }
  }
  tune.first_epochs = table.integer("first_epochs", tune.first_epochs, 1);
  tune.reduction = table.integer("reduction", tune.reduction, 2);
  tune.seed = static_cast<uint64_t>(table.integer("seed", 0, 0));
  if (!table.table()) return;
  table.need("space");
  const auto* keys = table.table()->get("space")->as_table();
  if (!keys || keys->empty()) {
    table.wrong("space",
                "must be a table of what is tried: train.learning_rate = { low = 1e-4, "
                "high = 1e-2, log = true }, model.dropout = [0, 0.1]");
  }
  space(table, "", *keys);
}

void Parser::space(const Section& table, const std::string& prefix, const toml::table& keys) {
  for (const auto& [name, node] : keys) {
    const auto key = prefix + std::string(name.str());
    const auto wrong = [&](const std::string& what) {
      refuse(file, line_of(node), fmt::format("`{}` in [tune.space] {}.", key, what));
    };
    TuneSetting setting{.key = key, .choices = {}};
    const auto* values = node.as_table();
    if (values && !values->contains("low")) {
      space(table, key + ".", *values);
      continue;
    }
    if (!key.starts_with("model.") && !key.starts_with("train.")) {
      wrong("cannot be tried: only keys of [model] and [train] leave the rows as they are");
    }
    for (const auto* fixed : {"train.epochs", "train.workers", "train.metric", "train.device"}) {
      if (key == fixed) wrong("cannot be tried: it must be the same in all trials");
    }
    if (const auto* list = node.as_array()) {
      for (const auto& value : *list) setting.choices.push_back(written(value));
      if (setting.choices.empty()) wrong("is an empty list");
    } else if (values) {
      const Section range(file, "tune.space." + key, values, line_of(node), {"low", "high", "log"});
      range.need("high");
      constexpr double kEnd = std::numeric_limits<double>::max();
      setting.low = range.number("low", 0, -kEnd, kEnd);
      setting.high = range.number("high", 0, -kEnd, kEnd);
      setting.logarithmic = range.flag("log", false);
      setting.integer = values->get("low")->is_integer() && values->get("high")->is_integer();
      if (!(setting.low < setting.high)) wrong("needs a `low` below its `high`");
      if (setting.logarithmic && setting.low <= 0) wrong("needs a `low` above 0 for `log`");
      if (pipeline.tune.method == TuneMethod::kGrid) wrong("must be a list for method = \"grid\"");
    } else {
      wrong("must be a list of values, or { low = …, high = … }");
    }
    pipeline.tune.space.push_back(std::move(setting));
  }
}

}  // namespace

}  // namespace firesteel
