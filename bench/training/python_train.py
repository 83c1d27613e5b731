"""The same epoch in Python PyTorch with every tensor in memory. usage: python_train.py eager|fused|compiled FILE"""
import json
import sys
import time

import numpy as np
import pyarrow.parquet as parquet
import torch

kind, file = sys.argv[1:]
start = time.monotonic()
torch.manual_seed(1)
table = parquet.read_table(file)
part = table["part"].to_numpy()
columns = [f"f{i}" for i in range(13)]
numbers = torch.from_numpy(np.stack([table[name].to_numpy() for name in columns], axis=1))
ids = torch.from_numpy(np.stack([table[f"c{i}"].to_numpy() for i in range(8)], axis=1).astype(np.int64))
label = torch.from_numpy(table["label"].to_numpy().astype(np.float32))
del table
train, test = torch.from_numpy(np.flatnonzero(part == 0)), torch.from_numpy(np.flatnonzero(part == 1))
x, c, y = numbers[train], ids[train], label[train]
mean, std = x.mean(0), x.std(0, correction=0)
x = (x - mean) / std


class Dlrm(torch.nn.Module):
    def __init__(self):
        super().__init__()
        sizes = [int(size) + 1 for size in ids.max(0).values]
        self.embeddings = torch.nn.ModuleList(torch.nn.Embedding(size, 16) for size in sizes)
        for embedding in self.embeddings:
            torch.nn.init.normal_(embedding.weight, 0, 0.05)
        self.layers = torch.nn.Sequential(torch.nn.Linear(13 + 8 * 16, 256), torch.nn.ReLU(), torch.nn.Linear(256, 128),
                                          torch.nn.ReLU(), torch.nn.Linear(128, 1))

    def forward(self, numbers, ids):
        embedded = [embedding(ids[:, i]) for i, embedding in enumerate(self.embeddings)]
        return self.layers(torch.cat([numbers, *embedded], dim=1)).squeeze(1)


model = Dlrm()
run = torch.compile(model) if kind == "compiled" else model
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3, fused=kind != "eager")
loss_of = torch.nn.BCEWithLogitsLoss()
began = time.monotonic()
batches = torch.randperm(len(y)).split(8192)
if kind == "compiled":  # compiled before the epoch is timed; the last batch, of another size, runs as it was written
    loss_of(run(x[:8192], c[:8192]), y[:8192]).backward()
    optimizer.zero_grad()
    began = time.monotonic()
for rows in batches:
    optimizer.zero_grad()
    forward = run if len(rows) == 8192 else model
    loss_of(forward(x[rows], c[rows]), y[rows]).backward()
    optimizer.step()
ended = time.monotonic()
model.eval()
with torch.no_grad():
    scores = torch.cat([model((numbers[rows] - mean) / std, ids[rows]) for rows in test.split(65536)]).numpy()
order = np.argsort(scores, kind="stable")
ranks = np.empty(len(scores))
ranks[order] = np.arange(1, len(scores) + 1)
positive = label[test].numpy() == 1
n = positive.sum()
auc = (ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(ranks) - n))
print(json.dumps({"rows": len(y), "seconds": ended - start, "epoch_seconds": ended - began, "auc": auc}))
