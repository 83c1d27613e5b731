"""Greedy generation by random models of GPT-2's and Qwen2's sizes: Firesteel against transformers, in the same run, with the same
threads and tokens. Rounds alternate; the best of each counts.

usage: compare.py [ROUNDS]        after a build and `tools/setup.sh models`
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src" / "cli"))
import export  # noqa: E402

PROMPT, TOKENS = 128, 32


def models(transformers):
    yield "GPT-2, 124M", transformers.GPT2Config()
    # The width of Qwen2-0.5B, with 4 of its 24 layers.
    yield "Qwen2, 0.5B's width, 4 layers", transformers.Qwen2Config(
        hidden_size=896, intermediate_size=4864, num_hidden_layers=4, num_attention_heads=14, num_key_value_heads=2, tie_word_embeddings=True)


def measure(folder, model, rows, rounds):
    """The best seconds to the first token and to the last, ours and theirs."""
    import torch

    tokens = torch.tensor([[(row * 131 + i * 17) % 1000 for i in range(PROMPT)] for row in range(rows)])

    def theirs(count):
        began = time.perf_counter()
        ids = model.generate(tokens, attention_mask=torch.ones_like(tokens), do_sample=False, max_new_tokens=count,
                             pad_token_id=0)
        return time.perf_counter() - began, ids[-1, -1].item()

    best = [float("inf")] * 4
    with subprocess.Popen([ROOT / "build/release/bin/generate_bench", folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}) as bench:
        for number in range(rounds + 1):  # The first one warms up.
            bench.stdin.write(f"{rows} {PROMPT} {TOKENS}\n")
            bench.stdin.flush()
            ours = json.loads(bench.stdout.readline())
            first, (whole, last) = theirs(1)[0], theirs(TOKENS)
            if last != ours["last"]:
                sys.exit(f"the tokens differ: {last} and {ours['last']}")
            if number:
                best = [min(pair) for pair in zip(best, (ours["first"], ours["all"], first, whole))]
        bench.stdin.close()
    return best


def main():
    export.import_torchvision()  # transformers imports it, too.
    import torch
    import transformers

    transformers.logging.set_verbosity_error()
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(f"prompts of {PROMPT} tokens, {TOKENS} tokens more, {torch.get_num_threads()} threads; tokens/s\n")
    print("| model | rows | prompt, Firesteel | transformers | times | after it, Firesteel | transformers | times |\n" + "|---" * 8 + "|")
    for name, config in models(transformers):
        config.eos_token_id = None
        torch.manual_seed(0)
        model = transformers.AutoModelForCausalLM.from_config(config).eval()
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            for rows in (1, 8):
                first, whole, their_first, their_whole = measure(folder, model, rows, rounds)
                prefill = [rows * PROMPT / seconds for seconds in (first, their_first)]
                decode = [rows * (TOKENS - 1) / seconds for seconds in (whole - first, their_whole - their_first)]
                cells = [f"{a:.0f} | {b:.0f} | {a / b:.2f}" for a, b in (prefill, decode)]
                print(f"| {name} | {rows} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
