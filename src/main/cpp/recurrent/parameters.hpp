// Between weights and states at a fixed trajectory: D_theta f, its adjoint, and the gate derivatives D_Q f of one family.
#pragma once

#include <cstdint>

#include "recurrent/snapshot.hpp"

namespace kpflow {

// Between the layer's part of theta [s, p] and its part of the state. Site push, D_theta f: u_t = sum_j A_j (dW_hh,j v_t + db_hh,j) + C_j (dW_ih,j x_t + db_ih,j).
template <class T>
void site_push(const Snapshot<T>& net, kpflow_context& context, Weights weights, int64_t s, const T* theta, T* out,
               const Progress& progress);

// Site pull, (D_theta f)*: with q_j = A_j a, p_j = C_j a: G_hh = sum q v^T, G_ih = sum p x^T, bias gradients sum q, sum p.
template <class T>
void site_pull(const Snapshot<T>& net, kpflow_context& context, Weights weights, int64_t s, const T* a, T* theta,
               const Progress& progress);

// D_Q f of one side: y [s, k, g H] -> u [s, B, T, n], zero in the other layers, and back.
template <class T>
void gates_push(const Snapshot<T>& net, kpflow_context& context, Side side, int64_t s, const T* y, T* out);
template <class T>
void gates_pull(const Snapshot<T>& net, kpflow_context& context, Side side, int64_t s, const T* a, T* y);

}  // namespace kpflow
