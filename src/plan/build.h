// Small pieces of plans, for code that makes a plan of another.
#pragma once

#include <spark/connect/relations.pb.h>

#include <string>
#include <vector>

#include "plan/types.h"

namespace firesteel::build {

using Expression = spark::connect::Expression;
using Relation = spark::connect::Relation;

Expression call(const std::string& name, std::vector<Expression> arguments);
/// A column by its written name: "`a b`.c".
Expression attribute(const std::string& written);
/// A column by its bare name.
Expression column(const std::string& name);
Expression integer(int value);
Expression number(double value);
Expression text(const std::string& value);
Expression alias(Expression value, const std::string& name);
Expression cast(Expression value, const DataType& type, bool try_cast = false);
Expression star();

Relation project(Relation input, std::vector<Expression> columns);
Relation filter(Relation input, Expression condition);
Relation aggregate(Relation input, std::vector<Expression> keys, std::vector<Expression> values);
Relation to_df(Relation input, const std::vector<std::string>& names);
Relation union_all(Relation left, Relation right);

}  // namespace firesteel::build
