"""What Python functions must do with any PySpark client: run by run.py with each version. Prints OK, or fails.

usage: PYTHON functions.py sc://HOST:PORT FOLDER
The server runs functions with this Python and its PySpark. FOLDER is for a module that is sent.
"""
import os
import pathlib
import signal
import sys
import tarfile
import threading
import time
import zipfile
from typing import Iterator

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyspark.sql import SparkSession, Window, functions as F
from pyspark.sql.datasource import (DataSource, DataSourceReader, DataSourceWriter, InputPartition,
                                    SimpleDataSourceStreamReader, WriterCommitMessage)

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
assert spark.catalog.functionExists("twice")
same(rows(spark.sql("SHOW USER FUNCTIONS LIKE 'twice'")), [("twice",)])
spark.sql("DROP TEMPORARY FUNCTION twice")
assert "UNRESOLVED_ROUTINE" in error_of(lambda: spark.sql("SELECT twice(1)").collect())
(folder / "sent_module.py").write_text("def seven():\n    return 7\n")
(folder / "sent.txt").write_text("hello")
spark.addArtifacts(str(folder / "sent_module.py"), pyfile=True)
spark.addArtifacts(str(folder / "sent.txt"), file=True)


def sent(x):
    import sent_module
    return f"{sent_module.seven()} {open('sent.txt').read()}"


same(rows(spark.range(1).select(F.udf(sent, "string")("id"))), [("7 hello",)])


# Archives become folders; what is none, or climbs out of its folder, is refused.
with zipfile.ZipFile(folder / "inside.zip", "w") as archive:
    archive.write(folder / "sent.txt", "below/sent.txt")
with tarfile.open(folder / "inside.tar.gz", "w:gz") as archive:
    archive.add(folder / "sent.txt", "sent.txt")
spark.addArtifacts(f"{folder}/inside.zip#env", f"{folder}/inside.tar.gz", archive=True)
unpacked = F.udf(lambda x: open("env/below/sent.txt").read() + open("inside.tar.gz/sent.txt").read(), "string")
same(rows(spark.range(1).select(unpacked("id"))), [("hellohello",)])
with tarfile.open(folder / "climbs.tar", "w") as archive:
    archive.add(folder / "sent.txt", "../climbed.txt")
(folder / "cut.tgz").write_bytes((folder / "inside.tar.gz").read_bytes()[:60])
(folder / "text.zip").write_text("hello")
for name in ("climbs.tar", "cut.tgz", "text.zip"):
    text = error_of(lambda: spark.addArtifacts(f"{folder}/{name}", archive=True))
    assert "INVALID_ARCHIVE" in text and name in text, text


# Functions that SQL stores with their text.
spark.sql("""CREATE OR REPLACE FUNCTION added(x INT, y INT DEFAULT 10) RETURNS INT LANGUAGE PYTHON AS $$
  # a comment
  return None if x is None else x + y
$$""")
same(rows(spark.sql("SELECT added(1), added(2, 3), added(y => 4, x => 1), added(NULL)")), [(11, 5, 5, None)])
same(rows(spark.sql("SELECT id, added(added(id)) FROM range(3) WHERE added(id) > 10")), [(1, 21), (2, 22)])
spark.sql("""CREATE TEMPORARY FUNCTION counted(s STRING) RETURNS ARRAY<STRUCT<word: STRING, n: INT>> LANGUAGE PYTHON
  HANDLER 'count' AS $py$
from collections import Counter
def count(s):
    return list(Counter(s.split()).items())
$py$""")
same(rows(spark.sql("SELECT counted('a $$ a').word, counted('a b').n")), [(["a", "$$"], [1, 1])])
spark.sql("""CREATE OR REPLACE FUNCTION letters(s STRING, n INT) RETURNS TABLE (i INT, c STRING) LANGUAGE PYTHON
  HANDLER 'Letters' AS $$
  class Letters:
      def eval(self, s, n):
          yield from enumerate(s * n)
$$""")
same(rows(spark.sql("SELECT c, i FROM letters('ab', '2') ORDER BY i")), [("a", 0), ("b", 1), ("a", 2), ("b", 3)])
same(rows(spark.sql("SELECT id, c FROM range(2), LATERAL letters('x', id + 1)")), [(0, "x"), (1, "x"), (1, "x")])
same(rows(spark.sql("DESCRIBE FUNCTION added"))[4], ("Language: PYTHON",))
same(rows(spark.sql("SHOW USER FUNCTIONS LIKE 'add*'")), [("spark_catalog.default.added",)])
spark.sql("CREATE OR REPLACE FUNCTION broken(x INT) RETURNS INT LANGUAGE PYTHON AS $$\ny = x\nreturn y / 0\n$$")
text = error_of(lambda: spark.sql("SELECT broken(1)").collect())
assert 'File "<function broken>", line 3' in text and "return y / 0" in text and "ZeroDivisionError" in text, text
for sql, condition in (("x INT) RETURNS INT LANGUAGE SCALA AS $$ 1 $$", "UNSUPPORTED_FEATURE"),
                       ("x INT) LANGUAGE PYTHON AS $$ return 1 $$", "PARSE_SYNTAX_ERROR"),
                       ("x INT) RETURNS INT LANGUAGE PYTHON AS $$ return 1", "PARSE_SYNTAX_ERROR"),
                       ("x INT) RETURNS TABLE (a INT) LANGUAGE PYTHON AS $$ return 1 $$", "UNSUPPORTED_FEATURE")):
    text = error_of(lambda: spark.sql(f"CREATE FUNCTION nothing({sql}").collect())
    assert condition in text, text


