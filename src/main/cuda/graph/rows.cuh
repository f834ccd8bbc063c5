// Elementwise kernels on the rows of one node, which may be a part of wider rows.
#pragma once

#include <cstdint>

#include "core/context.cuh"

namespace kpflow::cuda {

// body(p, r, c) for all p, r and c below their bounds, lanes of a warp along c; no thread divides an index.
template <class Body>
__global__ void __launch_bounds__(kThreads) each_row(int64_t groups, int64_t rows, int64_t columns, Body body) {
  for (int64_t p = blockIdx.z; p < groups; p += gridDim.z) {
    for (int64_t c = static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x; c < columns;
         c += static_cast<int64_t>(gridDim.y) * blockDim.x) {
      for (int64_t r = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y; r < rows;
           r += static_cast<int64_t>(gridDim.x) * blockDim.y) {
        body(p, r, c);
      }
    }
  }
}

// The threads of a block over columns (x) and rows (y).
inline dim3 row_block(int64_t columns) {
  unsigned x = 1;
  while (x < 32 && x < columns) x *= 2;
  return dim3(x, kThreads / x);
}

template <class Body>
void for_rows(cudaStream_t stream, int64_t groups, int64_t rows, int64_t columns, const Body& body) {
  if (groups <= 0 || rows <= 0 || columns <= 0) return;
  constexpr int64_t kMost = 65535, kRowsOfThread = 4;
  const dim3 block = row_block(columns);
  const dim3 grid(static_cast<unsigned>(std::min<int64_t>(pieces(rows, kRowsOfThread * block.y), 1 << 20)),
                  static_cast<unsigned>(std::min(pieces(columns, block.x), kMost)),
                  static_cast<unsigned>(std::min(groups, kMost)));
  launch(stream, {grid, block, 0, 1, "rows"}, each_row<Body>, groups, rows, columns, body);
}

// Rows `stride` elements apart; data may be nullptr.
template <class T>
struct Rows {
  T* data = nullptr;
  int64_t stride = 0;
};

// Rows of which those of a probe begin `probe` elements after those of the one before.
template <class T>
struct ProbeRows : Rows<T> {
  int64_t probe = 0;
};

// value becomes phi(value + bias) [rows, units], slope phi'; bias may be nullptr, slope is for the identity.
template <class T>
void activate(Context& context, int32_t activation, int64_t rows, int64_t units, const T* bias, T* value, T* slope);

// xhat = (v - mean v) scale, scale = 1 / sqrt(var v + epsilon), value = gamma xhat + beta; gamma and beta may be nullptr.
template <class T>
void norm_values(Context& context, int64_t rows, int64_t units, double epsilon, const T* v, const T* gamma,
                 const T* beta, T* xhat, T* scale, T* value);

// Perturbed parameters of groups of rows: that of row r of a probe's k starts at theta + (k / group_rows probe + r / group_rows) p.
template <class T>
struct Parameters {
  T* theta;
  int64_t p, group_rows;
};

// y = injected + sign slope (y + bias) on [s k, units]; with product = false, y is taken as zero. injected, slope [k, units] and
// bias.theta may be nullptr.
template <class T>
void scale_tangent(Context& context, int64_t s, int64_t k, int64_t units, Rows<const T> injected, T sign,
                   const T* slope, const Parameters<const T>& bias, bool product, Rows<T> y);

// The arrays of a layer norm's node.
template <class T>
struct Norm {
  const T *gamma, *xhat, *scale;  // [units] or nullptr, [k, units], [k]
};

// y = injected + sign (gamma scale (dv - mean dv - xhat mean(xhat dv)) + dgamma xhat + dbeta); what is nullptr is zero.
template <class T>
void norm_tangent(Context& context, int64_t s, int64_t k, int64_t units, const Norm<T>& norm, Rows<const T> injected,
                  T sign, Rows<const T> dv, const Parameters<const T>& dgamma, const Parameters<const T>& dbeta,
                  Rows<T> y);

// Its adjoint, dv += sign scale (g - mean g - xhat mean(xhat g)), g = gamma a.
template <class T>
void norm_cotangent(Context& context, int64_t s, int64_t k, int64_t units, const Norm<T>& norm, T sign, Rows<const T> a,
                    Rows<T> dv);

// g = slope a on [s k, units], where g is not nullptr (it may be a), and, for every group of rows, the sums of g over them in
// bias and of g xhat in weight, where their thetas are not nullptr. slope and xhat are [k, units], slope may be nullptr.
template <class T>
void scale_cotangent(Context& context, int64_t s, int64_t k, int64_t units, const T* slope, const T* xhat,
                     Rows<const T> a, ProbeRows<T> g, const Parameters<T>& weight, const Parameters<T>& bias);

// Row (i, t, p) of s [batch, size, probes, size] becomes a factor (s - sum(a s)), a row (i, t) of [batch, size, size].
template <class T>
void softmax_tangent(Context& context, int64_t batch, int64_t size, int64_t probes, T factor, const T* a, T* s);

// Rows of s [batch, size, size] become their softmax, row t over its first t + 1 entries where causal, with zeros after.
template <class T>
void softmax_values(Context& context, int64_t batch, int64_t size, bool causal, T* s);

}  // namespace kpflow::cuda
