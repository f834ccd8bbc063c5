#include "recurrent/stack.hpp"

#include <algorithm>

#include "linalg/blas.hpp"
#include "recurrent/propagate.hpp"

namespace kpflow {

namespace {

constexpr int64_t kChunk = 256;  // rows (b, t) whose gate values are formed at once

// Whether a part of every row of a chunk is zero, as most are of an impulse: it then needs no product.
template <class T>
bool is_zero(const T* x, int64_t rows, int64_t stride, int64_t length) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* part = x + r * stride;
    if (!std::all_of(part, part + length, [](T value) { return value == T(0); })) return false;
  }
  return true;
}

template <class T>
void copy_part(const T* from, T* to, int64_t rows, int64_t stride, int64_t length) {
  for (int64_t r = 0; from != to && r < rows; ++r) std::copy_n(from + r * stride, length, to + r * stride);
}

// out^l = base^l + sign C^l (W_ih^l delta_h), delta_h that of the layer below.
template <class T>
void couple(const Snapshot<T>& net, const Snapshot<T>& below, kpflow_context& context, int64_t s, T sign,
            const T* delta, const T* base, T* out) {
  const RowShape& shape = net.shape;
  const int64_t units = shape.units, gates = shape.gates(), k = net.rows(), stride = net.stride;
  context.pool.run(pieces(s * k, kChunk), [&](int64_t task, int worker) {
    const int64_t first = task * kChunk, count = std::min(kChunk, s * k - first);
    const int64_t at = first * stride + net.begin;
    const T* source = delta + first * stride + below.begin;
    copy_part(base + at, out + at, count, stride, shape.state());
    if (is_zero(source, count, stride, units)) return;
    T* y = context.worker_scratch<T>(worker, count * gates);
    gemm(false, true, count, gates, units, sign, source, stride, net.weight_ih.data(), units, T(0), y, gates);
    for (int64_t r = 0; r < count; ++r) {
      push_row(shape, net.record((first + r) % k), Side::kInput, y + r * gates, true, out + at + r * stride);
    }
  });
}

// out^{l-1} = base^{l-1}, with sign (W_ih^l)^T (C^l a^l) added to h.
template <class T>
void couple_adjoint(const Snapshot<T>& net, const Snapshot<T>& below, kpflow_context& context, int64_t s, T sign,
                    const T* a, const T* base, T* out) {
  const RowShape& shape = net.shape;
  const int64_t units = shape.units, gates = shape.gates(), k = net.rows(), stride = net.stride;
  context.pool.run(pieces(s * k, kChunk), [&](int64_t task, int worker) {
    const int64_t first = task * kChunk, count = std::min(kChunk, s * k - first);
    const int64_t at = first * stride + below.begin;
    const T* source = a + first * stride + net.begin;
    copy_part(base + at, out + at, count, stride, shape.state());
    if (is_zero(source, count, stride, shape.state())) return;
    T* y = context.worker_scratch<T>(worker, count * gates);
    for (int64_t r = 0; r < count; ++r) {
      pull_row(shape, net.record((first + r) % k), Side::kInput, 0, shape.cell.gates, 0, units, source + r * stride,
               y + r * gates);
    }
    gemm(false, false, count, units, gates, sign, y, gates, net.weight_ih.data(), units, T(1), out + at, stride);
  });
}

}  // namespace

template <class T>
void propagate_layers(const Layers<T>& layers, kpflow_context& context, bool inverse, int64_t s, const T* in, T* out,
                      const Progress& progress) {
  propagate(layers[0], context, inverse, s, in, out, progress);
  for (size_t l = 1; l < layers.size(); ++l) {
    if (inverse) {
      propagate(layers[l], context, true, s, in, out, progress);
      couple(layers[l], layers[l - 1], context, s, T(-1), in, out, out);
    } else {
      couple(layers[l], layers[l - 1], context, s, T(1), out, in, out);
      propagate<T>(layers[l], context, false, s, out, out, progress);
    }
  }
}

template <class T>
void propagate_layers_adjoint(const Layers<T>& layers, kpflow_context& context, bool inverse, int64_t s, const T* in,
                              T* out, const Progress& progress) {
  propagate_adjoint(layers.back(), context, inverse, s, in, out, progress);
  for (size_t l = layers.size() - 1; l-- > 0;) {
    if (inverse) {
      propagate_adjoint(layers[l], context, true, s, in, out, progress);
      couple_adjoint(layers[l + 1], layers[l], context, s, T(-1), in, out, out);
    } else {
      couple_adjoint(layers[l + 1], layers[l], context, s, T(1), out, in, out);
      propagate_adjoint<T>(layers[l], context, false, s, out, out, progress);
    }
  }
}

#define KPFLOW_STACK(T)                                                                                               \
  template void propagate_layers<T>(const Layers<T>&, kpflow_context&, bool, int64_t, const T*, T*, const Progress&); \
  template void propagate_layers_adjoint<T>(const Layers<T>&, kpflow_context&, bool, int64_t, const T*, T*,           \
                                            const Progress&);
KPFLOW_STACK(float)
KPFLOW_STACK(double)
#undef KPFLOW_STACK

}  // namespace kpflow
