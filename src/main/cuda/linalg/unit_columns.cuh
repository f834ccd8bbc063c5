// A tall matrix whose columns live on one unit each; see kpflow_unit_combine.
#pragma once

#include <cstdint>

#include "core/context.cuh"
#include "core/device.hpp"

namespace kpflow::cuda {

// out [s, k, L, m, H] = alpha U z + beta out, z [s, R].
template <class T>
void unit_combine(Context& context, const UnitColumnsArguments& u, int64_t s, double alpha, const T* z, double beta,
                  T* out, const Progress& progress);

// z [s, R] = U^T x, zero for columns that take no part.
template <class T>
void unit_coefficients(Context& context, const UnitColumnsArguments& u, int64_t s, const T* x, T* z,
                       const Progress& progress);

}  // namespace kpflow::cuda
