"""Data sources written in Python, from PySpark's client: what they read and write, and how they fail, as Apache Spark
has it.

usage: PYTHON tests/pyspark/sources.py sc://HOST:PORT [--record]
PYTHON has pyspark[connect], and the server runs functions with it. Holds a server's answers to sources.json, which
--record writes from a real Spark's (tests/reference/record_client.py starts one).
"""
import datetime
import decimal
import glob
import json
import os
import pathlib
import re
import tempfile
from dataclasses import dataclass

import pyarrow as pa
from pyspark.errors import PySparkException
from pyspark.sql import Row
from pyspark.sql.connect.session import SparkSession
from pyspark.sql.datasource import (DataSource, DataSourceArrowWriter, DataSourceReader, DataSourceStreamReader,
                                    DataSourceStreamWriter, DataSourceWriter, InputPartition,
                                    SimpleDataSourceStreamReader, WriterCommitMessage)
from pyspark.sql.types import (ArrayType, BinaryType, DateType, DecimalType, IntegerType, MapType, StringType, StructField,
                               StructType, TimestampType)

import recorded


def source(rows=lambda self, partition: iter([(1, "a"), (2, None)]), schema="id INT, name STRING", cuts=None, **methods):
    """A class of a data source that reads `rows`, from so many partitions."""
    members = {"read": rows}
    if cuts:
        members["partitions"] = cuts
    reader = type("Reader", (DataSourceReader,), members)

    def make(self, schema):
        made = reader()
        made.options, made.schema = self.options, schema
        return made

    given = {"reader": make, **methods}
    if schema is not None:
        given["schema"] = lambda self: schema
    return type("Given", (DataSource,), given)


class Counted(InputPartition):
    def __init__(self, first, last):
        self.first, self.last = first, last


class Failing(DataSource):
    def schema(self):
        raise ValueError("no schema today")


class NoReader(DataSource):
    def schema(self):
        return "id INT"


class Named(DataSource):
    @classmethod
    def name(cls):
        return "withName"

    def schema(self):
        return "text STRING"

    def reader(self, schema):
        options = self.options

        class Reader(DataSourceReader):
            def read(self, partition):
                yield (json.dumps(sorted(dict(options).items())),)
                yield (options.get("PATH"),)
        return Reader()


class Pushed(DataSource):
    def schema(self):
        return "id INT"

    def reader(self, schema):
        class Reader(DataSourceReader):
            def pushFilters(self, filters):
                return filters

            def read(self, partition):
                yield (1,)
        return Reader()


@dataclass
class Written(WriterCommitMessage):
    rows: int


class Files(DataSource):
    """Lines of files in a folder: one file for each task that writes, and a note of the commit."""

    def schema(self):
        return "text STRING"

    def reader(self, schema):
        folder = self.options["path"]

        class Reader(DataSourceReader):
            def partitions(self):
                return [InputPartition(name) for name in sorted(glob.glob(f"{folder}/*.txt"))]

            def read(self, partition):
                for line in open(partition.value):
                    yield (line.rstrip("\n"),)
        return Reader()

    def writer(self, schema, overwrite):
        folder, fail = self.options["path"], self.options.get("fail")
        names = schema.fieldNames()

        class Writer(DataSourceWriter):
            def __init__(self):
                os.makedirs(folder, exist_ok=True)

            def write(self, rows):
                from pyspark import TaskContext
                count = 0
                with open(f"{folder}/{TaskContext.get().taskAttemptId()}.txt", "w") as file:
                    for row in rows:
                        assert isinstance(row, Row) and row.__fields__ == names
                        if fail == "write" and count == 1:
                            raise ValueError("no more rows, please")
                        print(*row, file=file)
                        count += 1
                return None if fail == "message" else Written(count)

            def commit(self, messages):
                if fail == "commit":
                    raise ValueError("no commit, please")
                with open(f"{folder}/committed", "w") as file:
                    print(overwrite, sum(message.rows for message in messages), schema.simpleString(), file=file)

            def abort(self, messages):
                with open(f"{folder}/aborted", "w") as file:
                    print(overwrite, file=file)
        return Writer()


class Batches(DataSource):
    """A writer that is given Arrow batches."""

    def writer(self, schema, overwrite):
        path = self.options["path"]

        class Writer(DataSourceArrowWriter):
            def write(self, batches):
                table = pa.Table.from_batches(batches)
                with open(path, "a") as file:
                    print(table.num_rows, [str(field.type) for field in table.schema], file=file)
                return Written(table.num_rows)
        return Writer()


