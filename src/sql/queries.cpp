// Queries: SELECT and its clauses, VALUES, set operations, WITH.
#include <fmt/format.h>

#include <algorithm>

#include "plan/names.h"
#include "plan/print.h"
#include "plan/visit.h"
#include "sql/aggregate_names.h"
#include "sql/grammar.h"

namespace firesteel {

namespace {

using Expression = spark::connect::Expression;
using Relation = spark::connect::Relation;
using spark::connect::Aggregate;
using spark::connect::SetOperation;

Relation union_all(Relation left, Relation right) {
  Relation made;
  auto* operation = made.mutable_set_op();
  operation->set_set_op_type(SetOperation::SET_OP_TYPE_UNION);
  operation->set_is_all(true);
  *operation->mutable_left_input() = std::move(left);
  *operation->mutable_right_input() = std::move(right);
  return made;
}

/// The value of an expression of integer literals, for LIMIT 10 * 2.
std::optional<int64_t> constant_value(const Expression& expression) {
  if (expression.has_literal()) {
    const auto& literal = expression.literal();
    if (literal.has_integer()) return literal.integer();
    if (literal.has_long_()) return literal.long_();
    if (literal.has_short_()) return literal.short_();
    if (literal.has_byte()) return literal.byte();
    return std::nullopt;
  }
  if (expression.has_cast()) return constant_value(expression.cast().expr());
  const auto& call = expression.unresolved_function();
  if (call.arguments_size() != 2) return std::nullopt;
  const auto left = constant_value(call.arguments(0)), right = constant_value(call.arguments(1));
  int64_t value = 0;
  if (!left || !right) return std::nullopt;
  if (call.function_name() == "+" && !__builtin_add_overflow(*left, *right, &value)) return value;
  if (call.function_name() == "-" && !__builtin_sub_overflow(*left, *right, &value)) return value;
  if (call.function_name() == "*" && !__builtin_mul_overflow(*left, *right, &value)) return value;
  return std::nullopt;
}

/// Equal for two keys that are written alike.
std::string identity(const Expression& expression) {
  const Expression plain = without_origins(expression);
  std::string text;
  if (plain.has_unresolved_attribute()) {
    return lower_case(plain.unresolved_attribute().unparsed_identifier());
  }
  plain.SerializeToString(&text);
  return text;
}

constexpr size_t kGroupingSetsMax = 4096;

using KeySets = std::vector<std::vector<Expression>>;

KeySets rollup_sets(const KeySets& groups) {
  KeySets sets;
  for (size_t count = groups.size() + 1; count-- > 0;) {
    auto& set = sets.emplace_back();
    for (size_t i = 0; i < count; ++i) set.insert(set.end(), groups[i].begin(), groups[i].end());
  }
  return sets;
}

KeySets cube_sets(const KeySets& groups) {
  KeySets sets;
  for (size_t mask = size_t{1} << groups.size(); mask-- > 0;) {
    auto& set = sets.emplace_back();
    for (size_t i = 0; i < groups.size(); ++i) {
      // The first key varies slowest, as in Spark.
      if (mask >> (groups.size() - 1 - i) & 1) {
        set.insert(set.end(), groups[i].begin(), groups[i].end());
      }
    }
  }
  return sets;
}

KeySets product(const KeySets& left, const KeySets& right) {
  KeySets sets;
  for (const auto& a : left) {
    for (const auto& b : right) {
      auto& set = sets.emplace_back(a);
      set.insert(set.end(), b.begin(), b.end());
    }
  }
  return sets;
}

/// Does a call with OVER stand anywhere in the message?
bool contains_window(const Expression& expression) {
  bool found = false;
  for_each_message(expression, [&](const google::protobuf::Message& part) {
    found = found || part.GetDescriptor() == Expression::Window::descriptor();
    return !found;
  });
  return found;
}

/// Names of aliases in a message become the aliases' expressions.
void replace_aliases(const google::protobuf::RepeatedPtrField<Expression>& items,
                     google::protobuf::Message* message) {
  if (message->GetDescriptor() == Expression::descriptor()) {
    auto* expression = static_cast<Expression*>(message);
    for (const auto& item : items) {
      const auto& name = expression->unresolved_attribute().unparsed_identifier();
      if (!expression->has_unresolved_attribute() || !item.has_alias() ||
          lower_case(item.alias().name(0)) != lower_case(name))
        continue;
      const Expression meant = item.alias().expr();
      *expression = meant;
      return;
    }
  }
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  const auto* reflection = message->GetReflection();
  reflection->ListFields(*message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_MESSAGE || field->is_map())
      continue;
    const int count = field->is_repeated() ? reflection->FieldSize(*message, field) : 1;
    for (int i = 0; i < count; ++i) {
      replace_aliases(items, field->is_repeated()
                                 ? reflection->MutableRepeatedMessage(message, field, i)
                                 : reflection->MutableMessage(message, field));
    }
  }
}

}  // namespace

