"""The flights job the usual way: PySpark local -> pandas (through Arrow) -> PyTorch. Same SQL, features,
model, batch size, epochs, optimizer and schedule as examples/flights/pipeline.toml. Prints JSON."""
import json
import logging
import pathlib
import sys
import tomllib

import numpy as np
import torch
from pyspark.sql import SparkSession

logging.disable(logging.WARNING)
root = pathlib.Path(__file__).resolve().parents[2]
file = root / "examples/flights/pipeline.toml"
pipeline = tomllib.loads(file.read_text())

spark = (SparkSession.builder.master("local[2]").config("spark.driver.memory", "4g").config("spark.ui.enabled", "false")
         .config("spark.sql.shuffle.partitions", "2").config("spark.sql.session.timeZone", "UTC")
         .config("spark.sql.execution.arrow.pyspark.enabled", "true").getOrCreate())
spark.sparkContext.setLogLevel("ERROR")
for name, source in pipeline["source"].items():
    options = {key: str(value).lower() if isinstance(value, bool) else value for key, value in source["options"].items()}
    spark.read.options(**options).csv(str((file.parent / source["path"]).resolve())).createOrReplaceTempView(name)
for step in pipeline["step"]:
    spark.sql(step["sql"]).createOrReplaceTempView(step["name"])
features, train = pipeline["features"], pipeline["train"]
split = pipeline["split"]
frame = spark.table("examples").select(*features["numeric"], *features["categorical"], features["label"],
                                       split["column"]).toPandas()
spark.stop()
frame = frame[frame[features["label"]].notna()].reset_index(drop=True)

moment = frame[split["column"]]
test = (moment >= split["test_from"]).to_numpy()
validation = (moment >= split["validation_from"]).to_numpy() & ~test
rest = ~test & ~validation

numeric = frame[features["numeric"]].to_numpy(dtype=np.float64)
missing = np.isnan(numeric)
mean = np.nanmean(numeric[rest], axis=0)
std = np.nanstd(numeric[rest], axis=0)
std[std == 0] = 1
numbers = np.where(missing, 0, (numeric - mean) / std)
flagged = missing[rest].any(axis=0)
numbers = np.concatenate([numbers, missing[:, flagged]], axis=1).astype(np.float32)
ids, sizes = [], []
for name in features["categorical"]:
    column = frame[name]
    words = {word: i + 2 for i, word in enumerate(column[rest].value_counts().index)}
    ids.append(column.map(words).fillna(0).where(column.notna(), 1).to_numpy(dtype=np.int64))
    sizes.append(len(words) + 2)
ids = np.stack(ids, axis=1)
labels = frame[features["label"]].to_numpy(dtype=np.float32)


class Mlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        widths = [min(50, round(1.6 * size**0.56)) for size in sizes]
        self.embeddings = torch.nn.ModuleList(torch.nn.Embedding(size, width) for size, width in zip(sizes, widths))
        layers, width = [], numbers.shape[1] + sum(widths)
        for hidden in pipeline["model"]["hidden"]:
            layers += [torch.nn.Linear(width, hidden), torch.nn.ReLU(), torch.nn.Dropout(pipeline["model"]["dropout"])]
            width = hidden
        self.layers = torch.nn.Sequential(*layers, torch.nn.Linear(width, 1))

    def forward(self, numbers, ids):
        embedded = [embedding(ids[:, i]) for i, embedding in enumerate(self.embeddings)]
        return self.layers(torch.cat([numbers, *embedded], dim=1)).squeeze(1)


torch.manual_seed(train["seed"])
model = Mlp()
x, c, y = (torch.from_numpy(array[rest]) for array in (numbers, ids, labels))
steps = -(-len(y) // train["batch_size"]) * train["epochs"]
optimizer = torch.optim.AdamW(model.parameters(), lr=train["learning_rate"], weight_decay=train["weight_decay"])
schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=train["learning_rate"], total_steps=steps, cycle_momentum=False)
loss_of = torch.nn.BCEWithLogitsLoss()


def predict(rows):
    model.eval()
    with torch.no_grad():
        parts = [model(torch.from_numpy(numbers[rows][i:i + 65536]), torch.from_numpy(ids[rows][i:i + 65536]))
                 for i in range(0, int(rows.sum()), 65536)]
    return torch.sigmoid(torch.cat(parts)).numpy().astype(np.float64)


def auc(scores, truth):
    order = np.argsort(scores, kind="stable")
    _, inverse, counts = np.unique(scores[order], return_inverse=True, return_counts=True)
    ranks = np.empty(len(scores))
    ranks[order] = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    positive = truth == 1
    n = positive.sum()
    return (ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(truth) - n))


def log_loss(scores, truth):
    clipped = np.clip(scores, 1e-15, 1 - 1e-15)
    return -np.mean(truth * np.log(clipped) + (1 - truth) * np.log(1 - clipped))


best, kept = None, None
for epoch in range(train["epochs"]):
    model.train()
    for rows in torch.randperm(len(y)).split(train["batch_size"]):
        optimizer.zero_grad()
        loss_of(model(x[rows], c[rows]), y[rows]).backward()
        optimizer.step()
        schedule.step()
    loss = log_loss(predict(validation), labels[validation])
    if best is None or loss < best:
        best, kept = loss, {name: tensor.clone() for name, tensor in model.state_dict().items()}
model.load_state_dict(kept)
scores = predict(test)
json.dump({"auc": auc(scores, labels[test]), "log_loss": log_loss(scores, labels[test])}, sys.stdout)
