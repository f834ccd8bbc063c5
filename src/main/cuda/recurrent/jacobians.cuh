// Dense step Jacobians J_t = d h_t / d h_{t-1} on the card; see cpp/recurrent/jacobians.hpp for the formulas.
#pragma once

#include <cstdint>

#include "recurrent/snapshot.cuh"

namespace kpflow::cuda {

// Those of trials first_trial..first_trial+trials-1 at steps first..first+steps-1: out [trials, steps, n, n].
template <class T, class Out>
void step_jacobians(const Layers<T>& layers, Context& context, int64_t first_trial, int64_t trials, int64_t first,
                    int64_t steps, Out* out);

}  // namespace kpflow::cuda
