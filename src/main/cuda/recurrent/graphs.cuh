// Sweeps recorded as CUDA graphs: starting a hundred small kernels one by one takes longer than running them.
#pragma once

#include <cstdint>
#include <vector>

#include "core/context.cuh"

namespace kpflow::cuda {

// What a recording depends on, beside the layer that owns it: its arrays, and the scratch memory as it was.
struct SweepKey {
  bool adjoint;
  int64_t s;
  const void* in;
  void* out;
  int64_t scratch;
  bool operator==(const SweepKey& other) const {
    return adjoint == other.adjoint && s == other.s && in == other.in && out == other.out && scratch == other.scratch;
  }
};

// The sweeps of one layer that were asked for last.
class SweepGraphs {
 public:
  SweepGraphs() = default;
  SweepGraphs(SweepGraphs&& other) noexcept { std::swap(entries_, other.entries_); }
  SweepGraphs& operator=(SweepGraphs&& other) noexcept {
    std::swap(entries_, other.entries_);
    return *this;
  }
  SweepGraphs(const SweepGraphs&) = delete;
  SweepGraphs& operator=(const SweepGraphs&) = delete;
  ~SweepGraphs();

  // Whether a sweep is remembered, so that it is worth recording.
  bool repeats(const SweepKey& key);

  // Remembers a sweep that has run to its end: what it allocates is there, so that it can be recorded.
  void remember(const SweepKey& key);

  // Runs a sweep that repeats: body() starts its kernels, which are recorded the first time and replayed from then on. Where they
  // cannot be recorded, body() starts them every time.
  template <class Body>
  void run(Context& context, const SweepKey& key, const Body& body) {
    Entry& entry = entry_of(key);
    if (entry.graph == nullptr && entry.records) {
      entry.graph = record(context.stream, body);
      entry.records = entry.graph != nullptr;
    }
    if (entry.graph == nullptr) return body();
    check(cudaGraphLaunch(entry.graph, context.stream), "replaying a sweep");
  }

  // Forgets all.
  void clear();

 private:
  struct Entry {
    SweepKey key;
    cudaGraphExec_t graph = nullptr;
    bool records = true;  // false once recording has failed
  };

  // The kernels that body starts as a graph, nullptr where they cannot be recorded.
  template <class Body>
  static cudaGraphExec_t record(cudaStream_t stream, const Body& body) {
    if (!begin_capture(stream)) return nullptr;
    try {
      body();
    } catch (...) {  // what is wrong beside the recording shows when body runs without it
      end_capture(stream);
      return nullptr;
    }
    return end_capture(stream);
  }
  static bool begin_capture(cudaStream_t stream);
  static cudaGraphExec_t end_capture(cudaStream_t stream);

  Entry& entry_of(const SweepKey& key);

  std::vector<Entry> entries_;  // the one used last at the end
};

}  // namespace kpflow::cuda
