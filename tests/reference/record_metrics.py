"""Records what scikit-learn gives for every metric, for the unit tests of src/train/metrics.cpp.

Run: python tests/reference/record_metrics.py   (needs numpy and scikit-learn; writes metrics.json beside this file)
"""

import json
import pathlib

import numpy as np
import sklearn
from sklearn import metrics as m

ROWS = 120
random = np.random.RandomState(7)


def rounded(values, digits):
    """float32 values with ties, as the program has them."""
    return np.round(values, digits).astype(np.float32)


def binary():
    label = (random.rand(ROWS) < 0.4).astype(np.float32)
    score = rounded(np.clip(random.rand(ROWS) * 0.7 + label * 0.3, 0.01, 0.99), 1)  # many ties, 0.5 among them
    said = score >= 0.5
    return score, label, {"auc": m.roc_auc_score(label, score), "log_loss": m.log_loss(label, score.astype(float)),
                          "accuracy": m.accuracy_score(label, said), "precision": m.precision_score(label, said),
                          "recall": m.recall_score(label, said), "f1": m.f1_score(label, said),
                          "brier": m.brier_score_loss(label, score.astype(float))}


def multiclass():
    label = random.randint(0, 4, ROWS)
    score = random.rand(ROWS, 4).astype(np.float32)
    score[np.arange(ROWS), label] += 0.3
    score = (score / score.sum(1, keepdims=True)).astype(np.float32)
    exact = score.astype(float)
    return score, label, {"log_loss": m.log_loss(label, exact / exact.sum(1, keepdims=True)),
                          "accuracy": m.accuracy_score(label, score.argmax(1))}


def regression():
    label = rounded(random.randn(ROWS) * 3 + 1, 3)
    score = rounded(label + random.randn(ROWS), 3)
    label64, score64 = label.astype(float), score.astype(float)
    return score, label, {"rmse": m.root_mean_squared_error(label64, score64), "mae": m.mean_absolute_error(label64, score64),
                          "r2": m.r2_score(label64, score64)}


def multilabel():
    label = (random.rand(ROWS, 3) < [0.5, 0.2, 0.7]).astype(np.float32)
    score = rounded(np.clip(random.rand(ROWS, 3) * 0.6 + label * 0.4, 0.01, 0.99), 2)
    said = score >= 0.5
    return score, label, {"auc": m.roc_auc_score(label, score, average="macro"),
                          "log_loss": np.mean([m.log_loss(label[:, i], score[:, i].astype(float)) for i in range(3)]),
                          "f1": m.f1_score(label, said, average="micro"), "accuracy": m.accuracy_score(label, said)}


def ranking():
    group = np.sort(random.randint(0, 9, ROWS))
    relevance = np.where(group == 3, 0, random.randint(0, 4, ROWS))  # nothing is relevant in one group
    score = rounded(random.randn(ROWS) + 0.5 * relevance, 1)  # with ties
    score64 = score.astype(float)
    groups = [np.flatnonzero(group == g) for g in np.unique(group)]
    means = {name: np.mean([m.ndcg_score([relevance[rows]], [score64[rows]], k=k) for rows in groups])
             for name, k in (("ndcg", None), ("ndcg_at_10", 10))}
    pairs = [np.logaddexp(0, score64[b] - score64[a]) for rows in groups for a in rows for b in rows if relevance[a] > relevance[b]]
    return score, np.stack([relevance, np.zeros(ROWS), group], 1), {**means, "log_loss": np.mean(pairs)}


if __name__ == "__main__":
    recorded = {"sklearn": sklearn.__version__}
    for task in (binary, multiclass, regression, multilabel, ranking):
        score, label, values = task()
        recorded[task.__name__] = {"classes": 1 if score.ndim == 1 else score.shape[1], "scores": score.flatten().tolist(),
                                   "labels": label.flatten().tolist(), "metrics": {name: float(v) for name, v in values.items()}}
    pathlib.Path(__file__).with_name("metrics.json").write_text(json.dumps(recorded) + "\n")
