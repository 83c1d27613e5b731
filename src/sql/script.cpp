// SQL scripts: BEGIN … END with variables, conditions and loops; and where statements end.
#include <fmt/format.h>

#include "sql/grammar.h"
#include "sql/parser.h"

namespace firesteel {

namespace {

using spark::connect::Expression;
using spark::connect::Relation;
using Kind = ScriptStep::Kind;

bool at_end_of(const Cursor& in, std::string_view word) {
  return in.is("END") && (word.empty() || in.is(word, 1));
}

}  // namespace

std::vector<std::string> split_statements(std::string_view text) {
  const auto tokens = tokenize(text);
  std::vector<std::string> statements;
  int start = -1, depth = 0;
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto& token = tokens[i];
    const bool ends = token.kind == TokenKind::kEnd || (token.text == ";" && depth == 0);
    if (start < 0 && !ends) {
      start = token.span.start;
      depth = token.upper == "BEGIN" || (i + 2 < tokens.size() && tokens[i + 1].text == ":" &&
                                         tokens[i + 2].upper == "BEGIN")
                  ? 1
                  : 0;
      if (depth > 0 && token.upper != "BEGIN") i += 2;
      continue;
    }
    if (ends && start >= 0) {
      statements.emplace_back(text.substr(start, token.span.start - start));
      start = -1;
    }
    if (depth == 0) continue;
    // Within a script: what BEGIN and CASE open, END closes; loops and IF have ends of their own.
    if (token.upper == "BEGIN" || (token.upper == "CASE" && tokens[i - 1].upper != "END")) ++depth;
    if (token.upper != "END") continue;
    const auto& next = tokens[std::min(i + 1, tokens.size() - 1)].upper;
    if (next != "IF" && next != "WHILE" && next != "LOOP" && next != "FOR" && next != "REPEAT")
      --depth;
  }
  return statements;
}

Script Grammar::script() {
  const Level level(*this);
  Script made;
  if (in_.is(":", 1)) {
    made.label = alias_name();
    in_.take();
  }
  in_.expect("BEGIN");
  in_.accept("ATOMIC") || in_.accept("NOT", "ATOMIC");
  made.steps = script_steps("");
  in_.expect("END");
  if (!made.label.empty() && in_.is_name() && !in_.is(";")) in_.accept(in_.token().upper);
  return made;
}

std::vector<ScriptStep> Grammar::script_steps(std::string_view until) {
  std::vector<ScriptStep> steps;
  while (!at_end_of(in_, "") && !(until == "IF" && in_.is_any("ELSE", "ELSEIF")) &&
         !(until == "CASE" && in_.is_any("WHEN", "ELSE")) &&
         !(until == "REPEAT" && in_.is("UNTIL"))) {
    if (in_.at_end()) in_.fail("END");
    steps.push_back(script_step());
    in_.expect(";");
  }
  return steps;
}

Relation Grammar::script_value() {
  const int start = in_.start();
  blocks_.emplace_back();
  Relation row;
  *row.mutable_project()->add_expressions() = expression();
  return close_block(located(std::move(row), start), start);
}

ScriptStep Grammar::script_step() {
  const Level level(*this);
  const int start = in_.start();
  ScriptStep step;
  if (in_.is("BEGIN") || (in_.is(":", 1) && in_.is("BEGIN", 2))) {
    auto block = script();
    step.kind = Kind::kBlock;
    step.label = block.label;
    step.branches.emplace_back(Relation(), std::move(block.steps));
    return step;
  }
  if (in_.is(":", 1)) {
    step.label = alias_name();
    in_.take();
  }
  const auto end = [&](std::string_view word) {
    in_.expect("END");
    in_.expect(word);
    if (!step.label.empty() && in_.is_name()) in_.take();
  };
  if (in_.accept("IF")) {
    step.kind = Kind::kIf;
    do {
      auto condition = script_value();
      in_.expect("THEN");
      step.branches.emplace_back(std::move(condition), script_steps("IF"));
    } while (in_.accept("ELSEIF"));
    if (in_.accept("ELSE")) step.otherwise = script_steps("");
    end("IF");
    return step;
  }
  if (in_.accept("WHILE")) {
    step.kind = Kind::kWhile;
    auto condition = script_value();
    in_.expect("DO");
    step.branches.emplace_back(std::move(condition), script_steps(""));
    end("WHILE");
    return step;
  }
  if (in_.is("REPEAT") && !in_.is("(", 1)) {
    in_.take();
    step.kind = Kind::kRepeat;
    auto body = script_steps("REPEAT");
    in_.expect("UNTIL");
    step.branches.emplace_back(script_value(), std::move(body));
    end("REPEAT");
    return step;
  }
  if (in_.accept("LOOP")) {
    step.kind = Kind::kLoop;
    step.branches.emplace_back(Relation(), script_steps(""));
    end("LOOP");
    return step;
  }
  if (in_.accept("FOR")) {
    step.kind = Kind::kFor;
    if (in_.is("AS", 1)) {
      step.name = alias_name();
      in_.take();
    }
    auto rows = query();
    in_.expect("DO");
    step.branches.emplace_back(std::move(rows), script_steps(""));
    end("FOR");
    return step;
  }
  if (in_.is("CASE")) {
    in_.take();
    step.kind = Kind::kIf;
    std::optional<Expression> subject;
    if (!in_.is("WHEN")) {
      blocks_.emplace_back();
      subject = expression();
      blocks_.pop_back();
    }
    while (in_.accept("WHEN")) {
      const int value_start = in_.start();
      blocks_.emplace_back();
      auto value = expression();
      if (subject) value = make("==", value_start, *subject, std::move(value));
      Relation row;
      *row.mutable_project()->add_expressions() = std::move(value);
      auto condition = close_block(located(std::move(row), value_start), value_start);
      in_.expect("THEN");
      step.branches.emplace_back(std::move(condition), script_steps("CASE"));
    }
    if (in_.accept("ELSE")) step.otherwise = script_steps("CASE");
    end("CASE");
    return step;
  }
  if (in_.is_any("LEAVE", "ITERATE")) {
    step.kind = in_.take().upper == "LEAVE" ? Kind::kLeave : Kind::kIterate;
    step.name = alias_name();
    return step;
  }
  if (in_.is("DECLARE") && (in_.is("HANDLER", 2) || in_.is("CONDITION", 2)))
    unsupported("DECLARE … " + in_.token(2).upper, start);
  if (in_.is_any("SIGNAL", "RESIGNAL", "OPEN", "FETCH", "CLOSE", "GET"))
    unsupported(in_.token().upper, start);
  step.kind = Kind::kStatement;
  // SET x = 1 is about a variable here.
  if (in_.is("SET") && !in_.is_any("VAR", "VARIABLE") && (in_.is("=", 2) || in_.is("(", 1))) {
    in_.take();
    const int rest = in_.start();
    assignments();
    step.text = "SET VAR " + text_since(rest);
    return step;
  }
  statement();
  step.text = text_since(start);
  return step;
}

}  // namespace firesteel