class Counter(DataSource):
    """A stream of numbers, so many a batch, up to a last one. Its reader keeps where it is."""

    def schema(self):
        return "number INT"

    def streamReader(self, schema):
        each, last, log = int(self.options.get("each", 3)), int(self.options.get("last", 8)), self.options.get("log")
        fail = self.options.get("fail")

        class Reader(DataSourceStreamReader):
            def __init__(self):
                self.current = 0

            def initialOffset(self):
                return {"at": 0}

            def latestOffset(self, *given):
                if fail == "offset":
                    raise ValueError("where am I?")
                self.current = min((given[0]["at"] if given else self.current) + each, last)
                return {"at": self.current}

            def partitions(self, start, end):
                middle = (start["at"] + end["at"]) // 2
                return [Counted(start["at"], middle), Counted(middle, end["at"])]

            def read(self, partition):
                if fail == "read":
                    raise ValueError("no rows today")
                for number in range(partition.first, partition.last):
                    yield (number,)

            def commit(self, end):
                if log:
                    with open(log, "a") as file:
                        print("commit", end["at"], file=file)
        return Reader()


class Simple(DataSource):
    def schema(self):
        return "number INT"

    def simpleStreamReader(self, schema):
        last = int(self.options.get("last", 5))

        class Reader(SimpleDataSourceStreamReader):
            def initialOffset(self):
                return {"at": 0}

            def read(self, start):
                end = {"at": min(start["at"] + 2, last)}
                return self.readBetweenOffsets(start, end), end

            def readBetweenOffsets(self, start, end):
                return iter([(number,) for number in range(start["at"], end["at"])])
        return Reader()


class StreamFiles(DataSource):
    def streamWriter(self, schema, overwrite):
        folder, fail = self.options["path"], self.options.get("fail")

        class Writer(DataSourceStreamWriter):
            def write(self, rows):
                count = sum(1 for _ in rows)
                if fail == "write":
                    raise ValueError("no rows, please")
                return Written(count)

            def commit(self, messages, batch):
                os.makedirs(folder, exist_ok=True)
                with open(f"{folder}/log", "a") as file:
                    print("commit", batch, sum(message.rows for message in messages), overwrite, file=file)

            def abort(self, messages, batch):
                os.makedirs(folder, exist_ok=True)
                with open(f"{folder}/log", "a") as file:
                    print("abort", batch, file=file)
        return Writer()


NESTED = StructType([
    StructField("list", ArrayType(IntegerType())), StructField("map", MapType(StringType(), IntegerType())),
    StructField("struct", StructType([StructField("a", IntegerType()), StructField("b", StringType())])),
    StructField("date", DateType()), StructField("time", TimestampType()), StructField("number", DecimalType(10, 2)),
    StructField("bytes", BinaryType())])
NESTED_ROWS = [([1, None], {"k": 2}, (3, "x"), datetime.date(2024, 2, 29),
                datetime.datetime(2024, 2, 29, 12, 30, tzinfo=datetime.timezone.utc), decimal.Decimal("1.25"), b"\x00\xff"),
               (None,) * 7]


