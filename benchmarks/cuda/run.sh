#!/usr/bin/env bash
# Builds, checks and measures the CUDA backend in one call of under ten minutes, on a machine with a GPU; --help says more.
set -uo pipefail

usage='benchmarks/cuda/run.sh [FOLDER]
Builds libkpflow, libkpflow_cuda, kpflow_native_test and kpflow_native_bench in FOLDER (build/cuda), runs the tests on the CPU
and on the GPU, compute-sanitizer on a reduced set of them, the benchmark, and the same work in PyTorch and in JAX, and prints
one table last. Takes less than KPFLOW_LIMIT seconds (570): what there is no time left for is left out, and the table says so.

Needs cmake, g++, nvcc and a GPU; python3 with torch and jax for the peers, compute-sanitizer for its checks. No JDK, no network.
KPFLOW_DEPS   folder org/bytedeco with the headers and libraries of openblas and arpackng, about 41 MB; otherwise
              target/native-deps/org/bytedeco. On any machine with a JDK, "mvn -o initialize" unpacks it there: copy it.
CUDA_ARCHITECTURES   what to compile for; otherwise the GPU that is here.
OUT           a folder that gets the table (table.txt), its numbers (cuda.json) and all logs in one (log.txt). Each record and
              log lies in FOLDER/out.
Exit status 0 if all tests passed and all targets were met, 1 otherwise, 2 if something is missing.'
[[ ${1:-} != --help ]] || { echo "$usage"; exit 0; }

limit=${KPFLOW_LIMIT:-570}
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=${1:-$root/build/cuda}
mkdir -p "$build"
build=$(cd "$build" && pwd)
out=$build/out
here=$root/benchmarks/cuda
deps=${KPFLOW_DEPS:-$root/target/native-deps/org/bytedeco}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
export PYTHONDONTWRITEBYTECODE=1
rm -rf "$out" && mkdir -p "$out" || exit 2

stop() { echo "run.sh: $*" >&2; exit 2; }
[[ -e $deps/openblas && -e $deps/arpackng ]] ||
  stop "no openblas and arpackng in $deps: run 'mvn -o initialize' on a machine with a JDK, copy target/native-deps, or set KPFLOW_DEPS"
for tool in cmake g++ nvcc nvidia-smi python3; do type -P "$tool" >/dev/null || stop "$tool is not here"; done
PATH=$PATH:$(dirname "$(readlink -f "$(type -P nvcc)")") # compute-sanitizer lies beside it
gpu=$(nvidia-smi --query-gpu=name,driver_version,compute_cap --format=csv,noheader | head -n 1)
[[ -n $gpu ]] || stop "nvidia-smi finds no GPU"
IFS=, read -r card driver capability <<<"$gpu"
capability=${capability//[ .]/}
architectures=${CUDA_ARCHITECTURES:-$([[ $capability == 90 ]] && echo 90a-real || echo "$capability-real")}

# step NAME SECONDS COMMAND...: runs a command with its output in NAME.log, for at most so many seconds and never past the limit.
# Less than a fifth of what it may take is not worth a start. Statuses of all steps are kept in steps.txt.
step() {
  local name=$1 most=$2 left=$((limit - SECONDS)) status
  shift 2
  if ((left < most / 5 || left < 5)); then
    echo "$name: left out, $left s remain" && echo "$name left-out" >>"$out/steps.txt"
    return 1
  fi
  local start=$SECONDS ending
  timeout --kill-after=5 "$((most < left ? most : left))" "$@" >"$out/$name.log" 2>&1
  status=$?
  case $status in
    0) ending='done' ;;
    124 | 137) ending='stopped by its limit' ;;
    *) ending="failed ($status)" ;;
  esac
  echo "$name: $ending, $((SECONDS - start)) s"
  echo "$name $status" >>"$out/steps.txt"
  ((status == 0 || status == 124 || status == 137)) || tail -n 5 "$out/$name.log" | cut -c1-300
  return "$status"
}
: >"$out/steps.txt"

# What there is so far goes to OUT, whatever happens.
# shellcheck disable=SC2317
save() {
  [[ -n ${OUT:-} ]] || return 0
  mkdir -p "$OUT"
  tail -n 200 "$out"/*.log >"$OUT/log.txt" 2>/dev/null
  cp "$out"/table.txt "$out"/cuda.json "$OUT" 2>/dev/null
}
trap save EXIT

step configure 60 cmake -S "$root/cmake" -B "$build" -DCMAKE_BUILD_TYPE=Release -DKPFLOW_DEPS="$deps" -DKPFLOW_OUTPUT="$build" \
  -DKPFLOW_CUDA=ON -DCMAKE_CUDA_ARCHITECTURES="$architectures" -DKPFLOW_PROGRAMS=ON || exit 2
step build 300 cmake --build "$build" --parallel "$(nproc)" || exit 2
test_program=$build/kpflow_native_test
cases=$root/src/test/resources/fixtures

step test-cuda 120 "$test_program" --device cuda --cases "$cases" &
step test-cpu 120 "$test_program" --device cpu --cases "$cases"
wait

# bench CASE OPTIONS...: our rates and, for the peers, the arrays.
bench() {
  local name=$1
  shift
  mkdir -p "$build/$name"
  step "bench-$name" 60 "$build/kpflow_native_bench" --device cuda --trials 500 --steps 90 --inputs 3 --probes 16 \
    --json "$out/bench-$name.json" --arrays "$build/$name" "$@"
}
peer() {
  step "$2-$1" "$3" python3 "$here/peer_$2.py" --arrays "$build/$1" --probes 16 --repeat 7 --json "$out/$2-$1.json"
}
sanitize() {
  step "sanitizer-$1" 60 compute-sanitizer --tool "$1" --error-exitcode 9 "$test_program" --device cuda --small --cases "$cases"
}

bench h256-f32 --hidden 256 --dtype f32
bench h1024-f32 --hidden 1024 --dtype f32
bench h1024-f64 --hidden 1024 --dtype f64 --repeat 7
peer h256-f32 jax 40
peer h256-f32 torch 70
if type -P compute-sanitizer >/dev/null; then
  sanitize memcheck
  sanitize racecheck
else
  echo "compute-sanitizer: not here"
fi
peer h1024-f32 jax 40
peer h1024-f32 torch 60
peer h1024-f64 jax 40
peer h1024-f64 torch 60
rm -rf "$build"/h256-f32 "$build"/h1024-f32 "$build"/h1024-f64

python3 "$here/table.py" "$out" "$(date -u +%F)" "$card" "${driver# }" | tee "$out/table.txt"
exit "${PIPESTATUS[0]}"
