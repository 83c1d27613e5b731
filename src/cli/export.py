"""Exports a PyTorch module as a program that Firesteel runs and trains (.pt2), with the user's own Python.

  export.py torchvision:resnet18 resnet18.pt2               a TorchVision model by name
  export.py path/to/folder model.pt2                        a Hugging Face model: config.json and its weights
  export.py package.module:function model.pt2               a function or class that gives a torch.nn.Module

The archive holds the program of evaluation, which torch.export.load reads too, and as an extra file that of training,
since what Python's own `if self.training` decides differs between them. The sizes of batch and sequence stay dynamic.
"""

import argparse
import copy
import difflib
import importlib
import importlib.util
import inspect
import io
import json
import os
import pathlib
import sys
import zipfile

try:
    import torch
except ImportError:
    sys.exit(f"[PYTHON_NOT_FOUND] {sys.executable} has no torch. Name a Python that has: --python.")

BATCH, SEQUENCE = 3, 8  # of examples: different, so that the exporter does not take one for the other


class ExportFailed(Exception):
    pass


def tensor_of(text):
    """`NAME=3x224x224` or `NAME=128:int64`: an example of an input, without the batch."""
    name, _, rest = text.partition("=")
    sizes, _, type_name = rest.partition(":")
    dtype = getattr(torch, type_name or "float32", None)
    try:
        shape = [BATCH, *(int(size) for size in sizes.split("x") if size)]
    except ValueError:
        shape = None
    if not name or shape is None or not isinstance(dtype, torch.dtype):
        raise ExportFailed(f"--input takes NAME=SIZExSIZE:TYPE, e.g. image=3x224x224:float32, not {text!r}")
    return name, torch.randn(shape, dtype=dtype) if dtype.is_floating_point else torch.zeros(shape, dtype=dtype)


def named_inputs(module, args):
    """Positional examples by the names of forward's parameters."""
    parameters = list(inspect.signature(module.forward).parameters.values())
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    if len(args) > len(positional):
        raise ExportFailed(f"{type(module).__name__}.forward takes {len(positional)} inputs, the example has {len(args)}")
    return dict(zip(positional, args))


def import_torchvision():
    """With its compiled operators or, where those are for another build of torch, without: classification needs none."""
    try:
        import torchvision
    except RuntimeError:
        library = torch.library.Library("torchvision", "FRAGMENT")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision

        torchvision.declared_operators = library  # They last as long as this.
    return torchvision


def torchvision_model(name, options):
    torchvision = import_torchvision()
    if name not in torchvision.models.list_models():
        near = difflib.get_close_matches(name, torchvision.models.list_models(), 3)
        raise ExportFailed(f"torchvision {torchvision.__version__} has no model {name}" + (f"; did you mean {', '.join(near)}?" if near else ""))
    size = options.size or (299 if name.startswith("inception") else 224)
    module = torchvision.models.get_model(name, weights=None)
    if options.weights:
        module.load_state_dict(torch.load(options.weights, weights_only=True, map_location="cpu"))
    shape = (3, 16, 112, 112) if "video" in type(module).__module__ else (3, size, size)
    return module, {"x": torch.randn(BATCH, *shape)}


def text_inputs(model, sequence):
    """Example inputs by what the model's forward takes."""
    config, names = model.config, inspect.signature(model.forward).parameters
    text = getattr(config, "text_config", config)
    vocabulary = getattr(text, "vocab_size", None) or 100
    inputs = {}
    vision = getattr(config, "vision_config", config)
    if "pixel_values" in names:
        size = getattr(vision, "image_size", None) or 224
        height, width = (size, size) if isinstance(size, int) else size
        inputs["pixel_values"] = torch.randn(BATCH, getattr(vision, "num_channels", 3), height, width)
    if "input_ids" in names:
        inputs["input_ids"] = torch.randint(3, vocabulary, (BATCH, sequence))
        if "attention_mask" in names:
            inputs["attention_mask"] = torch.ones(BATCH, sequence, dtype=torch.int64)
    if "decoder_input_ids" in names and getattr(config, "is_encoder_decoder", False):
        inputs["decoder_input_ids"] = torch.randint(3, vocabulary, (BATCH, sequence))
    if not inputs:
        raise ExportFailed(f"no example input is known for {type(model).__name__}: name them with --input")
    return inputs


