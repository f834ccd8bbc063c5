// Elementwise kernels on rows (b, t) of blocks of states [s, B, T, n]: those of cpp/recurrent/rows.hpp, for many rows in one
// launch and fused with what comes next to them in a sweep.
#pragma once

#include <cstdint>

#include "core/context.cuh"
#include "core/rows.cuh"
#include "recurrent/rows.hpp"

namespace kpflow::cuda {

// Rows f are counted through [s, B, T]: row f is step f % T of its trial, its record is number f % k.

// What is asked of a layer.
template <class T>
struct LayerView {
  RowShape shape;
  const T* derivatives;  // [k, record]
  int64_t steps, rows;   // T, k
  int64_t stride;        // n; arrays of states below start at the layer's part and have rows that far apart
};

// out = u + sign (D previous + sum_j A_j y_j), the previous row being that of `from`, none before t = 0; out may be u. Where the
// site is nonlinear and site is given, also the perturbation of the next step's site, site = S_{t+1} out, unless t = T - 1.
template <class T>
struct StepCall {
  Rows rows;
  T sign;
  const T* u;
  const T* from;
  const T* y;  // [count, g H]
  T* out;
  T* site;  // [count, H]
};
template <class T>
void step_rows(Context& context, const LayerView<T>& layer, const StepCall<T>& call);

// site = S_{t+1} delta_t: what the next step sees, 0 for t = T - 1. For a nonlinear site.
template <class T>
void site_rows(Context& context, const LayerView<T>& layer, Rows rows, const T* delta, T* site);

// out_t = e_t + sign (D_{t+1} from_{t+1} + S_{t+1} x), e_t alone for t = T - 1; out may be e. Where y is given, also what the step
// before needs, y_j = A_{j,t} out_t.
template <class T>
struct AdjointCall {
  Rows rows;
  T sign;
  const T* e;
  const T* from;
  const T* x;  // [count, H]
  T* out;
  T* y;  // [count, g H]
};
template <class T>
void adjoint_rows(Context& context, const LayerView<T>& layer, const AdjointCall<T>& call);

// Gate values of the two sides, and how a row of them lies in memory.
enum class Sides { kHidden, kInput, kBoth };

// y_j = A_j a (hidden side) or C_j a (input side), [count, g H]. Both sides: [count, (g + separate) H], A_j a of all gates, then
// C_j a of those gates where C differs from A.
template <class T>
void pull_rows(Context& context, const LayerView<T>& layer, Rows rows, Sides sides, const T* a, T* y);

// out = base + sum_j A_j (y_j + b_j) + sum_j C_j (z_j + d_j), y, b of the hidden side and z, d of the input side; each of the
// five may be NULL (zero). Row i adds the biases of group i / group, which lie bias_stride apart.
template <class T>
struct PushCall {
  Rows rows;
  const T* base;
  const T *y, *z;  // [count, g H]
  const T *b, *d;  // [g H]
  int64_t group = 1, bias_stride = 0;
  T* out;
};
template <class T>
void push_rows(Context& context, const LayerView<T>& layer, const PushCall<T>& call);

// The first `length` entries of rows, between arrays whose rows are from_stride and to_stride apart.
template <class T>
void copy_rows(Context& context, int64_t rows, int64_t length, const T* from, int64_t from_stride, T* to,
               int64_t to_stride) {
  if (from == to || rows <= 0) return;
  check(cudaMemcpy2DAsync(to, static_cast<size_t>(to_stride) * sizeof(T), from,
                          static_cast<size_t>(from_stride) * sizeof(T), static_cast<size_t>(length) * sizeof(T),
                          static_cast<size_t>(rows), cudaMemcpyDefault, context.stream),
        "copying rows");
}

// Ones, the sites of a bias.
template <class T>
void fill_ones(Context& context, int64_t count, T* out) {
  for_each(context.stream, count, [=] __device__(int64_t i) { out[i] = T(1); });
}

}  // namespace kpflow::cuda
