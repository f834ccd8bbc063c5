// Clusters of blocks that see each other's shared memory. Before compute capability 9.0 a block is a cluster of its own.
#pragma once

#include "core/runtime.cuh"

namespace kpflow::cuda {

#ifdef KPFLOW_EMULATED
using emulated::cluster_map;
using emulated::cluster_rank;
using emulated::cluster_sync;
#else

// The caller's block among those of its cluster.
__device__ inline unsigned cluster_rank() {
  unsigned rank = 0;
#if __CUDA_ARCH__ >= 900
  asm volatile("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
#endif
  return rank;
}

// The address in block `rank` of what has the address `shared` in the caller's.
template <class T>
__device__ T* cluster_map(T* shared, unsigned rank) {
#if __CUDA_ARCH__ >= 900
  unsigned long long address;
  asm volatile("mapa.u64 %0, %1, %2;" : "=l"(address) : "l"(reinterpret_cast<unsigned long long>(shared)), "r"(rank));
  return reinterpret_cast<T*>(address);
#else
  (void)rank;
  return shared;
#endif
}

// A barrier of all threads of the cluster: what they wrote to shared memory before, all see after. It is not of the aligned kind,
// so that the threads of a warp may come to it one by one.
__device__ inline void cluster_sync() {
#if __CUDA_ARCH__ >= 900
  asm volatile("barrier.cluster.arrive.release;" ::: "memory");
  asm volatile("barrier.cluster.wait.acquire;" ::: "memory");
#else
  __syncthreads();
#endif
}
#endif

}  // namespace kpflow::cuda
