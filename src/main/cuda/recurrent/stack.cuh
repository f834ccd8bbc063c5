// The sweeps through all layers: P, P^{-1} and their adjoints on blocks [s, B, T, n]. A layer acts on the one above at the same
// step, through W_ih and C; see cpp/recurrent/stack.hpp for the formulas. out may be in for P and P* alone.
#pragma once

#include <cstdint>

#include "recurrent/snapshot.cuh"

namespace kpflow::cuda {

template <class T>
void propagate_layers(const Layers<T>& layers, Context& context, bool inverse, int64_t s, const T* in, T* out,
                      const Progress& progress);
template <class T>
void propagate_layers_adjoint(const Layers<T>& layers, Context& context, bool inverse, int64_t s, const T* in, T* out,
                              const Progress& progress);

}  // namespace kpflow::cuda
