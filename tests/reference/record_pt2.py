"""Writes the programs of tests/unit/models and what Python gives for their modules: tests/data/pt2/NAME.pt2 and
NAME.safetensors.

Run: .deps/reference/bin/python tests/reference/record_pt2.py [NAME…]
Programs of other versions of torch, torchVERSION.pt2, are written by that version: record_pt2.py --version
"""

import pathlib
import sys

import torch
import torch.export.pt2_archive
from torch import nn
from torch.nn import functional as F

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src/cli"), str(ROOT / "tests/reference")]
import export
import pt2_expected

DATA = ROOT / "tests/data/pt2"
BATCH = torch.export.Dim("batch", min=2, max=64)


class Tabular(nn.Module):
    """Batch norm, dropout, tied and frozen weights, a buffer that is not saved, constants."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(4, 8)
        self.second.weight = self.first.weight
        self.scale = nn.Parameter(torch.full((8,), 0.5), requires_grad=False)
        self.norm, self.dropout, self.head = nn.BatchNorm1d(8, affine=True), nn.Dropout(0.25), nn.Linear(8, 2)
        self.register_buffer("offset", torch.linspace(-1, 1, 8), persistent=False)
        self.steps = torch.arange(8.0) / 8

    def forward(self, x):
        h = self.norm(self.first(x)) + self.second(x) * self.scale + self.offset + self.steps
        return self.head(self.dropout(torch.relu(h + torch.tensor([0.1] * 8))))


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(50, 16), nn.Embedding(12, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.2, batch_first=True)
        self.bags = nn.EmbeddingBag(20, 16)
        self.head = nn.Linear(16, 3)

    def forward(self, ids, bag):
        x = self.words(ids) + self.places(torch.arange(ids.shape[1], device=ids.device))
        return self.head(self.layer(x).mean(1) + self.bags(bag))


class Regions(nn.Module):
    """Operators whose arguments are graphs."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x):
        h = self.layer(x)
        h = torch.cond(x.sum() > 0, lambda z: z.sin() * 2, lambda z: z.cos() + 1, (h,))
        with torch.no_grad():
            still = h * 2
        with torch.autocast("cpu", dtype=torch.bfloat16):
            rough = self.layer(x)
        count, doubled = torch._higher_order_ops.while_loop(
            lambda i, w: i < 3, lambda i, w: (i + 1, w * 2), (torch.tensor(0), still))
        return h + rough.float(), doubled, count


class Sizes(nn.Module):
    """Arithmetic on sizes."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x, pair, doubled):
        rows, width = x.shape[0], x.shape[1]
        half = rows // 2 + rows % 3 + torch.sym_max(rows, 5) - torch.sym_min(rows, 4)
        grid = torch.arange(half * 2, dtype=torch.float32).reshape(2, -1).sum()
        h = self.layer(x) * (rows ** 0.5) + torch.full((rows, width), rows / 4)
        padded = F.pad(h, (0, 1, 0, 1)).reshape((rows + 1) * 7)
        return h + pair[:, None], padded.sum() + grid, doubled[:rows] - doubled[rows:], rows, half


class Shapes(nn.Module):
    """Outputs in dicts, tuples and lists, None among them; lists of tensors; optional tensors."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(6, 6)

    def forward(self, x, *, index):
        h = self.layer(x)
        a, b = h.split([2, 4], dim=1)
        top = b.topk(2, dim=1)
        return {"parts": [a, b.clone()], "nothing": None, "top": (top.values, top.indices), "picked": h[:, index],
                "all": torch.cat([a, top.values, b], 1), "scaled": h * float("inf"), "flags": h > 0}


class Counter(nn.Module):
    """Buffers that the program writes to."""

    def __init__(self):
        super().__init__()
        self.layer, self.norm = nn.Linear(4, 4), nn.BatchNorm1d(4)
        self.register_buffer("calls", torch.zeros(()))
        self.register_buffer("total", torch.zeros(4))

    def forward(self, x):
        self.calls.add_(1)
        self.total.copy_(self.total * 0.9 + x.detach().mean(0))
        return self.norm(self.layer(x)) + self.total + self.calls