# Data sources; sources.py has what Spark says of them.
class Numbers(DataSource):
    def schema(self):
        return "number INT"

    def reader(self, schema):
        first, last = int(self.options["first"]), int(self.options["last"])

        class Reader(DataSourceReader):
            def partitions(self):
                return [InputPartition(number) for number in range(first, last)]

            def read(self, partition):
                yield (partition.value,)
        return Reader()

    def writer(self, schema, overwrite):
        path = self.options["path"]

        class Writer(DataSourceWriter):
            def write(self, rows):
                message = WriterCommitMessage()
                message.total = sum(row.number for row in rows)
                return message

            def commit(self, messages):
                pathlib.Path(path).write_text(str(sum(message.total for message in messages)))
        return Writer()

    def simpleStreamReader(self, schema):
        class Reader(SimpleDataSourceStreamReader):
            def initialOffset(self):
                return {"at": 0}

            def read(self, start):
                end = {"at": min(start["at"] + 3, 5)}
                return self.readBetweenOffsets(start, end), end

            def readBetweenOffsets(self, start, end):
                return iter([(number,) for number in range(start["at"], end["at"])])
        return Reader()


spark.dataSource.register(Numbers)
numbers = spark.read.format("numbers").options(first=2, last=8).load()
same(rows(numbers), [(number,) for number in range(2, 8)])
numbers.write.format("numbers").mode("append").save(f"{folder}/total")
same((folder / "total").read_text(), "27")
assert "KeyError: 'first'" in error_of(lambda: spark.read.format("numbers").load().collect())
for checkpoint in ("first", "second"):
    query = spark.readStream.format("numbers").load().writeStream.format("json") \
        .option("checkpointLocation", f"{folder}/numbers").start(f"{folder}/numbers-out")
    query.processAllAvailable()
    query.stop()
same(sorted(rows(spark.read.schema("number INT").json(f"{folder}/numbers-out"))), [(number,) for number in range(5)])


# Errors, workers that die, queries that are interrupted: the session goes on.
def fails(x):
    raise ValueError("not this")


text = error_of(lambda: ids.select(F.udf(fails, "long")("id")).collect())
assert "[PYTHON_EXCEPTION]" in text and "ValueError: not this" in text and "in fails" in text, text
for die in (lambda x: os._exit(1), lambda x: os.kill(os.getpid(), signal.SIGKILL)):
    text = error_of(lambda: ids.select(F.udf(die, "long")("id")).collect())
    assert "Python worker exited unexpectedly (crashed)" in text, text
class Slow(DataSource):
    def schema(self):
        time.sleep(60)
        return "id long"


spark.dataSource.register(Slow)
for query in (spark.read.format("slow").load(), ids.select(F.udf(lambda x: time.sleep(60), "long")("id")),
              ids.mapInPandas(lambda batches: (time.sleep(60) or b for b in batches), "id long")):
    timer = threading.Timer(2, spark.interruptAll)
    timer.start()
    began = time.monotonic()
    assert "OPERATION_CANCELED" in error_of(query.collect)
    assert time.monotonic() - began < 20
    timer.join()
same(rows(ids.select(plus("id"))), [(1,), (2,), (3,), (4,)])
print("OK")
