"""Records what transformers' decoders give: tiny models of random weights as folders of tests/data/decoders, and beside each its
logits, how it learns, with adapters of PEFT too, and the tokens that it goes on with, greedily and sampled.

usage: PYTHON tests/reference/record_decoders.py     (PYTHON has what packages/requirements-models.txt names)
"""
import json
import pathlib
import string
import sys

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, processors

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src" / "cli"))
import export  # noqa: E402

export.import_torchvision()  # transformers imports it, too.
import peft  # noqa: E402
import transformers  # noqa: E402

FOLDER = ROOT / "tests" / "data" / "decoders"
SPECIAL = {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0, "vocab_size": 64}
GPT2 = {**SPECIAL, "n_positions": 32, "n_embd": 16, "n_layer": 2, "n_head": 4, "n_inner": 20, "embd_pdrop": 0.0, "attn_pdrop": 0.0,
        "resid_pdrop": 0.0}
LLAMA = {**SPECIAL, "max_position_embeddings": 64, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "intermediate_size": 20}
SMALL = {"hidden_size": 8, "intermediate_size": 12}
STRETCHED = {"rope_type": "llama3", "rope_theta": 500.0, "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
             "original_max_position_embeddings": 16}
MODELS = {
    "gpt2": transformers.GPT2Config(**GPT2),
    "gpt2_untied": transformers.GPT2Config(**{**GPT2, "n_embd": 8, "n_inner": None}, tie_word_embeddings=False,
                                           scale_attn_by_inverse_layer_idx=True, activation_function="gelu"),
    "llama": transformers.LlamaConfig(**LLAMA, rope_parameters=STRETCHED),
    "llama_linear": transformers.LlamaConfig(**LLAMA | SMALL, tie_word_embeddings=True, attention_bias=True, mlp_bias=True, head_dim=4,
                                             rope_parameters={"rope_type": "linear", "rope_theta": 100.0, "factor": 2.0}),
    "mistral": transformers.MistralConfig(**LLAMA | SMALL, sliding_window=4),
    "qwen2": transformers.Qwen2Config(**LLAMA | SMALL, use_sliding_window=True, sliding_window=3, max_window_layers=1,
                                      tie_word_embeddings=True),
    "qwen3": transformers.Qwen3Config(**LLAMA | SMALL, head_dim=8),
}
ADAPTED = {"gpt2": ["c_attn"], "llama": ["q_proj", "v_proj"]}
WAYS = [{"do_sample": False}, {"do_sample": False, "repetition_penalty": 1.3}, {"do_sample": True, "top_k": 0},
        {"do_sample": True, "top_k": 5}, {"do_sample": True, "top_k": 0, "top_p": 0.7},
        {"do_sample": True, "temperature": 0.6, "top_k": 20, "top_p": 0.9, "repetition_penalty": 1.2}]
PROMPTS = [[[1, 20, 21, 9]], [[1, 30, 31], [1, 12, 13, 14, 15, 16, 40], [25]]]
TEXTS = ["the cat", "a", "on the mat with", "€ and é", ""]


def tokenizer():
    """Of letters, a few words and a few bytes, as Llama's."""
    units = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in b"\xe2\x82\xac\xc3\xa9\xf0\x9f\x98\x80"), "▁",
             *string.ascii_lowercase]
    words = ["▁t", "▁th", "▁the", "at", "▁c", "▁cat", "▁s", "▁sat", "▁o", "▁on", "▁m", "▁mat", "an", "▁an", "▁and", "▁a", "▁d", "▁do",
             "▁dog", "▁w", "▁wi", "▁wit", "▁with"]
    merges = [("▁", "t"), ("▁t", "h"), ("▁th", "e"), ("a", "t"), ("▁", "c"), ("▁c", "at"), ("▁", "s"), ("▁s", "at"), ("▁", "o"), ("▁o", "n"),
              ("▁", "m"), ("▁m", "at"), ("a", "n"), ("▁", "an"), ("▁an", "d"), ("▁", "a"), ("▁", "d"), ("▁d", "o"), ("▁do", "g"),
              ("▁", "w"), ("▁w", "i"), ("▁wi", "t"), ("▁wit", "h")]
    vocabulary = {unit: number for number, unit in enumerate(units + words)}
    made = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    made.add_special_tokens([AddedToken(token, normalized=False) for token in units[:3]])
    made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    made.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A $B", [("<s>", 1)])
    made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    return made