bool contains_aggregate(const Expression& expression) {
  const auto any = [](const auto& list) { return std::ranges::any_of(list, contains_aggregate); };
  switch (expression.expr_type_case()) {
    case Expression::kUnresolvedFunction:
      return is_aggregate_function(expression.unresolved_function().function_name()) ||
             any(expression.unresolved_function().arguments());
    case Expression::kAlias:
      return contains_aggregate(expression.alias().expr());
    case Expression::kCast:
      return contains_aggregate(expression.cast().expr());
    case Expression::kUnresolvedExtractValue:
      return contains_aggregate(expression.unresolved_extract_value().child()) ||
             contains_aggregate(expression.unresolved_extract_value().extraction());
    case Expression::kSortOrder:
      return contains_aggregate(expression.sort_order().child());
    case Expression::kLambdaFunction:
      return contains_aggregate(expression.lambda_function().function());
    case Expression::kNamedArgumentExpression:
      return contains_aggregate(expression.named_argument_expression().value());
    case Expression::kSubqueryExpression:
      return any(expression.subquery_expression().in_subquery_values());
    case Expression::kWindow: {
      const auto& window = expression.window();
      // sum(sum(x)) OVER (…): only the inner one aggregates.
      const auto* call = &window.window_function().unresolved_function();
      if (call->is_internal() && call->function_name() == "aggregate_filter") {
        if (contains_aggregate(call->arguments(1))) return true;
        call = &call->arguments(0).unresolved_function();
      }
      if (call->is_internal() && call->function_name() == "within_group") {
        for (int i = 1; i < call->arguments_size(); ++i) {
          if (contains_aggregate(call->arguments(i))) return true;
        }
        call = &call->arguments(0).unresolved_function();
      }
      return any(call->arguments()) || any(window.partition_spec()) ||
             std::ranges::any_of(window.order_spec(), [](const auto& order) {
               return contains_aggregate(order.child());
             });
    }
    default:
      return false;
  }
}

Relation Grammar::located(Relation made, int start) const {
  const auto span = in_.since(start);
  auto* origin = made.mutable_common()->mutable_origin()->mutable_jvm_origin();
  origin->set_start_index(span.start);
  origin->set_stop_index(span.stop - 1);
  return made;
}

Relation Grammar::query() {
  const Level level(*this);
  const int start = in_.start();
  std::vector<Relation> tables;
  if (in_.accept("WITH")) tables = common_tables();
  blocks_.emplace_back();
  blocks_.back().select_start = in_.position();
  Chain chain(*this, kRelationWeight);
  Relation body = query_body();
  while (in_.is("|>")) {
    body = piped(std::move(body));
    chain.link();
  }
  return with_references(close_block(std::move(body), start), std::move(tables), start);
}

/// The end of what may hold subqueries: they are put beside it.
Relation Grammar::close_block(Relation root, int start) {
  Block block = std::move(blocks_.back());
  blocks_.pop_back();
  return with_references(std::move(root), std::move(block.subqueries), start);
}

Relation Grammar::with_references(Relation root, std::vector<Relation> references,
                                  int start) const {
  if (references.empty()) return root;
  Relation made;
  *made.mutable_with_relations()->mutable_root() = std::move(root);
  for (auto& reference : references)
    *made.mutable_with_relations()->add_references() = std::move(reference);
  return located(std::move(made), start);
}

