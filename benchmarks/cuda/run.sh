#!/usr/bin/env bash
# Builds, checks and measures the CUDA backend in one call of under ten minutes, on a machine with a GPU; --help says more.
set -uo pipefail

usage='KPFLOW_DEPS=target/native-deps/org/bytedeco benchmarks/cuda/run.sh [FOLDER]
Builds libkpflow, libkpflow_cuda, kpflow_native_test and kpflow_native_bench in FOLDER (build/cuda), runs the tests on the CPU
and three times on the GPU (as it is; own matrix products and step-by-step sweeps; persistent sweeps), the benchmark with cuBLAS
and with own products, compute-sanitizer on a reduced set of tests, and the same work in PyTorch and in JAX, and prints one table
last. Takes less than KPFLOW_LIMIT seconds (570): what there is no time left for is left out, and the table says so.

Needs cmake, make or ninja, g++, nvcc 13 and a GPU; python3 with torch and jax for the peers, compute-sanitizer for its checks. No JDK, no
network. What to copy: the files under version control (16 MB) and target/native-deps (41 MB), which is all that KPFLOW_DEPS needs
and which "mvn -o initialize" unpacks on any machine with a JDK.
KPFLOW_DEPS   folder org/bytedeco with the headers and libraries of openblas and arpackng (target/native-deps/org/bytedeco).
CUDA_ARCHITECTURES   what to compile for; otherwise the GPU that is here.
KPFLOW_CUBLAS        the cuBLAS to use; otherwise what the library finds, or else the one that python3 has.
KPFLOW_BENCH_SIZES   options of kpflow_native_bench behind those of every case, such as "--trials 50 --repeat 3".
KPFLOW_TEST_OPTIONS  options of kpflow_native_test in all its runs but the sanitizer, such as --small.
KPFLOW_EMULATION=1   tries out this script without a GPU: the emulated library, tiny sizes; rates and targets mean nothing.
OUT           a folder that gets the table (table.txt), its numbers (cuda.json) and the ends of all logs (log.txt). Each record
              and log lies in FOLDER/out.
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
emulation=${KPFLOW_EMULATION:-}
unset OPENBLAS_CORETYPE OPENBLAS_L2_SIZE
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
rm -rf "$out" && mkdir -p "$out" || exit 2

stop() { echo "run.sh: $*" >&2; exit 2; }
[[ -e $deps/openblas && -e $deps/arpackng ]] ||
  stop "no openblas and arpackng in $deps: run 'mvn -o initialize' on a machine with a JDK, copy target/native-deps, or set KPFLOW_DEPS"
deps=$(cd "$deps" && pwd)
tools=(cmake g++ python3)
[[ -n $emulation ]] || tools+=(nvcc nvidia-smi)
for tool in "${tools[@]}"; do type -P "$tool" >/dev/null || stop "$tool is not here"; done
if [[ -n $emulation ]]; then
  card=emulated driver=none peer_device=cpu
  options=(-DKPFLOW_CUDA=OFF -DKPFLOW_EMULATION=ON)
  library=$build/emulation/libkpflow_cuda_emulated.so
  export KPFLOW_CUDA_LIBRARY=$library
  sizes=${KPFLOW_BENCH_SIZES:---hidden 8 --trials 3 --steps 4 --probes 2 --repeat 1}
  test_options=${KPFLOW_TEST_OPTIONS:---small}
else
  PATH=$PATH:$(dirname "$(readlink -f "$(type -P nvcc)")"):/usr/local/cuda/bin # compute-sanitizer lies beside it
  gpu=$(nvidia-smi --query-gpu=name,driver_version,compute_cap --format=csv,noheader | head -n 1)
  [[ -n $gpu ]] || stop "nvidia-smi finds no GPU"
  IFS=, read -r card driver capability <<<"$gpu"
  capability=${capability//[ .]/} peer_device=cuda
  options=(-DKPFLOW_CUDA=ON
    "-DCMAKE_CUDA_ARCHITECTURES=${CUDA_ARCHITECTURES:-$([[ $capability == 90 ]] && echo 90a-real || echo "$capability-real")}"
    -DKPFLOW_WERROR=OFF) # another compiler's new warnings shall not end the run
  library=$build/libkpflow_cuda.so
  sizes=${KPFLOW_BENCH_SIZES:-}
  test_options=${KPFLOW_TEST_OPTIONS:-}
fi
read -ra sizes <<<"$sizes"
read -ra test_options <<<"$test_options"

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
  echo "$name $status" >>"$out/steps.txt"
  echo "$SECONDS s: $name: $ending, $((SECONDS - start)) s"
  if ((status != 0)); then # what went wrong, but not the counts of what went well
    grep -v ' 0 failed ' "$out/$name.log" | grep -m 20 -iE 'error|warning|failed|hazard|kpflow_native_bench:' | cut -c1-240
  fi
  return "$status"
}
: >"$out/steps.txt"

table() { python3 "$here/table.py" "$out" "$(date -u +%F)" "$card" "${driver# }"; }

