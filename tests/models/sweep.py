"""Exports every TorchVision classification model, and Hugging Face architectures with tiny random configurations, and
holds Firesteel's run of each to Python's: outputs in evaluation and training, every gradient, the losses of some steps.
Prints docs/models.md.

usage: sweep.py CHECK_PROGRAM OUTPUT.md [NAME…]      one model at a time, each in a process of its own with limits of time
                                                     and memory; its files are removed before the next
"""

import json
import os
import pathlib
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
import warnings

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "src/cli"), str(ROOT / "tests/reference")]
SECONDS, MEMORY = 420, 40 << 30  # of address space, of which libtorch never uses most
TOLERANCE = 1e-4
PARAMETERS_MAX = 400_000_000
# The smallest images that these take; the others take 64.
SIZES = {"alexnet": 96, "googlenet": 96, "inception_v3": 299, "maxvit_t": 224, "squeezenet1_0": 96, "squeezenet1_1": 96}

# Hugging Face: class of the model, class of its configuration, what makes it tiny beside TINY.
TINY = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, vocab_size=120,
            max_position_embeddings=64)
DECODER = dict(TINY, num_key_value_heads=2, head_dim=8, pad_token_id=0, bos_token_id=1, eos_token_id=2)
VISION = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=48, image_size=32, patch_size=8)
SEQ2SEQ = dict(d_model=32, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4, decoder_attention_heads=4,
               encoder_ffn_dim=48, decoder_ffn_dim=48, vocab_size=120, max_position_embeddings=64, pad_token_id=0,
               bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)
