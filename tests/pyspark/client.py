"""What any PySpark client must be able to do: run by run.py with each version. Prints OK, or fails.

usage: PYTHON client.py sc://HOST:PORT
"""
import datetime
import decimal
import sys
import tempfile

import pandas
from pyspark.errors import AnalysisException, ArithmeticException, ParseException
from pyspark.sql import Row, SparkSession, Window, functions as F
from pyspark.sql.types import IntegerType, StringType, StructField, StructType

spark = SparkSession.builder.remote(sys.argv[1]).getOrCreate()


def same(got, wanted):
    assert got == wanted, f"{got!r} is not {wanted!r}"


def fails(kind, condition, action):
    try:
        action()
    except kind as error:
        same(error.getCondition() if hasattr(error, "getCondition") else error.getErrorClass(), condition)
        return
    raise AssertionError(f"{condition} was not raised")


same(spark.version, "4.3.0")
same([row.id for row in spark.range(5).collect()], [0, 1, 2, 3, 4])

# Rows of every type there and back.
moment = datetime.datetime(2024, 2, 29, 12, 30, 15, 123456)
row = Row(i=1, s="é", d=1.5, b=True, n=None, x=b"\x00\xff", t=moment, day=moment.date(), c=decimal.Decimal("1.20"),
          a=[1, None], m={"k": 2}, r=Row(p=1, q="z"), gap=datetime.timedelta(days=1, microseconds=5))
df = spark.createDataFrame([row], "i int, s string, d double, b boolean, n string, x binary, t timestamp, day date, "
                           "c decimal(10,2), a array<int>, m map<string,int>, r struct<p:int,q:string>, gap interval day to second")
got = df.collect()[0].asDict(recursive=True)
got["x"] = bytes(got["x"])
same(got, row.asDict(recursive=True))
same(df.schema["c"].dataType.simpleString(), "decimal(10,2)")
same(spark.createDataFrame([], StructType([StructField("a", IntegerType())])).count(), 0)

# pandas both ways, larger than what goes inline.
frame = pandas.DataFrame({"k": range(200_000), "v": [f"text {i % 100}" for i in range(200_000)]})
back = spark.createDataFrame(frame).filter("k % 2 = 0").toPandas()
same(len(back), 100_000)
same(list(back.v[:3]), ["text 0", "text 2", "text 4"])

# SQL with views, parameters and commands that answer rows.
df = spark.createDataFrame([("a", 1), ("a", 2), ("b", 3)], ["k", "v"])
df.createOrReplaceTempView("pairs")
same(spark.sql("SELECT k, sum(v) s FROM pairs WHERE v < :most GROUP BY k ORDER BY k", args={"most": 3}).collect(), [Row(k="a", s=3)])
same(spark.sql("SELECT ? + 1 AS x", args=[41]).first().x, 42)
same([r.namespace for r in spark.sql("SHOW DATABASES").collect()], ["default"])
same(spark.sql("SELECT count(*) c FROM {pairs}", pairs=df).first().c, 3)
ranked = df.withColumn("r", F.row_number().over(Window.partitionBy("k").orderBy(F.desc("v"))))
same({(r.k, r.v, r.r) for r in ranked.collect()}, {("a", 2, 1), ("a", 1, 2), ("b", 3, 1)})
same(df.groupBy("k").pivot("v", [1, 2, 3]).count().orderBy("k").first().asDict(), {"k": "a", "1": 1, "2": 1, "3": None})

# Files and tables.
with tempfile.TemporaryDirectory() as folder:
    df.write.mode("overwrite").partitionBy("k").parquet(f"{folder}/p")
    same(spark.read.parquet(f"{folder}/p").filter("k = 'a'").count(), 2)
    same(sorted(spark.read.schema("k string, v int").json(df.toJSON() if False else f"{folder}/p").columns), ["k", "v"])
df.write.mode("overwrite").saveAsTable("kept")
same(spark.table("kept").count(), 3)
same(spark.catalog.tableExists("kept"), True)
spark.sql("DROP TABLE kept")

# What is known without running.
same(df.schema, StructType([StructField("k", StringType()), df.schema["v"]]))
assert "Physical Plan" in df._explain_string() if hasattr(df, "_explain_string") else True
same(df.isLocal() in (True, False), True)
same(df.sameSemantics(df), True)

# Errors are Spark's.
fails(ArithmeticException, "DIVIDE_BY_ZERO", lambda: spark.sql("SELECT 1 / 0").collect())
fails(AnalysisException, "UNRESOLVED_COLUMN.WITH_SUGGESTION", lambda: df.select("nope").collect())
fails(ParseException, "PARSE_SYNTAX_ERROR", lambda: spark.sql("SELEC 1").collect())
same(spark.range(1).collect(), [Row(id=0)])  # and the session goes on

# Settings, checkpoints, copies of a session.
spark.conf.set("spark.sql.session.timeZone", "Asia/Tokyo")
same(spark.conf.get("spark.sql.session.timeZone"), "Asia/Tokyo")
same(spark.sql("SELECT hour(timestamp'2024-01-01 00:00:00Z') h").first().h, 9)
spark.conf.unset("spark.sql.session.timeZone")
same(spark.conf.get("spark.sql.shuffle.partitions"), "200")
checkpoint = df.localCheckpoint()
same(checkpoint.count(), 3)
spark.addTag("mine")
same(spark.getTags(), {"mine"})
spark.stop()
print("OK")
