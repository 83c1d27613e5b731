// Spark's parameters, found in messages that are like Spark's.
#include "base/condition.h"

#include <gtest/gtest.h>

namespace firesteel {
namespace {

using Values = std::map<std::string, std::string>;

TEST(Condition, TheWholeMessage) {
  const auto found = message_parameters(Error(
      "UNRESOLVED_COLUMN.WITH_SUGGESTION",
      "A column, variable, or function parameter with name `a`.`b` cannot be resolved. Did you "
      "mean one of the following? [`c`, `d`]."));
  EXPECT_EQ(found.values, (Values{{"objectName", "`a`.`b`"}, {"proposal", "`c`, `d`"}}));
  EXPECT_TRUE(found.complete);
}

TEST(Condition, AdviceMayBeLeftOut) {
  const auto found = message_parameters(
      Error("ARITHMETIC_OVERFLOW", "overflow. Use 'try_add' to tolerate overflow."));
  EXPECT_EQ(found.values, (Values{{"message", "overflow"},
                                  {"alternative", " Use 'try_add' to tolerate overflow."},
                                  {"config", "\"spark.sql.ansi.enabled\""}}));
  EXPECT_TRUE(found.complete);
}

TEST(Condition, MoreMayBeSaid) {
  const auto found = message_parameters(Error(
      "UNRESOLVED_ROUTINE", "Cannot resolve routine `f` on search path [`a`]. Did you mean `g`?"));
  EXPECT_EQ(found.values, (Values{{"routineName", "`f`"}, {"searchPath", "[`a`]"}}));
}

TEST(Condition, WhatTheMessageDoesNotSay) {
  const Error error("TABLE_OR_VIEW_NOT_FOUND", "No such table.");
  EXPECT_FALSE(message_parameters(error).complete);
  EXPECT_TRUE(message_parameters(error).values.empty());
  const auto said = error.with("relationName", "`t`").with("searchPath", "[`a`]").at({1, 2});
  EXPECT_EQ(message_parameters(said).values,
            (Values{{"relationName", "`t`"}, {"searchPath", "[`a`]"}}));
  EXPECT_TRUE(message_parameters(said).complete);
}

TEST(Condition, AValueThatLooksLikeTheMessage) {
  const std::string value = "'x' of the type \"y\" cannot be cast to 'z'";
  const auto found = message_parameters(
      Error("CAST_INVALID_INPUT",
            "The value " + value +
                " of the type \"STRING\" cannot be cast to \"INT\" because it is "
                "malformed. Correct the value as per the syntax, or change its target type. Use "
                "`try_cast` to tolerate malformed input and return NULL instead."));
  EXPECT_TRUE(found.complete);
}

TEST(Condition, AMessageOfNoKindIsGivenUpSoon) {
  std::string message = "The ";
  for (int i = 0; i < 1000; ++i) message += " requires  parameters but the actual number is ";
  EXPECT_TRUE(message_parameters(Error("WRONG_NUM_ARGS.WITHOUT_SUGGESTION", message))
                  .values.contains("docroot"));
  EXPECT_TRUE(message_parameters(Error("NO_CONDITION_OF_SPARK", "anything")).values.empty());
}

TEST(Condition, SqlStates) {
  EXPECT_EQ(Error("DATATYPE_MISMATCH.SOMETHING_NEW", "").sqlstate(), "42K09");
  EXPECT_EQ(Error("IO_ERROR", "").sqlstate(), "58030");
  EXPECT_EQ(Error("NO_CONDITION_OF_SPARK", "").sqlstate(), "XX000");
}

}  // namespace
}  // namespace firesteel