Relation Grammar::query_body() { return ordered(set_operation(0)); }

std::vector<Relation> Grammar::common_tables() {
  const bool recursive = in_.is("RECURSIVE") && in_.is_name(1);
  if (recursive) in_.take();
  std::vector<Relation> tables;
  do {
    const int start = in_.start();
    const std::string name = alias_name();
    for (const auto& table : tables) {
      if (lower_case(table.subquery_alias().alias()) != lower_case(name)) continue;
      in_.fail(Error("DUPLICATED_CTE_NAMES",
                     fmt::format("CTE definition can't have duplicate names: `{}`.", name)),
               in_.since(start));
    }
    std::vector<std::string> columns;
    if (in_.is("(")) columns = name_list();
    if (in_.accept("MAX", "RECURSION", "LEVEL")) expression();
    in_.accept("AS");
    in_.expect("(");
    Relation body = query();
    in_.expect(")");
    if (!columns.empty()) {
      Relation renamed;
      *renamed.mutable_to_df()->mutable_input() = std::move(body);
      for (auto& column : columns) renamed.mutable_to_df()->add_column_names(std::move(column));
      body = located(std::move(renamed), start);
    }
    Relation table;
    table.mutable_subquery_alias()->set_alias(name);
    *table.mutable_subquery_alias()->mutable_input() = std::move(body);
    tables.push_back(located(std::move(table), start));
    if (recursive)  // the plan has no form for it
      tables.back().mutable_common()->mutable_origin()->mutable_jvm_origin()->set_object_type(
          "RECURSIVE");
  } while (in_.accept(","));
  return tables;
}

/// Level 0: UNION, EXCEPT, MINUS; level 1: INTERSECT, which binds tighter.
Relation Grammar::set_operation(int level) {
  return set_operations(level == 0 ? set_operation(1) : query_term(), level);
}

Relation Grammar::set_operations(Relation left, int level) {
  const int start = in_.start();
  const auto operand = [&] { return level == 0 ? set_operation(1) : query_term(); };
  Chain chain(*this, kRelationWeight);
  while (true) {
    SetOperation::SetOpType kind = SetOperation::SET_OP_TYPE_UNSPECIFIED;
    if (level == 1 && in_.is("INTERSECT")) kind = SetOperation::SET_OP_TYPE_INTERSECT;
    if (level == 0 && in_.is("UNION")) kind = SetOperation::SET_OP_TYPE_UNION;
    if (level == 0 && in_.is_any("EXCEPT", "MINUS")) kind = SetOperation::SET_OP_TYPE_EXCEPT;
    if (kind == SetOperation::SET_OP_TYPE_UNSPECIFIED) return left;
    in_.take();
    Relation made;
    auto* operation = made.mutable_set_op();
    operation->set_set_op_type(kind);
    operation->set_is_all(in_.accept("ALL"));
    if (!operation->is_all()) in_.accept("DISTINCT");
    if (in_.accept("BY", "NAME")) operation->set_by_name(true);
    *operation->mutable_left_input() = std::move(left);
    *operation->mutable_right_input() = operand();
    chain.link();
    left = located(std::move(made), start);
  }
}

Relation Grammar::query_term() {
  const int start = in_.start();
  if (in_.is("SELECT")) return select();
  if (in_.is("VALUES")) {
    Relation table = values();
    return aliased(std::move(table), start, false);
  }
  if (in_.accept("TABLE")) {
    Relation table;
    table.mutable_read()->mutable_named_table()->set_unparsed_identifier(table_name());
    return located(std::move(table), start);
  }
  if (in_.accept("(")) {
    Relation inner = query();
    in_.expect(")");
    return inner;
  }
  if (in_.is("FROM")) {
    Relation input = from_clause();
    return in_.is("SELECT") ? select(std::move(input)) : std::move(input);
  }
  in_.fail("a query");
}

