#include <algorithm>

#include "recurrent/graphs.cuh"

namespace kpflow::cuda {

namespace {
constexpr size_t kMost = 16;  // sweeps that are remembered

// One that is running is freed when it has ended.
void destroy(cudaGraphExec_t graph) {
  if (graph != nullptr) cudaGraphExecDestroy(graph);
}
}  // namespace

SweepGraphs::~SweepGraphs() { clear(); }

bool SweepGraphs::repeats(const SweepKey& key) {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.key == key; });
  if (found == entries_.end()) return false;
  std::rotate(found, found + 1, entries_.end());
  return true;
}

void SweepGraphs::remember(const SweepKey& key) {
  if (entries_.size() == kMost) {
    destroy(entries_[0].graph);
    entries_.erase(entries_.begin());
  }
  entries_.push_back({key});
}

SweepGraphs::Entry& SweepGraphs::entry_of(const SweepKey& key) {
  for (Entry& entry : entries_) {
    if (entry.key == key) return entry;
  }
  fail(KPFLOW_INTERNAL, "cuda: a sweep that was not asked for before");
}

void SweepGraphs::clear() {
  for (const Entry& entry : entries_) destroy(entry.graph);
  entries_.clear();
}

bool SweepGraphs::begin_capture(cudaStream_t stream) {
  // Other threads may go on allocating memory.
  if (cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess) return true;
  (void)cudaGetLastError();
  return false;
}

cudaGraphExec_t SweepGraphs::end_capture(cudaStream_t stream) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  if (cudaStreamEndCapture(stream, &graph) != cudaSuccess ||
      cudaGraphInstantiate(&executable, graph, 0) != cudaSuccess) {
    (void)cudaGetLastError();
    executable = nullptr;
  }
  if (graph != nullptr) cudaGraphDestroy(graph);
  return executable;
}

}  // namespace kpflow::cuda
