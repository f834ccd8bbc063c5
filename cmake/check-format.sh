#!/usr/bin/env bash
# Fails where C++ or CUDA sources are not as clang-format writes them; --fix rewrites them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Versions differ in details, so only this one judges.
version=14
tool=$(type -P "clang-format-$version" || type -P clang-format || true)
if [[ -z $tool || ! $("$tool" --version) =~ version\ $version\. ]]; then
  echo "C++ format not checked: no clang-format $version here" >&2
  exit 0
fi

mode=(--dry-run --Werror --ferror-limit=1)
[[ ${1:-} == --fix ]] && mode=(-i)
sources=(src/main/cpp src/main/cuda src/test/cpp benchmarks/native)
for folder in "${sources[@]}"; do
  [[ ! -d $folder ]] || find "$folder" -type f -regex '.*\.\(h\|hpp\|cpp\|cuh\|cu\)' -print0
done | xargs -0 --no-run-if-empty "$tool" --style=file "${mode[@]}" || {
  echo "C++ format: cmake/check-format.sh --fix puts it right" >&2
  exit 1
}
