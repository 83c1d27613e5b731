"""The flights job by Firesteel and the usual way (PySpark -> pandas -> PyTorch), each from a cold start.
Run: make bench-flights"""
import json
import pathlib
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "bench"))
from measure import measure

with tempfile.TemporaryDirectory() as folder:
    # The same work: no baselines, which the Python program does not train either.
    text = (root / "examples/flights/pipeline.toml").read_text()
    text = text[: text.index("[baselines]")].replace("../../data", str(root / "data"))
    pipeline = pathlib.Path(folder) / "pipeline.toml"
    pipeline.write_text(text)
    ours = measure([root / "build/release/bin/firesteel", "run", "--quiet", pipeline, "--output", f"{folder}/model"])
    metrics = json.loads((pathlib.Path(folder) / "model/metrics.json").read_text())["test"]["mlp"]
python = measure([sys.executable, root / "bench/flights/python_way.py"])
theirs = json.loads(python[3])
print(f"{'':28}{'wall s':>9}{'CPU s':>9}{'peak MB':>10}{'AUC':>9}{'log loss':>10}")
for name, run, scores in (("Firesteel", ours, metrics), ("PySpark, pandas, PyTorch", python, theirs)):
    print(f"{name:28}{run[0]:9.1f}{run[1]:9.1f}{run[2] / 1e6:10.0f}{scores['auc']:9.4f}{scores['log_loss']:10.4f}")
print(f"{'ratio':28}{python[0] / ours[0]:9.1f}{python[1] / ours[1]:9.1f}{python[2] / ours[2]:10.1f}"
      f"{metrics['auc'] - theirs['auc']:+9.4f}{metrics['log_loss'] - theirs['log_loss']:+10.4f}")
