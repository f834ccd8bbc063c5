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

  // Whether a sweep has been asked for before, so that it is worth recording; remembers it.
  bool repeats(const SweepKey& key);

  // Runs a sweep that repeats: body() starts its kernels, which are recorded the first time and replayed from then on.
  template <class Body>
  void run(Context& context, const SweepKey& key, const Body& body) {
    cudaGraphExec_t& graph = graph_of(key);
    if (graph == nullptr) {
      const Capture capture(context.stream);
      body();
      graph = capture.end();
    }
    check(cudaGraphLaunch(graph, context.stream), "replaying a sweep");
  }

  // Forgets all.
  void clear();

 private:
  struct Entry {
    SweepKey key;
    cudaGraphExec_t graph;
  };

  // A capture that ends with its scope, whatever is thrown in it.
  class Capture {
   public:
    explicit Capture(cudaStream_t stream);
    ~Capture();
    cudaGraphExec_t end() const;

   private:
    cudaStream_t stream_;
    mutable bool open_ = true;
  };

  cudaGraphExec_t& graph_of(const SweepKey& key);

  std::vector<Entry> entries_;  // the one used last at the end
};

}  // namespace kpflow::cuda
