"""Records what transformers' BERT family gives: tiny models of random weights as folders of tests/data/bert, and beside
each what it answers and how it learns. One of them is a sentence encoder, with a tokenizer.

usage: PYTHON tests/reference/record_bert.py     (PYTHON has torch and transformers: packages/requirements-models.txt)
"""
import json
import pathlib
import sys

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src" / "cli"))
import export  # noqa: E402

export.import_torchvision()  # transformers imports it, too.
import transformers  # noqa: E402

FOLDER = ROOT / "tests" / "data" / "bert"
SIZES = {"vocab_size": 40, "max_position_embeddings": 16, "num_labels": 3}
WIDE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24,
        "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
DISTIL = {"dim": 16, "n_layers": 2, "n_heads": 4, "hidden_dim": 24, "dropout": 0.0, "attention_dropout": 0.0,
          "seq_classif_dropout": 0.0}
MODELS = {
    "bert": ("BertModel", transformers.BertConfig(**SIZES, **WIDE)),
    "bert_relu": ("BertModel", transformers.BertConfig(**SIZES, **{**WIDE, "hidden_act": "relu"})),
    "bert_sequence": ("BertForSequenceClassification", transformers.BertConfig(**SIZES, **{**WIDE, "hidden_act": "gelu_new"})),
    "bert_tokens": ("BertForTokenClassification", transformers.BertConfig(**SIZES, **WIDE)),
    "roberta": ("RobertaModel", transformers.RobertaConfig(**SIZES, **WIDE, type_vocab_size=1, pad_token_id=1)),
    "roberta_sequence": ("RobertaForSequenceClassification",
                         transformers.RobertaConfig(**SIZES, **WIDE, type_vocab_size=1, pad_token_id=1)),
    "distilbert": ("DistilBertModel", transformers.DistilBertConfig(**SIZES, **DISTIL)),
    "distilbert_sequence": ("DistilBertForSequenceClassification", transformers.DistilBertConfig(**SIZES, **DISTIL)),
}

TEXTS = ["the cat sat", "", "a cat", "the dog sat on the mat with the cat and the dog", "Hello, cat!", "sat the cat", "mat " * 40]


def sentences():
    """The model `bert` as a sentence encoder, and the vectors of a few texts."""
    folder = FOLDER / "sentences"
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "the", "cat", "dog", "sat", "on", "mat", "with", "and", "a", ",", "!", "hello"]
    tokenizer = Tokenizer(models.WordPiece({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    torch.manual_seed(7)
    model = transformers.BertModel(MODELS["bert"][1]).eval()
    model.save_pretrained(folder)
    tokenizer.save(str(folder / "tokenizer.json"))
    kinds = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize")]
    (folder / "modules.json").write_text(json.dumps(
        [{"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
         for i, (kind, path) in enumerate(kinds)]))
    (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": 12}))
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"pooling_mode_mean_tokens": True}))
    tokenizer.enable_truncation(12)
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(TEXTS)
    mask = torch.tensor([one.attention_mask for one in encoded])
    with torch.no_grad():
        hidden = model(torch.tensor([one.ids for one in encoded]), mask).last_hidden_state
    means = (hidden * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
    (folder / "texts.json").write_text(json.dumps(TEXTS))
    save_file({"vectors": torch.nn.functional.normalize(means)}, folder / "expected.safetensors")


def main():
    sentences()
    for number, (name, (kind, config)) in enumerate(MODELS.items()):
        torch.manual_seed(number)
        model = getattr(transformers, kind)(config)
        for parameter in model.parameters():  # norms and biases too
            parameter.data += torch.randn_like(parameter) * 0.1
        folder = FOLDER / name
        model.eval().save_pretrained(folder)
        tokens = torch.randint(5, 40, (3, 9))
        mask = torch.ones(3, 9, dtype=torch.bool)
        mask[1, 6:] = mask[2, 1:] = False
        tokens[~mask] = config.pad_token_id
        given = {"input_ids": tokens, "attention_mask": mask.long()}
        if name.startswith("bert"):
            given["token_type_ids"] = (torch.arange(9) > 4).long().expand(3, 9).contiguous()
        labels = torch.randint(0, 3, (3, 9) if "tokens" in name else (3,))

        def answer():
            out = model(**given)
            return out.logits if "logits" in out else out.last_hidden_state

        def loss(out):
            if "_" not in name or "relu" in name:
                return (out[mask] ** 2).mean()
            return torch.nn.functional.cross_entropy(out.flatten(0, -2), labels.flatten())

        out = answer()
        saved = {"tokens": tokens, "mask": mask, "labels": labels, "output": out.detach(),
                 **{key: value for key, value in given.items() if key == "token_type_ids"}}
        if hasattr(model, "pooler") and model.pooler is not None:
            saved["pooled"] = model(**given).pooler_output.detach()
        loss(out).backward()
        for key, parameter in model.named_parameters():
            if parameter.grad is not None:
                saved["grad." + key] = parameter.grad.clone()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
        losses = []
        for _ in range(20):
            optimizer.zero_grad()
            value = loss(answer())
            value.backward()
            optimizer.step()
            losses.append(value.item())
        saved["losses"] = torch.tensor(losses)
        save_file({key: value.contiguous() for key, value in saved.items()}, folder / "expected.safetensors")


if __name__ == "__main__":
    main()