class Writer(nn.Module):
    """A program that writes to its input."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x, memory):
        memory.mul_(0.5).add_(x.mean(0))
        return self.layer(x) + memory


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.gru = nn.LSTM(4, 6, 2, dropout=0.3, batch_first=True), nn.GRU(6, 5, batch_first=True)

    def forward(self, x):
        h, (last, _) = self.lstm(x)
        return self.gru(h)[0], last


class Images(nn.Module):
    """Convolutions, and every layer that knows a mode."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 6, 3, stride=2, padding=1), nn.BatchNorm2d(6)
        self.instance = nn.InstanceNorm2d(6, affine=True, track_running_stats=True)
        self.group, self.spatial, self.alpha, self.slope = nn.GroupNorm(2, 6), nn.Dropout2d(0.3), nn.AlphaDropout(0.1), nn.RReLU()
        self.pool, self.head = nn.AdaptiveAvgPool2d(1), nn.Linear(6, 3)

    def forward(self, x):
        h = self.instance(self.slope(self.norm(self.conv(x))))
        h = self.spatial(self.group(h))
        return self.head(self.alpha(self.pool(h).flatten(1)))


class Attend(nn.Module):
    """Attention whose dropout only one mode shows."""

    def __init__(self):
        super().__init__()
        self.project, self.dropout, self.norm = nn.Linear(8, 24), nn.Dropout(0.2), nn.BatchNorm1d(5)

    def forward(self, x):
        q, k, v = self.project(x).chunk(3, -1)
        return self.norm(F.scaled_dot_product_attention(q, k, v, dropout_p=0.3 if self.training else 0.0, is_causal=True))