T5 = dict(d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, vocab_size=120, decoder_start_token_id=0)
HUGGING_FACE = [
    ("AlbertForSequenceClassification", "AlbertConfig", dict(TINY, embedding_size=16)),
    ("BartForConditionalGeneration", "BartConfig", SEQ2SEQ),
    ("BeitForImageClassification", "BeitConfig", VISION),
    ("BertForMaskedLM", "BertConfig", TINY),
    ("BertForSequenceClassification", "BertConfig", TINY),
    ("BigBirdForSequenceClassification", "BigBirdConfig", dict(TINY, attention_type="original_full")),
    ("BioGptForCausalLM", "BioGptConfig", TINY),
    ("BlenderbotForConditionalGeneration", "BlenderbotConfig", SEQ2SEQ),
    ("BloomForCausalLM", "BloomConfig", dict(hidden_size=32, n_layer=2, n_head=4, vocab_size=120, pad_token_id=0)),
    ("CamembertForMaskedLM", "CamembertConfig", TINY),
    ("CLIPTextModel", "CLIPTextConfig", TINY),
    ("CLIPVisionModel", "CLIPVisionConfig", VISION),
    ("CodeGenForCausalLM", "CodeGenConfig", dict(n_embd=32, n_layer=2, n_head=4, n_positions=64, vocab_size=120, rotary_dim=4)),
    ("CohereForCausalLM", "CohereConfig", DECODER),
    ("ConvBertForSequenceClassification", "ConvBertConfig", dict(TINY, embedding_size=32)),
    ("ConvNextForImageClassification", "ConvNextConfig", dict(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 2, 1], image_size=64)),
    ("ConvNextV2ForImageClassification", "ConvNextV2Config", dict(hidden_sizes=[8, 16, 24, 32], depths=[1, 1, 2, 1], image_size=64)),
    ("Data2VecTextForSequenceClassification", "Data2VecTextConfig", TINY),
    ("DebertaForSequenceClassification", "DebertaConfig", TINY),
    ("DebertaV2ForSequenceClassification", "DebertaV2Config", dict(TINY, relative_attention=True, pos_att_type=["p2c", "c2p"])),
    ("DeiTForImageClassification", "DeiTConfig", VISION),
    ("Dinov2ForImageClassification", "Dinov2Config", VISION),
    ("DistilBertForSequenceClassification", "DistilBertConfig", dict(dim=32, n_layers=2, n_heads=4, hidden_dim=48, vocab_size=120, max_position_embeddings=64)),
    ("EfficientNetForImageClassification", "EfficientNetConfig", dict(image_size=64, width_coefficient=0.25, depth_coefficient=0.5, hidden_dim=320)),
    ("ElectraForSequenceClassification", "ElectraConfig", dict(TINY, embedding_size=16)),
    ("ErnieForSequenceClassification", "ErnieConfig", TINY),
    ("FalconForCausalLM", "FalconConfig", dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, vocab_size=120)),
    ("FNetForSequenceClassification", "FNetConfig", TINY),
    ("FunnelForSequenceClassification", "FunnelConfig", dict(vocab_size=120, block_sizes=[1, 1], d_model=32, n_head=4, d_head=8, d_inner=48)),
    ("GemmaForCausalLM", "GemmaConfig", DECODER),
    ("Gemma2ForCausalLM", "Gemma2Config", dict(DECODER, query_pre_attn_scalar=8)),
    ("GPT2LMHeadModel", "GPT2Config", dict(n_embd=32, n_layer=2, n_head=4, n_positions=64, vocab_size=120)),
    ("GPT2ForSequenceClassification", "GPT2Config", dict(n_embd=32, n_layer=2, n_head=4, n_positions=64, vocab_size=120, pad_token_id=0)),
    ("GPTNeoForCausalLM", "GPTNeoConfig", dict(hidden_size=32, num_layers=2, attention_types=[[["global", "local"], 1]], num_heads=4, vocab_size=120, max_position_embeddings=64, window_size=8)),
    ("GPTNeoXForCausalLM", "GPTNeoXConfig", TINY),
    ("GPTJForCausalLM", "GPTJConfig", dict(n_embd=32, n_layer=2, n_head=4, n_positions=64, vocab_size=120, rotary_dim=4)),
    ("GraniteForCausalLM", "GraniteConfig", DECODER),
    ("LlamaForCausalLM", "LlamaConfig", DECODER),
    ("LlamaForSequenceClassification", "LlamaConfig", DECODER),
    ("LongT5ForConditionalGeneration", "LongT5Config", dict(T5, encoder_attention_type="local", local_radius=3)),
    ("MarianMTModel", "MarianConfig", SEQ2SEQ),
    ("MBartForConditionalGeneration", "MBartConfig", SEQ2SEQ),
    ("MistralForCausalLM", "MistralConfig", DECODER),
    ("MobileBertForSequenceClassification", "MobileBertConfig", dict(TINY, embedding_size=16, intra_bottleneck_size=16, true_hidden_size=16)),
    ("MobileViTForImageClassification", "MobileViTConfig", dict(hidden_sizes=[16, 24, 32], neck_hidden_sizes=[8, 8, 12, 16, 20, 24, 32], image_size=64)),
    ("MPNetForSequenceClassification", "MPNetConfig", TINY),
    ("MptForCausalLM", "MptConfig", dict(d_model=32, n_heads=4, n_layers=2, vocab_size=120, max_seq_len=64)),
    ("MT5ForConditionalGeneration", "MT5Config", T5),
    ("NystromformerForSequenceClassification", "NystromformerConfig", dict(TINY, segment_means_seq_len=8, num_landmarks=8)),
    ("OlmoForCausalLM", "OlmoConfig", DECODER),
    ("OPTForCausalLM", "OPTConfig", dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=4, ffn_dim=48, vocab_size=120, max_position_embeddings=64, word_embed_proj_dim=32)),
    ("PegasusForConditionalGeneration", "PegasusConfig", SEQ2SEQ),
    ("PhiForCausalLM", "PhiConfig", TINY),
    ("Phi3ForCausalLM", "Phi3Config", DECODER),
    ("Qwen2ForCausalLM", "Qwen2Config", DECODER),
    ("Qwen3ForCausalLM", "Qwen3Config", DECODER),
    ("RegNetForImageClassification", "RegNetConfig", dict(embedding_size=8, hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1], groups_width=8)),
    ("RemBertForSequenceClassification", "RemBertConfig", dict(TINY, input_embedding_size=16, output_embedding_size=24)),
    ("ResNetForImageClassification", "ResNetConfig", dict(embedding_size=8, hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1])),
    ("RobertaForSequenceClassification", "RobertaConfig", TINY),
    ("RoFormerForSequenceClassification", "RoFormerConfig", dict(TINY, embedding_size=32)),
    ("SegformerForImageClassification", "SegformerConfig", dict(hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1], num_attention_heads=[1, 2, 2, 2], image_size=64, decoder_hidden_size=16)),
    ("SqueezeBertForSequenceClassification", "SqueezeBertConfig", dict(TINY, embedding_size=32)),
    ("StableLmForCausalLM", "StableLmConfig", DECODER),
    ("SwinForImageClassification", "SwinConfig", dict(image_size=32, patch_size=2, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4)),
    ("Swinv2ForImageClassification", "Swinv2Config", dict(image_size=32, patch_size=2, embed_dim=16, depths=[1, 1], num_heads=[2, 2], window_size=4)),
    ("T5ForConditionalGeneration", "T5Config", T5),
    ("T5EncoderModel", "T5Config", T5),
    ("ViTForImageClassification", "ViTConfig", VISION),
    ("XLMRobertaForSequenceClassification", "XLMRobertaConfig", TINY),
    ("XLNetForSequenceClassification", "XLNetConfig", dict(vocab_size=120, d_model=32, n_layer=2, n_head=4, d_inner=48)),
    ("YolosForObjectDetection", "YolosConfig", dict(VISION, image_size=[32, 32], num_detection_tokens=5)),
]


