"""Records what transformers' BERT family gives: tiny models of random weights as folders of tests/data/bert, and beside
each what it answers and how it learns.

usage: PYTHON tests/reference/record_bert.py     (PYTHON has torch and transformers: packages/requirements-models.txt)
"""
import pathlib

import torch
import transformers
from safetensors.torch import save_file

FOLDER = pathlib.Path(__file__).parents[1] / "data" / "bert"
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


def main():
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
