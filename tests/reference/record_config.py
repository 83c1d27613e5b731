"""Records the session settings of Apache Spark, their defaults and whether a session may change them, as
src/engine/settings.inc.

usage: .deps/reference/bin/python tests/reference/record_config.py
The keys are those of `SET -v`, and those that PySpark's own source names. Values that speak of the machine are left out.
"""
import os
import pathlib
import re
import signal

import pyspark
from pyspark.sql.connect.session import SparkSession

from record_plans import start_server

ROOT = pathlib.Path(__file__).parents[2]


def named_in_pyspark():
    keys = set()
    for path in pathlib.Path(pyspark.__file__).parent.rglob("*.py"):
        keys.update(re.findall(r'"(spark\.(?:sql|connect)\.[A-Za-z][A-Za-z0-9.]*[A-Za-z0-9])"', path.read_text(errors="ignore")))
    return keys


def quoted(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


def main():
    server, port = start_server()
    try:
        spark = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
        defaults = {row.key: None if row.value == "<undefined>" else row.value for row in spark.sql("SET -v").collect()}
        started_with = {"spark.sql.session.timeZone", "spark.sql.shuffle.partitions", "spark.sql.warehouse.dir"}
        for key in named_in_pyspark() - set(defaults):
            try:
                defaults[key] = spark.conf.get(key)
            except Exception:
                pass
        defaults["spark.sql.shuffle.partitions"] = "200"
        lines = []
        for key in sorted(defaults):
            value = defaults[key]
            if key in started_with - {"spark.sql.shuffle.partitions"} or "hive.metastore.jars" in key:
                continue
            if key.startswith("spark.connect.grpc.") or key == "spark.connect.jvmStacktrace.maxSize":
                continue  # the server's own
            if value is not None and ("/" in value and ("tmp" in value or "home" in value) or "localhost" in value):
                continue
            if value is not None and re.fullmatch(r"<value of (spark\.\S+)>", value):
                value = spark.conf.get(key)
            changes = "true" if spark.conf.isModifiable(key) else "false"
            lines.append(f"{{{quoted(key)}, {'nullptr' if value is None else quoted(value)}, {changes}}},")
        (ROOT / "src/engine/settings.inc").write_text(
            "// Written by tests/reference/record_config.py from Apache Spark: key, default, may a session change it.\n"
            + "\n".join(lines) + "\n")
        print(len(lines), "settings")
    finally:
        os.killpg(server.pid, signal.SIGTERM)


if __name__ == "__main__":
    main()
