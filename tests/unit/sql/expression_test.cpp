// Expressions: what each text means (as its canonical text), parse(print(e)) == e, places, errors.
#include <gtest/gtest.h>
#include <spark/connect/base.pb.h>

#include "base/error.h"
#include "plan/print.h"
#include "sql/parser.h"

namespace firesteel {
namespace {

using spark::connect::Expression;

struct Case {
  const char* sql;
  const char* printed;  // nullptr: as written
};

const Case kCases[] = {
    // Literals.
    {"1", nullptr},
    {"-1", nullptr},
    {"2147483648", "2147483648L"},
    {"-2147483648", nullptr},
    {"1L", nullptr},
    {"1s", "1S"},
    {"1y", "1Y"},
    {"1.5", nullptr},
    {".5", "0.5"},
    {"007.10", "7.10"},
    {"12BD", nullptr},
    {"1e3", "1000D"},
    {"1.e+3", "1000D"},
    {"1.5F", nullptr},
    {"1.5e-7D", "1.5e-07D"},
    {"9223372036854775808", "9223372036854775808BD"},
    {"'it\\'s' \"x\"", "'it\\'sx'"},
    {"'a''b'", "'a\\'b'"},
    {"'\\u00e9\\n\\%\\065'", "'\303\251\\n\\\\%5'"},
    {"r'\\n'", "'\\\\n'"},
    {"X'1Fa'", "X'01FA'"},
    {"true", "TRUE"},
    {"NULL", nullptr},
    {"date '2020-2-29'", "DATE '2020-02-29'"},
    {"DATE '1969-12-31'", nullptr},
    {"TIMESTAMP '2020-01-01 00:00:00'", "CAST('2020-01-01 00:00:00' AS TIMESTAMP)"},
    {"TIMESTAMP_NTZ '2020-01-01'", "CAST('2020-01-01' AS TIMESTAMP_NTZ)"},
    {"INTERVAL '1' DAY", nullptr},
    {"interval 1 day 2 hours", "INTERVAL '1 02' DAY TO HOUR"},
    {"INTERVAL '1-2' YEAR TO MONTH", nullptr},
    {"INTERVAL '-1 02:03:04.5' DAY TO SECOND", nullptr},
    {"interval '3 weeks 1 minute'", "INTERVAL '21 00:01' DAY TO MINUTE"},
    {"INTERVAL 18 MONTHS", "INTERVAL '18' MONTH"},
    {"INTERVAL -3 SECONDS", "INTERVAL '-03' SECOND"},
    // Names.
    {"a", nullptr},
    {"t.a", nullptr},
    {"`a b`.c", nullptr},
    {"`a``b`", nullptr},
    {"1st", "`1st`"},
    {"t.1st", "t.`1st`"},
    {"*", nullptr},
    {"t.*", nullptr},
    {"date", nullptr},
    {"interval", nullptr},
    {"left", nullptr},
    {"current_date", "current_date()"},
    // Operators and their precedence.
    {"1 + 2 * 3", nullptr},
    {"(1 + 2) * 3", nullptr},
    {"a - (b - c)", nullptr},
    {"a - b - c", nullptr},
    {"-a * b", nullptr},
    {"- -1", "-(-1)"},
    {"-(1)", nullptr},
    {"+a", nullptr},
    {"a div b % c", "a DIV b % c"},
    {"a | b ^ c & d << 1", nullptr},
    {"a >> 2", nullptr},
    {"a >>> 2", nullptr},
    {"~a", nullptr},
    {"a || b || c", "concat(concat(a, b), c)"},
    {"a = b", nullptr},
    {"a == b", "a = b"},
    {"a <=> b", nullptr},
    {"a != b", "a <> b"},
    {"a < b = c", nullptr},
    {"a or b and not c", "a OR b AND NOT c"},
    {"(a OR b) AND c", nullptr},
    {"a AND (b AND c)", nullptr},
    {"!a", "NOT a"},
    {"not a = b", "a <> b"},
    {"NOT (a OR b)", nullptr},
    {"a IS NULL", nullptr},
    {"a is not null", "a IS NOT NULL"},
    {"a IS TRUE", "a <=> TRUE"},
    {"a IS NOT FALSE", "a IS DISTINCT FROM FALSE"},
    {"a IS NOT DISTINCT FROM b", "a <=> b"},
    {"a BETWEEN 1 AND 2 AND b", nullptr},
    {"a not between 1 and 2", "a NOT BETWEEN 1 AND 2"},
    {"a IN (1, 2)", nullptr},
    {"a NOT IN ('x')", nullptr},
    {"a LIKE 'x%'", nullptr},
    {"a NOT LIKE 'x%' ESCAPE '!'", nullptr},
    {"a regexp 'x'", "a RLIKE 'x'"},
    {"a ILIKE ANY ('x', 'y')", "lower(a) LIKE ANY ('x', 'y')"},
    {"a NOT LIKE ALL ('x', 'y')", nullptr},
    {"a + 1 IS NULL", nullptr},
    {"(a IS NULL) = b", nullptr},
    {"a OR b OR c OR d OR e OR f OR g OR h", nullptr},
    // Postfix.
    {"a[0]", nullptr},
    {"a[0].b['c']", "a[0].b.c"},
    {"f(x).y", nullptr},
    {"(a).b", "a['b']"},
    {"a::int", "CAST(a AS INT)"},
    {"cast(a as array<struct<x: int>>)", "CAST(a AS ARRAY<STRUCT<x: INT>>)"},
    {"try_cast(a AS decimal(10, 2))", "TRY_CAST(a AS DECIMAL(10,2))"},
    {"a + 1::string", "a + CAST(1 AS STRING)"},
    // Calls.
    {"f()", nullptr},
    {"f(a, 1)", nullptr},
    {"count(*)", nullptr},
    {"count(DISTINCT a, b)", nullptr},
    {"f(k => 1)", nullptr},
    {"struct(a AS x, b)", nullptr},
    {"(a, b)", "struct(a, b)"},
    {"first(a IGNORE NULLS)", "first(a, TRUE)"},
    {"last(a) IGNORE NULLS", "last(a, TRUE)"},
    {"sum(a) FILTER (WHERE b > 1)", nullptr},
    {"percentile_cont(0.5) WITHIN GROUP (ORDER BY a DESC)", nullptr},
    {"CASE WHEN a THEN 1 ELSE 2 END", nullptr},
    {"case x when 1 then 'a' end", "CASE WHEN x = 1 THEN 'a' END"},
    {"extract(year FROM d)", "extract('year', d)"},
    {"substring(s FROM 2 FOR 3)", "substring(s, 2, 3)"},
    {"substring(s, 2)", nullptr},
    {"trim(both 'x' from s)", "trim('x', s)"},
    {"trim(leading 'x' from s)", "ltrim('x', s)"},
    {"trim(trailing from s)", "rtrim(s)"},
    {"trim('x' from s)", "trim('x', s)"},
    {"trim(s)", nullptr},
    {"position('a' in s)", "locate('a', s)"},
    {"position('a', s)", nullptr},
    {"overlay(s placing 'x' from 2 for 1)", "overlay(s, 'x', 2, 1)"},
    {"dateadd(day, 1, d)", "timestampadd('DAY', 1, d)"},
    {"date_add(d, 1)", nullptr},
    {"timestampdiff(hour, a, b)", "timestampdiff('HOUR', a, b)"},
    {"left(s, 2)", nullptr},
    {"if(a, b, c)", nullptr},
    // Lambdas.
    {"transform(xs, x -> x + 1)", nullptr},
    {"aggregate(xs, 0, (a, x) -> a + x.n)", nullptr},
    {"filter(xs, x -> exists(ys, y -> y = x))", nullptr},
    // Windows.
    {"sum(a) OVER ()", nullptr},
    {"row_number() OVER (PARTITION BY a, b ORDER BY c DESC, d ASC NULLS LAST)",
     "row_number() OVER (PARTITION BY a, b ORDER BY c DESC, d NULLS LAST)"},
    {"sum(a) OVER (ORDER BY b ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)", nullptr},
    {"sum(a) OVER (ORDER BY b ROWS UNBOUNDED PRECEDING)",
     "sum(a) OVER (ORDER BY b ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"},
    {"sum(a) over (order by b range between interval 1 day preceding and 3 following)",
     "sum(a) OVER (ORDER BY b RANGE BETWEEN INTERVAL '1' DAY PRECEDING AND 3 FOLLOWING)"},
    {"lag(a) IGNORE NULLS OVER (ORDER BY b)", "lag(a, 1, NULL, TRUE) OVER (ORDER BY b)"},
    // Aliases.
    {"a AS b", nullptr},
    {"a b", "a AS b"},
    {"a AS `b c`", nullptr},
    {"explode(m) AS (k, v)", nullptr},
    {"sum(late) > 3 AS end", nullptr},
    {"* EXCEPT (a, t.b)", nullptr},
};

TEST(ParseExpression, MeansAndPrints) {
  for (const auto& [sql, printed] : kCases) {
    SCOPED_TRACE(sql);
    try {
      const auto parsed = without_origins(parse_expression(sql));
      const auto text = print(parsed);
      EXPECT_EQ(text, printed ? printed : sql);
      const auto again = without_origins(parse_expression(text));
      EXPECT_EQ(again.ShortDebugString(), parsed.ShortDebugString());
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

struct ProtoCase {
  const char* sql;
  const char* proto;
};

TEST(ParseExpression, MakesTheProtocolsForms) {
  const ProtoCase cases[] = {
      {"1.50", R"(literal { decimal { value: "1.50" precision: 3 scale: 2 } })"},
      {".05", R"(literal { decimal { value: "0.05" precision: 2 scale: 2 } })"},
      {"DATE '2020-01-01'", "literal { date: 18262 }"},
      {"INTERVAL '1-2' YEAR TO MONTH",
       "literal { year_month_interval: 14 data_type { year_month_interval { start_field: 0 "
       "end_field: 1 "
       "} } }"},
      {"a <> 1",
       R"(unresolved_function { function_name: "not" arguments { unresolved_function { function_name: "==" arguments { unresolved_attribute { unparsed_identifier: "a" } } arguments { literal { integer: 1 } } } } })"},
      {"x -> x.a",
       R"(lambda_function { function { unresolved_named_lambda_variable { name_parts: "x" name_parts: "a" } } arguments { name_parts: "x" } })"},
      {"a.b[0]",
       R"(unresolved_extract_value { child { unresolved_attribute { unparsed_identifier: "a.b" } } extraction { literal { integer: 0 } } })"},
      {"sum(a) FILTER (WHERE b)",
       R"(unresolved_function { function_name: "aggregate_filter" arguments { unresolved_function { function_name: "sum" arguments { unresolved_attribute { unparsed_identifier: "a" } } } } arguments { unresolved_attribute { unparsed_identifier: "b" } } is_internal: true })"},
  };
  for (const auto& [sql, proto] : cases) {
    EXPECT_EQ(without_origins(parse_expression(sql)).ShortDebugString(), proto) << sql;
  }
}

TEST(ParseExpression, KeepsPlaces) {
  const std::string sql = "a + (bb * 2) AND c";
  const auto root = parse_expression(sql);
  const auto text_of = [&](const Expression& expression) {
    const auto& origin = expression.common().origin().jvm_origin();
    return sql.substr(origin.start_index(), origin.stop_index() - origin.start_index() + 1);
  };
  EXPECT_EQ(root.common().origin().jvm_origin().sql_text(), sql);
  EXPECT_EQ(text_of(root), sql);
  const auto& sum = root.unresolved_function().arguments(0);
  EXPECT_EQ(text_of(sum), "a + (bb * 2)");
  EXPECT_EQ(text_of(sum.unresolved_function().arguments(0)), "a");
  EXPECT_EQ(text_of(sum.unresolved_function().arguments(1)), "bb * 2");
  EXPECT_EQ(text_of(root.unresolved_function().arguments(1)), "c");
}

struct ErrorCase {
  const char* sql;
  const char* condition;
  const char* marked;  // what the caret stands under
};

TEST(ParseExpression, SaysWhatIsWrongAndWhere) {
  const ErrorCase cases[] = {
      {"", "PARSE_EMPTY_STATEMENT", ""},
      {"1 +", "PARSE_SYNTAX_ERROR", "+"},
      {"a b c", "PARSE_SYNTAX_ERROR", "c"},
      {"f(a,, b)", "PARSE_SYNTAX_ERROR", ","},
      {"(a", "PARSE_SYNTAX_ERROR", "a"},
      {"'abc", "PARSE_SYNTAX_ERROR", "'"},
      {"a /* x", "UNCLOSED_BRACKETED_COMMENT", "/*"},
      {"1 + 300Y", "INVALID_NUMERIC_LITERAL_RANGE", "300Y"},
      {"DATE '2020-13-01'", "INVALID_TYPED_LITERAL", "DATE '2020-13-01'"},
      {"INTERVAL 1 DAY 1 MONTH", "UNSUPPORTED_FEATURE.MIXED_INTERVAL", "INTERVAL 1 DAY 1 MONTH"},
      {"CAST(a AS strin)", "UNSUPPORTED_DATATYPE", "strin"},
      {"a = :x", "UNBOUND_SQL_PARAMETER", ":x"},
      {"a IN (SELECT 1)", "UNSUPPORTED_FEATURE.SUBQUERY_IN_EXPRESSION_TEXT", "a IN (SELECT 1)"},
      {"CASE WHEN a THEN 1", "PARSE_SYNTAX_ERROR", "1"},
  };
  for (const auto& [sql, condition, marked] : cases) {
    SCOPED_TRACE(sql);
    try {
      parse_expression(sql);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.condition(), condition);
      const auto span = error.span();
      EXPECT_EQ(std::string(sql).substr(span.start, span.stop - span.start), marked);
    }
  }
}

TEST(ParseExpression, PutsACaretUnderTheFault) {
  try {
    parse_expression("a +\n  b )");
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(),
                 "[PARSE_SYNTAX_ERROR] Syntax error at or near ')'. SQLSTATE: 42601\n  b )\n    ^");
  }
}

TEST(ParseExpression, BoundsNesting) {
  const auto nested = [](int levels) {
    return std::string(levels, '(') + "1" + std::string(levels, ')');
  };
  EXPECT_NO_THROW(parse_expression(nested(900)));
  for (const auto& sql :
       {nested(100000), std::string(100000, '-') + "1", std::string(100000, '~') + "a"}) {
    EXPECT_THROW(parse_expression(sql), Error);
  }
  std::string nots = "a", calls = "a", sums = "a", ors = "a";
  for (int i = 0; i < 5000; ++i) nots = "NOT " + nots;
  EXPECT_THROW(parse_expression(nots), Error);
  for (int i = 0; i < 60; ++i) calls = "substring(trim(dateadd(x, " + calls + ")), 1)";
  EXPECT_NO_THROW(parse_expression(calls));
  for (int i = 0; i < 20000; ++i) ors += " OR b = " + std::to_string(i);
  const auto tree = without_origins(parse_expression(ors));
  EXPECT_EQ(without_origins(parse_expression(print(tree))).ByteSizeLong(), tree.ByteSizeLong());
}

TEST(ParseExpression, BoundsChains) {
  const auto many = [](std::string text, const std::string& link, int times) {
    for (int i = 0; i < times; ++i) text += link;
    return text;
  };
  // Each link makes the tree higher by one.
  for (const auto& sql :
       {many("f()", ".b", 5000), many("a", "::int", 5000), many("a", " + 1", 5000),
        many("a", " IS NULL", 5000), many("a", "[0]", 5000)}) {
    SCOPED_TRACE(sql.substr(0, 20));
    try {
      parse_expression(sql);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.condition(), "FAILED_TO_PARSE_TOO_COMPLEX");
    }
  }
  // What is wide is not deep, whatever its parts are.
  EXPECT_NO_THROW(parse_expression(many("a + b + c = d", " AND a + b + c = d", 5000)));
  EXPECT_NO_THROW(parse_expression(many("a IN (1", ", 1 + 2 + 3", 5000) + ")"));
  EXPECT_NO_THROW(parse_expression(many("CASE", " WHEN a.b.c THEN x[0]::int", 5000) + " END"));
}

}  // namespace
}  // namespace firesteel