Relation Grammar::values() {
  const int start = in_.start();
  in_.expect("VALUES");
  std::vector<Relation> rows;
  size_t width = 0;
  do {
    const int row_start = in_.start();
    std::vector<Expression> cells;
    const size_t close = in_.is("(") && !at_query_after_parenthesis() ? in_.token().match : 0;
    const auto& after = in_.token_at(close + 1);
    const bool tuple = close > 0 && (after.kind != TokenKind::kSymbol || after.text == "," ||
                                     after.text == ")" || after.text == ";");
    if (tuple) {
      in_.take();
      do {
        cells.push_back(named_expression());
      } while (in_.accept(","));
      in_.expect(")");
    } else {
      cells.push_back(expression());
    }
    if (!rows.empty() && cells.size() != width) {
      in_.fail(Error("INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH",
                     fmt::format("Invalid inline table. Inline table expected {} columns but found "
                                 "{} columns in row {}.",
                                 width, cells.size(), rows.size())),
               in_.since(row_start));
    }
    width = cells.size();
    Relation row;
    for (size_t i = 0; i < cells.size(); ++i) {
      auto* alias = row.mutable_project()->add_expressions();
      *alias->mutable_common() = cells[i].common();
      alias->mutable_alias()->add_name("col" + std::to_string(i + 1));
      *alias->mutable_alias()->mutable_expr() = std::move(cells[i]);
    }
    rows.push_back(located(std::move(row), row_start));
  } while (in_.accept(","));
  while (rows.size() > 1) {
    std::vector<Relation> pairs;
    for (size_t i = 0; i + 1 < rows.size(); i += 2) {
      pairs.push_back(located(union_all(std::move(rows[i]), std::move(rows[i + 1])), start));
      // Tells rows from a written UNION ALL, whose types are brought together otherwise.
      pairs.back().mutable_common()->mutable_origin()->mutable_jvm_origin()->set_object_type(
          "VALUES");
    }
    if (rows.size() % 2 == 1) pairs.push_back(std::move(rows.back()));
    rows = std::move(pairs);
  }
  return std::move(rows[0]);
}

Relation Grammar::select(std::optional<Relation> from) {
  const int start = in_.start();
  blocks_.back().select_start = in_.position();
  blocks_.back().windows.clear();
  blocks_.back().windows_read = false;
  in_.expect("SELECT");
  const bool distinct = in_.is("DISTINCT") && !in_.is(",", 1) && !in_.is("FROM", 1);
  if (distinct || (in_.is("ALL") && !in_.is(",", 1) && !in_.is("FROM", 1))) in_.take();
  auto list = select_list();
  Relation input = from ? std::move(*from) : in_.is("FROM") ? from_clause() : Relation();
  const auto filter = [&](Relation source, int clause_start) {
    Relation made;
    *made.mutable_filter()->mutable_condition() = expression();
    if (source.rel_type_case() != Relation::REL_TYPE_NOT_SET) {
      *made.mutable_filter()->mutable_input() = std::move(source);
    }
    return located(std::move(made), clause_start);
  };
  const int where_start = in_.start();
  if (in_.accept("WHERE")) input = filter(std::move(input), where_start);
  const bool keys = in_.accept("GROUP", "BY");
  const bool aggregates = keys || in_.is("HAVING") || std::ranges::any_of(list, contains_aggregate);
  Relation made;
  if (aggregates) {
    if (keys) {
      made = group_by(std::move(input), std::move(list));
    } else {
      auto* aggregate = made.mutable_aggregate();
      aggregate->set_group_type(Aggregate::GROUP_TYPE_GROUPBY);
      if (input.rel_type_case() != Relation::REL_TYPE_NOT_SET) {
        *aggregate->mutable_input() = std::move(input);
      }
      for (auto& item : list) *aggregate->add_aggregate_expressions() = std::move(item);
    }
    made = located(std::move(made), start);
    // The aggregate holds SQL's whole SELECT list, where PySpark's agg() leaves the keys out.
    made.mutable_common()->mutable_origin()->mutable_jvm_origin()->set_object_type("SELECT");
    const int having_start = in_.start();
    if (in_.accept("HAVING")) made = filter(std::move(made), having_start);
  } else {
    if (input.rel_type_case() != Relation::REL_TYPE_NOT_SET) {
      *made.mutable_project()->mutable_input() = std::move(input);
    }
    for (auto& item : list) *made.mutable_project()->add_expressions() = std::move(item);
    made = located(std::move(made), start);
  }
  if (in_.is("QUALIFY")) made = qualified(std::move(made), start);
  if (in_.is("WINDOW")) read_window_clause();
  if (distinct) {
    Relation unique;
    unique.mutable_deduplicate()->set_all_columns_as_keys(true);
    *unique.mutable_deduplicate()->mutable_input() = std::move(made);
    made = located(std::move(unique), start);
  }
  return made;
}

