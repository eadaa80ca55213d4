#!/usr/bin/env bash
# Packs what run.py needs into one archive: the program without libtorch, the built-in model, goldens, the CPU's figures.
#   bench/gpu/pack.sh [ARCHIVE]      default: artifacts/dori-gpu.tar.gz
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
archive=$(realpath -m "${1:-$root/artifacts/dori-gpu.tar.gz}")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$root/deploy/publish.sh" "$work/dori-gpu/dori"
rm "$work/dori-gpu/dori/models/emoji/ordinary.tar" # only trainings and quality figures take it
cp "$here/run.py" "$here/torch_sd.py" "$here/expected.json" "$work/dori-gpu/"
cp "$root/tests/Dori.Tests/Goldens/emoji_pipeline.safetensors" "$work/dori-gpu/golden.safetensors"
cp "$root/tests/Dori.Tests/Goldens/emoji_pipeline.json" "$work/dori-gpu/golden.json"
mkdir -p "$(dirname "$archive")"
tar -C "$work" -czf "$archive" dori-gpu
ls -l "$archive"
