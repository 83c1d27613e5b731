"""Quality on scikit-learn's own data sets: every network of Firesteel, with one setting for all, beside scikit-learn's and
XGBoost's models with their defaults. Run: make bench-quality"""
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from sklearn import datasets
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, log_loss, r2_score, root_mean_squared_error
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

root = pathlib.Path(__file__).resolve().parents[2]
PROGRAM = root / "build/release/bin/firesteel"
KINDS = {"mlp": "hidden = [64, 32]\ndropout = 0.1", "resnet": "hidden = [64]\nblocks = 2\ndropout = 0.1",
         "tabm": "hidden = [64, 32]\nensemble = 8", "ft_transformer": "embedding_dimension = 16\nblocks = 2\nheads = 4"}
PIPELINE = """[source.rows]
path = "{data}"
[split]
by = "time"
column = "part"
test_from = "1"
validation = 0.15
[features]
label = "label"
task = "{task}"
numeric = [{columns}]
[model]
kind = "{kind}"
{model}
[train]
epochs = 60
batch_size = 64
learning_rate = 0.003
schedule = "cosine"
patience = 15
seed = 1
[output]
path = "{output}"
[baselines]
list = [{baselines}]
"""


def of_ours(folder, task, columns, kind, baselines):
    file = folder / f"{kind}.toml"
    file.write_text(PIPELINE.format(data=folder / "rows.parquet", task=task, columns=", ".join(f'"{c}"' for c in columns), kind=kind,
                                    model=KINDS[kind], output=folder / kind, baselines=baselines))
    subprocess.run([PROGRAM, "run", "-q", file], check=True, capture_output=True, timeout=600)
    return json.loads((folder / kind / "metrics.json").read_text())["test"]


def of_scikit(model, task, x, y, part):
    model = make_pipeline(StandardScaler(), model).fit(x[part == 0], y[part == 0])
    if task == "regression":
        predicted = model.predict(x[part == 1])
        return root_mean_squared_error(y[part == 1], predicted), r2_score(y[part == 1], predicted)
    probability = model.predict_proba(x[part == 1])
    return log_loss(y[part == 1], probability), accuracy_score(y[part == 1], probability.argmax(1))


for name, load, task in (("digits", datasets.load_digits, "multiclass"), ("breast_cancer", datasets.load_breast_cancer, "binary"),
                         ("wine", datasets.load_wine, "multiclass"), ("diabetes", datasets.load_diabetes, "regression")):
    x, y = load(return_X_y=True)
    part = (np.random.default_rng(1).random(len(y)) < 0.3).astype(np.int32)
    columns = [f"x{i}" for i in range(x.shape[1])]
    first, second = ("rmse", "r2") if task == "regression" else ("log_loss", "accuracy")
    print(f"\n{name}: {sum(part == 0)} rows to train on, {sum(part == 1)} to test, {x.shape[1]} numbers\n{'':34}{first:>10}{second:>10}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        parquet.write_table(pa.table({**{c: x[:, i] for i, c in enumerate(columns)}, "label": y, "part": part}), folder / "rows.parquet")
        for kind in KINDS:
            found = of_ours(folder, task, columns, kind, '"xgboost"' if kind == "mlp" else "")
            for model, metrics in found.items():
                print(f"{'XGBoost' if model == 'xgboost' else 'Firesteel ' + model:34}{metrics[first]:10.4f}{metrics[second]:10.4f}", flush=True)
    scikit = ((Ridge(), MLPRegressor(hidden_layer_sizes=(64, 32), max_iter=1000, random_state=1), HistGradientBoostingRegressor(random_state=1))
              if task == "regression" else
              (LogisticRegression(max_iter=1000), MLPClassifier(hidden_layer_sizes=(64, 32), max_iter=1000, random_state=1), HistGradientBoostingClassifier(random_state=1)))
    for model in scikit:
        one, two = of_scikit(model, task, x, y, part)
        print(f"{'scikit-learn ' + type(model).__name__.removesuffix('Classifier').removesuffix('Regressor'):34}{one:10.4f}{two:10.4f}")