/// QUALIFY: its condition becomes one more column of the SELECT list, where it may use windows and
/// the list's aliases; the rows are filtered by it, and it is dropped.
Relation Grammar::qualified(Relation selected, int start) {
  constexpr const char* kColumn = "__qualify";
  const Span word = in_.span();
  in_.take();
  const int condition_start = in_.start();
  Expression item;
  item.mutable_alias()->add_name(kColumn);
  *item.mutable_alias()->mutable_expr() = expression();
  Relation& list = selected.has_filter() ? *selected.mutable_filter()->mutable_input() : selected;
  const auto& items = list.has_aggregate() ? list.aggregate().aggregate_expressions()
                                           : list.project().expressions();
  if (!contains_window(item) && std::ranges::none_of(items, contains_window)) {
    in_.fail(
        Error("QUALIFY_REQUIRES_WINDOW_FUNCTION",
              "At least one window function must be present in the SELECT list or QUALIFY clause."),
        word);
  }
  item = located(std::move(item), condition_start);
  if (list.has_aggregate()) {
    // There the list's aliases are no columns yet: they stand for their expressions.
    replace_aliases(items, item.mutable_alias()->mutable_expr());
    *list.mutable_aggregate()->add_aggregate_expressions() = std::move(item);
  } else {
    *list.mutable_project()->add_expressions() = std::move(item);
  }
  Relation filtered;
  Expression column;
  column.mutable_unresolved_attribute()->set_unparsed_identifier(kColumn);
  *filtered.mutable_filter()->mutable_condition() = located(std::move(column), condition_start);
  *filtered.mutable_filter()->mutable_input() = std::move(selected);
  Relation made;
  made.mutable_drop()->add_column_names(kColumn);
  *made.mutable_drop()->mutable_input() = located(std::move(filtered), start);
  return located(std::move(made), start);
}

std::vector<Expression> Grammar::select_list() {
  std::vector<Expression> list;
  do {
    const int start = in_.start();
    Expression item = named_expression();
    if (item.has_unresolved_star() && in_.is("EXCEPT") && in_.is("(", 1) &&
        !at_query(in_.position() + 2)) {
      in_.take();
      in_.take();
      // The plan has no star with exceptions; the resolver drops the columns named here.
      std::vector<Expression> arguments;
      arguments.push_back(std::move(item));
      do {
        arguments.push_back(name_or_call());
      } while (in_.accept(","));
      in_.expect(")");
      item = function("star_except", std::move(arguments), start);
      item.mutable_unresolved_function()->set_is_internal(true);
    }
    list.push_back(std::move(item));
    if (in_.is(",") && in_.is("FROM", 1) && in_.is_name(2)) {
      in_.fail(Error("TRAILING_COMMA_IN_SELECT",
                     "Trailing comma detected in SELECT clause. Remove the trailing comma before "
                     "the FROM clause."),
               in_.span());
    }
  } while (in_.accept(","));
  return list;
}

Relation Grammar::from_clause() {
  in_.expect("FROM");
  const int start = in_.start();
  Chain chain(*this, kRelationWeight);
  Relation left = relation();
  while (in_.accept(",")) {
    chain.link();
    const bool is_lateral = in_.accept("LATERAL");
    Relation right = relation();
    if (is_lateral) {
      left = lateral(std::move(left), std::move(right), spark::connect::Join::JOIN_TYPE_INNER);
    } else {
      Relation made;
      made.mutable_join()->set_join_type(spark::connect::Join::JOIN_TYPE_CROSS);
      *made.mutable_join()->mutable_left() = std::move(left);
      *made.mutable_join()->mutable_right() = std::move(right);
      left = std::move(made);
    }
    left = located(std::move(left), start);
  }
  while (in_.are("LATERAL", "VIEW")) {
    left = lateral_view(std::move(left));
    chain.link();
  }
  return left;
}