def vision(name):
    import torch
    import export

    torchvision = export.import_torchvision()
    size = SIZES.get(name, 224 if name.startswith("vit") else 64)
    if name == "vit_h_14":
        size = 28
        module = torchvision.models.VisionTransformer(size, 14, 2, 16, 1280, 5120, num_classes=10)  # 2 of its 32 layers
    elif name.startswith("vit"):
        size = 32
        module = torchvision.models.get_model(name, weights=None, num_classes=10, image_size=size)
    else:
        module = torchvision.models.get_model(name, weights=None, num_classes=10)
    return module, {"x": torch.randn(3, 3, size, size)}


def hugging_face(name):
    import torch
    import transformers
    import export

    _, config_name, sizes = next(row for row in HUGGING_FACE if row[0] == name)
    config = getattr(transformers, config_name)(**sizes)
    if hasattr(config, "use_cache"):
        config.use_cache = False
    model = getattr(transformers, name)(config)
    inputs = export.text_inputs(model, export.SEQUENCE)
    if name.startswith("ConvNext") or name in ("ResNetForImageClassification", "RegNetForImageClassification"):
        inputs = {"pixel_values": torch.randn(3, 3, 64, 64)}
    return model, inputs


def one(name, folder):
    """Exports and records one model. Returns what there is to say of it."""
    import torch
    import export
    import pt2_expected

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    torch.manual_seed(0)
    torch.set_num_threads(2)
    is_vision = not any(row[0] == name for row in HUGGING_FACE)
    module, inputs = vision(name) if is_vision else hugging_face(name)
    count = sum(parameter.numel() for parameter in module.parameters())
    if count > PARAMETERS_MAX:
        raise MemoryError(f"{count:,} parameters, with gradients on both sides, do not fit into this machine")
    dimensions = export.batch_alone if is_vision else export.batch_and_sequence
    torch.manual_seed(1)
    notes = export.export(module, inputs, f"{folder}/model.pt2", dimensions)
    pt2_expected.record(module, inputs, f"{folder}/expected.safetensors", steps=2, optimizer="sgd", rate=1e-3)
    return {"parameters": count, "notes": notes}


