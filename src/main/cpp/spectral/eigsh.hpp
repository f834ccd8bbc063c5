// Extreme eigenpairs of a self-adjoint operator by ARPACK's implicitly restarted Lanczos method (Lehoucq, Sorensen, Yang 1998).
#pragma once

#include <cstdint>
#include <functional>

#include "core/context.hpp"

namespace kpflow {

// y = A x for one vector; false when the operator failed.
template <class T>
using Apply = std::function<bool(const T* x, T* y)>;

// Refuses sizes and options that are out of range, in the words of kpflow.h.
void check_eigsh(int64_t n, const kpflow_eigsh_options& options);

// Reports that fewer eigenpairs than asked for have converged.
[[noreturn]] void fail_unconverged(const kpflow_eigsh_options& options, const kpflow_eigsh_info& info);

// See kpflow_eigsh, with options that have been checked. Throws KPFLOW_NO_CONVERGENCE after filling the outputs with what did converge.
template <class T>
void eigsh(int64_t n, const Apply<T>& apply, const kpflow_eigsh_options& options, T* start, double* values, T* vectors,
           double* residuals, kpflow_eigsh_info* info, const Progress& progress);

}  // namespace kpflow