Relation Grammar::group_by(Relation input, std::vector<Expression> list) {
  Relation made;
  auto* aggregate = made.mutable_aggregate();
  if (input.rel_type_case() != Relation::REL_TYPE_NOT_SET) {
    *aggregate->mutable_input() = std::move(input);
  }
  for (auto& item : list) *aggregate->add_aggregate_expressions() = std::move(item);
  aggregate->set_group_type(Aggregate::GROUP_TYPE_GROUPBY);

  // One key, or a parenthesised list of them: an element of ROLLUP, CUBE or GROUPING SETS.
  const auto key_group = [&] {
    std::vector<Expression> keys;
    if (in_.accept("(")) {
      if (!in_.is(")")) keys = expression_list();
      in_.expect(")");
    } else {
      keys.push_back(expression());
    }
    return keys;
  };
  const auto key_groups = [&] {
    KeySets groups;
    in_.expect("(");
    if (!in_.is(")")) {
      do {
        groups.push_back(key_group());
      } while (in_.accept(","));
    }
    in_.expect(")");
    return groups;
  };
  const auto too_many_sets = [&] {
    in_.fail(Error("GROUPING_SIZE_LIMIT_EXCEEDED",
                   fmt::format("Grouping sets cannot be more than {}.", kGroupingSetsMax)),
             in_.span());
  };
  const auto at_sets = [&] { return in_.are("GROUPING", "SETS"); };
  const auto is_cube_word = [&] { return in_.is_any("ROLLUP", "CUBE") && in_.is("(", 1); };

  std::vector<KeySets> elements;  // their product is the grouping
  bool plain = true, one_kind = false, single_keys = true;
  Aggregate::GroupType kind = Aggregate::GROUP_TYPE_GROUPBY;
  do {
    if (is_cube_word()) {
      one_kind = elements.empty();
      plain = false;
      kind =
          in_.take().upper == "ROLLUP" ? Aggregate::GROUP_TYPE_ROLLUP : Aggregate::GROUP_TYPE_CUBE;
      const auto groups = key_groups();
      const size_t sets = kind == Aggregate::GROUP_TYPE_ROLLUP ? groups.size()
                          : groups.size() < 32                 ? size_t{1} << groups.size()
                                                               : kGroupingSetsMax + 1;
      if (sets > kGroupingSetsMax) too_many_sets();
      for (const auto& group : groups) single_keys = single_keys && group.size() == 1;
      if (one_kind) {
        for (const auto& group : groups) {
          for (const auto& key : group) *aggregate->add_grouping_expressions() = key;
        }
      }
      elements.push_back(kind == Aggregate::GROUP_TYPE_ROLLUP ? rollup_sets(groups)
                                                              : cube_sets(groups));
    } else if (at_sets()) {
      plain = one_kind = false;
      in_.take();
      in_.take();
      elements.push_back(key_groups());
    } else {
      one_kind = false;
      // () alone is the one group of everything.
      if (in_.is("(") && in_.is(")", 1)) {
        in_.take();
        in_.take();
        elements.push_back({{}});
      } else {
        elements.push_back({{expression()}});
      }
    }
  } while (in_.accept(","));
  if (elements.size() > 1) one_kind = false;

  if (plain) {
    KeySets groups;
    for (const auto& element : elements) {
      groups.push_back(element[0]);
      for (const auto& key : element[0]) *aggregate->add_grouping_expressions() = key;
    }
    if (in_.accept("WITH", "ROLLUP")) {
      aggregate->set_group_type(Aggregate::GROUP_TYPE_ROLLUP);
    } else if (in_.accept("WITH", "CUBE")) {
      aggregate->set_group_type(Aggregate::GROUP_TYPE_CUBE);
    } else if (at_sets()) {
      in_.take();
      in_.take();
      aggregate->set_group_type(Aggregate::GROUP_TYPE_GROUPING_SETS);
      for (const auto& keys : key_groups()) {
        auto* set = aggregate->add_grouping_sets();
        for (const auto& key : keys) *set->add_grouping_set() = key;
      }
    }
    return made;
  }
  if (one_kind && single_keys) {
    aggregate->set_group_type(kind);
    return made;
  }
  aggregate->clear_grouping_expressions();
  aggregate->set_group_type(Aggregate::GROUP_TYPE_GROUPING_SETS);
  KeySets sets = {{}};
  for (const auto& element : elements) {
    if (sets.size() * element.size() > kGroupingSetsMax) too_many_sets();
    sets = product(sets, element);
  }
  std::vector<std::string> seen;
  for (const auto& keys : sets) {
    auto* set = aggregate->add_grouping_sets();
    for (const auto& key : keys) {
      *set->add_grouping_set() = key;
      auto id = identity(key);
      if (std::ranges::find(seen, id) != seen.end()) continue;
      seen.push_back(std::move(id));
      *aggregate->add_grouping_expressions() = key;
    }
  }
  return made;
}