class Sources:
    def __init__(self, url):
        self.spark = SparkSession.builder.remote(url).getOrCreate()
        self.spark.conf.set("spark.sql.session.timeZone", "UTC")
        self.folder = tempfile.mkdtemp()
        self.number = 0

    def path(self, name):
        return f"{self.folder}/{name}"

    def text(self, name):
        file = pathlib.Path(self.path(name))
        return file.read_text() if file.exists() else None

    def register(self, kind):
        """The name that a class can be used by from now on: one of its own, unless the class says one."""
        if kind.__name__ == "Given":
            self.number += 1
            kind.name = classmethod(lambda cls, name=f"given{self.number}": name)
        self.spark.dataSource.register(kind)
        return kind.name()

    def load(self, kind, schema=None, path=None, **options):
        reader = self.spark.read.format(self.register(kind)).options(**options)
        return (reader.schema(schema) if schema else reader).load(path)

    def rows(self, df):
        return [[str(cell) for cell in row] for row in df.collect()]

    def read(self, kind, **options):
        df = self.load(kind, **options)
        return [df.schema.simpleString(), self.rows(df)]

    def write(self, kind, mode, df=None, name="out", **options):
        """What is written, as the source itself reads it, and its note of the commit."""
        df = self.spark.range(5).selectExpr("'n' || id as text") if df is None else df
        try:
            df.write.format(self.register(kind)).mode(mode).options(**options).save(self.path(name))
        except PySparkException as error:
            return [self.error(error), self.text(f"{name}/committed"), self.text(f"{name}/aborted")]
        lines = sorted(line for file in pathlib.Path(self.path(name)).glob("*.txt") for line in file.read_text().splitlines())
        return [lines, self.text(f"{name}/committed"), self.text(f"{name}/aborted")]

    def stream(self, kind, checkpoint=None, once=False, **options):
        """The rows of each batch that a stream gives until it has no more."""
        self.number += 1
        df = self.spark.readStream.format(self.register(kind)).options(**options).load()
        writer = df.writeStream.format("memory").queryName(f"q{self.number}")
        if checkpoint:
            writer = df.writeStream.format("json").option("checkpointLocation", self.path(checkpoint))
        if once:
            writer = writer.trigger(availableNow=True)
        query = writer.start(self.path(f"{checkpoint}-rows") if checkpoint else None)
        try:
            if once:
                query.awaitTermination(60)
            else:
                query.processAllAvailable()
            sources = [json.loads(progress.json)["sources"][0] for progress in query.recentProgress]
            offsets = [[source["numInputRows"], source["endOffset"]] for source in sources if source["numInputRows"]]
        finally:
            query.stop()
        rows = self.spark.read.schema(df.schema).json(self.path(f"{checkpoint}-rows")) if checkpoint \
            else self.spark.table(f"q{self.number}")
        return [sorted(self.rows(rows), key=lambda row: int(row[0])), offsets]

    def write_stream(self, **options):
        df = self.spark.readStream.format(self.register(Counter)).load()
        self.register(StreamFiles)
        writer = df.writeStream.format("StreamFiles").options(path=self.path("log"), **options)
        query = writer.option("checkpointLocation", self.path(f"checkpoint{self.number}")).start()
        self.number += 1
        try:
            query.processAllAvailable()
        except PySparkException as error:
            return [self.error(error), self.text("log/log")]
        finally:
            query.stop()
        text, file = self.text("log/log"), pathlib.Path(self.path("log/log"))
        file.unlink()
        return text

    def error(self, error):
        """An error's condition, and of Python's own the line that says what it is. Errors of tasks have none in Spark."""
        text = str(error).split("\nJVM stacktrace")[0]
        raised = re.findall(r"^(?:[\w.]*\.)?(\w*(?:Error|Exception|Invalid): .*)$", text, re.M)
        planned = error.getCondition() == "PYTHON_DATA_SOURCE_ERROR"
        return [error.getCondition() or "PYTHON_EXCEPTION", raised[-1] if raised else None] + text.splitlines()[:planned]

    def answer(self, code):
        names = {**globals(), "self": self, **{name: getattr(self, name) for name in dir(self) if name[0] != "_"}}
        try:
            return eval(code, names)
        except PySparkException as error:
            return {"error": self.error(error)}


