"""Streams from PySpark's client: what queries give, batch by batch, and what is refused, as Apache Spark has it.

usage: PYTHON tests/pyspark/streams.py sc://HOST:PORT [--record]
PYTHON has pyspark[connect]. Holds a server's answers to streams.json, which --record writes from a real Spark's
(tests/reference/record_client.py starts one).
"""
import json
import os
import pathlib
import tempfile

from pyspark.errors import PySparkException
from pyspark.sql.connect import functions as F
from pyspark.sql.connect.session import SparkSession

import recorded

FILES = [
    [("00:00:01", "a", 1), ("00:00:09", "b", 2), ("00:00:09", "a", 3)],
    [("00:00:21", "a", 4), ("00:00:05", "b", 5)],
    [("00:00:02", "a", 6), ("00:00:33", "c", 7)],
    [("00:00:50", "a", 8), ("00:00:22", "a", 9), ("00:00:31", "c", 10)],
]


class Streams:
    def __init__(self, url):
        self.spark = SparkSession.builder.remote(url).getOrCreate()
        self.spark.conf.set("spark.sql.session.timeZone", "UTC")
        self.folder = tempfile.mkdtemp()
        os.mkdir(self.path("in"))
        for number, rows in enumerate(FILES):
            file = pathlib.Path(self.path("in")) / f"{number}.json"
            file.write_text("".join(json.dumps({"t": f"2024-01-01 {t}", "k": k, "v": v}) + "\n" for t, k, v in rows))
            os.utime(file, (1600000000 + number, 1600000000 + number))
        self.number = 0

    def path(self, name):
        return f"{self.folder}/{name}"

    def source(self, files=1):
        reader = self.spark.readStream.schema("t TIMESTAMP, k STRING, v INT").option("maxFilesPerTrigger", files)
        return reader.json(self.path("in"))

    def timed(self, delay="10 seconds"):
        return self.source().withWatermark("t", delay)

    def other(self):
        return self.spark.createDataFrame([("a", "x"), ("b", "y")], ["k", "w"])

    def query(self, df, mode):
        """The rows that a query gives, and for each batch its input, its watermark and its state's size."""
        self.number += 1
        query = df.writeStream.format("memory").queryName(f"q{self.number}").outputMode(mode).start()
        try:
            query.processAllAvailable()
            rows = [[str(cell) for cell in row] for row in self.spark.table(f"q{self.number}").collect()]
            batches = []
            for progress in query.recentProgress:
                progress = json.loads(progress.json)
                state = progress["stateOperators"]
                batches.append({"rows": sum(source["numInputRows"] for source in progress["sources"]),
                                "watermark": progress["eventTime"].get("watermark"),
                                "state": [operator["numRowsTotal"] for operator in state],
                                "dropped": [operator["numRowsDroppedByWatermark"] for operator in state]})
        finally:
            query.stop()
        return {"rows": rows if ".orderBy(" in self.code else sorted(rows), "batches": batches}

    def files(self):
        """A folder written by two queries that share a checkpoint."""
        for number in (2, 1):
            query = self.source(number).writeStream.format("json").option("checkpointLocation", self.path("checkpoint"))
            query.trigger(availableNow=True).start(self.path("out")).awaitTermination()
        logs = sorted(str(file.relative_to(self.folder)) for name in ("checkpoint", "out/_spark_metadata")
                      for file in pathlib.Path(self.path(name)).rglob("*") if file.is_file() and file.name[0] != ".")
        return [sorted(list(row) for row in self.spark.read.json(self.path("out")).select("k", "v").collect()), logs]

    def failing(self):
        query = self.source().selectExpr("cast(k as int) x").writeStream.format("noop").start()
        try:
            query.awaitTermination(30)
            return "no error"
        except PySparkException as error:
            return [error.getCondition(), "CAST_INVALID_INPUT" in str(error), query.isActive,
                    "CAST_INVALID_INPUT" in str(query.exception()), query.status["message"][:25]]

    def answer(self, code):
        self.code = code
        names = {"self": self, "source": self.source, "timed": self.timed, "other": self.other, "query": self.query,
                 "spark": self.spark, "F": F, "path": self.path}
        try:
            return eval(code, names)
        except PySparkException as error:
            return {"error": error.getCondition()}


