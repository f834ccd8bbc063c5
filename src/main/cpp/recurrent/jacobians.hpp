// Dense step Jacobians J_t = d h_t / d h_{t-1} and what is read off their products.
#pragma once

#include <cstdint>

#include "recurrent/snapshot.hpp"

namespace kpflow {

// J [n, n] of trial b, step t. Within a layer: J[c H + i, d H + l] = D[c][d]_i (i = l) + sum_j A_j[c]_i W_j[i, l] S[d]_l; what a layer
// reads from below moves too, so that its rows get sum_j C_j[c]_i (W_ih,j)[i, :] J_h, J_h the rows of h of the layer below.
// gain is scratch that only grows.
template <class T, class Out>
void step_jacobian(const Layers<T>& layers, int64_t b, int64_t t, Array<Out>& gain, Out* out);

// The first finite-time exponents [B, count]: Q_t R_t = J_t Q_{t-1} from the first count columns of I; the mean over t of
// ln|R_ii|. J_t is with respect to h_0 at t = 0.
template <class T>
void lyapunov(const Layers<T>& layers, kpflow_context& context, int64_t count, double* out, double* smallest,
              const Progress& progress);

}  // namespace kpflow
