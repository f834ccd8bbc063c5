// Dense step Jacobians J_t = d h_t / d h_{t-1}.
#pragma once

#include <cstdint>

#include "recurrent/snapshot.hpp"

namespace kpflow {

// J [n, n] of trial b, step t. Within a layer: J[c H + i, d H + l] = D[c][d]_i (i = l) + sum_j A_j[c]_i W_j[i, l] S[d]_l; what a layer
// reads from below moves too, so that its rows get sum_j C_j[c]_i (W_ih,j)[i, :] J_h, J_h the rows of h of the layer below.
// gain is scratch that only grows.
template <class T, class Out>
void step_jacobian(const Layers<T>& layers, int64_t b, int64_t t, Array<Out>& gain, Out* out);

}  // namespace kpflow