Relation Grammar::ordered(Relation input) {
  const int start = in_.start();
  const auto sort = [&](bool global) {
    Relation made;
    made.mutable_sort()->set_is_global(global);
    for (auto& item : sort_list()) *made.mutable_sort()->add_order() = std::move(item);
    *made.mutable_sort()->mutable_input() = std::move(input);
    input = located(std::move(made), start);
  };
  const auto repartition = [&](bool sorts) {
    Relation made;
    for (auto& key : expression_list()) {
      *made.mutable_repartition_by_expression()->add_partition_exprs() = std::move(key);
    }
    *made.mutable_repartition_by_expression()->mutable_input() = std::move(input);
    Relation result = located(std::move(made), start);
    if (sorts) {
      Relation sorted;
      sorted.mutable_sort()->set_is_global(false);
      for (const auto& key : result.repartition_by_expression().partition_exprs()) {
        auto* order = sorted.mutable_sort()->add_order();
        *order->mutable_child() = key;
        order->set_direction(SortOrder::SORT_DIRECTION_ASCENDING);
        order->set_null_ordering(SortOrder::SORT_NULLS_FIRST);
      }
      *sorted.mutable_sort()->mutable_input() = std::move(result);
      result = located(std::move(sorted), start);
    }
    input = std::move(result);
  };
  if (in_.accept("ORDER", "BY")) {
    sort(true);
  } else if (in_.accept("CLUSTER", "BY")) {
    repartition(true);
  } else {
    if (in_.accept("DISTRIBUTE", "BY")) repartition(false);
    if (in_.accept("SORT", "BY")) sort(false);
  }
  if (in_.is("WINDOW")) read_window_clause();
  std::optional<int> limit, offset;
  int limit_start = 0, offset_start = 0;
  Span limit_span, offset_span;
  while (in_.is_any("LIMIT", "OFFSET")) {
    const int clause_start = in_.start();
    if (in_.is("LIMIT") && !limit_start) {
      in_.take();
      if (!in_.accept("ALL")) limit = constant_rows("limit");
      limit_start = 1;
      limit_span = in_.since(clause_start);
    } else if (in_.is("OFFSET") && !offset_start) {
      in_.take();
      offset = constant_rows("offset");
      offset_start = 1;
      offset_span = in_.since(clause_start);
    } else {
      in_.fail();
    }
  }
  const auto place = [](Relation& made, Span span) {
    auto* origin = made.mutable_common()->mutable_origin()->mutable_jvm_origin();
    origin->set_start_index(span.start);
    origin->set_stop_index(span.stop - 1);
  };
  if (offset) {
    Relation made;
    made.mutable_offset()->set_offset(*offset);
    *made.mutable_offset()->mutable_input() = std::move(input);
    place(made, offset_span);
    input = std::move(made);
  }
  if (limit) {
    Relation made;
    made.mutable_limit()->set_limit(*limit);
    *made.mutable_limit()->mutable_input() = std::move(input);
    place(made, limit_span);
    input = std::move(made);
  }
  return input;
}

