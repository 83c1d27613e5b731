"""Records how transformers' classifiers of tests/data/bert learn with their base frozen, and with adapters of Hugging Face's
PEFT: 20 steps' losses, the adapters that PEFT began with, and what the model answers in the end.

usage: PYTHON tests/reference/record_lora.py     (PYTHON has what packages/requirements-models.txt names)
"""
import pathlib
import sys

import torch
from safetensors.torch import load_file, save_file

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src" / "cli"))
import export  # noqa: E402

export.import_torchvision()  # transformers imports it, too.
import peft  # noqa: E402
import transformers  # noqa: E402

TARGETS = {"distilbert_sequence": ["q_lin", "v_lin"]}


def learn(model, given, labels, rate):
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=rate, weight_decay=0.01)
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(model(**given).logits, labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses), model(**given).logits.detach()


def main():
    for name in ("bert_sequence", "roberta_sequence", "distilbert_sequence"):
        folder = ROOT / "tests" / "data" / "bert" / name
        recorded = load_file(folder / "expected.safetensors")
        given = {"input_ids": recorded["tokens"], "attention_mask": recorded["mask"].long()}
        saved = {}

        model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).train()
        for parameter in model.base_model.parameters():
            parameter.requires_grad_(False)
        saved["head.losses"], saved["head.output"] = learn(model, given, recorded["labels"], 0.02)

        torch.manual_seed(1)
        model = transformers.AutoModelForSequenceClassification.from_pretrained(folder).train()
        options = peft.LoraConfig(task_type="SEQ_CLS", r=4, lora_alpha=8, lora_dropout=0.0,
                                  target_modules=TARGETS.get(name, ["query", "value"]))
        model = peft.get_peft_model(model, options)
        for key, parameter in model.named_parameters():
            if "lora_A" in key:
                short = key.removeprefix("base_model.model.").replace(".default", "")
                saved["lora." + short] = parameter.detach().clone()
        saved["lora.losses"], saved["lora.output"] = learn(model, given, recorded["labels"], 0.02)
        save_file({key: value.contiguous() for key, value in saved.items()}, folder / "tuned.safetensors")


if __name__ == "__main__":
    main()
