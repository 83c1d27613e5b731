"""5M rows of 13 floats and 8 category ids from Parquet to shuffled batches of 8192. Run: make bench-loader"""
import json
import pathlib
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "bench"))
from measure import measure

file = root / "data/bench/loader.parquet"
if not file.exists():
    import duckdb
    file.parent.mkdir(parents=True, exist_ok=True)
    floats = ", ".join(f"((hash(i, {k}) % 2000003) / 1000003.0 - 1)::FLOAT AS f{k}" for k in range(13))
    ids = ", ".join(f"(hash(i, {100 + k}) % 100)::INTEGER AS c{k}" for k in range(8))
    duckdb.sql(f"COPY (SELECT {floats}, {ids}, (hash(i, 7) % 2)::INTEGER AS label FROM range(5000000) t(i)) "
               f"TO '{file}.part' (FORMAT parquet)")
    pathlib.Path(f"{file}.part").rename(file)

program = root / "build/release/bin/loader_bench"
script = root / "bench/loader/python_loader.py"
print(f"{'':26}{'rows/s':>12}{'first batch s':>15}{'peak MB':>10}")
records = root / "data/bench/loader.records"
measure([str(program), str(file), "1024", str(records)])
for name, command in (("Firesteel", [program, file]), ("packed before", [program, file, 1024, records]),
                      ("a tenth of the rows fits", [program, file, 36, records]), ("Polars -> torch", [sys.executable, script, "polars", file]),
                      ("DuckDB -> torch", [sys.executable, script, "duckdb", file])):
    runs = [measure([str(part) for part in command]) for _ in range(3)]
    best = min(runs, key=lambda run: json.loads(run[3])["seconds"])
    result = json.loads(best[3])
    first = f"{result['first']:15.3f}" if "first" in result else f"{'':15}"
    print(f"{name:26}{result['rows'] / result['seconds']:12,.0f}{first}{max(run[2] for run in runs) / 1e6:10.0f}")
