// Elementwise kernels on rows of units.
#pragma once

#include "core/runtime.cuh"

#ifdef KPFLOW_EMULATED
#define KPFLOW_UNROLL
#else
#define KPFLOW_UNROLL _Pragma("unroll")
#endif

namespace kpflow::cuda {

// The rows of a launch: f = first + i step for i below count.
struct Rows {
  int64_t first, step, count;
};

// body(i, unit) for every row i below count and every kWidth-th unit. Rows share a block where they are short.
template <class Body>
__global__ void __launch_bounds__(kThreads) rows_kernel(int64_t count, int64_t units, Body body) {
  const int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y;
  if (i >= count) return;
  for (int64_t unit = static_cast<int64_t>(threadIdx.x) * Body::kWidth; unit < units;
       unit += static_cast<int64_t>(blockDim.x) * Body::kWidth) {
    body(i, unit);
  }
}

template <class Body>
void launch_rows(cudaStream_t stream, int64_t count, int64_t units, const Body& body) {
  if (count <= 0) return;
  unsigned across = 8;
  while (across < 128 && across < static_cast<uint64_t>(pieces(units, Body::kWidth))) across *= 2;
  const dim3 block(across, kThreads / across);
  const int64_t blocks = pieces(count, block.y);
  KPFLOW_REQUIRE(blocks <= INT32_MAX, "rows: expected fewer at once, got %lld; use smaller blocks",
                 static_cast<long long>(count));
  launch(stream, {dim3(static_cast<unsigned>(blocks)), block, 0, 1, "rows"}, rows_kernel<Body>, count, units, body);
}

}  // namespace kpflow::cuda
