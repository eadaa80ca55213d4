#!/usr/bin/env bash
# A self-contained build for Linux on x86-64 without libtorch, which it takes from the PyTorch that its users have (docs/gpu.md).
#   deploy/publish.sh [FOLDER]      default: artifacts/dori
set -euo pipefail
cd "$(dirname "$0")/.."
out=$(realpath -m "${1:-artifacts/dori}")
# Only what says of itself that it can be trimmed is: TorchSharp and the command line find their parts by reflection.
dotnet publish src/Dori.Cli -c Release -r linux-x64 --self-contained -o "$out" --artifacts-path artifacts/build --nologo -v q \
  -p:TorchBackend=none -p:PublishTrimmed=true -p:TrimMode=partial -p:SuppressTrimAnalysisWarnings=true \
  -p:JsonSerializerIsReflectionEnabledByDefault=true -p:DebugType=none -p:GenerateDocumentationFile=false -p:EnableCompressionInSingleFile=false
du -sh "$out"
