// Sums in f64 in a fixed order, so that results are the same in every run.
#pragma once

#include <cstdint>

#include "core/context.cuh"

namespace kpflow::cuda {

// The sum of value over the threads of a block of kThreads, in its thread 0.
__device__ inline double block_sum(double value) {
  __shared__ double warps[kThreads / 32];
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_down_sync(0xffffffffu, value, offset);
  __syncthreads();  // the last sum has been read
  if (threadIdx.x % 32 == 0) warps[threadIdx.x / 32] = value;
  __syncthreads();
  double sum = 0;
  if (threadIdx.x == 0) {
    for (int warp = 0; warp < kThreads / 32; ++warp) sum += warps[warp];
  }
  return sum;
}

// In what follows, out is in the device's memory; Scratch::kPartial is used.

// out[i] = sum over rows of x [rows, columns].
template <class T>
void sum_rows(Context& context, int64_t rows, int64_t columns, const T* x, double* out);

// out[r] = <x_r, y_r> over columns elements; rows lie the strides apart.
template <class T>
void row_dots(Context& context, int64_t rows, int64_t columns, const T* x, int64_t x_stride, const T* y,
              int64_t y_stride, double* out);

// out [m, s] = x y^T, x [m, n], y [s, n]; uses Scratch::kSpare too.
template <class T>
void row_products_on_device(Context& context, int64_t m, int64_t s, int64_t n, const T* x, const T* y, double* out);

}  // namespace kpflow::cuda
