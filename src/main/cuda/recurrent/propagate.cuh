// The sweeps through time of one layer on the card: its P, P^{-1} and their adjoints, on its part of blocks of states [s, B, T, n];
// see cpp/recurrent/propagate.hpp for the formulas. P and P* step through time with all s B rows at once; P^{-1} and its adjoint
// know all steps and take many at once. out may be in for P and P* alone.
#pragma once

#include <cstdint>

#include "recurrent/snapshot.cuh"

namespace kpflow::cuda {

template <class T>
void propagate(const Snapshot<T>& net, Context& context, bool inverse, int64_t s, const T* in, T* out,
               const Progress& progress);
template <class T>
void propagate_adjoint(const Snapshot<T>& net, Context& context, bool inverse, int64_t s, const T* in, T* out,
                       const Progress& progress);

}  // namespace kpflow::cuda
