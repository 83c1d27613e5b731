"""Runs TPC-H and TPC-DS queries through firesteel and holds them to Apache Spark's answers.

usage: run.py FIRESTEEL FOLDER [--all] [tpch|tpcds] [NUMBER…]
Without --all, every fourth query. FOLDER keeps the generated data.
"""
import json
import os
import pathlib
import subprocess
import sys

import tpc

SCALE = {"tpch": 0.1, "tpcds": 0.1}


def main():
    firesteel, folder, *rest = sys.argv[1:]
    os.makedirs(folder, exist_ok=True)
    firesteel, folder = os.path.abspath(firesteel), os.path.abspath(folder)
    whole = "--all" in rest
    suites = [word for word in rest if word in SCALE] or list(SCALE)
    numbers = {int(word) for word in rest if word.isdigit()}
    answers = json.loads((pathlib.Path(__file__).parent / "answers.json").read_text())
    checked, failed = 0, []
    for suite in suites:
        data = f"{folder}/{suite}-{SCALE[suite]}"
        for number, sql in sorted(tpc.prepare(suite, SCALE[suite], data).items()):
            if numbers and number not in numbers or not (whole or numbers or number % 4 == 1):
                continue
            views = "".join(f"CREATE TEMP VIEW {table} USING parquet OPTIONS (path '{data}/{table}');\n"
                            for table in tpc.tables(data))
            run = subprocess.run([firesteel, "sql", "--format", "csv", views + sql], text=True,
                                 capture_output=True, timeout=120,
                                 cwd=os.environ.get("TMPDIR", "/tmp"))
            checked += 1
            wanted = answers[f"{suite} {number}"]
            if run.returncode != 0:
                failed.append(f"{suite} {number}: {run.stderr.strip()[:500]}")
                continue
            names, rows = tpc.csv_rows(run.stdout)
            got = tpc.digest(rows)
            if names != wanted["columns"]:
                failed.append(f"{suite} {number}: columns {names} instead of {wanted['columns']}")
            elif wanted.get("ties") and got["rows"] == wanted["rows"]:
                continue  # LIMIT cuts rows that ORDER BY does not tell apart
            elif got["hash"] != wanted["hash"]:
                failed.append(f"{suite} {number}: {got} instead of {wanted}")
    print(f"{checked} queries, {len(failed)} failed", *failed, sep="\n")
    return 1 if failed or not checked else 0


if __name__ == "__main__":
    sys.exit(main())