# What there is so far goes to OUT, after every group of steps and however the script ends.
save() {
  [[ -n ${OUT:-} ]] || return 0
  mkdir -p "$OUT"
  table >"$out/table.txt" 2>&1
  tail -n 400 "$out"/*.log >"$OUT/log.txt" 2>/dev/null
  cp "$out"/table.txt "$out"/cuda.json "$OUT" 2>/dev/null
}
trap save EXIT

# Seconds that a machine with 16 cores and an H200 is expected to take, not measured: configure 5, build 60 to 120.
if type -P make >/dev/null; then
  generator="Unix Makefiles" keep_going=(-k)
else
  generator=Ninja keep_going=(-k 0)
fi
step configure 60 cmake -G "$generator" -S "$root/cmake" -B "$build" -DCMAKE_BUILD_TYPE=Release -DKPFLOW_DEPS="$deps" -DKPFLOW_OUTPUT="$build" \
  -DKPFLOW_PROGRAMS=ON "${options[@]}" || exit 2
# All errors show, and what can be built is; the tests alone are worth going on for.
step build 300 cmake --build "$build" --parallel "$(nproc)" -- "${keep_going[@]}" ||
  [[ -x $build/kpflow_native_test && -e $library ]] || exit 2
save
test_program=$build/kpflow_native_test
cases=$root/src/test/resources/fixtures

# Where neither the loader nor a toolkit has cuBLAS, the one that python3 has.
if [[ -z ${KPFLOW_CUBLAS:-} && -z $emulation ]]; then
  KPFLOW_CUBLAS=$(timeout 20 python3 "$here/find_cublas.py")
  [[ -z $KPFLOW_CUBLAS ]] || export KPFLOW_CUBLAS
fi

# check NAME DEVICE GEMM SWEEP PARTS...: nothing is measured here, so that two may run at once: 20 to 50 each pair, more than two
# would wait for the card. Left to itself the library multiplies with cuBLAS and runs narrow layers in one launch; the second pair
# has it run what that leaves out.
check() {
  local name=$1 device=$2 gemm=$3 sweep=$4
  shift 4
  step "test-$name" 120 env KPFLOW_CUDA_GEMM="$gemm" KPFLOW_CUDA_SWEEP="$sweep" "$test_program" --device "$device" \
    --cases "$cases" "${test_options[@]}" "$@"
}
check cuda cuda auto auto &
check cpu cpu auto auto
wait
save
check cuda-own-batched cuda own batched &
check cuda-persistent cuda auto persistent fixtures models edges training
wait
save

# bench NAME GEMM SWEEP OPTIONS...: our rates.
bench() {
  local name=$1 gemm=$2 sweep=$3
  shift 3
  step "bench-$name" 45 env KPFLOW_CUDA_GEMM="$gemm" KPFLOW_CUDA_SWEEP="$sweep" "$build/kpflow_native_bench" --device cuda \
    --trials 500 --steps 90 --inputs 3 --probes 16 --json "$out/bench-$name.json" "$@" "${sizes[@]}"
}
# arrays NAME: where a case leaves its arrays for the peers.
arrays() { mkdir -p "$build/$1" && echo "$build/$1"; }
# 80 in all: start and warm-up 3 each; h256 2, h1024-f32 10, h1024-f64 12 and their arrays 5; own products up to twice as long.
bench h256-f32 auto auto --hidden 256 --dtype f32 --arrays "$(arrays h256-f32)"
bench h1024-f32 auto auto --hidden 1024 --dtype f32 --repeat 5 --arrays "$(arrays h1024-f32)"
bench h1024-f64 auto auto --hidden 1024 --dtype f64 --repeat 5 --arrays "$(arrays h1024-f64)"
bench h256-f32-own own auto --hidden 256 --dtype f32
bench h1024-f32-own own auto --hidden 1024 --dtype f32 --repeat 3
bench h1024-f64-own own auto --hidden 1024 --dtype f64 --repeat 3
bench h256-f32-s1-persistent auto persistent --hidden 256 --dtype f32 --probes 1
bench h256-f32-s1-batched auto batched --hidden 256 --dtype f32 --probes 1
save

# sanitize NAME SWEEP OPTIONS...: own products, since cuBLAS is not ours to check. 30 to 60, at once; 60 more for what racecheck reports.
sanitize() {
  local name=$1 sweep=$2
  shift 2
  step "sanitizer-$name" 60 env KPFLOW_CUDA_GEMM=own KPFLOW_CUDA_SWEEP="$sweep" compute-sanitizer "$@" --error-exitcode 9 \
    --print-limit 50 "$test_program" --device cuda --small --cases "$cases"
}
if type -P compute-sanitizer >/dev/null; then
  # Calls that the runtime refuses are part of the tests, and looked after by the library.
  sanitize memcheck auto --tool memcheck --report-api-errors no &
  if ! sanitize racecheck auto --tool racecheck && ! grep -qE '^sanitizer-racecheck (124|137|left-out)' "$out/steps.txt"; then
    sanitize racecheck-batched batched --tool racecheck # tells hazards in a cluster's shared memory, which may be none, from others
  fi
  wait
else
  echo "compute-sanitizer: not here"
fi
save

# peer NAME CASE SECONDS OPTIONS...
peer() {
  local name=$1 case=$2 most=$3
  shift 3
  step "$name-$case" "$most" python3 "$here/peer_${name%%-*}.py" --arrays "$build/$case" --probes 16 --repeat 5 \
    --device "$peer_device" --json "$out/${name%%-*}-$case.json" "$@" "${peer_sizes[@]}"
}
# The number of probes is the benchmark's, whatever KPFLOW_BENCH_SIZES made of it.
peer_sizes=()
for ((i = 0; i + 1 < ${#sizes[@]}; ++i)); do
  [[ ${sizes[i]} != --probes ]] || peer_sizes=(--probes "${sizes[i + 1]}")
done
# 15 to 25 each, of which the start takes 10; what compiles 90 steps in a row comes last, and may find no end.
for case in h256-f32 h1024-f32 h1024-f64; do
  peer torch "$case" 45 --variants eager,graph
  peer jax "$case" 45
  save
done
peer torch-compiled h256-f32 120 --variants compiled
peer torch-compiled h1024-f32 120 --variants compiled
rm -rf "$build"/h256-f32 "$build"/h1024-f32 "$build"/h1024-f64

table | tee "$out/table.txt"
exit "${PIPESTATUS[0]}"
