// Extreme eigenpairs of a self-adjoint operator by ARPACK's implicitly restarted Lanczos method (Lehoucq, Sorensen, Yang 1998).
#pragma once

#include <cstdint>
#include <functional>

#include "core/context.hpp"

namespace kpflow {

// y = A x for one vector; false when the operator failed.
template <class T>
using Apply = std::function<bool(const T* x, T* y)>;

// See kpflow_eigsh. Throws KPFLOW_NO_CONVERGENCE after filling the outputs with what did converge.
template <class T>
void eigsh(int64_t n, const Apply<T>& apply, const kpflow_eigsh_options& options, T* start, double* values, T* vectors,
           double* residuals, kpflow_eigsh_info* info, const Progress& progress);

}  // namespace kpflow
