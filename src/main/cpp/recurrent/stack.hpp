// The sweeps through all layers: P, P^{-1} and their adjoints on blocks [s, B, T, n]. A layer acts on the one above at the
// same step, through W_ih and C.
#pragma once

#include <cstdint>

#include "recurrent/snapshot.hpp"

namespace kpflow {

// From below: layer l's own P on u^l = q^l + C^l (W_ih^l delta_h^{l-1}); P^{-1}: its own P^{-1} q^l - C^l (W_ih^l q_h^{l-1}).
// out may be in for P alone.
template <class T>
void propagate_layers(const Layers<T>& layers, kpflow_context& context, bool inverse, int64_t s, const T* in, T* out,
                      const Progress& progress);

// From the top: layer l's own P* on e^l + (W_ih^{l+1})^T (C^{l+1} a^{l+1}), the sum entering its h; P^{-*} likewise.
template <class T>
void propagate_layers_adjoint(const Layers<T>& layers, kpflow_context& context, bool inverse, int64_t s, const T* in,
                              T* out, const Progress& progress);

}  // namespace kpflow