def hugging_face_model(folder, options):
    if importlib.util.find_spec("torchvision"):
        import_torchvision()  # transformers does, too.
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder)
    if hasattr(config, "use_cache"):
        config.use_cache = False  # A cache is no tensor, so it is no output of a program.
    name = options.head or (getattr(config, "architectures", None) or ["AutoModel"])[0]
    kind = getattr(transformers, name, None)
    if kind is None:
        raise ExportFailed(f"transformers {transformers.__version__} has no model {name}")
    weights = any(pathlib.Path(folder).glob(pattern) for pattern in ("*.safetensors*", "pytorch_model*.bin*"))
    if weights:
        model = kind.from_pretrained(folder, config=config)
    else:
        print(f"{folder} holds no weights: they are random", file=sys.stderr)
        model = kind.from_config(config) if hasattr(kind, "from_config") else kind(config)
    return model, text_inputs(model, options.sequence)


def user_model(source, options):
    place, _, name = source.partition(":")
    if place.endswith(".py"):
        spec = importlib.util.spec_from_file_location(pathlib.Path(place).stem, place)
        home = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = home
        sys.path.insert(0, str(pathlib.Path(place).resolve().parent))
        spec.loader.exec_module(home)
    else:
        sys.path.insert(0, "")
        home = importlib.import_module(place)
    if not hasattr(home, name):
        raise ExportFailed(f"{place} has no {name}")
    made = getattr(home, name)
    made = made() if callable(made) and not isinstance(made, torch.nn.Module) else made
    module, inputs = made if isinstance(made, tuple) else (made, getattr(made, "example_inputs", None))
    if callable(inputs):
        inputs = inputs()
    if not isinstance(module, torch.nn.Module):
        raise ExportFailed(f"{source} gives a {type(module).__name__}, not a torch.nn.Module")
    if inputs is None and not options.input:
        raise ExportFailed(f"{source} has no example inputs: give (module, inputs), an attribute example_inputs, or --input")
    if isinstance(inputs, torch.Tensor):
        inputs = (inputs,)
    return module, inputs if isinstance(inputs, dict) else named_inputs(module, inputs or ())


def dynamic_sizes(inputs, dimensions):
    """Every size of these dimensions is dynamic where the module allows it."""
    auto = torch.export.Dim.AUTO

    def of(value):
        if isinstance(value, torch.Tensor):
            sizes = {d: auto for d in range(value.dim()) if d in dimensions(value)}
            return sizes or None
        if isinstance(value, dict):
            return {key: of(item) for key, item in value.items()}
        if isinstance(value, (list, tuple)):
            return type(value)(of(item) for item in value)
        return None

    return {name: of(value) for name, value in inputs.items()}


def batch_alone(value):
    return {0} if value.dim() else set()


def batch_and_sequence(value):
    return {0, 1} if value.dim() == 2 and not value.is_floating_point() else batch_alone(value)


def name_tuples(output):
    """The exporter writes classes of named tuples by a name that has to be given."""
    if isinstance(output, tuple) and hasattr(output, "_fields"):
        kind = type(output)
        try:
            torch.utils._pytree._register_namedtuple(kind, serialized_type_name=f"{kind.__module__}.{kind.__qualname__}")
        except ValueError:
            pass  # It has one.
    for part in output.values() if isinstance(output, dict) else output if isinstance(output, (list, tuple)) else ():
        name_tuples(part)


def program_of(module, inputs, dimensions, training):
    module.train(training)
    kept = {name: tensor.detach().clone() for name, tensor in module.named_buffers()}
    try:
        with torch.no_grad():
            name_tuples(module(**copy.deepcopy(inputs)))
        return torch.export.export(module, (), kwargs=inputs, dynamic_shapes=dynamic_sizes(inputs, dimensions), strict=False)
    finally:  # Tracing in training may count a batch.
        with torch.no_grad():
            for name, tensor in module.named_buffers():
                if name in kept and tensor.shape == kept[name].shape:
                    tensor.copy_(kept[name])


