"""Records the plans of tests/plans/udf_cases.py and what Apache Spark answers to them, in udfs.json.

usage: .deps/reference/bin/python tests/reference/record_udfs.py [CASE …]
With cases named, only theirs are recorded anew. A Spark Connect server is started for it and ended.
"""
import json
import os
import signal
import sys

os.environ["SPARK_CONNECT_MODE_ENABLED"] = "1"
os.environ["PYSPARK_PYTHON"] = sys.executable

import pandas as pd  # noqa: E402
import pyarrow as pa  # noqa: E402
from google.protobuf import json_format  # noqa: E402
from pyspark.sql import SparkSession  # noqa: E402
from pyspark.sql import functions as F  # noqa: E402
from pyspark.sql import types as T  # noqa: E402
from pyspark.sql.window import Window as W  # noqa: E402
from record_plans import HERE, VIEWS, condition, start_server  # noqa: E402


def answer(record, df, case):
    plan = df._plan.to_proto(df._session._client)
    record["plan"] = json_format.MessageToDict(plan.root)
    record["columns"] = [f"{name} {kind}" for name, kind in df.dtypes]
    names = [f"c{i}" for i in range(len(df.columns))]
    text = df.toDF(*names).selectExpr(*[f"cast({c} as string)" for c in names])
    record["rows"] = [list(row) for row in text.collect()]
    record["ordered"] = ".orderBy(" in case


def main():
    server, port = start_server()
    try:
        spark = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
        names = {"__name__": "__main__", "spark": spark, "F": F, "T": T, "W": W, "pd": pd, "pa": pa}
        for name, query in VIEWS.items():
            spark.sql(query).createOrReplaceTempView(name)
            names[name] = spark.table(name)
        commands = []
        execute = spark._client._execute

        def recorded(request):
            if request.plan.HasField("command"):
                commands.append(request.plan.command)
            return execute(request)

        spark._client._execute = recorded
        source = (HERE / "udf_cases.py").read_text()
        before = set(names)
        exec(compile(source, "udf_cases.py", "exec"), names)
        cases = {name: case for name, case in names.items() if name not in before and callable(case)}
        texts = dict(part.split("():\n", 1) for part in source.split("\ndef ")[1:])
        out = HERE / "udfs.json"
        wanted = sys.argv[1:]
        records = json.loads(out.read_text())["plans"] if wanted and out.exists() else []
        known = {record["code"]: record for record in records}
        for name, case in cases.items():
            if wanted and name not in wanted:
                continue
            commands.clear()
            record = {"code": name}
            try:
                answer(record, case(), texts[name])
            except Exception as error:
                text = str(error)
                python = "[PYTHON_EXCEPTION]" in text
                record.pop("rows", None)
                record["error"] = "PYTHON_EXCEPTION" if python else condition(error)
                if python:  # what the user's function raised is the last line
                    record["error_text"] = text.split(" SQLSTATE")[0].strip().splitlines()[-1]
                if "plan" not in record:
                    print(f"no plan: {name}: {text[:300]}")
                    continue
            record["commands"] = [json_format.MessageToDict(command) for command in commands]
            known[name] = record
            print(name, record.get("error", record.get("rows")))
        plans = [known[name] for name in cases if name in known]
        out.write_text(json.dumps({"python": True, "views": VIEWS, "plans": plans}, indent=0) + "\n")
    finally:
        os.killpg(server.pid, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
