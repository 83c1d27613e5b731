"""Tokenizers on one core: Firesteel and Python's `tokenizers` on the same texts in the same run, by CPU time.
Run: make bench-tokenizers"""
import json
import os
import pathlib
import subprocess
import sys
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from pydoc_data.topics import topics

root = pathlib.Path(__file__).resolve().parents[2]
folder = root / "data/bench/tokenizers"
ROUNDS = 9


def python_text():
    """Python's own modules: what the BPE is trained on."""
    library = pathlib.Path(os.__file__).parent
    return [path.read_text(errors="ignore") for path in sorted(library.glob("*.py"))]


def prepare():
    """English prose (Python's documentation), the same with the recorded texts of many scripts, and a BPE of 20,000 tokens."""
    folder.mkdir(parents=True, exist_ok=True)
    prose = [" ".join(part.split()) for text in topics.values() for part in text.split("\n\n")]
    prose = [part for part in prose if len(part) > 40]
    scripts = [text for text in json.loads((root / "tests/data/tokenizers/texts.json").read_text())
               if 0 < len(text) < 400 and not set(text) & set("\n\r\0\u2028\u2029\x85\x0b\x0c\x1c\x1d\x1e")]
    (folder / "prose.txt").write_text("".join(part + "\n" for part in prose * 4))
    (folder / "scripts.txt").write_text("".join(text + "\n" for text in scripts * 60))
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(python_text() + scripts, trainers.BpeTrainer(vocab_size=20000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    bpe.save(str(folder / "bpe.json"))


def python_seconds(tokenizer, texts, method):
    seconds = []
    for _ in range(ROUNDS):
        start = time.process_time()
        encodings = method(tokenizer, texts)
        seconds.append(time.process_time() - start)
    return seconds, sum(len(encoding.ids) for encoding in encodings)


if not (folder / "bpe.json").exists():
    prepare()
bench = root / "build/release/bin/tokenizer_bench"
print(f"{'':53}{'first MB/s':>11}{'best MB/s':>11}{'tokens':>10}")
recorded = root / "tests/data/tokenizers"
for name, tokenizer, kinds in (("WordPiece (MiniLM)", recorded / "minilm.json", ("prose", "scripts")),
                               ("byte-level BPE", folder / "bpe.json", ("prose", "scripts")),
                               ("Unigram (T5)", recorded / "t5.json", ("prose",)),
                               ("BPE of whole texts (Llama)", recorded / "llama.json", ("prose",))):
    for kind in kinds:
        file = folder / f"{kind}.txt"
        texts, size = file.read_text().split("\n")[:-1], file.stat().st_size
        ours = json.loads(subprocess.run([bench, tokenizer, file, str(ROUNDS)], capture_output=True, text=True, check=True).stdout)
        rows = [("Firesteel", ours["seconds"], ours["tokens"])]
        loaded = Tokenizer.from_file(str(tokenizer))
        rows.append(("encode_batch", *python_seconds(loaded, texts, Tokenizer.encode_batch)))
        rows.append(("encode_batch_fast", *python_seconds(loaded, texts, Tokenizer.encode_batch_fast)))
        for who, seconds, tokens in rows:
            print(f"{name}, {kind}: {who}".ljust(56) + f"{size / seconds[0] / 1e6:8.1f}{size / min(seconds) / 1e6:11.1f}{tokens:10}", flush=True)
        if ours["tokens"] != rows[1][2]:
            sys.exit("the tokens are not the same")
