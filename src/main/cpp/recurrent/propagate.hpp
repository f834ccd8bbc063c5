// The sweeps through time of one layer: its P, P^{-1} and their adjoints, on its part of blocks of states [s, B, T, n].
#pragma once

#include <cstdint>

#include "recurrent/snapshot.hpp"

namespace kpflow {

// P q:      delta_t = u_t + D_t delta_{t-1} + sum_j A_{j,t} (W_j (S_t delta_{t-1})), forward in time. out may be in.
// P^{-1} q: u_t = q_t - (the same terms of q_{t-1}); out must not be in.
template <class T>
void propagate(const Snapshot<T>& net, kpflow_context& context, bool inverse, int64_t s, const T* in, T* out,
               const Progress& progress);

// P* e:     a_t = e_t + D_{t+1} a_{t+1} + S_{t+1} sum_j W_j^T (A_{j,t+1} a_{t+1}), backward in time. out may be in.
// P^{-*} e: the same terms of e_{t+1}, subtracted; out must not be in.
template <class T>
void propagate_adjoint(const Snapshot<T>& net, kpflow_context& context, bool inverse, int64_t s, const T* in, T* out,
                       const Progress& progress);

}  // namespace kpflow
