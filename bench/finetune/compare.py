"""Fine-tuning the real MiniLM on sentences of film reviews: `firesteel run` against transformers and PEFT in the same run, on the
same rows, with batches of 32 padded to their longest and AdamW. An epoch each, alternating; the better of two rounds counts.

usage: compare.py        after a build, `tools/setup.sh models` and `tools/setup.sh examples`
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src" / "cli"))
import export  # noqa: E402

export.import_torchvision()  # transformers imports it, too.
import peft  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402

MODEL, ROUNDS, LENGTH = ROOT / "data/models/minilm", 2, 64
PIPELINE = """
[source.rows]
path = "{folder}/rows.jsonl"
schema = "text STRING, praise INT, number INT"
[split]
by = "time"
column = "number"
test_from = "1280"
validation = 0
[features]
text = ["text"]
text_length = {length}
label = "praise"
[model]
kind = "hf"
path = "{model}"
fine_tune = "{how}"
[train]
epochs = 1
[output]
path = "{folder}/out"
"""


def rows():
    found = []
    for line in (ROOT / "data/reviews/movieReviewSnippets.tsv").read_text().splitlines():
        _, rating, text = line.split("\t")
        if abs(float(rating)) >= 0.5:
            found.append({"text": text, "praise": int(float(rating) > 0)})
    chosen = found[::len(found) // 1300][:1300]
    return [{**row, "number": number} for number, row in enumerate(chosen)]


def ours(folder, how):
    file = folder / "p.toml"
    file.write_text(PIPELINE.format(folder=folder, model=MODEL, how=how, length=LENGTH))
    subprocess.run([ROOT / "build/release/bin/firesteel", "run", "-q", file], check=True, stdout=subprocess.DEVNULL)
    return json.loads((folder / "out/metrics.json").read_text())["history"][0]["seconds"]


def theirs(given, how):
    tokenizer = transformers.AutoTokenizer.from_pretrained(MODEL)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(MODEL, num_labels=2).train()
    if how == "lora":
        model = peft.get_peft_model(model, peft.LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=16, target_modules=["query", "value"]))
    elif how == "head":
        for parameter in model.base_model.parameters():
            parameter.requires_grad_(False)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-4, fused=True)
    began = time.perf_counter()
    order = torch.randperm(len(given)).tolist()
    for at in range(0, len(given), 32):
        part = [given[row] for row in order[at:at + 32]]
        encoded = tokenizer([row["text"] for row in part], padding=True, truncation=True, max_length=LENGTH, return_tensors="pt")
        loss = model(**encoded, labels=torch.tensor([row["praise"] for row in part])).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return time.perf_counter() - began


def main():
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    all_rows = rows()
    given = all_rows[:1280]
    print(f"{len(given)} rows, batches of 32, {torch.get_num_threads()} threads, rows/s")
    print(f"{'':12}{'Firesteel':>12}{'Python':>12}{'ratio':>8}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in all_rows))
        for how in ("all", "lora", "head"):
            mine, other = [], []
            for _ in range(ROUNDS):
                mine.append(ours(folder, how))
                other.append(theirs(given, how))
            print(f"{how:12}{len(given) / min(mine):12.1f}{len(given) / min(other):12.1f}{min(other) / min(mine):8.2f}", flush=True)


if __name__ == "__main__":
    main()
