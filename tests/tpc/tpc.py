"""TPC-H and TPC-DS: data and query texts from DuckDB's generators, and how answers are compared."""
import csv
import glob
import hashlib
import importlib.resources
import io
import os
import re

import duckdb

SUITES = {"tpch": ("dbgen", "tpch_queries()"), "tpcds": ("dsdgen", "tpcds_queries()")}


def prepare(suite, scale, folder):
    """Tables as <folder>/<table>/data.parquet and the queries' texts, by number, in Spark's dialect."""
    generate, queries = SUITES[suite]
    extension = glob.glob(str(importlib.resources.files(f"duckdb_extension_{suite}")
                              / "extensions/*/*.duckdb_extension"))[0]
    connection = duckdb.connect(config={"allow_unsigned_extensions": True})
    connection.execute(f"LOAD '{extension}'")
    if not os.path.exists(f"{folder}/_SUCCESS"):
        connection.execute(f"CALL {generate}(sf={scale})")
        for (table,) in connection.execute("SHOW TABLES").fetchall():
            os.makedirs(f"{folder}/{table}", exist_ok=True)
            connection.execute(f"COPY {table} TO '{folder}/{table}/data.parquet' (FORMAT parquet)")
        open(f"{folder}/_SUCCESS", "w").close()
    texts = dict(connection.execute(f"SELECT query_nr, query FROM {queries}").fetchall())
    # Spark quotes names by backticks.
    return {number: re.sub(r'(?i)\bAS "([^"]*)"', r"AS `\1`", text.strip().rstrip(";"))
            for number, text in texts.items()}


def tables(folder):
    return sorted(os.path.basename(os.path.dirname(path))
                  for path in glob.glob(f"{folder}/*/data.parquet"))


def cell(text):
    """A value as text: fractions to six digits, since sums of doubles depend on their order."""
    if text is None or text == "":
        return ""
    if re.fullmatch(r"-?\d+\.\d*([eE][-+]?\d+)?|-?\d+[eE][-+]?\d+", text):
        return f"{float(text) + 0.0:.6g}"
    return text


def digest(rows):
    """Rows as a multiset: how many, and a hash that does not depend on their order."""
    lines = sorted("\t".join(cell(value) for value in row) for row in rows)
    return {"rows": len(lines), "hash": hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16],
            "first": lines[:3]}


def csv_rows(text):
    rows = list(csv.reader(io.StringIO(text)))
    return rows[0], rows[1:]
