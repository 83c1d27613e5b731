"""Records what Apache Spark says of errors.

usage: .deps/reference/bin/python tests/reference/record_errors.py
- which exception each error class is thrown as, from the error blocks of tests/slt: src/connect/server/exceptions.inc
- what clients get of the errors of tests/pyspark/errors.txt: tests/pyspark/errors.json
"""
import collections
import json
import os
import pathlib
import re
import signal
import sys

from pyspark.errors import PySparkException
from pyspark.sql.connect.session import SparkSession

from record_plans import start_server

ROOT = pathlib.Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests/pyspark"))
import errors  # noqa: E402


def error_blocks():
    for path in sorted((ROOT / "tests/slt").glob("*.slt")):
        for block in path.read_text().split("\n\n"):
            lines = [line for line in block.splitlines() if not line.startswith("#")]
            found = re.match(r"error (\S+)", lines[0]) if lines else None
            if found:
                yield found.group(1), "\n".join(lines[1:]).replace("${DATA}", str(ROOT / "tests/data"))


def record_exceptions(spark):
    seen = collections.defaultdict(collections.Counter)
    for expected, sql in error_blocks():
        try:
            spark.sql(sql).collect()
        except PySparkException as error:
            if error.getCondition() == expected:
                seen[expected][type(error).__name__] += 1
        except Exception:
            pass
    rows = [(condition, kinds.most_common(1)[0][0]) for condition, kinds in sorted(seen.items())]
    rows = [f'{{"{condition}", "{kind}"}},' for condition, kind in rows if kind != "AnalysisException"]
    (ROOT / "src/connect/server/exceptions.inc").write_text(
        "// Written by tests/reference/record_errors.py from Apache Spark: error classes that are no AnalysisException.\n"
        + "\n".join(rows) + "\n")
    print(len(seen), "conditions,", len(rows), "rows")


def main():
    server, port = start_server()
    try:
        spark = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
        records = errors.answers(spark)
        errors.RECORDED.write_text(json.dumps(records, indent=1) + "\n")
        print(len(records), "errors")
        record_exceptions(spark)
    finally:
        os.killpg(server.pid, signal.SIGTERM)


if __name__ == "__main__":
    main()
