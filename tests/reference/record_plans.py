"""Records PySpark's plans of tests/plans/cases.txt and what Apache Spark answers to them, in plans.json.

usage: .deps/reference/bin/python tests/reference/record_plans.py
A Spark Connect server is started for it on a free port, and ended.
"""
import datetime  # noqa: F401  for the cases
import decimal  # noqa: F401
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

import pyspark
from google.protobuf import json_format
from pyspark.errors import PySparkException
from pyspark.sql.connect import functions as F  # noqa: F401
from pyspark.sql import types as T  # noqa: F401

HERE = pathlib.Path(__file__).parents[1] / "plans"
VIEWS = {
    "people": "SELECT * FROM VALUES ('Ada', 36, 1.65D, 'London', true), ('Alan', 41, 1.8D, 'London', false), "
              "('Grace', NULL, 1.7D, 'New York', true), (NULL, 85, NULL, NULL, NULL) "
              "AS t(name, age, height, city, flag)",
    "numbers": "SELECT * FROM VALUES (36, 'x'), (41, 'y'), (41, 'z') AS t(n, word)",
    "years": "SELECT * FROM VALUES (2024, 1, 10), (2023, 2, 20), (2023, 1, 30) AS t(year, quarter, earnings)",
}


def start_server(*options):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = os.path.dirname(pyspark.__file__)
    folder = tempfile.mkdtemp()
    server = subprocess.Popen(
        [f"{home}/sbin/start-connect-server.sh", "--master", "local[1]", "--conf", f"spark.connect.grpc.binding.port={port}",
         "--conf", "spark.connect.grpc.binding.address=127.0.0.1", "--conf", "spark.driver.memory=1g",
         "--conf", "spark.ui.enabled=false", "--conf", "spark.sql.session.timeZone=UTC",
         "--conf", "spark.sql.shuffle.partitions=1", "--conf", "spark.driver.bindAddress=127.0.0.1",
         "--conf", "spark.driver.host=127.0.0.1",
         "--conf", f"spark.sql.warehouse.dir={folder}", *options],
        env={**os.environ, "SPARK_NO_DAEMONIZE": "1", "SPARK_HOME": home, "SPARK_LOG_DIR": folder, "SPARK_PID_DIR": folder,
             "TZ": "UTC"},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    for _ in range(120):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return server, port
        except OSError:
            time.sleep(0.5)
    raise SystemExit("the Spark Connect server did not start")


def condition(error):
    return error.getCondition() if isinstance(error, PySparkException) and error.getCondition() else type(error).__name__


def main():
    server, port = start_server()
    try:
        from pyspark.sql.connect.session import SparkSession
        from pyspark.sql.connect.window import Window as W  # noqa: F401
        spark = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
        names = {"spark": spark, "F": F, "T": T, "W": W, "datetime": datetime, "decimal": decimal}
        for name, query in VIEWS.items():
            spark.sql(query).createOrReplaceTempView(name)
            names[name] = spark.table(name)
        records = []
        for line in (HERE / "cases.txt").read_text().splitlines():
            if not line or line.startswith("#"):
                continue
            record = {"code": line}
            try:
                df = eval(line, names)
                plan = df._plan.to_proto(spark._client)
                record["plan"] = json_format.MessageToDict(plan.root)
                record["columns"] = [f"{name} {kind}" for name, kind in df.dtypes]
                columns = [f"c{i}" for i in range(len(df.columns))]
                text = df.toDF(*columns).selectExpr(*[f"cast({c} as string)" for c in columns])
                record["rows"] = [[value for value in row] for row in text.collect()]
                record["ordered"] = "W." not in line and (".orderBy(" in line or ".sort(" in line)
            except Exception as error:
                record["error"] = condition(error)
                if "plan" not in record:
                    print(f"no plan: {line}: {str(error).splitlines()[0][:150]}")
                    continue
            records.append(record)
            print(line, record.get("error", len(record.get("rows", []))))
        (HERE / "plans.json").write_text(json.dumps({"views": VIEWS, "plans": records}, indent=0) + "\n")
    finally:
        os.killpg(server.pid, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
