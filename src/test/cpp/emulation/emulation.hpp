// What the two halves of the emulated device, runtime.cpp and device.cpp, know of each other.
#pragma once

#include "cuda_runtime.h"

namespace kpflow::emulated {

// The number in an environment variable KPFLOW_EMULATION_<name>, or the default.
unsigned long long setting(const char* name, unsigned long long standard);

// Memory whose last byte (rounded up to 16) lies before a page that faults where guarded, filled with 0xff: NaN.
struct Memory {
  unsigned char* data = nullptr;
  size_t bytes = 0;
  void* pages = nullptr;
  size_t mapped = 0;
};
Memory acquire(size_t bytes, bool guarded);
void release(const Memory& memory);
void protect(const Memory& memory, bool accessible);

// Runs a kernel to its end.
struct Launch {
  dim3 grid, block, cluster;
  size_t shared;
  std::function<void()> body;
};
void run(const Launch& launch);

}  // namespace kpflow::emulated
