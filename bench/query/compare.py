"""TPC-H SF1 through the plan against DuckDB's SQL by hand. Run: make bench-query"""
import pathlib
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
data = root / "data/bench/tpch"
if not (data / "lineitem.parquet").exists():
    data.mkdir(parents=True, exist_ok=True)
    subprocess.run([pathlib.Path(sys.executable).parent / "tpchgen-cli", "-s", "1", "--format", "parquet", "--output-dir", data], check=True)
subprocess.run([root / "build/release/bin/query_bench", data], check=True)
