"""PySpark at Firesteel's server, Apache Spark's and Sail's: start, small queries, TPC-H, rows out, Python functions.

Run: make bench-connect. Each server runs alone on two threads; TPC-H's times are also held against DuckDB by hand.
"""
import json
import math
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

root = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(root / "tests/tpc"), str(root / "bench")]
import tpc  # noqa: E402
from measure import measure, resident, tree  # noqa: E402

REFERENCE, SAIL = root / ".deps/reference/bin/python", root / ".deps/sail/bin"
SPARK_HOME = next((root / ".deps/reference/lib").glob("python3*/site-packages/pyspark"), None)
# The port is awaited first: gRPC's client would wait ever longer between its tries. Without a __file__ PySpark's client
# takes the program for a doctest.
FIRST = ("import __main__, socket, sys, time\n__main__.__file__ = 'first'\nfrom pyspark.sql import SparkSession\nimport pyspark.sql.connect.session\n"
         "print('ready', flush=True)\nsys.stdin.readline()\nport, start = int(sys.argv[1].rsplit(':', 1)[1]), time.monotonic()\nwhile True:\n  try:\n"
         "    socket.create_connection(('127.0.0.1', port)).close()\n    break\n  except OSError:\n"
         "    time.sleep(0.005 if time.monotonic() < start + 60 else exit(1))\n"
         "assert SparkSession.builder.remote(sys.argv[1]).create().range(1).collect()[0].id == 0\nprint('answered', flush=True)\n")


def servers(port, folder):
    yield "Firesteel", REFERENCE, [root / "build/release/bin/firesteel", "--threads", "2", "--warehouse", f"{folder}/warehouse",
                                   "server", "--port", str(port), "--python", REFERENCE, "--log", "error"], {}
    yield "Apache Spark 4.3.0", REFERENCE, [
        SPARK_HOME / "sbin/start-connect-server.sh", "--master", "local[2]", "--conf", f"spark.connect.grpc.binding.port={port}",
        "--conf", "spark.driver.memory=4g", "--conf", "spark.ui.enabled=false", "--conf", "spark.driver.host=127.0.0.1",
        "--conf", "spark.driver.bindAddress=127.0.0.1", "--conf", f"spark.sql.warehouse.dir={folder}/spark"], {
        "SPARK_NO_DAEMONIZE": "1", "SPARK_HOME": str(SPARK_HOME), "SPARK_LOG_DIR": str(folder), "SPARK_PID_DIR": str(folder),
        "PYSPARK_PYTHON": str(REFERENCE), "TZ": "UTC"}
    yield "Sail 0.7.2", SAIL / "python", [SAIL / "sail", "spark", "server", "--ip", "127.0.0.1", "--port", str(port)], {
        "RAYON_NUM_THREADS": "2", "TOKIO_WORKER_THREADS": "2"}


def quiet_first(python, url):
    """A client that has imported all, to say how long a server took to its first answer."""
    client = subprocess.Popen([python, "-c", FIRST, url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              text=True)
    client.stdout.readline()
    return client


def run(python, command, environment, data, port):
    url = f"sc://127.0.0.1:{port}"
    client = quiet_first(python, url)
    start = time.monotonic()
    with open(os.devnull, "w") as nowhere:
        server = subprocess.Popen(list(map(str, command)), env={**os.environ, **environment}, stdout=nowhere, stderr=nowhere,
                                  start_new_session=True)
    try:
        client.stdin.write("\n")
        client.stdin.flush()
        if not client.stdout.readline():
            raise SystemExit(f"{command[0]} gave no answer")
        first = time.monotonic() - start
        client.wait(60)
        idle = resident(tree(server.pid))
        done = subprocess.run([python, root / "bench/connect/client.py", url, data, data / "queries"], capture_output=True, text=True,
                              timeout=1800)
        if done.stderr:
            print("\n".join(line[:300] for line in done.stderr.splitlines() if not line.startswith("{"))[:2000], file=sys.stderr)
        results = json.loads(done.stdout.splitlines()[-1])
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
    return {"first_answer_s": first, "idle_mb": idle / 1e6, **results}


def hand_times(data):
    out = measure([root / "build/release/bin/query_bench", data, "--runs", "3"])[3]
    return {words[0]: float(words[2]) / 1e3 for words in map(str.split, out.splitlines()) if words and words[0].isdigit()}


def main():
    only = sys.argv[1:]
    data = root / "data/bench/tpch-1"
    (data / "queries").mkdir(parents=True, exist_ok=True)
    for number, text in tpc.prepare("tpch", 1, str(data)).items():
        (data / f"queries/{number}.sql").write_text(text + "\n")
    folder = pathlib.Path(tempfile.mkdtemp())
    results = {}
    for wanted in range(3):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        name, python, command, environment = list(servers(port, folder))[wanted]
        if not only or any(name.lower().startswith(each.lower()) for each in only):
            results[name] = run(python, command, environment, data, port)
    shutil.rmtree(folder, ignore_errors=True)
    by_hand = hand_times(data)
    for result in results.values():
        common = [number for number in result["tpch"] if number in by_hand]
        result["tpch_s"] = sum(result["tpch"][number] for number in common)
        result["tpch_of_duckdb"] = math.exp(statistics.fmean(math.log(result["tpch"][n] / by_hand[n]) for n in common))
        result["tpch_queries"] = len(common)
    rows = [("start to first answer, s", "first_answer_s", "{:.2f}"), ("memory when idle, MB", "idle_mb", "{:.0f}"),
            ("spark.range(1).collect(), ms", "small_ms", "{:.1f}"), ("TPC-H SF1, queries", "tpch_queries", "{}"),
            ("TPC-H SF1, s in all", "tpch_s", "{:.1f}"), ("TPC-H SF1, of DuckDB by hand", "tpch_of_duckdb", "{:.2f}"),
            ("toArrow 5M x 10, rows/s", "to_arrow_rows_s", "{:,.0f}"), ("toPandas 5M x 10, rows/s", "to_pandas_rows_s", "{:,.0f}"),
            ("first row of an Arrow UDF, s", "udf_first_row_s", "{:.2f}"), ("pandas_udf, rows/s", "pandas_udf_rows_s", "{:,.0f}"),
            ("mapInArrow, rows/s", "map_in_arrow_rows_s", "{:,.0f}")]
    print("| | " + " | ".join(results) + " |\n|---|" + "---|" * len(results))
    for title, key, form in rows:
        print(f"| {title} | " + " | ".join("-" if r.get(key) is None else form.format(r[key]) for r in results.values()) + " |")


if __name__ == "__main__":
    main()
