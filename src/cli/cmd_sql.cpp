// firesteel sql: one statement, or a shell with history.
#include <fmt/format.h>
#include <histedit.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"
#include "cli/query_progress.h"
#include "sql/parser.h"

namespace firesteel::cli {

namespace {

struct SqlOptions {
  std::string text, file, format = "table", output;
  int rows = 20;
  bool vertical = false, whole = false;
};

void run_statement(const Session& spark, const std::string& text, const SqlOptions& options) {
  const auto df = spark.sql(text);
  const auto schema = df.schema();
  if (schema.empty()) return;
  // Plans and statements are lines to read, no cells.
  static constexpr std::string_view kTexts[] = {"createtab_stmt", "function_desc", "plan"};
  if (options.format == "table" && schema.size() == 1 &&
      std::ranges::find(kTexts, schema[0].name) != std::end(kTexts)) {
    for (const auto& row : df.collect()) fmt::print("{}\n", row[0].text);
    return;
  }
  std::optional<QueryProgress> progress(std::in_place, spark.executor());
  if (options.format == "table") {
    const auto table = df.showString(options.rows, options.whole ? 0 : 20, options.vertical);
    progress.reset();
    fmt::print("{}", table);
  } else {
    write_rows(df, options.format, options.output);
  }
}

/// Does the text end a statement? A semicolon within a script does not.
bool complete(const std::string& text) {
  const auto end = text.find_last_not_of(" \t\r\n");
  if (end == std::string::npos || text[end] != ';') return false;
  const auto with_more = split_statements(text + " more");
  return with_more.back() == "more";
}

const char* prompt_text = "firesteel> ";
const char* prompt(EditLine*) { return prompt_text; }

int shell(const Session& spark, const SqlOptions& options) {
  const char* home = std::getenv("HOME");
  const std::string history_file = std::string(home ? home : ".") + "/.firesteel_history";
  EditLine* editor = el_init("firesteel", stdin, stdout, stderr);
  History* history = history_init();
  HistEvent event;
  ::history(history, &event, H_SETSIZE, 1000);
  ::history(history, &event, H_LOAD, history_file.c_str());
  el_set(editor, EL_PROMPT, prompt);
  el_set(editor, EL_EDITOR, "emacs");
  el_set(editor, EL_HIST, ::history, history);
  fmt::print("Spark SQL. A statement ends with a semicolon; quit with Ctrl-D.\n");
  std::string text;
  for (;;) {
    prompt_text = text.empty() ? "firesteel> " : "        -> ";
    int count = 0;
    const char* line = el_gets(editor, &count);
    if (!line || count <= 0) break;
    text += line;
    if (text == "quit\n" || text == "exit\n") break;
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) text.clear();
    if (!complete(text)) continue;
    ::history(history, &event, H_ENTER, text.c_str());
    ::history(history, &event, H_SAVE, history_file.c_str());
    for (const auto& statement : split_statements(text)) {
      try {
        interrupted() = false;
        run_statement(spark, statement, options);
      } catch (const Error& error) {
        fmt::print("{}\n", error.what());
      }
    }
    std::fflush(stdout);
    text.clear();
  }
  history_end(history);
  el_end(editor);
  fmt::print("\n");
  return 0;
}

}  // namespace

Run sql_command(CLI::App& app, const GlobalOptions& options) {
  auto sql = std::make_shared<SqlOptions>();
  app.add_option("statement", sql->text,
                 "Spark SQL; several statements are separated by semicolons");
  app.add_option("-f,--file", sql->file, "Read the statements from a file");
  app.add_option("--format", sql->format, "table, csv, json, parquet or arrow")
      ->check(CLI::IsMember({"table", "csv", "json", "parquet", "arrow"}));
  app.add_option("-o,--output", sql->output, "Write to a file (needed for parquet)");
  app.add_option("-n,--rows", sql->rows, "Rows shown in a table (default 20)");
  app.add_flag("--vertical", sql->vertical, "One line per value");
  app.add_flag("--whole", sql->whole, "Do not cut long values");
  return [sql, &options] {
    if (!sql->file.empty()) {
      std::ifstream in(sql->file);
      if (!in)
        throw Error("PATH_NOT_FOUND", fmt::format("The SQL file {} cannot be read.", sql->file));
      sql->text.assign(std::istreambuf_iterator<char>(in), {});
    }
    const auto spark = open_session(options);
    if (sql->text.empty() && isatty(STDIN_FILENO)) return shell(spark, *sql);
    if (sql->text.empty()) sql->text.assign(std::istreambuf_iterator<char>(std::cin), {});
    const auto all = split_statements(sql->text);
    if (all.empty())
      throw Error("PARSE_EMPTY_STATEMENT",
                  "There is no statement. Give one, e.g. firesteel sql \"SELECT 1\".");
    for (const auto& statement : all) run_statement(spark, statement, *sql);
    return 0;
  };
}

}  // namespace firesteel::cli
