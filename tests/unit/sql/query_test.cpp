// Queries and statements: the tree each text makes, places, errors.
#include <gtest/gtest.h>
#include <spark/connect/base.pb.h>

#include "base/error.h"
#include "plan/print.h"
#include "sql/parser.h"

namespace firesteel {
namespace {

struct Case {
  const char* sql;
  const char* tree;
};

const Case kCases[] = {
    {"SELECT 1", "Project 1\n"},
    {"SELECT a, b + 1 AS c FROM t WHERE a > 1",
     "Project a, b + 1 AS c\n"
     "  Filter a > 1\n"
     "    Read t\n"},
    {"SELECT DISTINCT a FROM t ORDER BY a DESC, 2 LIMIT 10 OFFSET 5;",
     "Limit 10\n"
     "  Offset 5\n"
     "    Sort a DESC, 2\n"
     "      Deduplicate\n"
     "        Project a\n"
     "          Read t\n"},
    {"SELECT * FROM parquet.`/data/x.parquet` p",
     "Project *\n"
     "  SubqueryAlias p\n"
     "    Read parquet.`/data/x.parquet`\n"},
    {"SELECT a, count(*) FROM t GROUP BY a HAVING count(*) > 1",
     "Filter count(*) > 1\n"
     "  Aggregate by [a]: a, count(*)\n"
     "    Read t\n"},
    {"SELECT max(a) + 1 FROM t", "Aggregate by []: max(a) + 1\n  Read t\n"},
    {"SELECT max(a) OVER () FROM t", "Project max(a) OVER ()\n  Read t\n"},
    {"SELECT sum(sum(a)) OVER () FROM t", "Aggregate by []: sum(sum(a)) OVER ()\n  Read t\n"},
    {"SELECT a, sum(b) FROM t GROUP BY ALL ORDER BY ALL",
     "Sort ALL\n"
     "  Aggregate by [ALL]: a, sum(b)\n"
     "    Read t\n"},
    {"SELECT a, b, sum(c) FROM t GROUP BY ROLLUP (a, b)",
     "Aggregate ROLLUP by [a, b]: a, b, sum(c)\n  Read t\n"},
    {"SELECT a, b, sum(c) FROM t GROUP BY a, b WITH CUBE",
     "Aggregate CUBE by [a, b]: a, b, sum(c)\n  Read t\n"},
    {"SELECT a, b FROM t GROUP BY GROUPING SETS ((a, b), a, ())",
     "Aggregate GROUPING SETS by [a, b] sets [(a, b), (a), ()]: a, b\n  Read t\n"},
    {"SELECT a FROM t GROUP BY a, ROLLUP (f(b))",
     "Aggregate GROUPING SETS by [a, f(b)] sets [(a, f(b)), (a)]: a\n  Read t\n"},
    {"SELECT * FROM a JOIN b ON a.x = b.x LEFT JOIN c USING (x, y), d",
     "Project *\n"
     "  Join CROSS\n"
     "    Join LEFT OUTER using [x, y]\n"
     "      Join INNER on a.x = b.x\n"
     "        Read a\n"
     "        Read b\n"
     "      Read c\n"
     "    Read d\n"},
    {"SELECT * FROM a LEFT SEMI JOIN b ON a.x = b.x FULL OUTER JOIN c ON true",
     "Project *\n"
     "  Join FULL OUTER on TRUE\n"
     "    Join LEFT SEMI on a.x = b.x\n"
     "      Read a\n"
     "      Read b\n"
     "    Read c\n"},
    {"SELECT * FROM (SELECT 1) AS t (x) CROSS JOIN (b JOIN c) CROSS JOIN (SELECT 2)",
     "Project *\n"
     "  Join CROSS\n"
     "    Join CROSS\n"
     "      SubqueryAlias t\n"
     "        ToDF [x]\n"
     "          Project 1\n"
     "      Join INNER\n"
     "        Read b\n"
     "        Read c\n"
     "    SubqueryAlias __auto_generated_subquery_name\n"
     "      Project 2\n"},
    {"SELECT * FROM VALUES (1, 'a'), (2, 'b'), (3, 'c') AS t(n, s)",
     "Project *\n"
     "  SubqueryAlias t\n"
     "    ToDF [n, s]\n"
     "      SetOperation UNION ALL\n"
     "        SetOperation UNION ALL\n"
     "          Project 1 AS col1, 'a' AS col2\n"
     "          Project 2 AS col1, 'b' AS col2\n"
     "        Project 3 AS col1, 'c' AS col2\n"},
    {"VALUES 1, (2) + 1",
     "SetOperation UNION ALL\n"
     "  Project 1 AS col1\n"
     "  Project 2 + 1 AS col1\n"},
    {"SELECT * FROM range(1, 5) r",
     "Project *\n  SubqueryAlias r\n    TableFunction range(1, 5)\n"},
    {"SELECT * FROM t, LATERAL (SELECT t.a)",
     "Project *\n"
     "  LateralJoin INNER\n"
     "    Read t\n"
     "    SubqueryAlias __auto_generated_subquery_name\n"
     "      Project t.a\n"},
    {"SELECT * FROM t LEFT JOIN LATERAL explode(t.xs) AS e(x) ON x > 1",
     "Project *\n"
     "  LateralJoin LEFT OUTER on x > 1\n"
     "    Read t\n"
     "    SubqueryAlias e\n"
     "      ToDF [x]\n"
     "        TableFunction explode(t.xs)\n"},
    {"SELECT k FROM t LATERAL VIEW OUTER explode(m) e AS k, v LATERAL VIEW explode(xs) AS x WHERE "
     "k = 1",
     "Project k\n"
     "  Filter k = 1\n"
     "    LateralJoin INNER\n"
     "      LateralJoin INNER\n"
     "        Read t\n"
     "        SubqueryAlias e\n"
     "          ToDF [k, v]\n"
     "            TableFunction explode_outer(m)\n"
     "      ToDF [x]\n"
     "        TableFunction explode(xs)\n"},
    {"SELECT * FROM t TABLESAMPLE (10 PERCENT) REPEATABLE (3)",
     "Project *\n  Sample 0 to 0.1\n    Read t\n"},
    {"SELECT * FROM t PIVOT (sum(x) FOR y IN ('a' AS first, 'b'))",
     "Project *\n"
     "  WithColumnsRenamed a to first\n"
     "    Aggregate PIVOT by [*] for y in ['a', 'b']: sum(x)\n"
     "      Read t\n"},
    {"SELECT * FROM t UNPIVOT (v FOR n IN (a, b AS c))",
     "Project *\n"
     "  Filter `v` IS NOT NULL\n"
     "    Unpivot [a, b AS c] ids [*] into n, v\n"
     "      Read t\n"},
    {"SELECT 1 UNION SELECT 2 INTERSECT SELECT 3 EXCEPT ALL SELECT 4 ORDER BY 1",
     "Sort 1\n"
     "  SetOperation EXCEPT ALL\n"
     "    SetOperation UNION\n"
     "      Project 1\n"
     "      SetOperation INTERSECT\n"
     "        Project 2\n"
     "        Project 3\n"
     "    Project 4\n"},
    {"(SELECT a FROM t LIMIT 1) UNION ALL BY NAME (SELECT b FROM u) LIMIT 2",
     "Limit 2\n"
     "  SetOperation UNION ALL BY NAME\n"
     "    Limit 1\n"
     "      Project a\n"
     "        Read t\n"
     "    Project b\n"
     "      Read u\n"},
    {"WITH a AS (SELECT 1), b (x) AS (SELECT * FROM a) SELECT * FROM b",
     "WithRelations\n"
     "  Project *\n"
     "    Read b\n"
     "  SubqueryAlias a\n"
     "    Project 1\n"
     "  SubqueryAlias b\n"
     "    ToDF [x]\n"
     "      Project *\n"
     "        Read a\n"},
    {"SELECT (SELECT max(x) FROM u) FROM t WHERE EXISTS (SELECT 1) AND a NOT IN (SELECT 2)",
     "WithRelations\n"
     "  Project (subquery #1000000)\n"
     "    Filter EXISTS (subquery #1000001) AND NOT a IN (subquery #1000002)\n"
     "      Read t\n"
     "  Aggregate by []: max(x) #1000000\n"
     "    Read u\n"
     "  Project 1 #1000001\n"
     "  Project 2 #1000002\n"},
    {"SELECT (a, b) IN (SELECT 1, 2) FROM t",
     "WithRelations\n"
     "  Project (a, b) IN (subquery #1000000)\n"
     "    Read t\n"
     "  Project 1, 2 #1000000\n"},
    {"SELECT sum(a) OVER w, rank() OVER (w) FROM t WINDOW w AS (PARTITION BY b ORDER BY c)",
     "Project sum(a) OVER (PARTITION BY b ORDER BY c), rank() OVER (PARTITION BY b ORDER BY c)\n"
     "  Read t\n"},
    {"SELECT a FROM t DISTRIBUTE BY a SORT BY b",
     "SortWithinPartitions b\n  RepartitionByExpression a\n    Project a\n      Read t\n"},
    {"SELECT /*+ BROADCAST(t) */ a FROM t -- done", "Project a\n  Read t\n"},
    {"SELECT ((SELECT 1)) + 1",
     "WithRelations\n  Project ((subquery #1000000)) + 1\n  Project 1 #1000000\n"},
    {"SELECT end, order, `from` FROM t AS left",
     "Project `end`, `order`, `from`\n  SubqueryAlias left\n    Read t\n"},
    {"TABLE t", "Read t\n"},
    {"FROM t", "Read t\n"},
    {"SELECT 1 HAVING true", "Filter TRUE\n  Aggregate by []: 1\n"},
};

TEST(ParseQuery, MakesTheTree) {
  for (const auto& [sql, tree] : kCases) {
    SCOPED_TRACE(sql);
    try {
      EXPECT_EQ(print(parse_query(sql)), tree);
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
  }
}

TEST(ParseQuery, KeepsPlacesOfTables) {
  const std::string sql = "SELECT a FROM flights JOIN other USING (a)";
  const auto root = parse_query(sql);
  EXPECT_EQ(root.common().origin().jvm_origin().sql_text(), sql);
  const auto& origin = root.project().input().join().left().common().origin().jvm_origin();
  EXPECT_EQ(sql.substr(origin.start_index(), origin.stop_index() - origin.start_index() + 1),
            "flights");
}

struct ErrorCase {
  const char* sql;
  const char* condition;
  const char* marked;
};

TEST(ParseStatement, SaysWhatIsWrongAndWhere) {
  const ErrorCase cases[] = {
      {" ; ", "PARSE_EMPTY_STATEMENT", ""},
      {"SELEC 1", "PARSE_SYNTAX_ERROR", "SELEC"},
      {"SELECT a, FROM t", "TRAILING_COMMA_IN_SELECT", ","},
      {"SELECT a FROM", "PARSE_SYNTAX_ERROR", "FROM"},
      {"SELECT a FROM t WHERE", "PARSE_SYNTAX_ERROR", "WHERE"},
      {"SELECT a FROM t WHERE GROUP BY a", "PARSE_SYNTAX_ERROR", "GROUP"},
      {"SELECT a FROM (SELECT 1", "PARSE_SYNTAX_ERROR", "1"},
      {"SELECT a FROM t LIMIT -1", "INVALID_LIMIT_LIKE_EXPRESSION.IS_NEGATIVE", "-1"},
      {"SELECT a FROM t LIMIT a", "INVALID_LIMIT_LIKE_EXPRESSION.IS_UNFOLDABLE", "a"},
      {"LOAD DATA INPATH 'x'", "UNSUPPORTED_FEATURE.SQL_STATEMENT", "LOAD"},
      {"CREATE INDEX i ON t (a)", "UNSUPPORTED_FEATURE.SQL_STATEMENT", "CREATE INDEX"},
      {"UPDATE t SET a", "PARSE_SYNTAX_ERROR", "a"},
      {"MERGE INTO t USING s ON a", "PARSE_SYNTAX_ERROR", "a"},
      {"SELECT a FROM t QUALIFY a > 1", "QUALIFY_REQUIRES_WINDOW_FUNCTION", "QUALIFY"},
      {"VALUES (1, 2), (3)", "INVALID_INLINE_TABLE.NUM_COLUMNS_MISMATCH", "(3)"},
      {"WITH a AS (SELECT 1), A AS (SELECT 2) SELECT 3", "DUPLICATED_CTE_NAMES", "A"},
      {"SELECT sum(a) OVER w FROM t", "MISSING_WINDOW_SPECIFICATION", "w"},
      {"SELECT 1 SELECT 2", "PARSE_SYNTAX_ERROR", "SELECT"},
  };
  for (const auto& [sql, condition, marked] : cases) {
    SCOPED_TRACE(sql);
    try {
      parse_statement(sql);
      ADD_FAILURE() << "no error";
    } catch (const Error& error) {
      EXPECT_EQ(error.condition(), condition) << error.what();
      const auto span = error.span();
      EXPECT_EQ(std::string(sql).substr(span.start, span.stop - span.start), marked);
    }
  }
}

TEST(ParseStatement, MakesStatements) {
  const auto plan = [](std::string_view sql) {
    return std::get<spark::connect::Plan>(parse_statement(sql));
  };
  const auto view = plan("CREATE OR REPLACE TEMP VIEW v (x) AS SELECT 1;");
  EXPECT_EQ(view.command().create_dataframe_view().name(), "v");
  EXPECT_TRUE(view.command().create_dataframe_view().replace());
  EXPECT_EQ(print(view.command().create_dataframe_view().input()), "ToDF [x]\n  Project 1\n");
  const auto source =
      plan("CREATE TEMPORARY VIEW v USING csv OPTIONS (path '/x.csv', header 'true')");
  EXPECT_EQ(print(source.command().create_dataframe_view().input()), "Read csv [/x.csv]\n");
  const auto set =
      std::get<SetConfig>(parse_statement("SET spark.sql.session.timeZone = Europe/Paris ;"));
  EXPECT_EQ(set.key, "spark.sql.session.timeZone");
  EXPECT_EQ(set.value, "Europe/Paris");
  EXPECT_FALSE(std::get<SetConfig>(parse_statement("SET x.y")).value);
  const auto drop = std::get<DropObject>(parse_statement("DROP VIEW IF EXISTS v"));
  EXPECT_TRUE(drop.if_exists && drop.kind == DropObject::Kind::kView);
  EXPECT_EQ(std::get<DropObject>(parse_statement("DROP TABLE a.b")).name, "a.b");
  EXPECT_EQ(std::get<Show>(parse_statement("SHOW TABLES LIKE 'f*'")).pattern, "f*");
  EXPECT_EQ(std::get<Describe>(parse_statement("DESC TABLE t")).name, "t");
  const auto table = std::get<CreateTable>(parse_statement(
      "CREATE TABLE IF NOT EXISTS d.t (a INT NOT NULL COMMENT 'x', b VARCHAR(3) DEFAULT 'y', "
      "c DATE) USING parquet PARTITIONED BY (c) LOCATION '/l' TBLPROPERTIES ('k' = 'v', n = 1)"));
  EXPECT_EQ(table.name, "d.t");
  ASSERT_EQ(table.columns.size(), 3U);
  EXPECT_FALSE(table.columns[0].field.nullable);
  EXPECT_EQ(table.columns[1].declared, "varchar(3)");
  EXPECT_EQ(table.columns[1].default_sql, "'y'");
  EXPECT_EQ(table.partition_by, std::vector<std::string>{"c"});
  EXPECT_EQ(table.properties, (Properties{{"k", "v"}, {"n", "1"}}));
  const auto insert = std::get<Insert>(parse_statement(
      "WITH s AS (SELECT 1) INSERT OVERWRITE t PARTITION (p = 'x', q) SELECT * FROM s"));
  EXPECT_TRUE(insert.overwrite && insert.partition[0].given && !insert.partition[1].given);
  const auto merge = std::get<Merge>(parse_statement(
      "MERGE INTO t USING s ON t.a = s.a WHEN MATCHED AND s.d THEN DELETE WHEN NOT MATCHED THEN "
      "INSERT (a, b) VALUES (s.a, 1) WHEN NOT MATCHED BY SOURCE THEN UPDATE SET b = 0"));
  EXPECT_EQ(merge.command.match_actions_size(), 1);
  EXPECT_EQ(merge.command.not_matched_actions(0).merge_action().assignments_size(), 2);
  EXPECT_EQ(merge.command.not_matched_by_source_actions_size(), 1);
}

TEST(ParseQuery, BoundsNestingAndTakesLongLists) {
  std::string nested = "SELECT 1";
  for (int i = 0; i < 5000; ++i) nested = "SELECT * FROM (" + nested + ")";
  EXPECT_THROW(parse_query(nested), Error);
  std::string rows = "VALUES (0)";
  for (int i = 1; i < 20000; ++i) rows += ", (" + std::to_string(i) + ")";
  EXPECT_NO_THROW(print(parse_query(rows)));
  EXPECT_THROW(parse_query(std::string(50000, '(') + "SELECT 1"), Error);
}

}  // namespace
}  // namespace firesteel
