// Lyapunov exponents from products of step Jacobians.
#pragma once

#include <cstdint>

#include "core/linearization.hpp"

namespace kpflow {

// The first finite-time exponents [B, count]: Q_t R_t = J_t Q_{t-1} from the first count columns of I; the mean over t of
// ln|R_ii|. J_t is with respect to h_0 at t = 0. smallest is the least |R_ii| met.
void lyapunov(const kpflow_linearization& model, int64_t count, double* out, double* smallest,
              const Progress& progress);

}  // namespace kpflow
