#include "graph/attention.cuh"
#include "graph/local.cuh"
#include "graph/sweeps.cuh"

namespace kpflow::cuda {

template <class T>
int64_t sweep_scratch(const Graph<T>& graph) {
  int64_t most = graph.rows() * graph.widest;
  for (const GraphNode<T>& node : graph.nodes) {
    if (node.kind == KPFLOW_NODE_ATTENTION) most = std::max(most, attention_scratch(graph, node));
  }
  return graph.rows() * graph.units + most;  // a state, and what one node needs
}

template <class T>
void forward(Context& context, const Graph<T>& graph, Sweep sweep, int64_t s, const T* in, const T* theta,
             int64_t group_rows, T* out, const Progress& progress) {
  const bool inverse = sweep == Sweep::kInverse;
  std::vector<bool> live(static_cast<size_t>(graph.count()), inverse);
  progress.advance(s * graph.rows());
  for (int64_t j = 0; j < graph.count(); ++j) {
    progress.advance();
    const bool reached = local_tangent<T>(
        context, graph, j, {s, in, inverse ? in : out, inverse ? T(-1) : T(1), theta, group_rows, out, live});
    if (sweep == Sweep::kPropagate) live[static_cast<size_t>(j)] = reached;
  }
}

template <class T>
void forward_from(Context& context, const Graph<T>& graph, int64_t first, int64_t s, T* out, const Progress& progress) {
  std::vector<bool> live(static_cast<size_t>(graph.count()), false);
  progress.advance(s * graph.rows());
  for (int64_t j = 0; j < graph.count(); ++j) {
    progress.advance();
    live[static_cast<size_t>(j)] =
        j == first || local_tangent<T>(context, graph, j, {s, nullptr, out, T(1), nullptr, graph.rows(), out, live});
  }
}

template <class T>
void reverse(Context& context, const Graph<T>& graph, Sweep sweep, int64_t last, int64_t s, const T* in, T* out,
             const Progress& progress) {
  const bool inverse = sweep == Sweep::kInverse;
  context.copy_in(out, in, s * graph.rows() * graph.units);
  progress.advance(s * graph.rows());
  for (int64_t j = graph.count() - 1; j > last; --j) {
    progress.advance();
    local_cotangent<T>(context, graph, j,
                       {s, inverse ? in : out, out, inverse ? T(-1) : T(1), std::max<int64_t>(last, 0), nullptr,
                        graph.rows(), nullptr});
  }
}

template <class T>
void gradient(Context& context, const Graph<T>& graph, Sweep sweep, int64_t s, const T* in, T* theta,
              int64_t group_rows, const Progress& progress) {
  const int64_t count = s * graph.rows() * graph.units;
  T* a = nullptr;
  if (sweep == Sweep::kPropagate) {
    a = context.scratch<T>(Scratch::kState, count);
    context.copy_in(a, in, count);
  }
  progress.advance(s * graph.rows());
  for (int64_t j = graph.count() - 1; j >= 0; --j) {
    progress.advance();
    local_cotangent<T>(context, graph, j, {s, a != nullptr ? a : in, a, T(1), 0, theta, group_rows, a});
  }
}

#define KPFLOW_SWEEPS(T)                                                                                       \
  template int64_t sweep_scratch<T>(const Graph<T>&);                                                          \
  template void forward<T>(Context&, const Graph<T>&, Sweep, int64_t, const T*, const T*, int64_t, T*,         \
                           const Progress&);                                                                   \
  template void forward_from<T>(Context&, const Graph<T>&, int64_t, int64_t, T*, const Progress&);             \
  template void reverse<T>(Context&, const Graph<T>&, Sweep, int64_t, int64_t, const T*, T*, const Progress&); \
  template void gradient<T>(Context&, const Graph<T>&, Sweep, int64_t, const T*, T*, int64_t, const Progress&);
KPFLOW_SWEEPS(float)
KPFLOW_SWEEPS(double)
#undef KPFLOW_SWEEPS

}  // namespace kpflow::cuda
