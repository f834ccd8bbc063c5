#include <algorithm>

#include "recurrent/graphs.cuh"

namespace kpflow::cuda {

namespace {
constexpr size_t kMost = 16;  // sweeps that are remembered

void destroy(cudaGraphExec_t graph) {
  if (graph == nullptr) return;
  (void)cudaDeviceSynchronize();  // it may be running
  cudaGraphExecDestroy(graph);
}
}  // namespace

SweepGraphs::~SweepGraphs() { clear(); }

bool SweepGraphs::repeats(const SweepKey& key) {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) { return entry.key == key; });
  if (found != entries_.end()) {
    std::rotate(found, found + 1, entries_.end());
    return true;
  }
  if (entries_.size() == kMost) {
    destroy(entries_[0].graph);
    entries_.erase(entries_.begin());
  }
  entries_.push_back({key, nullptr});
  return false;
}

cudaGraphExec_t& SweepGraphs::graph_of(const SweepKey& key) {
  for (Entry& entry : entries_) {
    if (entry.key == key) return entry.graph;
  }
  fail(KPFLOW_INTERNAL, "cuda: a sweep that was not asked for before");
}

void SweepGraphs::clear() {
  for (const Entry& entry : entries_) destroy(entry.graph);
  entries_.clear();
}

SweepGraphs::Capture::Capture(cudaStream_t stream) : stream_(stream) {
  // Other threads may go on allocating memory.
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "recording a sweep");
}

SweepGraphs::Capture::~Capture() {
  cudaGraph_t graph = nullptr;
  if (open_ && cudaStreamEndCapture(stream_, &graph) == cudaSuccess && graph != nullptr) cudaGraphDestroy(graph);
  if (open_) (void)cudaGetLastError();
}

cudaGraphExec_t SweepGraphs::Capture::end() const {
  cudaGraph_t graph = nullptr;
  open_ = false;
  check(cudaStreamEndCapture(stream_, &graph), "recording a sweep");
  cudaGraphExec_t executable = nullptr;
  const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
  cudaGraphDestroy(graph);
  check(status, "recording a sweep");
  return executable;
}

}  // namespace kpflow::cuda
