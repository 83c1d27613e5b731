"""What Firesteel writes after training, read by torch.export.load: the same weights, the same outputs.

usage: round_trip.py CHECK_PROGRAM DATA_FOLDER     with a Python that has torch
"""

import pathlib
import subprocess
import sys
import tempfile

import torch

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "reference"))
import pt2_expected

ONE_MODE = {"counter", "in_training"}  # Python runs these as in training, and has no switch.


def check(program, source, folder):
    copy = folder / source.name
    done = subprocess.run([program, source, source.with_suffix(".safetensors"), "1e-4", copy], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    written = pt2_expected.read_safetensors(copy.with_suffix(".safetensors"))
    inputs = {name[6:]: value for name, value in pt2_expected.read_safetensors(source.with_suffix(".safetensors")).items()
              if name.startswith("input.")}
    loaded = torch.export.load(copy)
    state = loaded.state_dict
    weights = {name[7:]: value for name, value in written.items() if name.startswith("weight.")}
    assert weights or source.stem == "places", "no weights"
    for name, value in weights.items():
        torch.testing.assert_close(state[name].detach(), value, rtol=0, atol=0, equal_nan=True)
        assert isinstance(state[name], torch.nn.Parameter) == (name in dict(loaded.named_parameters())), name
    if source.stem in ONE_MODE or source.stem.startswith("torch"):
        return
    with torch.no_grad():
        outputs = pt2_expected.flat(loaded.module()(*inputs.values()) if source.stem == "in_evaluation" else loaded.module()(**inputs))
    assert len(outputs) == sum(name.startswith("eval.") for name in written)
    for i, output in enumerate(outputs):
        torch.testing.assert_close(output, written[f"eval.{i}"], rtol=1e-5, atol=1e-6, equal_nan=True)


def main():
    program, data = sys.argv[1], pathlib.Path(sys.argv[2])
    failed, sources = 0, [path for path in sorted(data.glob("*.pt2")) if path.with_suffix(".safetensors").exists()]
    assert len(sources) > 10, f"{data} holds too few programs"
    with tempfile.TemporaryDirectory() as folder:
        for source in sources:
            try:
                check(program, source, pathlib.Path(folder))
            except Exception as error:
                failed += 1
                print(f"{source.stem}: {type(error).__name__}: {error}")
    print(f"{len(sources) - failed} passed, {failed} failed")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
