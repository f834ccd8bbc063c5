// Extreme eigenpairs of a self-adjoint operator on any device, by thick-restart Lanczos (Wu and Simon 2000) with full
// reorthogonalization: vectors stay in the device's memory, and only the projected matrix is on the host.
#pragma once

#include <cstdint>
#include <functional>

#include "core/context.hpp"

namespace kpflow {

// y = A x for one vector in the device's memory; false when the operator failed. Called without the context's lock.
using ApplyOnDevice = std::function<bool(const void* x, void* y)>;

// See kpflow_eigsh. Throws KPFLOW_NO_CONVERGENCE after filling the outputs with what did converge.
void lanczos(kpflow_context& context, int32_t dtype, int64_t n, const ApplyOnDevice& apply,
             const kpflow_eigsh_options& options, void* start, double* values, void* vectors, double* residuals,
             kpflow_eigsh_info* info, const Progress& progress);

}  // namespace kpflow
