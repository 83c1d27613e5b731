#!/bin/sh
# Installs a build, moves the tree, and uses it from another project. usage: check.sh BUILD_FOLDER
set -eu
build=$(cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

quietly() {
  "$@" > "$scratch/log" 2>&1 || { echo "failed: $*"; tail -30 "$scratch/log"; exit 1; }
}

quietly cmake --install "$build" --prefix "$scratch/first"
quietly cmake -S "$here" -B "$scratch/consumer" -G Ninja -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$scratch/first"
quietly cmake --build "$scratch/consumer"
row=$("$scratch/consumer/consumer")
[ "$row" = "1 4 32" ] || { echo "the consumer printed '$row'"; exit 1; }

mkdir "$scratch/elsewhere"
mv "$scratch/first" "$scratch/elsewhere/second"
found=$("$scratch/elsewhere/second/bin/firesteel" sql --format csv "SELECT 40 + 2 AS answer" | tr '\n' ' ')
[ "$found" = "answer 42 " ] || { echo "the moved program printed '$found'"; exit 1; }
if ldd "$scratch/elsewhere/second/bin/firesteel" | grep -F -e "not found" -e "$build"; then
  echo "the moved program needs a library that is not in its tree"
  exit 1
fi
echo "installed, linked, moved, run"