class Scans(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(3, 3)

    def forward(self, x):
        from torch._higher_order_ops import map as mapped, scan

        rows = mapped(lambda row, weight: torch.tanh(row @ weight), x, self.layer.weight)
        last, sums = scan(lambda carry, row: (carry + row, carry * row), torch.zeros(2, 3), rows)
        return self.layer(sums), last


class Places(nn.Module):
    """Tensors made where the module is, by a program without weights."""

    def forward(self, x):
        steps = torch.arange(x.shape[0], device=x.device)[:, None]
        mask = torch.zeros(x.shape[0], 3, dtype=torch.bool, device=x.device)
        return x.to(torch.device("cpu")) + steps.to("cpu") + torch.tensor([1.0, 2.0, 3.0]) * (mask == 0)


def plain(name, module, args, shapes, training):
    """As `torch.export.save` alone writes it, in one mode."""
    module.train(training)
    torch.export.save(torch.export.export(module, args, dynamic_shapes=shapes, strict=False), str(DATA / f"{name}.pt2"))


def decomposed(name, module, args, shapes):
    module.train()
    program = torch.export.export(module, args, dynamic_shapes=shapes, strict=False).run_decompositions()
    torch.export.save(program, str(DATA / f"{name}.pt2"))


def places(name):
    plain(name, Places(), (torch.randn(4, 3),), ({0: BATCH},), False)


def sizes_inputs():
    return {"x": torch.randn(4, 6), "pair": torch.randn(4), "doubled": torch.randn(8, 2)}


def sizes(name):
    inputs, module = sizes_inputs(), Sizes()
    shapes = {"x": {0: BATCH}, "pair": {0: BATCH}, "doubled": {0: 2 * BATCH}}
    program = torch.export.export(module.eval(), (), kwargs=inputs, dynamic_shapes=shapes, strict=False)
    torch.export.save(program, str(DATA / f"{name}.pt2"))
    # Of other sizes than the exported ones.
    inputs = {"x": torch.randn(7, 6), "pair": torch.randn(7), "doubled": torch.randn(14, 2)}
    pt2_expected.record(module, inputs, DATA / f"{name}.safetensors")


def both(name, module, inputs, other=None, dimensions=export.batch_alone, **options):
    notes = export.export(module, inputs, str(DATA / f"{name}.pt2"), dimensions)
    assert not notes, notes
    pt2_expected.record(module, other or inputs, DATA / f"{name}.safetensors", **options)


def tabular(name):
    both(name, Tabular(), {"x": torch.randn(6, 4)}, {"x": torch.randn(9, 4)}, optimizer="sgd", rate=0.05)


def attention(name):
    both(name, Attention(), {"ids": torch.randint(0, 50, (3, 7)), "bag": torch.randint(0, 20, (3, 2))},
         {"ids": torch.randint(0, 50, (5, 9)), "bag": torch.randint(0, 20, (5, 2))}, export.batch_and_sequence)


def regions(name):
    both(name, Regions(), {"x": torch.randn(3, 4)}, {"x": torch.randn(5, 4)}, steps=5)


def shapes(name):
    both(name, Shapes(), {"x": torch.randn(3, 6), "index": torch.tensor([0, 5, 2])}, steps=5,
         dimensions=lambda value: {0} if value.dim() == 2 else set())


def counter(name):
    module, args = Counter(), (torch.randn(3, 4),)
    decomposed(name, module, args, ({0: BATCH},))
    module.eval()
    pt2_expected.record(module, {"x": torch.randn(5, 4)}, DATA / f"{name}.safetensors", optimizer="sgd", rate=0.01)


def writer(name):
    both(name, Writer(), {"x": torch.randn(3, 4), "memory": torch.randn(4)}, steps=5,
         dimensions=lambda value: {0} if value.dim() == 2 else set())


def recurrent(name):
    both(name, Recurrent(), {"x": torch.randn(3, 5, 4)}, steps=10)


def images(name):
    both(name, Images(), {"x": torch.randn(3, 3, 8, 8)}, {"x": torch.randn(4, 3, 8, 8)}, optimizer="sgd", rate=0.01)


def scans(name):
    both(name, Scans(), {"x": torch.randn(4, 2, 3)}, dimensions=lambda value: set(), steps=5)


def in_training(name):
    module, inputs = Attend(), {"x": torch.randn(4, 5, 8)}
    plain(name, module, tuple(inputs.values()), ({0: BATCH},), True)
    pt2_expected.record(module, {"x": torch.randn(6, 5, 8)}, DATA / f"{name}.safetensors", optimizer="sgd", rate=0.01)


def in_evaluation(name):
    module, inputs = Images(), {"x": torch.randn(3, 3, 8, 8)}
    plain(name, module, tuple(inputs.values()), ({0: BATCH},), False)
    pt2_expected.record(module, inputs, DATA / f"{name}.safetensors", optimizer="sgd", rate=0.01)


def without_paths(path):
    """Lines of Python stay in the archive, the folders of this machine do not."""
    reader = torch.export.pt2_archive.PT2ArchiveReader(str(path))
    records = {name: reader.read_bytes(name) for name in reader.get_file_names()}
    folders = sorted({str(ROOT), *(str(pathlib.Path(place).resolve()) for place in torch.__path__),
                      *(str(pathlib.Path(place)) for place in torch.__path__)}, key=len, reverse=True)
    path.unlink()
    with torch.export.pt2_archive.PT2ArchiveWriter(str(path)) as writer:
        for name, content in records.items():
            if name.startswith(".data/") or name in ("version", "byteorder"):
                continue
            for folder in folders if name.endswith(".json") else ():
                content = content.replace(folder.encode(), pathlib.Path(folder).name.encode() if folder != str(ROOT) else b".")
            writer.write_bytes(name, content)


def of_this_version():
    name = "torch" + torch.__version__.split("+")[0]
    module = Tabular()
    module.train()
    torch.export.save(torch.export.export(module, (torch.randn(6, 4),), dynamic_shapes=({0: BATCH},)), str(DATA / f"{name}.pt2"))
    pt2_expected.record(module, {"x": torch.randn(9, 4)}, DATA / f"{name}.safetensors", steps=5, optimizer="sgd", rate=0.05)
    without_paths(DATA / f"{name}.pt2")


CASES = [attention, counter, images, in_evaluation, in_training, places, recurrent, regions, scans, shapes, sizes, tabular, writer]

if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    if sys.argv[1:] == ["--version"]:
        torch.manual_seed(0)
        of_this_version()
        sys.exit()
    for case in CASES:
        if not sys.argv[1:] or case.__name__ in sys.argv[1:]:
            torch.manual_seed(0)
            case(case.__name__)
            without_paths(DATA / f"{case.__name__}.pt2")
