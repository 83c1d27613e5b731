// The tree of relations. Expressions: print_expression.cpp.
#include "plan/print.h"

#include <fmt/format.h>
#include <spark/connect/base.pb.h>

#include <string_view>

namespace firesteel {

namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using spark::connect::Aggregate;
using spark::connect::Expression;
using spark::connect::Join;
using spark::connect::Relation;
using spark::connect::SetOperation;

void clear_origins(Message* message) {
  std::vector<const FieldDescriptor*> fields;
  const auto* reflection = message->GetReflection();
  reflection->ListFields(*message, &fields);
  for (const auto* field : fields) {
    if (field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE || field->is_map()) continue;
    if (field->is_repeated()) {
      for (int i = 0; i < reflection->FieldSize(*message, field); ++i) {
        clear_origins(reflection->MutableRepeatedMessage(message, field, i));
      }
    } else if (field->name() == "origin") {
      reflection->ClearField(message, field);
    } else {
      auto* part = reflection->MutableMessage(message, field);
      clear_origins(part);
      if (field->name() == "common" && part->ByteSizeLong() == 0) {
        reflection->ClearField(message, field);
      }
    }
  }
}

template <typename List>
std::string joined(const List& list) {
  std::string text;
  for (const auto& item : list) {
    if (!text.empty()) text += ", ";
    if constexpr (requires { text += item; }) {
      text += item;
    } else {
      text += print(item);
    }
  }
  return text;
}

std::string print_order(const Expression::SortOrder& order) {
  Expression expression;
  *expression.mutable_sort_order() = order;
  return print(expression);
}

std::string print_literals(const google::protobuf::RepeatedPtrField<Expression::Literal>& values) {
  std::string text;
  for (const auto& value : values) {
    Expression expression;
    *expression.mutable_literal() = value;
    text += (text.empty() ? "" : ", ") + print(expression);
  }
  return text;
}

std::string_view join_name(Join::JoinType type) {
  switch (type) {
    case Join::JOIN_TYPE_INNER:
      return "INNER";
    case Join::JOIN_TYPE_FULL_OUTER:
      return "FULL OUTER";
    case Join::JOIN_TYPE_LEFT_OUTER:
      return "LEFT OUTER";
    case Join::JOIN_TYPE_RIGHT_OUTER:
      return "RIGHT OUTER";
    case Join::JOIN_TYPE_LEFT_ANTI:
      return "LEFT ANTI";
    case Join::JOIN_TYPE_LEFT_SEMI:
      return "LEFT SEMI";
    case Join::JOIN_TYPE_CROSS:
      return "CROSS";
    default:
      return "?";
  }
}

std::string print_aggregate(const Aggregate& aggregate) {
  std::string text = "Aggregate";
  switch (aggregate.group_type()) {
    case Aggregate::GROUP_TYPE_ROLLUP:
      text += " ROLLUP";
      break;
    case Aggregate::GROUP_TYPE_CUBE:
      text += " CUBE";
      break;
    case Aggregate::GROUP_TYPE_PIVOT:
      text += " PIVOT";
      break;
    case Aggregate::GROUP_TYPE_GROUPING_SETS:
      text += " GROUPING SETS";
      break;
    default:
      break;
  }
  text += fmt::format(" by [{}]", joined(aggregate.grouping_expressions()));
  if (aggregate.grouping_sets_size() > 0) {
    std::string sets;
    for (const auto& set : aggregate.grouping_sets()) {
      sets += fmt::format("{}({})", sets.empty() ? "" : ", ", joined(set.grouping_set()));
    }
    text += " sets [" + sets + "]";
  }
  if (aggregate.has_pivot()) {
    text += fmt::format(" for {} in [{}]", print(aggregate.pivot().col()),
                        print_literals(aggregate.pivot().values()));
  }
  return text + ": " + joined(aggregate.aggregate_expressions());
}

std::string print_set_operation(const SetOperation& operation) {
  std::string text = "SetOperation ";
  switch (operation.set_op_type()) {
    case SetOperation::SET_OP_TYPE_INTERSECT:
      text += "INTERSECT";
      break;
    case SetOperation::SET_OP_TYPE_UNION:
      text += "UNION";
      break;
    case SetOperation::SET_OP_TYPE_EXCEPT:
      text += "EXCEPT";
      break;
    default:
      text += "?";
  }
  if (operation.is_all()) text += " ALL";
  if (operation.by_name()) text += " BY NAME";
  if (operation.allow_missing_columns()) text += " allowing missing columns";
  return text;
}

std::string print_read(const spark::connect::Read& read) {
  if (read.has_named_table()) return "Read " + read.named_table().unparsed_identifier();
  const auto& source = read.data_source();
  return fmt::format("Read {} [{}]", source.format(), joined(source.paths()));
}

/// The line of one relation; its inputs get lines of their own.
std::string line_of(const Relation& relation) {
  switch (relation.rel_type_case()) {
    case Relation::kRead:
      return print_read(relation.read());
    case Relation::kProject:
      return "Project " + joined(relation.project().expressions());
    case Relation::kFilter:
      return "Filter " + print(relation.filter().condition());
    case Relation::kJoin: {
      const auto& join = relation.join();
      std::string text = fmt::format("Join {}", join_name(join.join_type()));
      if (join.has_join_condition()) text += " on " + print(join.join_condition());
      if (join.using_columns_size() > 0) text += " using [" + joined(join.using_columns()) + "]";
      return text;
    }
    case Relation::kLateralJoin: {
      const auto& join = relation.lateral_join();
      std::string text = fmt::format("LateralJoin {}", join_name(join.join_type()));
      return join.has_join_condition() ? text + " on " + print(join.join_condition()) : text;
    }
    case Relation::kSetOp:
      return print_set_operation(relation.set_op());
    case Relation::kSort: {
      std::string text;
      for (const auto& order : relation.sort().order()) {
        text += (text.empty() ? " " : ", ") + print_order(order);
      }
      return (relation.sort().is_global() ? "Sort" : "SortWithinPartitions") + text;
    }
    case Relation::kLimit:
      return fmt::format("Limit {}", relation.limit().limit());
    case Relation::kOffset:
      return fmt::format("Offset {}", relation.offset().offset());
    case Relation::kTail:
      return fmt::format("Tail {}", relation.tail().limit());
    case Relation::kAggregate:
      return print_aggregate(relation.aggregate());
    case Relation::kSql:
      return "SQL " + relation.sql().query();
    case Relation::kLocalRelation:
      return "LocalRelation " + relation.local_relation().schema();
    case Relation::kSample:
      return fmt::format("Sample {} to {}{}", relation.sample().lower_bound(),
                         relation.sample().upper_bound(),
                         relation.sample().with_replacement() ? " with replacement" : "");
    case Relation::kDeduplicate:
      return relation.deduplicate().all_columns_as_keys()
                 ? "Deduplicate"
                 : "Deduplicate on [" + joined(relation.deduplicate().column_names()) + "]";
    case Relation::kRange:
      return fmt::format("Range {} to {} by {}", relation.range().start(), relation.range().end(),
                         relation.range().step());
    case Relation::kSubqueryAlias:
      return "SubqueryAlias " + relation.subquery_alias().alias();
    case Relation::kRepartition:
      return fmt::format("Repartition {}{}", relation.repartition().num_partitions(),
                         relation.repartition().shuffle() ? " shuffled" : "");
    case Relation::kRepartitionByExpression:
      return "RepartitionByExpression " +
             joined(relation.repartition_by_expression().partition_exprs());
    case Relation::kToDf:
      return "ToDF [" + joined(relation.to_df().column_names()) + "]";
    case Relation::kWithColumns: {
      std::string text;
      for (const auto& alias : relation.with_columns().aliases()) {
        Expression expression;
        *expression.mutable_alias() = alias;
        text += (text.empty() ? " " : ", ") + print(expression);
      }
      return "WithColumns" + text;
    }
    case Relation::kWithColumnsRenamed: {
      std::string text;
      for (const auto& rename : relation.with_columns_renamed().renames()) {
        text += fmt::format("{}{} to {}", text.empty() ? " " : ", ", rename.col_name(),
                            rename.new_col_name());
      }
      return "WithColumnsRenamed" + text;
    }
    case Relation::kDrop:
      return fmt::format(
          "Drop [{}{}{}]", joined(relation.drop().columns()),
          relation.drop().columns_size() && relation.drop().column_names_size() ? ", " : "",
          joined(relation.drop().column_names()));
    case Relation::kFillNa:
      return fmt::format("NAFill [{}] with [{}]", joined(relation.fill_na().cols()),
                         print_literals(relation.fill_na().values()));
    case Relation::kDropNa:
      return "NADrop [" + joined(relation.drop_na().cols()) + "]";
    case Relation::kUnpivot:
      return fmt::format(
          "Unpivot [{}] ids [{}] into {}, {}", joined(relation.unpivot().values().values()),
          joined(relation.unpivot().ids()), relation.unpivot().variable_column_name(),
          relation.unpivot().value_column_name());
    case Relation::kUnresolvedTableValuedFunction: {
      const auto& function = relation.unresolved_table_valued_function();
      return fmt::format("TableFunction {}({})", function.function_name(),
                         joined(function.arguments()));
    }
    case Relation::kHint:
      return fmt::format("Hint {}({})", relation.hint().name(),
                         joined(relation.hint().parameters()));
    case Relation::kShowString:
      return fmt::format("ShowString {} rows", relation.show_string().num_rows());
    default: {
      const auto* one = Relation::descriptor()->FindOneofByName("rel_type");
      const auto* field = relation.GetReflection()->GetOneofFieldDescriptor(relation, one);
      return field ? std::string(field->message_type()->name()) : "Nothing";
    }
  }
}

void print_tree(const Relation& relation, int depth, std::string& out) {
  out += std::string(2 * depth, ' ');
  out += line_of(relation);
  if (relation.common().has_plan_id()) out += fmt::format(" #{}", relation.common().plan_id());
  out += '\n';
  const auto* one = Relation::descriptor()->FindOneofByName("rel_type");
  const auto* field = relation.GetReflection()->GetOneofFieldDescriptor(relation, one);
  if (!field) return;
  const auto& kind = relation.GetReflection()->GetMessage(relation, field);
  std::vector<const FieldDescriptor*> fields;
  const auto* reflection = kind.GetReflection();
  reflection->ListFields(kind, &fields);
  for (const auto* part : fields) {
    if (part->message_type() != Relation::descriptor()) continue;
    const int count = part->is_repeated() ? reflection->FieldSize(kind, part) : 1;
    for (int i = 0; i < count; ++i) {
      const auto& input = part->is_repeated() ? reflection->GetRepeatedMessage(kind, part, i)
                                              : reflection->GetMessage(kind, part);
      print_tree(static_cast<const Relation&>(input), depth + 1, out);
    }
  }
}

}  // namespace

std::string print(const Relation& relation) {
  std::string out;
  print_tree(relation, 0, out);
  return out;
}

Expression without_origins(Expression expression) {
  clear_origins(&expression);
  return expression;
}

Relation without_origins(Relation relation) {
  clear_origins(&relation);
  return relation;
}

}  // namespace firesteel
