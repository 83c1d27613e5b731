// Queries through the plan and the same in DuckDB's SQL by hand, in one process, alternating.
// usage: query_bench TPCH_FOLDER [RUNS]. Prints each query's medians and the geometric mean.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "dataframe/session.h"
#include "engine/engine.h"

namespace {

using namespace firesteel;

struct Query {
  const char* name;
  const char* spark;
  const char* duckdb;
};

// TPC-H's scans and joins; where both dialects agree the text is the same.
const Query kQueries[] = {
    {"q1",
     "SELECT l_returnflag, l_linestatus, sum(l_quantity), sum(l_extendedprice), "
     "sum(l_extendedprice * (1 - l_discount)), "
     "sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)), avg(l_quantity), avg(l_discount), "
     "count(*) FROM lineitem "
     "WHERE l_shipdate <= DATE'1998-09-02' GROUP BY l_returnflag, l_linestatus ORDER BY 1, 2",
     nullptr},
    {"q3",
     "SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate, "
     "o_shippriority FROM customer, orders, "
     "lineitem WHERE c_mktsegment = 'BUILDING' AND c_custkey = o_custkey AND l_orderkey = "
     "o_orderkey AND o_orderdate < "
     "DATE'1995-03-15' AND l_shipdate > DATE'1995-03-15' GROUP BY l_orderkey, o_orderdate, "
     "o_shippriority ORDER BY revenue "
     "DESC, o_orderdate LIMIT 10",
     nullptr},
    {"q5",
     "SELECT n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue FROM customer, orders, "
     "lineitem, supplier, nation, region "
     "WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND l_suppkey = s_suppkey AND "
     "c_nationkey = s_nationkey AND "
     "s_nationkey = n_nationkey AND n_regionkey = r_regionkey AND r_name = 'ASIA' AND o_orderdate "
     ">= DATE'1994-01-01' AND "
     "o_orderdate < DATE'1995-01-01' GROUP BY n_name ORDER BY revenue DESC",
     nullptr},
    {"q6",
     "SELECT sum(l_extendedprice * l_discount) AS revenue FROM lineitem WHERE l_shipdate >= "
     "DATE'1994-01-01' AND l_shipdate < "
     "DATE'1995-01-01' AND l_discount BETWEEN 0.05 AND 0.07 AND l_quantity < 24",
     nullptr},
    {"q10",
     "SELECT c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) AS revenue, c_acctbal, "
     "n_name FROM customer, orders, "
     "lineitem, nation WHERE c_custkey = o_custkey AND l_orderkey = o_orderkey AND o_orderdate >= "
     "DATE'1993-10-01' AND "
     "o_orderdate < DATE'1994-01-01' AND l_returnflag = 'R' AND c_nationkey = n_nationkey GROUP BY "
     "c_custkey, c_name, "
     "c_acctbal, n_name ORDER BY revenue DESC LIMIT 20",
     nullptr},
    {"q12",
     "SELECT l_shipmode, sum(CASE WHEN o_orderpriority = '1-URGENT' OR o_orderpriority = '2-HIGH' "
     "THEN 1 ELSE 0 END) AS high "
     "FROM orders, lineitem WHERE o_orderkey = l_orderkey AND l_shipmode IN ('MAIL', 'SHIP') AND "
     "l_commitdate < l_receiptdate "
     "AND l_shipdate < l_commitdate AND l_receiptdate >= DATE'1994-01-01' AND l_receiptdate < "
     "DATE'1995-01-01' GROUP BY "
     "l_shipmode ORDER BY l_shipmode",
     nullptr},
    {"q14",
     "SELECT sum(CASE WHEN p_type LIKE 'PROMO%' THEN l_extendedprice * (1 - l_discount) ELSE 0 "
     "END) AS promo, "
     "sum(l_extendedprice * (1 - l_discount)) AS total FROM lineitem, part WHERE l_partkey = "
     "p_partkey AND l_shipdate >= "
     "DATE'1995-09-01' AND l_shipdate < DATE'1995-10-01'",
     nullptr},
    {"scan", "SELECT l_orderkey, l_quantity, l_shipmode FROM lineitem WHERE l_quantity > 45",
     nullptr},
};

int64_t drain(ArrowStream stream) {
  int64_t rows = 0;
  while (auto batch = stream.next()) rows += batch->rows();
  return rows;
}

template <typename Run>
double seconds(Run run) {
  const auto start = std::chrono::steady_clock::now();
  run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string folder = argv[1];
  const int runs = argc > 2 ? std::stoi(argv[2]) : 7;
  Session spark(make_embedded_executor());
  Database database({});
  for (const char* table :
       {"customer", "orders", "lineitem", "supplier", "nation", "region", "part"}) {
    const auto file = folder + "/" + table + ".parquet";
    spark.read().parquet(file).createOrReplaceTempView(table);
    database.execute("CREATE VIEW " + std::string(table) + " AS SELECT * FROM '" + file + "'");
  }
  double product = 0;
  std::printf("%-6s %12s %12s %8s\n", "query", "plan ms", "by hand ms", "ratio");
  for (const auto& query : kQueries) {
    std::vector<double> ours, theirs;
    int64_t our_rows = 0, their_rows = 0;
    for (int i = 0; i < runs + 1; ++i) {  // the first warms up
      const double a = seconds([&] { our_rows = drain(spark.sql(query.spark).toArrowStream()); });
      const double b = seconds([&] {
        their_rows = drain(database.query(query.duckdb ? query.duckdb : query.spark, {}));
      });
      if (i > 0) {
        ours.push_back(a);
        theirs.push_back(b);
      }
    }
    if (our_rows != their_rows) {
      std::fprintf(stderr, "%s: %lld rows, by hand %lld\n", query.name,
                   static_cast<long long>(our_rows), static_cast<long long>(their_rows));
      return 1;
    }
    const double ratio = median(ours) / median(theirs);
    product += std::log(ratio);
    std::printf("%-6s %12.1f %12.1f %8.3f\n", query.name, median(ours) * 1e3, median(theirs) * 1e3,
                ratio);
  }
  std::printf("geometric mean of the ratios %.3f\n", std::exp(product / std::size(kQueries)));
}
