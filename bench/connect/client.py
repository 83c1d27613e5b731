"""What one PySpark client measures at a Spark Connect server. Prints JSON.

usage: PYTHON client.py sc://HOST:PORT DATA QUERIES
"""
import json
import pathlib
import statistics
import sys
import time

from pyspark.sql import SparkSession
from pyspark.sql.functions import udf

ROWS = 5_000_000


def seconds(run):
    start = time.monotonic()
    run()
    return time.monotonic() - start


def main():
    url, data, queries = sys.argv[1], pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3])
    spark = SparkSession.builder.remote(url).getOrCreate()
    out = {}

    def note(name, run):
        try:
            out[name] = run()
        except Exception as error:
            out[name] = None
            print(f"{name}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)

    for table in sorted(each.name for each in data.iterdir() if (each / "data.parquet").exists()):
        spark.read.parquet(str(data / table)).createOrReplaceTempView(table)
    times = {}
    for path in sorted(queries.glob("*.sql"), key=lambda p: int(p.stem)):
        text = path.read_text()
        try:
            times[path.stem] = statistics.median(seconds(lambda: spark.sql(text).toArrow()) for _ in range(3))
        except Exception as error:
            print(f"query {path.stem}: {str(error)[:200]}", file=sys.stderr)
    out["tpch"] = times
    spark.range(1).collect()
    out["small_ms"] = 1000 * statistics.median(seconds(lambda: spark.range(1).collect()) for _ in range(200))
    wide = spark.range(ROWS).selectExpr("id", *[f"id * {i} AS i{i}" for i in range(1, 5)],
                                        *[f"CAST(id AS DOUBLE) / {i} AS d{i}" for i in range(1, 6)])
    note("to_arrow_rows_s", lambda: ROWS / min(seconds(wide.toArrow) for _ in range(2)))
    note("to_pandas_rows_s", lambda: ROWS / min(seconds(wide.toPandas) for _ in range(2)))

    @udf("double", useArrow=True)
    def one(x):
        return x + 1.0

    numbers = spark.range(200_000).selectExpr("CAST(id AS DOUBLE) AS x")
    note("udf_first_row_s", lambda: seconds(lambda: numbers.select(one("x").alias("y")).limit(1).collect()))

    def pandas_rate():
        import pandas
        from pyspark.sql.functions import pandas_udf

        def plus(x):
            return x + 1.0
        plus.__annotations__ = {"x": pandas.Series, "return": pandas.Series}
        function = pandas_udf(plus, "double")
        rows = spark.range(ROWS).selectExpr("CAST(id AS DOUBLE) AS x").select(function("x").alias("y")).selectExpr("sum(y)")
        return ROWS / min(seconds(rows.collect) for _ in range(2))

    def arrow_rate():
        def same(batches):
            yield from batches
        rows = spark.range(ROWS).selectExpr("CAST(id AS DOUBLE) AS x").mapInArrow(same, "x double").selectExpr("sum(x)")
        return ROWS / min(seconds(rows.collect) for _ in range(2))

    note("pandas_udf_rows_s", pandas_rate)
    note("map_in_arrow_rows_s", arrow_rate)
    print(json.dumps(out))


if __name__ == "__main__":
    main()