CASES = """
query(source().select("k", (F.col("v") * 2).alias("w")).where("w > 4"), "append")
query(source().groupBy("k").agg(F.count("*"), F.sum("v"), F.avg("v"), F.min("v"), F.max("v")), "complete")
query(source().groupBy("k").count().orderBy("k"), "complete")
query(source().groupBy("k").agg(F.sum("v")), "update")
query(source().agg(F.count("*"), F.stddev("v"), F.var_pop("v")), "update")
query(source().groupBy("k").agg(F.collect_list("v"), F.first("v"), F.last("v"), F.sort_array(F.collect_set("v"))), "complete")
query(source().groupBy("k").agg(F.max_by("t", "v"), F.min_by("t", "v"), F.bool_or(F.col("v") > 9), F.count_if(F.col("v") > 4)), "complete")
query(source().groupBy("k").agg((F.sum("v") + F.count("v")).alias("s"), F.avg(F.col("v").cast("decimal(5,2)"))), "complete")
query(source().groupBy("k").agg(F.sum("v").alias("s")).where("s > 10"), "update")
query(timed().groupBy(F.window("t", "10 seconds"), "k").agg(F.sum("v")), "append")
query(timed().groupBy(F.window("t", "10 seconds")).count(), "update")
query(timed().groupBy(F.window("t", "10 seconds")).count(), "complete")
query(timed().groupBy(F.window("t", "10 seconds", "5 seconds")).count(), "append")
query(timed().groupBy("t").count(), "append")
query(timed("1 second").groupBy(F.window("t", "5 seconds")).count(), "append")
query(timed("1 second").groupBy(F.window("t", "5 seconds")).count(), "update")
query(timed("5 seconds").groupBy(F.session_window("t", "5 seconds"), "k").agg(F.sum("v")), "append")
query(timed().groupBy(F.window("t", "10 seconds")).count().groupBy(F.window(F.window_time("window"), "20 seconds")).agg(F.sum("count")), "append")
query(source().dropDuplicates(["k"]).select("k", "v"), "append")
query(timed().dropDuplicates(["k", "t"]), "append")
query(timed("1 second").dropDuplicates(["k", "t"]), "append")
query(timed().dropDuplicatesWithinWatermark(["k"]), "append")
query(source().select("k").distinct(), "append")
query(source().join(other(), "k").select("k", "v", "w"), "append")
query(source().join(other(), "k", "left").select("k", "v", "w"), "append")
query(source().join(other(), "k", "left_anti").select("k", "v"), "append")
query(source().select("k").union(source(2).select("k")), "append")
query(source().limit(3), "append")
query(timed().select("k", "v"), "append")
query(source().groupBy("k").count(), "append")
query(source().select("k"), "complete")
query(source().orderBy("k"), "append")
query(source().groupBy("k").agg(F.count_distinct("v")), "complete")
query(source(), "weird")
query(source().exceptAll(source()), "append")
query(source().offset(1), "append")
query(source().sample(0.5), "append")
query(source().groupBy("k").count().limit(1), "update")
query(source().dropDuplicatesWithinWatermark(["k"]), "append")
query(other().join(source(), "k", "left"), "append")
query(source().select("k").union(other().select("k")), "append")
query(source().selectExpr("row_number() over (partition by k order by t)"), "append")
query(spark.range(3), "append")
query(source().withWatermark("k", "1 second"), "append")
query(source().withWatermark("t", "soon"), "append")
source().collect()
source().write.mode("overwrite").parquet(path("x"))
source().writeStream.format("memory").start()
source().writeStream.format("parquet").start(path("x"))
source().writeStream.format("nosuch").start(path("x"))
spark.readStream.format("nosuch").load().schema
spark.readStream.json(path("in")).schema
spark.readStream.schema("a INT").json(path("nosuch")).schema
source().writeStream.format("noop").trigger(continuous="1 second").start()
source().writeStream.format("noop").trigger(processingTime="abc").start()
source().groupBy("k").count().writeStream.format("parquet").option("checkpointLocation", path("c")).outputMode("update").start(path("x"))
spark.readStream.format("rate").load().schema.json()
[source().isStreaming, spark.range(1).isStreaming]
self.files()
self.failing()
""".strip().splitlines()


if __name__ == "__main__":
    recorded.main(__file__, Streams, CASES)
