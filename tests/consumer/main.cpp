// Filters and groups with an installed Firesteel, and prints one row: "1 4 32".
#include <firesteel/firesteel.h>

#include <cstdio>

using namespace firesteel;
using namespace firesteel::functions;

int main() {
  try {
    const auto spark = Session::builder().config("spark.memory.limit", "1GB").getOrCreate();
    const auto rows = spark.range(0, 13)
                          .filter(col("id") > 4)
                          .withColumn("odd", col("id") % 2)
                          .groupBy({"odd"})
                          .agg(count("id").alias("rows"), sum("id").alias("total"))
                          .filter("odd = 1")
                          .collect();
    for (const auto& row : rows)
      std::printf("%s %s %s\n", row[0].text.c_str(), row[1].text.c_str(), row[2].text.c_str());
    return rows.size() == 1 ? 0 : 1;
  } catch (const Error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
