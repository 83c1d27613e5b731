"""Records what Python PyTorch and plain numpy formulae give, for the unit tests of src/train.

Run: .deps/venv/bin/python tests/reference/record_train.py   (writes train.json beside this file)
"""

import json
import math
import pathlib

import numpy as np
import torch


def pattern(*shape):
    """Values that any language can make again: sin(0.7 i + 0.3) / 2 over the elements."""
    count = math.prod(shape)
    return (torch.sin(torch.arange(count, dtype=torch.float64) * 0.7 + 0.3) / 2).float().reshape(shape)


class Mlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = torch.nn.ModuleList([torch.nn.Embedding(5, 2), torch.nn.Embedding(3, 2)])
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(7, 4), torch.nn.GELU(), torch.nn.Linear(4, 1))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.copy_(pattern(*parameter.shape))

    def forward(self, numeric, ids):
        parts = [numeric] + [e(ids[:, i]) for i, e in enumerate(self.embeddings)]
        return self.layers(torch.cat(parts, 1))


class Lion(torch.optim.Optimizer):
    """Program 1 of https://arxiv.org/abs/2302.06675; PyTorch has none."""

    def __init__(self, parameters, lr, weight_decay, betas=(0.9, 0.99)):
        super().__init__(parameters, {"lr": lr, "weight_decay": weight_decay, "betas": betas})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            first, second = group["betas"]
            for p in group["params"]:
                momentum = self.state[p].setdefault("momentum", torch.zeros_like(p))
                update = first * momentum + (1 - first) * p.grad
                p.sub_(group["lr"] * (update.sign() + group["weight_decay"] * p))
                momentum.mul_(second).add_(p.grad, alpha=1 - second)


def optimized(make, clip=0):
    """Losses and weights of 100 steps of the optimizer that `make` makes of the parameters."""
    model = Mlp()
    optimizer = make(model.parameters())
    numeric = pattern(6, 3)
    ids = torch.tensor([[i % 5, i % 3] for i in range(6)])
    label = torch.tensor([0.0, 1, 1, 0, 1, 0])
    losses = []
    for _ in range(100):
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            model(numeric, ids).squeeze(1), label, pos_weight=torch.tensor(2.0))
        loss.backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        optimizer.step()
        losses.append(loss.item())
    weights = {name: p.detach().flatten().tolist() for name, p in model.named_parameters()}
    return {"losses": losses, "weights": weights}


def optimizers():
    optim = torch.optim
    return {
        "adamw": optimized(lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1)),
        "adamw clipped": optimized(lambda p: optim.AdamW(p, lr=0.01, weight_decay=0.1), clip=0.05),
        "adam": optimized(lambda p: optim.Adam(p, lr=0.01, weight_decay=0.1)),
        "sgd": optimized(lambda p: optim.SGD(p, lr=0.01, weight_decay=0.1)),
        "sgd momentum": optimized(lambda p: optim.SGD(p, lr=0.01, weight_decay=0.1, momentum=0.9)),
        "sgd nesterov": optimized(lambda p: optim.SGD(p, lr=0.01, weight_decay=0.1, momentum=0.9, nesterov=True)),
        "lion": optimized(lambda p: Lion(p, lr=0.01, weight_decay=0.1)),
    }


def schedule(make, steps):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    scheduler = make(optimizer)
    factors = []
    for _ in range(steps):
        factors.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return factors


def schedules():
    steps, warm = 20, 5
    sched = torch.optim.lr_scheduler

    def after(step):
        return (step - warm) / (steps - warm)

    return {
        "one_cycle": schedule(lambda o: sched.OneCycleLR(
            o, max_lr=1.0, total_steps=steps, pct_start=0.25, cycle_momentum=False), steps),
        "cosine": schedule(lambda o: sched.LambdaLR(o, lambda s: s / warm if s < warm else
                           0.5 * (1 + math.cos(math.pi * after(s)))), steps),
        "polynomial": schedule(lambda o: sched.SequentialLR(o, [
            sched.LambdaLR(o, lambda s: s / warm), sched.PolynomialLR(o, steps - warm, 2)], [warm]), steps),
        "linear": schedule(lambda o: sched.LambdaLR(o, lambda s: s / warm if s < warm else
                           1 - after(s)), steps),
        "constant": schedule(lambda o: sched.LambdaLR(o, lambda s: s / warm if s < warm else 1.0), steps),
    }


