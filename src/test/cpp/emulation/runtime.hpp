// The state of the emulated device that its host side shares.
#pragma once

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "emulation.hpp"

using Work = std::function<void()>;

struct CUgraph_st {
  std::vector<Work> work;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread = std::this_thread::get_id();
  bool invalid = false;
};
struct CUgraphExec_st : CUgraph_st {};
struct CUstream_st {
  CUgraph_st* graph = nullptr;  // that it is being captured into
  bool origin = false;          // the stream at which that capture began
};
struct CUevent_st {
  std::chrono::steady_clock::time_point time{};
  bool recorded = false, timing = true;
  CUgraph_st* graph = nullptr;  // of the capture in which it was recorded
};

namespace kpflow::emulated {

struct Allocation {
  Memory memory;
  cudaMemoryType type;
};
struct Limits {
  int shared = 48 << 10;
  bool large_clusters = false;
};

// All there is of the device; one host thread at a time.
struct Device {
  std::recursive_mutex mutex;
  std::map<uintptr_t, Allocation> memory;  // by address
  std::map<const void*, Limits> limits;
  std::set<CUstream_st*> streams;
  CUstream_st standard;
  std::vector<Work> waiting;  // of all streams in the order of the calls, where lazy
  size_t used = 0;
  const size_t capacity = setting("MEMORY", 8ull << 30);
  const bool guarded = setting("GUARD", 0) != 0, lazy = setting("LAZY", 0) != 0;
  const int capability = static_cast<int>(setting("CAPABILITY", 90));
  const int ptx = static_cast<int>(setting("PTX", static_cast<unsigned long long>(capability)));
  const int shared_limit = (capability >= 90 ? 227 : 163) << 10;

  void protect_all(bool accessible) {
    if (!guarded) return;
    for (const auto& [address, allocation] : memory)
      if (allocation.type == cudaMemoryTypeDevice) protect(allocation.memory, accessible);
  }
  void perform(const std::vector<Work>& work) {
    protect_all(true);
    for (const Work& item : work) item();
    protect_all(false);
  }
  void flush() {
    const std::vector<Work> work = std::move(waiting);
    waiting.clear();
    if (!work.empty()) perform(work);
  }
  // The allocation that contains the address, or none.
  const Allocation* find(const void* pointer) const {
    const auto address = reinterpret_cast<uintptr_t>(pointer);
    auto after = memory.upper_bound(address);
    if (after == memory.begin()) return nullptr;
    const auto& [start, allocation] = *--after;
    return address - start < std::max<size_t>(allocation.memory.bytes, 1) ? &allocation : nullptr;
  }
  bool capturing() const {
    return std::any_of(streams.begin(), streams.end(), [](auto* stream) { return stream->graph; });
  }
  // Whether some capture forbids the calling thread what is not recorded, such as an allocation; that spoils it.
  bool forbidden() {
    bool found = false;
    for (CUstream_st* stream : streams) {
      CUgraph_st* graph = stream->graph;
      if (!graph || graph->mode == cudaStreamCaptureModeRelaxed) continue;
      if (graph->mode == cudaStreamCaptureModeThreadLocal && graph->thread != std::this_thread::get_id()) continue;
      graph->invalid = found = true;
    }
    return found;
  }
  CUstream_st* stream(cudaStream_t handle) {
    if (!handle) return &standard;
    return streams.count(handle) ? handle : nullptr;
  }
};
Device& device();
#define KPFLOW_DEVICE   \
  Device& d = device(); \
  std::lock_guard<std::recursive_mutex> lock(d.mutex)

// Passes an error on, and remembers it for cudaGetLastError.
cudaError_t result(cudaError_t error);

// Has a stream do work: records it, runs it, or lets it wait where lazy.
cudaError_t submit(Device& d, cudaStream_t stream, Work work, bool at_once = false);

}  // namespace kpflow::emulated
