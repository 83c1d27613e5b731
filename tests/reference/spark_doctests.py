"""Prints which of PySpark's own doctests fail on Apache Spark itself through Spark Connect.

usage: .deps/reference/bin/python tests/reference/spark_doctests.py      (about 6 minutes)
"""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile

from record_plans import start_server

ROOT = pathlib.Path(__file__).parents[2]


def main():
    os.environ["PYSPARK_PYTHON"] = sys.executable  # the workers' too
    server, port = start_server("--master", "local[4]", "--conf", "spark.sql.timeType.enabled=true")
    try:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, ROOT / "tests/pyspark/doctests.py", f"sc://127.0.0.1:{port}",
                            "--json", f"{folder}/all.json"], check=True)
            results = json.load(open(f"{folder}/all.json"))
    finally:
        os.killpg(server.pid, signal.SIGTERM)
    for module, tests in results.items():
        for name, text in tests.items():
            if text:
                print("fails on Spark:", module, name)


if __name__ == "__main__":
    main()
