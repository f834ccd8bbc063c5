// Asynchronous copies from global to shared memory (cp.async): committed in groups, waited for by count.
#pragma once

#include <cuda_runtime.h>

namespace kpflow::cuda {

// Copies the first `valid` of Bytes (4, 8 or 16) bytes and zeroes the rest; both addresses are aligned to Bytes. It is there for
// the calling thread after wait_copies, for others after a barrier behind that.
template <int Bytes>
__device__ __forceinline__ void copy_async(void* shared, const void* global, int valid) {
#ifdef KPFLOW_EMULATED
  emulated::copy_async(shared, global, Bytes, valid);
#else
  const unsigned address = static_cast<unsigned>(__cvta_generic_to_shared(shared));
  if constexpr (Bytes == 16) {  // past L1, which it would only pass through
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(address), "l"(global), "r"(valid) : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(address), "l"(global), "n"(Bytes), "r"(valid)
                 : "memory");
  }
#endif
}

// Closes the group of the copies that the thread has started since the last one; groups may be empty.
__device__ __forceinline__ void commit_copies() {
#ifdef KPFLOW_EMULATED
  emulated::commit();
#else
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

// Waits until all but the last Pending groups are there.
template <int Pending>
__device__ __forceinline__ void wait_copies() {
#ifdef KPFLOW_EMULATED
  emulated::wait<Pending>();
#else
  asm volatile("cp.async.wait_group %0;" ::"n"(Pending) : "memory");
#endif
}

}  // namespace kpflow::cuda