int Grammar::constant_rows(std::string_view clause) {
  const int start = in_.start();
  const Expression value = expression();
  const auto rows = constant_value(value);
  const Span span = in_.since(start);
  const auto text = in_.sql().substr(span.start, span.stop - span.start);
  if (!rows) {
    const bool literal = value.has_literal();
    in_.fail(Error(fmt::format("INVALID_LIMIT_LIKE_EXPRESSION.{}",
                               literal ? "DATA_TYPE" : "IS_UNFOLDABLE"),
                   fmt::format(
                       "The limit like expression \"{}\" is invalid. The {} expression must "
                       "{}.",
                       text, clause, literal ? "be integer type" : "evaluate to a constant value")),
             span);
  }
  if (*rows < 0 || *rows > 2147483647) {
    in_.fail(
        Error("INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE",
              fmt::format("The limit like expression \"{}\" is invalid. The {} expression must "
                          "be equal to or greater than 0, but got {}.",
                          text, clause, *rows)),
        span);
  }
  return static_cast<int>(*rows);
}

/// Finds this SELECT's WINDOW clause ahead of its place: the select list uses the names first.
void Grammar::read_windows(size_t from) {
  blocks_.back().windows_read = true;
  const size_t here = in_.position();
  for (size_t i = from; in_.token_at(i).kind != TokenKind::kEnd; ++i) {
    const Token& token = in_.token_at(i);
    if (token.text == ")" && token.kind == TokenKind::kSymbol) break;
    if (token.text == "(" && token.kind == TokenKind::kSymbol) {
      i = token.match;
      if (in_.token_at(i).kind == TokenKind::kEnd) break;
    }
    if (i > from && (token.upper == "UNION" || token.upper == "INTERSECT")) break;
    if (token.upper == "WINDOW" && in_.token_at(i + 2).upper == "AS") {
      in_.seek(i);
      read_window_clause();
      break;
    }
  }
  in_.seek(here);
}

void Grammar::read_window_clause() {
  in_.expect("WINDOW");
  do {
    const auto name = lower_case(alias_name());
    in_.expect("AS");
    blocks_.back().windows[name] = window_specification();
  } while (in_.accept(","));
  blocks_.back().windows_read = true;
}

/// Does a query start at this token? Of several parentheses, the outer one holds a query when what
/// follows the inner one can only continue a query.
bool Grammar::at_query(size_t index) const {
  const Token& token = in_.token_at(index);
  if (token.kind == TokenKind::kWord) {
    if (token.upper == "SELECT" || token.upper == "WITH")
      return in_.token_at(index + 1).text != ",";
    if (token.upper == "VALUES") {
      const auto& next = in_.token_at(index + 1);
      return next.kind != TokenKind::kSymbol || next.text == "(";
    }
    const auto next = in_.token_at(index + 1).kind;
    if (token.upper == "FROM" || token.upper == "TABLE") {
      return next == TokenKind::kWord || next == TokenKind::kQuotedName;
    }
    return false;
  }
  const auto is_open = [&](size_t i) {
    return in_.token_at(i).kind == TokenKind::kSymbol && in_.token_at(i).text == "(";
  };
  size_t inner = index;
  while (is_open(inner) && inner - index < 1000) ++inner;
  if (inner == index || is_open(inner) || !at_query(inner)) return false;
  static constexpr std::string_view kContinues[] = {"EXCEPT", "INTERSECT", "LIMIT", "MINUS",
                                                    "OFFSET", "ORDER",     "SORT",  "UNION"};
  for (size_t i = index; i < inner; ++i) {
    const Token& after = in_.token_at(in_.token_at(i).match + 1);
    const bool continues =
        after.kind == TokenKind::kWord
            ? std::ranges::binary_search(kContinues, std::string_view(after.upper))
            : after.kind == TokenKind::kEnd || after.text == ")" || after.text == ";";
    if (!continues) return false;
  }
  return true;
}

}  // namespace firesteel
