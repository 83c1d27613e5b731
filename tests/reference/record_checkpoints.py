"""Records small checkpoints of torch.save in tests/data/checkpoints: what is read, in both formats, and what is refused.
expected.safetensors holds the tensors that each of them has, as "FILE/NAME".

usage: PYTHON tests/reference/record_checkpoints.py     (PYTHON has torch: packages/requirements-models.txt)
"""
import argparse
import collections
import os
import pathlib

import torch
from torch import nn

import pt2_expected

FOLDER = pathlib.Path(__file__).parents[1] / "data" / "checkpoints"
TYPES = ["float32", "float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool", "complex64", "uint16",
         "float8_e4m3fn"]


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3), nn.Linear(3, 2))


def views():
    whole = torch.arange(24.0)
    return {"whole": whole, "rows": whole[6:18].view(3, 4), "turned": whole[:6].view(2, 3).t(), "empty": whole[24:],
            "one": torch.tensor(7), "parameter": nn.Parameter(whole[:2].clone())}


def training():
    model = network()
    optimizer = torch.optim.Adam(model.parameters())
    model[0](torch.randn(2, 2, 3, 3)).sum().backward()
    optimizer.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3, "best": 0.5, "note": "é", "done": True,
            "milestones": collections.Counter([3, 3]), "shape": torch.Size([2, 3]), "device": torch.device("cpu"), "bytes": b"\xff",
            "type": torch.float16, "names": {"a", "b"}, "large": 1 << 40, "negative": -5}


class Refused:
    """An object whose pickle calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


READ = {
    "views": views(),
    "state_dict": network().state_dict(),
    "training": training(),
    "nested": {"encoder": {"layers": [torch.ones(1), (torch.zeros(2), {"deep": torch.ones(1, 1)})]}, 7: torch.full((2,), 3.0)},
    "wrapped": {"state_dict": {"module.fc.weight": torch.ones(2)}, "epoch": 1},
}
REFUSED = {
    "system": {"weight": torch.ones(1), "x": Refused(os.system, "touch /tmp/firesteel-was-here")},
    "evaluated": {"x": Refused(eval, "1 + 1")},
    "namespace": {"weight": torch.ones(1), "arguments": argparse.Namespace(rate=1)},
    "module": nn.Linear(2, 2),
    "expanded": {"weight": torch.ones(1).expand(4)},
    "sparse": {"weight": torch.eye(3).to_sparse()},
    "no_tensors": {"epoch": 1},
}


def flat(value, name=""):
    """Tensors by dotted names, as read_checkpoint has them."""
    if isinstance(value, torch.Tensor):
        return {name: value}
    rows = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    found = {}
    for key, item in rows:
        found |= flat(item, f"{name}.{key}" if name else str(key))
    return found


def big_tensor(archive):
    """The archive with a shape that reaches far beyond its storage: (5, 7) of int8 becomes (127, 127)."""
    old, new = b"K\x05K\x07\x86", b"K\x7fK\x7f\x86"
    assert archive.count(old) == 1
    return archive.replace(old, new)


def main():
    FOLDER.mkdir(exist_ok=True)
    expected = {}
    for legacy in (False, True):
        end = ".legacy.pth" if legacy else ".pth"
        for name, value in (READ | REFUSED).items():
            torch.save(value, FOLDER / (name + end), _use_new_zipfile_serialization=not legacy)
        for name, value in READ.items():
            part = value.get("model", value.get("state_dict", value))
            expected |= {f"{name}/{key}": tensor for key, tensor in flat(part).items()}
    types = {name: (torch.arange(4) % 2).to(getattr(torch, name)) for name in TYPES}
    torch.save(types, FOLDER / "types.pth")
    torch.save({name: types[name] for name in TYPES[:11]}, FOLDER / "types.legacy.pth", _use_new_zipfile_serialization=False)
    torch.save(views(), FOLDER / "views4.pth", pickle_protocol=4)
    torch.save({"weight": torch.zeros(5, 7, dtype=torch.int8)}, FOLDER / "large.legacy.pth", _use_new_zipfile_serialization=False)
    path = FOLDER / "large.legacy.pth"
    path.write_bytes(big_tensor(path.read_bytes()))
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), str(FOLDER / "script.pth"))
    pt2_expected.write_safetensors(FOLDER / "expected.safetensors", expected, {})


if __name__ == "__main__":
    main()
