"""What Python functions must do with any PySpark client: run by run.py with each version. Prints OK, or fails.

usage: PYTHON functions.py sc://HOST:PORT FOLDER
The server runs functions with this Python and its PySpark. FOLDER is for a module that is sent.
"""
import os
import pathlib
import signal
import sys
import threading
import time
from typing import Iterator

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession, Window, functions as F

spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()
folder = pathlib.Path(sys.argv[2])


def rows(df):
    return [tuple(row) for row in df.collect()]


def same(got, wanted):
    assert got == wanted, f"{got!r} is not {wanted!r}"


def error_of(action):
    try:
        action()
    except Exception as error:
        return str(error)
    raise AssertionError("no error was raised")


# Scalar functions.
ids = spark.range(4)
for arrow in (True, False):
    same(rows(ids.select(F.udf(lambda x: x * 10, "long", useArrow=arrow)("id"))), [(0,), (10,), (20,), (30,)])


@F.pandas_udf("long")
def plus(v: pd.Series) -> pd.Series:
    return v + 1


@F.pandas_udf("long")
def plus_batches(batches: Iterator[pd.Series]) -> Iterator[pd.Series]:
    for batch in batches:
        yield batch + 1


same(rows(ids.filter(plus("id") > 2).select(plus("id"), plus_batches("id"))), [(3, 3), (4, 4)])

# Rows stay in order, whatever their number.
same([r[0] for r in spark.range(150_000).select(plus("id")).collect()], list(range(1, 150_001)))


# Aggregates and windows.
@F.pandas_udf("double")
def mean(v: pd.Series) -> float:
    return v.mean()


same(rows(spark.range(9).groupBy((F.col("id") % 2).alias("k")).agg(mean("id")).orderBy("k")), [(0, 4.0), (1, 4.0)])
same(rows(ids.select("id", mean("id").over(Window.orderBy("id").rowsBetween(-1, 0)))), [(0, 0.0), (1, 0.5), (2, 1.5), (3, 2.5)])
same(sorted(rows(ids.select("id", mean("id").over(Window.partitionBy(F.col("id") % 2))))), [(0, 1.0), (1, 2.0), (2, 1.0), (3, 2.0)])

# Whole relations and groups.
same(rows(ids.mapInPandas(lambda batches: (b[b.id > 1] for b in batches), "id long")), [(2,), (3,)])
same(rows(ids.mapInArrow(lambda batches: (b.slice(1) for b in batches), "id long")), [(1,), (2,), (3,)])
keyed = ids.withColumn("k", F.col("id") % 2)
same(sorted(rows(keyed.groupBy("k").applyInPandas(lambda d: d.tail(1), "id long, k long"))), [(2, 0), (3, 1)])
same(sorted(rows(keyed.groupBy("k").applyInArrow(lambda t: t.slice(0, 1), "id long, k long"))), [(0, 0), (1, 1)])
other = spark.range(6).withColumn("k", F.col("id") % 3)
same(sorted(rows(keyed.groupBy("k").cogroup(other.groupBy("k")).applyInPandas(
    lambda a, b: pd.DataFrame({"a": [len(a)], "b": [len(b)]}), "a long, b long"))), [(0, 2), (2, 2), (2, 2)])
same(sorted(rows(keyed.groupBy("k").cogroup(other.groupBy("k")).applyInArrow(
    lambda a, b: pa.table({"a": pa.array([a.num_rows], pa.int64()), "b": pa.array([b.num_rows], pa.int64())}),
    "a long, b long"))), [(0, 2), (2, 2), (2, 2)])


# Table functions.
class Squares:
    def eval(self, n: int):
        for i in range(n):
            yield i, i * i


for arrow in (True, False):
    squares = F.udtf(Squares, returnType="a int, b int", useArrow=arrow)
    same(rows(squares(F.lit(3))), [(0, 0), (1, 1), (2, 4)])
    spark.udtf.register("squares", squares)
    same(rows(spark.sql("SELECT id, b FROM range(3), LATERAL squares(CAST(id AS INT))")), [(1, 0), (2, 0), (2, 1)])


@F.udtf
class Copies:
    @staticmethod
    def analyze(value, times):
        from pyspark.sql.types import StructType
        from pyspark.sql.udtf import AnalyzeResult
        schema = StructType()
        for i in range(times.value):
            schema = schema.add(f"c{i}", value.dataType)
        return AnalyzeResult(schema)

    def eval(self, value, times):
        yield (value,) * times


same(rows(Copies(F.lit("x"), F.lit(2))), [("x", "x")])

if hasattr(F, "arrow_udf"):
    @F.arrow_udf("long")
    def add(v: pa.Array) -> pa.Array:
        return pc.add(v, 1)

    @F.arrow_udf("long")
    def total(v: pa.Array) -> int:
        return pc.sum(v).as_py()

    same(rows(ids.select(add("id"), total("id").over(Window.orderBy("id")))), [(1, 0), (2, 1), (3, 3), (4, 6)])
    same(rows(ids.agg(total("id"))), [(6,)])

# By name, and with what the client sends.
spark.udf.register("twice", lambda x: x * 2, "long")
same(rows(spark.sql("SELECT twice(id) FROM range(3)")), [(0,), (2,), (4,)])
(folder / "sent_module.py").write_text("def seven():\n    return 7\n")
(folder / "sent.txt").write_text("hello")
spark.addArtifacts(str(folder / "sent_module.py"), pyfile=True)
spark.addArtifacts(str(folder / "sent.txt"), file=True)


def sent(x):
    import sent_module
    return f"{sent_module.seven()} {open('sent.txt').read()}"


same(rows(spark.range(1).select(F.udf(sent, "string")("id"))), [("7 hello",)])


# Errors, workers that die, queries that are interrupted: the session goes on.
def fails(x):
    raise ValueError("not this")


text = error_of(lambda: ids.select(F.udf(fails, "long")("id")).collect())
assert "[PYTHON_EXCEPTION]" in text and "ValueError: not this" in text and "in fails" in text, text
for die in (lambda x: os._exit(1), lambda x: os.kill(os.getpid(), signal.SIGKILL)):
    text = error_of(lambda: ids.select(F.udf(die, "long")("id")).collect())
    assert "Python worker exited unexpectedly (crashed)" in text, text
for query in (ids.select(F.udf(lambda x: time.sleep(60), "long")("id")),
              ids.mapInPandas(lambda batches: (time.sleep(60) or b for b in batches), "id long")):
    timer = threading.Timer(2, spark.interruptAll)
    timer.start()
    began = time.monotonic()
    assert "OPERATION_CANCELED" in error_of(query.collect)
    assert time.monotonic() - began < 20
    timer.join()
same(rows(ids.select(plus("id"))), [(1,), (2,), (3,), (4,)])
print("OK")
