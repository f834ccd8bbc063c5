// P and P* of one layer in a single launch, for small widths and few rows, where launches cost more than arithmetic.
#pragma once

#include <cstdint>

#include "recurrent/snapshot.cuh"

namespace kpflow::cuda {

// Runs the sweep and returns true where that is expected to be faster than a product and a kernel per step; does nothing and
// returns false otherwise. The environment variable KPFLOW_CUDA_SWEEP = persistent, batched or auto (the default) overrules it
// where it can. in and out are the layer's part of the states; out may be in.
template <class T>
bool sweep_persistent(const Snapshot<T>& net, Context& context, bool adjoint, int64_t s, const T* in, T* out);

}  // namespace kpflow::cuda
