"""One epoch of a DLRM-like model on 4.5M rows: Firesteel from Parquet, Python PyTorch with every tensor in memory.
Run: make bench-training"""
import json
import os
import pathlib
import sys

root = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "bench"))
from measure import measure

file = root / "data/bench/training.parquet"
if not file.exists():
    import duckdb
    file.parent.mkdir(parents=True, exist_ok=True)
    sizes = [10, 20, 50, 100, 500, 1000, 5000, 10000]
    floats = ", ".join(f"((hash(i, {k}) % 2000003) / 1000003.0 - 1)::FLOAT AS f{k}" for k in range(13))
    ids = ", ".join(f"(hash(i, {100 + k}) % {size})::INTEGER AS c{k}" for k, size in enumerate(sizes))
    # The label depends on the floats, on pairs of them, and on a hidden number of each id.
    linear = " + ".join(f"{(-1) ** k * 0.5} * f{k}" for k in range(13))
    hidden = " + ".join(f"((hash(c{k}, 77) % 2001) / 1000.0 - 1)" for k in range(8))
    duckdb.sql(f"COPY (SELECT *, CASE WHEN i % 10 = 0 THEN 1 ELSE 0 END AS part, "
               f"(hash(i, 7) % 1000003 / 1000003.0 < 1 / (1 + exp(-({linear} + 2 * f0 * f1 + {hidden}))))::INTEGER AS label "
               f"FROM (SELECT i, {floats}, {ids} FROM range(5000000) t(i))) TO '{file}.part' (FORMAT parquet)")
    pathlib.Path(f"{file}.part").rename(file)

script = root / "bench/training/python_train.py"
print(f"{'':26}{'epoch rows/s':>14}{'whole s':>9}{'peak MB':>9}{'AUC':>8}")
bench = root / "build/release/bin/train_bench"
for name, command in (("Firesteel", [bench, file]),
                      ("a tenth of the rows fits", [bench, file, 30]),
                      ("one thread", ["env", "OMP_NUM_THREADS=1", bench, file]),
                      ("two workers of one thread", [bench, file, 1024, 1, 2, 1]),
                      ("PyTorch eager", [sys.executable, script, "eager", file]),
                      ("PyTorch eager, fused Adam", [sys.executable, script, "fused", file]),
                      ("torch.compile, fused Adam", [sys.executable, script, "compiled", file])):
    run = measure([str(part) for part in command], env={**os.environ, "GOMP_SPINCOUNT": "0"})
    result = json.loads(run[3])
    print(f"{name:26}{result['rows'] / result['epoch_seconds']:14,.0f}{result['seconds']:9.1f}{run[2] / 1e6:9.0f}"
          f"{result['auc']:8.4f}" + (f"   {result['waited'] / result['epoch_seconds']:.1%} waiting for rows, "
                                     f"{(result['waited'] - result['packing']) / result['epoch_seconds']:.1%} once they are packed"
                                     if "waited" in result else ""),
          flush=True)