def learn(model, given, make_optimizer):
    optimizer = make_optimizer([p for p in model.parameters() if p.requires_grad])
    losses = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = model(**given).loss
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses)


def generated(model, prompts, seed, **way):
    """New tokens of each prompt, to the end that they come to."""
    longest = max(map(len, prompts))
    tokens = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
    mask = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])
    torch.manual_seed(seed)
    rows = model.generate(tokens, attention_mask=mask, max_new_tokens=16, **way)[:, longest:].tolist()
    return [row[:row.index(2) + 1] if 2 in row else row for row in rows]


def texts(model, made):
    """What follows texts, each alone."""
    found = []
    for text in TEXTS[:-1]:
        ids = made.encode(text).ids
        new = generated(model, [ids], 0, do_sample=False, repetition_penalty=1.3)[0]
        found.append(made.decode(ids + new)[len(made.decode(ids)):])
    return {"prompts": TEXTS, "texts": found + [""]}


def tune(folder, targets, given):
    torch.manual_seed(1)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).train()
    options = peft.LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=8, lora_dropout=0.0, target_modules=targets,
                              fan_in_fan_out="c_attn" in targets)
    model = peft.get_peft_model(model, options)
    saved = {"lora." + key.removeprefix("base_model.model.").replace(".default", ""): parameter.detach().clone()
             for key, parameter in model.named_parameters() if "lora_A" in key}
    saved["losses"] = learn(model, given, lambda ps: torch.optim.AdamW(ps, lr=0.02, weight_decay=0.01))
    saved["output"] = model(**given).logits.detach()
    save_file({key: value.contiguous() for key, value in saved.items()}, folder / "tuned.safetensors")


def main():
    for number, (name, config) in enumerate(MODELS.items()):
        torch.manual_seed(number)
        folder = FOLDER / name
        model = transformers.AutoModelForCausalLM.from_config(config)
        for parameter in model.parameters():  # norms and biases too
            parameter.data += torch.randn_like(parameter) * 0.3
        if name == "llama":
            model.generation_config.update(do_sample=True, temperature=0.6, top_k=20, top_p=0.9, repetition_penalty=1.2,
                                           max_new_tokens=12)
        model.eval().save_pretrained(folder)
        model.generation_config = transformers.GenerationConfig(eos_token_id=2, pad_token_id=0)
        tokens = torch.randint(3, 64, (3, 9))
        mask = torch.ones(3, 9, dtype=torch.bool)
        mask[1, 6:] = mask[2, 2:] = False
        tokens[~mask] = 0
        labels = tokens.masked_fill(~mask, -100)
        given = {"input_ids": tokens, "attention_mask": mask.long(), "labels": labels}
        cases = [{"way": way, "seed": seed, "prompts": prompts, "ids": generated(model, prompts, seed, **way)}
                 for prompts in PROMPTS for way in WAYS for seed in ((0, 1, 2) if way["do_sample"] else (0,))]
        recorded = {"cases": cases}
        if name == "llama":
            tokenizer().save(str(folder / "tokenizer.json"))
            recorded |= texts(model, tokenizer())
        (folder / "generated.json").write_text(json.dumps(recorded) + "\n")
        out = model(**given)
        out.loss.backward()
        saved = {"tokens": tokens, "mask": mask, "labels": labels, "output": out.logits.detach(), "loss": out.loss.detach()}
        saved |= {"grad." + key: parameter.grad.clone() for key, parameter in model.named_parameters()}
        saved["losses"] = learn(model, given, lambda ps: torch.optim.SGD(ps, lr=0.001))
        save_file({key: value.contiguous() for key, value in saved.items()}, folder / "expected.safetensors")
        if name in ADAPTED:
            tune(folder, ADAPTED[name], given)


if __name__ == "__main__":
    main()