CASES = """
read(source())
read(source(schema=StructType([StructField("id", IntegerType(), False), StructField("name", StringType())])))
read(source(cuts=lambda self: [InputPartition(i) for i in range(5)], rows=lambda self, p: iter([(p.value, str(p.value))])))
read(source(cuts=lambda self: [Counted(0, 2), Counted(2, 3)], rows=lambda self, p: ((i, "x") for i in range(p.first, p.last))))
read(source(cuts=lambda self: [], rows=lambda self, p: iter([(0, repr(p))])))
read(source(rows=lambda self, p: iter([])))
read(source(rows=lambda self, p: iter([Row(name="x", id=7), Row(name=None, id=None)])))
read(source(rows=lambda self, p: iter([[1, "list"]])))
read(source(rows=lambda self, p: iter([pa.RecordBatch.from_arrays([pa.array([1, 2], pa.int32()), pa.array(["p", "q"])], ["id", "name"])])))
read(source(rows=lambda self, p: iter([(len(self.options), self.schema.simpleString())])), a="1", B="2")
read(source(schema=None), schema="id INT, name STRING")
read(source(), schema="id INT, name STRING")
read(source(schema=NESTED, rows=lambda self, p: iter(NESTED_ROWS)))
read(source(rows=lambda self, p: ((i, "x" * 10) for i in range(25000))).__class__ and source(schema="n BIGINT", rows=lambda self, p: iter([(sum(range(25000)),)])))
load(source(cuts=lambda self: [InputPartition(i) for i in range(4)], rows=lambda self, p: ((i, "x") for i in range(p.value, 100000, 4)))).selectExpr("count(*)", "sum(id)", "max(name)").collect()[0].asDict()
rows(load(source()).where("id > 1").select("id"))
rows(load(source()).join(load(source()), "id").orderBy("id"))
rows(load(source()).unionAll(load(source())).groupBy("name").count().orderBy("name"))
load(source()).createOrReplaceTempView("given_view") or rows(spark.sql("SELECT count(*), max(id) FROM given_view"))
read(Named, path="/some/where", One="1", two="2")
rows(spark.read.format("WITHNAME").load())
spark.dataSource.register(Named) or rows(spark.read.format("withname").option("x", "y").load())
read(Files)
read(source(schema=None))
read(Failing)
read(NoReader)
read(source(schema="id NOT_A_TYPE"))
read(source(rows=lambda self, p: 1 / 0))
read(source(rows=lambda self, p: (1 / 0 for _ in range(3))))
read(source(rows=lambda self, p: [(1, "a")]))
read(source(rows=lambda self, p: iter([(1,)])))
read(source(rows=lambda self, p: iter([5])))
read(source(rows=lambda self, p: iter([{"id": 1, "name": 2}])))
read(source(rows=lambda self, p: iter([Row(id=1, other=2)])))
read(source(rows=lambda self, p: iter([("x", "y")])))
read(source(rows=lambda self, p: iter([pa.RecordBatch.from_arrays([pa.array([1])], ["id"])])))
read(source(rows=lambda self, p: iter([pa.RecordBatch.from_arrays([pa.array([1]), pa.array(["a"])], ["id", "name"])])))
read(source(cuts=lambda self: 5))
read(source(cuts=lambda self: [1, 2]))
read(source(cuts=lambda self: 1 / 0))
read(source(reader=lambda self, schema: "no reader"))
read(source(reader=lambda self, schema: 1 / 0))
read(Pushed)
spark.read.format("never_registered").load().schema
write(Files, "append")
write(Files, "append")
write(Files, "overwrite")
write(Files, "append", spark.range(3).selectExpr("id", "cast(id as decimal(5,2)) d", "array(id) a", "named_struct('x', id) s", "timestamp'2024-01-01' t"), "types")
write(Files, "append", spark.range(0).selectExpr("'x' text"), "empty")
write(Files, "error", name="modes")
write(Files, "ignore", name="modes")
write(Files, "append", name="failed", fail="write")
write(Files, "append", name="failed2", fail="commit")
write(Files, "append", name="failed3", fail="message")
write(source(), "append", name="none")
write(source(writer=lambda self, schema, overwrite: 5), "append", name="none")
spark.range(3).selectExpr("cast(id as int) id", "'x' name").write.format(register(Batches)).mode("append").save(path("batches")) or text("batches")
spark.range(3).write.format(register(Files)).mode("append").save()
spark.range(3).write.format("never_registered").mode("append").save()
spark.range(3).write.format("Files").mode("append").saveAsTable("python_table")
read(Files, path=path("out"))[0]
stream(Counter)
stream(Counter, each="100", last="10")
stream(Counter, log=path("commits")) and text("commits")
stream(Simple)
[stream(Counter, checkpoint="restarted", last="4"), stream(Counter, checkpoint="restarted", last="9")]
[stream(Simple, checkpoint="simply", last="3"), stream(Simple, checkpoint="simply", last="6")]
stream(Counter, fail="offset")
stream(Counter, fail="read")
stream(Failing)
spark.readStream.format("Counter").load().schema.simpleString()
spark.readStream.format("Counter").load().isStreaming
write_stream()
write_stream(fail="write")
""".strip().splitlines()

# What this program does otherwise than Spark, on purpose.
DIFFERENT = {
    'read(source(schema="id NOT_A_TYPE"))': {"error": ["UNSUPPORTED_DATATYPE", None]},
    'spark.range(3).write.format("Files").mode("append").saveAsTable("python_table")':
        {"error": ["UNSUPPORTED_FEATURE.PYTHON_DATA_SOURCE_TABLE", None]},
}


if __name__ == "__main__":
    recorded.main(__file__, Sources, CASES, DIFFERENT)
