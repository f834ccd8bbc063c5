// The CUDA runtime: errors as exceptions, launches, and what a kernel needs that plain C++ does not have.
#pragma once

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/context.hpp"
#include "core/status.hpp"

namespace kpflow::cuda {

// Throws where a call of the runtime has failed, saying what was being done.
inline void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  (void)cudaGetLastError();  // an error that is not sticky must not be found by the next call
  fail(status == cudaErrorMemoryAllocation ? KPFLOW_OUT_OF_MEMORY : KPFLOW_INTERNAL, "cuda: %s: %s", what,
       cudaGetErrorString(status));
}

// Dynamic shared memory of a kernel as an array of T.
#ifdef KPFLOW_EMULATED
#define KPFLOW_SHARED(T, name) T* name = reinterpret_cast<T*>(emulated_shared_bytes())
#else
#define KPFLOW_SHARED(T, name)                                  \
  extern __shared__ __align__(16) unsigned char name##_bytes[]; \
  T* name = reinterpret_cast<T*>(name##_bytes)
#endif

// How a kernel is started.
struct Launch {
  dim3 grid, block;
  size_t shared = 0;            // bytes of dynamic shared memory
  unsigned cluster = 1;         // blocks of a cluster, along x
  const char* name = "kernel";  // for messages
};

// The same as the runtime takes it, for a kernel that is allowed so much shared memory.
class LaunchConfig {
 public:
  LaunchConfig(cudaStream_t stream, const Launch& how, const void* kernel) {
    if (how.shared > 48 * 1024) {
      check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize, static_cast<int>(how.shared)),
            how.name);
    }
    attribute_.id = cudaLaunchAttributeClusterDimension;
    attribute_.val.clusterDim.x = how.cluster;
    attribute_.val.clusterDim.y = 1;
    attribute_.val.clusterDim.z = 1;
    config_.gridDim = how.grid;
    config_.blockDim = how.block;
    config_.dynamicSmemBytes = how.shared;
    config_.stream = stream;
    config_.attrs = &attribute_;
    config_.numAttrs = how.cluster > 1 ? 1 : 0;
  }
  LaunchConfig(const LaunchConfig&) = delete;
  LaunchConfig& operator=(const LaunchConfig&) = delete;
  const cudaLaunchConfig_t* get() const { return &config_; }

 private:
  cudaLaunchAttribute attribute_{};
  cudaLaunchConfig_t config_{};
};

template <class... Parameters, class... Arguments>
void launch(cudaStream_t stream, const Launch& how, void (*kernel)(Parameters...), Arguments&&... arguments) {
  const LaunchConfig config(stream, how, reinterpret_cast<const void*>(kernel));
  check(cudaLaunchKernelEx(config.get(), kernel, static_cast<Parameters>(std::forward<Arguments>(arguments))...),
        how.name);
}

// Clusters of a launch that the card holds at once, 0 where it has no room for one.
template <class... Parameters>
int clusters_at_once(const Launch& how, void (*kernel)(Parameters...)) {
  const LaunchConfig config(nullptr, how, reinterpret_cast<const void*>(kernel));
  int clusters = 0;
  if (cudaOccupancyMaxActiveClusters(&clusters, kernel, config.get()) == cudaSuccess) return clusters;
  (void)cudaGetLastError();
  return 0;
}

constexpr int kThreads = 256;  // of a block of an elementwise kernel

template <class Body>
__global__ void __launch_bounds__(kThreads) each(int64_t count, Body body) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < count; i += step) body(i);
}

// body(i) for every i below count, each in a thread of its own: for_each(stream, n, [=] __device__(int64_t i) { ... }).
template <class Body>
void for_each(cudaStream_t stream, int64_t count, const Body& body) {
  if (count <= 0) return;
  const int64_t blocks = std::min<int64_t>(pieces(count, kThreads), 1 << 16);
  launch(stream, {dim3(static_cast<unsigned>(blocks)), dim3(kThreads)}, each<Body>, count, body);
}

}  // namespace kpflow::cuda
