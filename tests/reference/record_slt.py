"""Records what Apache Spark answers to the blocks of tests/slt/*.slt, in place.

usage: .deps/reference/bin/python tests/reference/record_slt.py FILE…

A block is a header, a statement and, for queries, rows behind `----`; tests/slt/runner.cpp says
the format. A header `query` or `error` is replaced by the one Spark gives, so a new block starts as
`query` and its statement; what stands in ` at "…"` is kept. ${DATA} stands for the folder tests/data.
"""
import os
import re
import shutil
import sys
import tempfile

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

DATA = os.path.realpath(os.path.join(os.path.dirname(__file__), "..", "data"))
WAREHOUSE = tempfile.mkdtemp(prefix="record_slt_")


def session(master="local[1]"):
    return (SparkSession.builder.master(master)
            .config("spark.sql.session.timeZone", "UTC")
            .config("spark.driver.extraJavaOptions", "-Duser.timezone=UTC")
            .config("spark.ui.enabled", "false")
            .config("spark.driver.memory", "1g")
            .config("spark.driver.bindAddress", "127.0.0.1")
            .config("spark.driver.host", "127.0.0.1")
            .config("spark.sql.shuffle.partitions", "1")
            .config("spark.sql.warehouse.dir", WAREHOUSE)
            .getOrCreate())


def cell(value):
    if value is None:
        return "NULL"
    return "(empty)" if value == "" else value.replace("\n", "\\n").replace("\t", "\\t")


def answer(spark, sql):
    """The block's header and rows."""
    df = spark.sql(sql.replace("${DATA}", DATA))
    header = "query " + ", ".join(f"{name} {kind}" for name, kind in df.dtypes)
    names = [f"c{i}" for i in range(len(df.columns))]
    rows = df.toDF(*names)
    casts = []
    for i, (_, kind) in enumerate(df.dtypes):
        # A variant or void casts as any other type does.
        casts.append(f"cast(c{i} as string) as c{i}")
    # Collected before they are cast, so that the cast does not change the order or the errors.
    return header, ["\t".join(cell(v) for v in row).replace(DATA, "${DATA}") for row in rows.selectExpr(*casts).collect()]


def condition(error):
    """The error class: PySpark's exception has it, or the message of what the JVM threw."""
    name = error.getCondition() if isinstance(error, PySparkException) else None
    found = None if name else re.search(r"\[([A-Z][A-Z0-9_]+(?:\.[A-Z0-9_]+)*)\]", str(error))
    return name or (found.group(1) if found else type(error).__name__)


def record(spark, path):
    with open(path, encoding="utf-8") as file:
        blocks = file.read().rstrip("\n").split("\n\n")
    out, changed = [], 0
    for block in blocks:
        lines = block.split("\n")
        comments = []
        while lines and lines[0].startswith("#"):
            comments.append(lines.pop(0))
        if not lines:
            out.append(block)
            continue
        header, rest = lines[0], lines[1:]
        sql = "\n".join(rest[:rest.index("----")] if "----" in rest else rest)
        if header == "statement":
            try:
                spark.sql(sql.replace("${DATA}", DATA))
                out.append(block)
                continue
            except Exception:  # recorded below
                header = "query"
        place = re.search(r' at ".*"$', header)
        try:
            header, rows = answer(spark, sql)
            new = [header, sql, "----", *rows]
        except Exception as error:  # an answer too: Py4J's own exceptions are no PySparkException
            name = condition(error)
            if header.startswith("query"):
                print(f"{path}: {sql}\n  {(str(error).splitlines() or [''])[0][:300]}")
            new = [f"error {name}{place.group() if place else ''}", sql]
        text = "\n".join(comments + new)
        changed += text != block
        out.append(text)
    with open(path, "w", encoding="utf-8") as file:
        file.write("\n\n".join(out) + "\n")
    print(f"{path}: {len(out)} blocks, {changed} changed")
    for row in spark.catalog.listTables():
        if row.isTemporary:
            spark.catalog.dropTempView(row.name)
        else:
            spark.sql(f"DROP {'VIEW' if row.tableType == 'VIEW' else 'TABLE'} `{row.name}`")


if __name__ == "__main__":
    spark = session()
    spark.sparkContext.setLogLevel("OFF")
    for path in sys.argv[1:]:
        record(spark, path)
    spark.stop()
    shutil.rmtree(WAREHOUSE, ignore_errors=True)
