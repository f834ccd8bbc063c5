// Counter-based random numbers, the same as the CPU's: Philox4x32-10 (Salmon et al. 2011).
#pragma once

#include <cstdint>

#include "core/context.cuh"

namespace kpflow::cuda {

// Element i of out is a function of (seed, offset + i); distribution is a kpflow_distribution.
template <class T>
void fill_random(Context& context, int32_t distribution, uint64_t seed, int64_t offset, int64_t count, T* out);

}  // namespace kpflow::cuda
