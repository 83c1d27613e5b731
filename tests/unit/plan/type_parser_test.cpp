// Types and schemas from their texts.
#include <gtest/gtest.h>

#include "base/error.h"
#include "plan/types.h"

namespace firesteel {
namespace {

struct Case {
  const char* text;
  const char* simple;
};

TEST(TypeParser, ReadsEveryName) {
  const Case cases[] = {
      {"boolean", "boolean"},
      {"TINYINT", "tinyint"},
      {"byte", "tinyint"},
      {"short", "smallint"},
      {" Integer ", "int"},
      {"long", "bigint"},
      {"real", "float"},
      {"double", "double"},
      {"decimal", "decimal(10,0)"},
      {"dec(5)", "decimal(5,0)"},
      {"NUMERIC ( 12 , 2 )", "decimal(12,2)"},
      {"varchar(10)", "string"},
      {"char(3)", "string"},
      {"binary", "binary"},
      {"timestamp_ltz", "timestamp"},
      {"timestamp_ntz", "timestamp_ntz"},
      {"timestamp without time zone", "timestamp_ntz"},
      {"interval day to second", "interval day to second"},
      {"INTERVAL YEAR TO MONTH", "interval year to month"},
      {"interval hour", "interval hour"},
      {"void", "void"},
      {"array<array<int>>", "array<array<int>>"},
      {"map<string, map<int,date>>", "map<string,map<int,date>>"},
      {"struct<a: int, b string NOT NULL COMMENT 'it\\'s', `c d`: array<float>>",
       "struct<a:int,b:string,c d:array<float>>"},
      {"struct<>", "struct<>"},
  };
  for (const auto& [text, simple] : cases)
    EXPECT_EQ(parse_type(text).simple_string(), simple) << text;
}

TEST(TypeParser, ReadsSchemas) {
  const auto schema =
      parse_schema("a INT NOT NULL, `b ``c` ARRAY<STRING>, d: decimal(4,1) COMMENT 'x'");
  ASSERT_EQ(schema.size(), 3u);
  EXPECT_EQ(schema[0].name, "a");
  EXPECT_FALSE(schema[0].nullable);
  EXPECT_EQ(schema[1].name, "b `c");
  EXPECT_TRUE(schema[1].nullable);
  EXPECT_EQ(schema[2].type.simple_string(), "decimal(4,1)");
  EXPECT_EQ(parse_schema("struct<x: int>")[0].name, "x");
  EXPECT_EQ(parse_schema("struct int")[0].name, "struct");
}

TEST(TypeParser, RefusesWhatIsNoType) {
  const auto condition = [](const char* text) {
    try {
      parse_type(text);
    } catch (const Error& error) {
      return error.condition();
    }
    return std::string("none");
  };
  EXPECT_EQ(condition("strin"), "UNSUPPORTED_DATATYPE");
  EXPECT_EQ(condition("array<int"), "PARSE_SYNTAX_ERROR");
  EXPECT_EQ(condition("int int"), "PARSE_SYNTAX_ERROR");
  EXPECT_EQ(condition(""), "PARSE_SYNTAX_ERROR");
  EXPECT_EQ(condition("decimal(39,1)"), "DECIMAL_PRECISION_EXCEEDS_MAX_PRECISION");
  EXPECT_EQ(condition("interval day to month"), "UNSUPPORTED_DATATYPE");
}

}  // namespace
}  // namespace firesteel
