"""Records what Apache Spark answers to a table of tests/pyspark: streams.py or sources.py.

usage: .deps/reference/bin/python tests/reference/record_client.py streams|sources
A Spark Connect server is started for it on a free port, and ended.
"""
import os
import pathlib
import signal
import subprocess
import sys

from record_plans import start_server


def main():
    server, port = start_server()
    try:
        script = pathlib.Path(__file__).parents[1] / "pyspark" / f"{sys.argv[1]}.py"
        return subprocess.run([sys.executable, script, f"sc://127.0.0.1:{port}", "--record"], timeout=900).returncode
    finally:
        os.killpg(server.pid, signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