def forked(function):
    """What the function returns, in a process of its own that has the modules already; or None and what went wrong."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        try:
            answer = {"result": function()}
        except BaseException as error:
            answer = {"error": f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"[:200]}
        os.write(writer, json.dumps(answer)[:60000].encode())
        os._exit(0)
    os.close(writer)
    ready, _, _ = select.select([reader], [], [], SECONDS)
    with os.fdopen(reader) as pipe:
        if not ready:
            os.kill(child, signal.SIGKILL)
        text = pipe.read() if ready else ""
    _, status = os.waitpid(child, 0)
    if not text:
        return None, f"took more than {SECONDS} s" if not ready else f"ended by signal {os.WTERMSIG(status)}"
    answer = json.loads(text)
    return answer.get("result"), answer.get("error")


def checked(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return None, f"took more than {SECONDS} s"
    return (json.loads(done.stdout), None) if done.stdout.startswith("{") else (None, f"ended with {done.returncode}")


def sweep(name, check):
    """{"outcome": …} of one model: ok, differs, fails or no export."""
    with tempfile.TemporaryDirectory() as folder:
        exported, error = forked(lambda: one(name, folder))
        if exported is None:
            return {"outcome": "no export", "what": f"Python cannot export or train it: {error}"}
        found, error = checked([check, f"{folder}/model.pt2", f"{folder}/expected.safetensors", str(TOLERANCE)])
    row = {"parameters": exported["parameters"], "notes": exported["notes"]}
    if found is None:
        return row | {"outcome": "fails", "what": error}
    if "error" in found:
        return row | {"outcome": "fails", "what": found["error"].splitlines()[0]}
    worst = max(found["eval"] or 0, found["train"] or 0, found["gradient"] or 0, found["losses"] or 0)
    if found["differences"]:
        return row | {"outcome": "differs", "what": ", ".join(found["differences"][:3])}
    return row | {"outcome": "ok", "worst": worst, "what": "" if found["both_modes"] else "one program for both modes"}


def table(title, names, rows):
    rows = {name: rows.get(name, {"outcome": "not run"}) for name in names}
    good = sum(row["outcome"] == "ok" for row in rows.values())
    print(f"\n## {title}: {good} of {len(names)} ({100 * good / len(names):.1f}%)\n")
    print("| model | parameters | result | largest difference | |\n|---|---|---|---|---|")
    for name in names:
        row = rows[name]
        what = row.get("what", "") or "; ".join(row.get("notes", []))
        count, worst = (f"{row[key]:{form}}" if key in row else "" for key, form in (("parameters", ","), ("worst", ".1g")))
        print(f"| {name} | {count} | {row['outcome']} | {worst} | {what.replace('|', '/')} |")


def main():
    check, output = sys.argv[1:3]
    os.environ.update(TRANSFORMERS_VERBOSITY="error", HF_HUB_OFFLINE="1")
    warnings.simplefilter("ignore")
    import export

    torchvision = export.import_torchvision()
    import torch
    import torch._dynamo  # Here rather than in each process.
    import torch._inductor.compile_fx
    import transformers

    vision_names = torchvision.models.list_models(module=torchvision.models)
    wanted = sys.argv[3:] or vision_names + [row[0] for row in HUGGING_FACE]
    kept = pathlib.Path(output).with_suffix(".jsonl")  # A sweep that was cut goes on.
    rows = {row["name"]: row for row in map(json.loads, kept.read_text().splitlines())} if kept.exists() else {}
    for name in wanted:
        if name in rows:
            continue
        started = time.monotonic()
        rows[name] = sweep(name, check)
        print(f"{name}: {rows[name]['outcome']} {rows[name].get('what', '')} ({time.monotonic() - started:.0f} s)", file=sys.stderr, flush=True)
        with kept.open("a") as file:
            file.write(json.dumps(rows[name] | {"name": name}) + "\n")
    with open(output, "w") as file:
        sys.stdout = file
        print("# Models that run and train as in Python\n")
        print("Printed by `make models-sweep`: each model is made with random weights, exported by `firesteel export`'s script and run by\n"
              f"both sides: outputs in evaluation and in training, the gradient of every parameter, batch statistics and the losses of two\n"
              f"steps must be within {TOLERANCE:g} of the largest value. Of Hugging Face's architectures tiny configurations, batch and sequence\n"
              f"dynamic; vit_h_14 has 2 of its 32 layers. torch {torch.__version__}, torchvision {torchvision.__version__}, transformers {transformers.__version__}.")
        table("TorchVision's classification models", vision_names, rows)
        table("Hugging Face architectures", [row[0] for row in HUGGING_FACE], rows)


if __name__ == "__main__":
    main()
