"""The same batches in Python. usage: python_loader.py duckdb|polars FILE. Prints JSON."""
import json
import sys
import time

import torch

how, file = sys.argv[1:]
start = time.monotonic()
floats, ids = [f"f{i}" for i in range(13)], [f"c{i}" for i in range(8)]
if how == "duckdb":
    import duckdb
    table = duckdb.connect(config={"threads": 2}).execute(f"SELECT * FROM '{file}'").to_arrow_table()
    x = torch.stack([torch.from_numpy(table[name].to_numpy()) for name in floats], dim=1)
    c = torch.stack([torch.from_numpy(table[name].to_numpy()) for name in ids], dim=1).long()
    y = torch.from_numpy(table["label"].to_numpy())
else:
    import polars
    frame = polars.read_parquet(file)
    x, c = frame.select(floats).to_torch(), frame.select(ids).to_torch().long()
    y = frame.select("label").to_torch().squeeze(1)
count, total = 0, 0.0
for rows in torch.randperm(len(x)).split(8192):
    numeric, categorical, label = x[rows], c[rows] + 2, y[rows].float()
    count += len(numeric)
    total += float(label.sum())
print(json.dumps({"rows": count, "seconds": time.monotonic() - start, "label_sum": total}))
