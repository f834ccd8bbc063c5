#include "linalg/gemm.cuh"
#include "recurrent/propagate.cuh"
#include "recurrent/scratch.cuh"
#include "recurrent/stack.cuh"

namespace kpflow::cuda {

namespace {

// out^l = base^l + sign C^l (W_ih^l delta_h), delta_h that of the layer below.
template <class T>
void couple(const Snapshot<T>& net, const Snapshot<T>& below, Context& context, int64_t s, T sign, const T* delta,
            const T* base, T* out, const Progress& progress) {
  const int64_t units = net.shape.units, gates = net.shape.gates(), all = s * net.rows(), stride = net.stride;
  const int64_t most = std::min(all, most_rows<T>(gates));
  T* y = context.scratch<T>(Scratch::kGates, most * gates);
  for (int64_t first = 0; first < all; first += most) {
    progress.advance();
    const int64_t count = std::min(most, all - first);
    multiply<T>(context, {false, true, count, gates, units, sign, delta + first * stride + below.begin, stride,
                          net.weight_ih.data(), units, T(0), y, gates});
    PushCall<T> call{};
    call.rows = {first, 1, count};
    call.base = base + net.begin;
    call.z = y;
    call.out = out + net.begin;
    push_rows(context, net.view(), call);
  }
}

// out^{l-1} = base^{l-1}, with sign (W_ih^l)^T (C^l a^l) added to h.
template <class T>
void couple_adjoint(const Snapshot<T>& net, const Snapshot<T>& below, Context& context, int64_t s, T sign, const T* a,
                    const T* base, T* out, const Progress& progress) {
  const int64_t units = net.shape.units, gates = net.shape.gates(), all = s * net.rows(), stride = net.stride;
  const int64_t most = std::min(all, most_rows<T>(gates));
  T* y = context.scratch<T>(Scratch::kGates, most * gates);
  copy_rows(context, all, below.shape.state(), base + below.begin, stride, out + below.begin, stride);
  for (int64_t first = 0; first < all; first += most) {
    progress.advance();
    const int64_t count = std::min(most, all - first);
    pull_rows(context, net.view(), Rows{first, 1, count}, Sides::kInput, a + net.begin, y);
    multiply<T>(context, {false, false, count, units, gates, sign, y, gates, net.weight_ih.data(), units, T(1),
                          out + first * stride + below.begin, stride});
  }
}

}  // namespace

template <class T>
void propagate_layers(const Layers<T>& layers, Context& context, bool inverse, int64_t s, const T* in, T* out,
                      const Progress& progress) {
  propagate(layers[0], context, inverse, s, in, out, progress);
  for (size_t l = 1; l < layers.size(); ++l) {
    if (inverse) {
      propagate(layers[l], context, true, s, in, out, progress);
      couple<T>(layers[l], layers[l - 1], context, s, T(-1), in, out, out, progress);
    } else {
      couple<T>(layers[l], layers[l - 1], context, s, T(1), out, in, out, progress);
      propagate<T>(layers[l], context, false, s, out, out, progress);
    }
  }
}

template <class T>
void propagate_layers_adjoint(const Layers<T>& layers, Context& context, bool inverse, int64_t s, const T* in, T* out,
                              const Progress& progress) {
  propagate_adjoint(layers.back(), context, inverse, s, in, out, progress);
  for (size_t l = layers.size() - 1; l-- > 0;) {
    if (inverse) {
      propagate_adjoint(layers[l], context, true, s, in, out, progress);
      couple_adjoint<T>(layers[l + 1], layers[l], context, s, T(-1), in, out, out, progress);
    } else {
      couple_adjoint<T>(layers[l + 1], layers[l], context, s, T(1), out, in, out, progress);
      propagate_adjoint<T>(layers[l], context, false, s, out, out, progress);
    }
  }
}

#define KPFLOW_STACK(T)                                                                                        \
  template void propagate_layers<T>(const Layers<T>&, Context&, bool, int64_t, const T*, T*, const Progress&); \
  template void propagate_layers_adjoint<T>(const Layers<T>&, Context&, bool, int64_t, const T*, T*, const Progress&);
KPFLOW_STACK(float)
KPFLOW_STACK(double)
#undef KPFLOW_STACK

}  // namespace kpflow::cuda