def plateau():
    """The rate after each epoch of these validation losses."""
    values = [1.0, 0.8, 0.79999, 0.81, 0.8, 0.7, 0.75, 0.74, 0.73, 0.72, 0.71, 0.705]
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, factor=0.5, patience=2)
    factors = []
    for value in values:
        scheduler.step(value)
        factors.append(optimizer.param_groups[0]["lr"])
    return {"values": values, "factors": factors}


def losses():
    """Mean losses of 6 rows, and the gradient of the logits."""
    f = torch.nn.functional

    def of(logits, loss):
        logits = logits.clone().requires_grad_()
        value = loss(logits)
        value.backward()
        return {"loss": value.item(), "gradient": logits.grad.flatten().tolist()}

    one, three = pattern(6, 1) * 4, pattern(6, 3) * 4
    label, classes, target = torch.tensor([0.0, 1, 1, 0, 1, 0]), torch.tensor([0, 1, 2, 0, 1, 2]), pattern(6) * 3

    def focal(each, probability):
        return (each * (1 - probability) ** 2).mean()

    return {
        "binary": of(one, lambda x: f.binary_cross_entropy_with_logits(x[:, 0], label, pos_weight=torch.tensor(2.0))),
        "binary smooth": of(one, lambda x: f.binary_cross_entropy_with_logits(x[:, 0], label * 0.9 + 0.05)),
        "binary focal": of(one, lambda x: focal(
            f.binary_cross_entropy_with_logits(x[:, 0], label, reduction="none"),
            torch.where(label == 1, torch.sigmoid(x[:, 0]), 1 - torch.sigmoid(x[:, 0])))),
        "multiclass": of(three, lambda x: f.cross_entropy(x, classes)),
        "multiclass smooth": of(three, lambda x: f.cross_entropy(x, classes, label_smoothing=0.1)),
        "multiclass focal": of(three, lambda x: focal(
            f.cross_entropy(x, classes, reduction="none"), torch.softmax(x, 1)[torch.arange(6), classes])),
        "regression": of(one, lambda x: f.mse_loss(x[:, 0], target)),
        "regression absolute_error": of(one, lambda x: f.l1_loss(x[:, 0], target)),
        "regression huber": of(one, lambda x: f.huber_loss(x[:, 0], target, delta=0.7)),
        "regression quantile": of(one, lambda x: torch.maximum(0.9 * (target - x[:, 0]), -0.1 * (target - x[:, 0])).mean()),
    }


def metrics():
    random = np.random.default_rng(7)
    label = (random.random(200) < 0.4).astype(np.float32)
    probability = np.clip(np.round(label * 0.3 + random.random(200) * 0.7, 2), 0, 1).astype(np.float32)
    value = (label * 2 + random.normal(size=200)).astype(np.float32)
    p, y, v = probability.astype(float), label.astype(float), value.astype(float)
    positive, negative = p[y == 1], p[y == 0]
    wins = (positive[:, None] > negative[None, :]).sum() + 0.5 * (positive[:, None] == negative[None, :]).sum()
    clamped = np.clip(p, 1e-15, 1 - 1e-15)
    said = p >= 0.5
    return {
        "label": label.tolist(), "probability": probability.tolist(), "value": value.tolist(),
        "auc": wins / (len(positive) * len(negative)),
        "log_loss": float(-(y * np.log(clamped) + (1 - y) * np.log(1 - clamped)).mean()),
        "accuracy": float((said == (y == 1)).mean()),
        "precision": float((said & (y == 1)).sum() / said.sum()),
        "recall": float((said & (y == 1)).sum() / (y == 1).sum()),
        "brier": float(((p - y) ** 2).mean()),
        "rmse": float(np.sqrt(((v - y) ** 2).mean())),
        "mae": float(np.abs(v - y).mean()),
        "r2": float(1 - ((v - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    recorded = {"torch": torch.__version__, "optimizers": optimizers(),
                "schedules": schedules(), "plateau": plateau(), "losses": losses(), "metrics": metrics()}
    path = pathlib.Path(__file__).with_name("train.json")
    path.write_text(json.dumps(recorded) + "\n")
