// Between weights and states at a fixed trajectory, on the card: D_theta f, its adjoint, and the gate derivatives D_Q f of one
// family; see cpp/recurrent/parameters.hpp for the formulas.
#pragma once

#include <cstdint>

#include "core/linearization.hpp"
#include "recurrent/snapshot.cuh"

namespace kpflow::cuda {

template <class T>
void site_push(const Snapshot<T>& net, Context& context, Weights weights, int64_t s, const T* theta, T* out,
               const Progress& progress);
template <class T>
void site_pull(const Snapshot<T>& net, Context& context, Weights weights, int64_t s, const T* a, T* theta,
               const Progress& progress);

// y [s, k, g H] -> u [s, B, T, n], zero in the other layers, and back.
template <class T>
void gates_push(const Snapshot<T>& net, Context& context, Side side, int64_t s, const T* y, T* out);
template <class T>
void gates_pull(const Snapshot<T>& net, Context& context, Side side, int64_t s, const T* a, T* y);

// Slopes of units first..first+count-1 of the layer on a side, [count, g, m, k]; see core/linearization.hpp.
template <class T>
void gather_slopes(Context& context, const Snapshot<T>& net, WeightSide side, int64_t first, int64_t count,
                   double* out);

}  // namespace kpflow::cuda
