"""What Python gives for a module: outputs in evaluation and in training, gradients, and the losses of some steps; for
tests/unit/models/recorded.h, which does the same with the exported program and compares."""

import copy
import ctypes
import json
import math
import pathlib
import struct

import torch

TYPES = {torch.float32: "F32", torch.float64: "F64", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
         torch.int32: "I32", torch.uint8: "U8", torch.bool: "BOOL"}


def write_safetensors(path, tensors, metadata):
    header, data, end = {"__metadata__": metadata}, [], 0
    for name, tensor in tensors.items():
        plain = tensor.detach().contiguous()
        data.append(ctypes.string_at(plain.data_ptr(), plain.nbytes))
        header[name] = {"dtype": TYPES[plain.dtype], "shape": list(plain.shape), "data_offsets": [end, end + plain.nbytes]}
        end += plain.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        for part in (struct.pack("<Q", len(text)), text, *data):
            file.write(part)


def read_safetensors(path):
    content = pathlib.Path(path).read_bytes()
    length, = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    types = {name: dtype for dtype, name in TYPES.items()}
    tensors = {}
    for name, row in header.items():
        if name != "__metadata__":
            begin, end = (8 + length + offset for offset in row["data_offsets"])
            plain = torch.frombuffer(bytearray(content[begin:end]), dtype=types[row["dtype"]]) if end > begin else torch.empty(0, dtype=types[row["dtype"]])
            tensors[name] = plain.reshape(row["shape"])
    return tensors


def pattern(shape):
    """sin(0.7 i + 0.3) / 2 over the elements, which C++ makes again."""
    count = math.prod(shape)
    return (torch.sin(torch.arange(count, dtype=torch.float64) * 0.7 + 0.3) / 2).float().reshape(shape)


def flat(output):
    """Tensors and numbers of an output, None left out, in the order of torch's pytrees."""
    leaves = torch.utils._pytree.tree_leaves(output)
    return [leaf if isinstance(leaf, torch.Tensor) else torch.tensor(leaf) for leaf in leaves if leaf is not None]


def loss_of(outputs):
    total = 0
    for output in outputs:
        if output.is_floating_point() and output.requires_grad:
            total = total + (output.float() - pattern(output.shape)).square().mean()
    return total


def copied(inputs):
    return copy.deepcopy(inputs)


def record(module, inputs, path, steps=20, optimizer="adam", rate=1e-3, call=None):
    """`inputs` by name; `call` runs the module on them (default: by keyword)."""
    call = call or (lambda m, i: m(**i))
    tensors = {f"input.{name}": value for name, value in inputs.items() if isinstance(value, torch.Tensor)}
    module = copy.deepcopy(module).eval()
    with torch.no_grad():
        for i, output in enumerate(flat(call(module, copied(inputs)))):
            tensors[f"eval.{i}"] = output.clone()
    module.train()
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    step = {"adam": lambda: torch.optim.Adam(trained, lr=rate), "sgd": lambda: torch.optim.SGD(trained, lr=rate, momentum=0.9)}[optimizer]()
    losses = []
    for number in range(steps):
        torch.manual_seed(number)
        outputs = flat(call(module, copied(inputs)))
        loss = loss_of(outputs)
        step.zero_grad()
        loss.backward()
        if number == 0:
            for i, output in enumerate(outputs):
                tensors[f"train.{i}"] = output.detach().clone()
            for name, parameter in module.named_parameters():
                if parameter.grad is not None:
                    tensors[f"gradient.{name}"] = parameter.grad.clone()
        losses.append(loss.item())
        step.step()
    for name, buffer in module.named_buffers():
        if buffer.is_floating_point():
            tensors[f"after.{name}"] = buffer
    tensors["losses"] = torch.tensor(losses)
    write_safetensors(path, tensors, {"optimizer": optimizer, "rate": repr(rate)})