def training_json(evaluation, training):
    """The graph of training, with its constants among those of evaluation, under names of their own."""
    archive = io.BytesIO()
    torch.export.save(training, archive)
    with zipfile.ZipFile(archive) as opened:
        name = next(name for name in opened.namelist() if name.endswith("models/model.json"))
        document = json.loads(opened.read(name))
    for node in document["graph_module"]["graph"]["nodes"]:  # Of the rest errors say nothing, and it is most of the text.
        node["metadata"] = {key: text for key, text in node["metadata"].items() if key == "stack_trace"}
    for spec in document["graph_module"]["signature"]["input_specs"]:
        constant = spec.get("tensor_constant")
        if constant:
            old = constant["tensor_constant_name"]
            constant["tensor_constant_name"] = "training." + old
            evaluation.constants["training." + old] = training.constants[old]
    return json.dumps(document)


def export(module, inputs, path, dimensions=batch_alone):
    """Writes the archive. Returns what a user should know of it."""
    notes = []
    evaluation = program_of(module, inputs, dimensions, False)
    extra = {}
    try:
        training = program_of(module, inputs, dimensions, True)
        extra["train.json"] = training_json(evaluation, training)
    except Exception as error:  # The program of evaluation can still be trained, with its modes switched.
        notes.append(f"the module cannot be exported in training mode ({str(error).splitlines()[0]}); training switches "
                     "dropouts and batch norms of the program of evaluation")
    module.eval()
    target = pathlib.Path(path)
    aside = target.with_name(f"{target.stem}.part{os.getpid()}.pt2")  # So that the archive is whole or absent.
    try:
        torch.export.save(evaluation, str(aside), extra_files=extra)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)
    return notes


def main():
    parser = argparse.ArgumentParser(prog="firesteel export", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", help="torchvision:NAME, a Hugging Face folder, or module:function")
    parser.add_argument("output", help="the .pt2 file to write")
    parser.add_argument("--input", action="append", default=[], metavar="NAME=SIZES:TYPE",
                        help="an example input without its batch, e.g. image=3x224x224 or ids=128:int64; may be repeated")
    parser.add_argument("--head", help="class of the Hugging Face model (default: the one that config.json names)")
    parser.add_argument("--weights", help="a state dict (.pth) for a TorchVision model (default: random)")
    parser.add_argument("--size", type=int, help="height and width of a TorchVision model's images")
    parser.add_argument("--sequence", type=int, default=SEQUENCE, help="length of the example text")
    parser.add_argument("--static", action="store_true", help="fix all sizes as the example has them")
    options = parser.parse_args()
    sys.dont_write_bytecode = True  # Nothing but the archive is left in the user's folders.
    if pathlib.Path(options.source).is_dir():
        module, inputs = hugging_face_model(options.source, options)
        dimensions = batch_and_sequence
    elif options.source.startswith("torchvision:"):
        module, inputs = torchvision_model(options.source.partition(":")[2], options)
        dimensions = batch_alone
    elif ":" in options.source:
        module, inputs = user_model(options.source, options)
        dimensions = batch_and_sequence
    else:
        raise ExportFailed(f"{options.source} is neither a folder, nor torchvision:NAME, nor module:function")
    inputs.update(tensor_of(text) for text in options.input)
    if options.static:
        dimensions = lambda value: set()
    for note in export(module, inputs, options.output, dimensions):
        print(f"note: {note}", file=sys.stderr)
    count = sum(parameter.numel() for parameter in module.parameters())
    print(f"{options.output}: {type(module).__name__}, {count:,} parameters, inputs "
          + ", ".join(f"{name} {tuple(value.shape) if isinstance(value, torch.Tensor) else type(value).__name__}"
                      for name, value in inputs.items()))


if __name__ == "__main__":
    try:
        main()
    except ExportFailed as error:
        sys.exit(f"[INVALID_OPTION] {error}.")
