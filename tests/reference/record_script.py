"""Records programs that Python compiles, in tests/data/script: small TorchScript files (scripted with a branch for each mode,
traced, with tied weights), and what they give: outputs in both modes, losses of some steps.

usage: PYTHON tests/reference/record_script.py [PACKAGE.pt2]     (PYTHON has torch: packages/requirements-models.txt)

With a path it also compiles a package of AOTInductor for this machine there, which tests read where AOTI_PACKAGE names it.
"""
import pathlib
import sys
import warnings

import torch
from torch import nn

import pt2_expected

warnings.filterwarnings("ignore", category=DeprecationWarning)
FOLDER = pathlib.Path(__file__).parents[1] / "data" / "script"


class Branches(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm, self.drop = nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.3)
        self.layers = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))

    def forward(self, x):
        x = self.drop(self.norm(self.conv(x)).relu().mean((2, 3)))
        if self.training:
            x = x * 2
        return self.layers(x)


class Tied(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(6, 6), nn.Linear(6, 6)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(torch.tanh(self.first(x)))


def main():
    torch.manual_seed(1)
    shapes = {"branches": (5, 3, 8, 8), "tied": (4, 6)}
    programs = {"branches": torch.jit.script(Branches()), "tied": torch.jit.trace(Tied(), torch.zeros(shapes["tied"]))}
    FOLDER.mkdir(exist_ok=True)
    expected = {}
    for name, program in programs.items():
        torch.jit.save(program, FOLDER / f"{name}.pt")
        x = pt2_expected.pattern(shapes[name])
        expected[f"{name}.eval"] = program.eval()(x)
        program.train()
        optimizer = torch.optim.SGD(program.parameters(), lr=0.1)
        losses = []
        for step in range(10):
            torch.manual_seed(step)
            output = program(x)
            loss = (output - pt2_expected.pattern(output.shape)).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        expected[f"{name}.losses"] = torch.tensor(losses)
        expected[f"{name}.after"] = program.eval()(x)
    pt2_expected.write_safetensors(FOLDER / "expected.safetensors", expected, {})
    if len(sys.argv) > 1:
        module = Tied().eval()
        x = pt2_expected.pattern(shapes["tied"])
        with torch.no_grad():
            exported = torch.export.export(module, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=1, max=64)},))
            torch._inductor.aoti_compile_and_package(exported, package_path=sys.argv[1])
            pt2_expected.write_safetensors(sys.argv[1] + ".safetensors", {"output": module(x)}, {})


if __name__ == "__main__":
    main()
