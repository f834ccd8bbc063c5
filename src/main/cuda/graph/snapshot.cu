#include <cmath>

#include "graph/attention.cuh"
#include "graph/rows.cuh"
#include "graph/snapshot.cuh"
#include "linalg/gemm.cuh"

namespace kpflow::cuda {

namespace {

template <class T>
void copy(Context& context, DeviceArray<T>& target, const void* source, int64_t count) {
  context.copy_in(target.resize(count), source, count);
}

template <class T>
void linear_values(Context& context, const Graph<T>& graph, GraphNode<T>& node) {
  multiply<T>(context, {false, true, graph.rows(), node.units, node.width, T(1), graph.value(node.input[0]), node.width,
                        node.weight.data(), node.width, T(0), node.value.data(), node.units});
  activate<T>(context, node.activation, graph.rows(), node.units, node.has_bias ? node.bias.data() : nullptr,
              node.value.data(), node.slope.data());
}

template <class T>
void add_values(Context& context, const Graph<T>& graph, GraphNode<T>& node) {
  const T *left = graph.value(node.input[0]), *right = graph.value(node.input[1]);
  T* value = node.value.data();
  for_each(context.stream, graph.rows() * node.units, [=] __device__(int64_t i) { value[i] = left[i] + right[i]; });
}

// first_bad becomes the first element that is not finite, of the node's own values or of the trajectory's, which take their place.
template <class T>
void check_values(Context& context, const Graph<T>& graph, GraphNode<T>& node, const T* trajectory,
                  unsigned long long* first_bad) {
  T* value = node.value.data();
  const int64_t units = node.units, n = graph.units, begin = node.begin;
  for_rows(context.stream, 1, graph.rows(), units, [=] __device__(int64_t, int64_t r, int64_t c) {
    const int64_t at = r * units + c;
    bool good = isfinite(value[at]);
    if (trajectory != nullptr) {
      value[at] = trajectory[r * n + begin + c];
      good = good && isfinite(value[at]);
    }
    if (!good) atomicMin(first_bad, static_cast<unsigned long long>(at));
  });
}

}  // namespace

template <class T>
int64_t graph_bytes(const kpflow_graph& model) {
  TotalSize total;
  GraphSizes sizes{model.trials, model.steps, model.inputs};
  const int64_t rows = checked_product(model.trials, model.steps);
  total.add(rows, model.inputs);
  for (int64_t j = 0; j < model.count; ++j) {
    const NodeLayout node = lay_out(model, j, sizes);
    total.add(rows, node.units);
    total.add(node.has_weight ? node.units : 0, node.kind == KPFLOW_NODE_LINEAR ? node.width : 1);
    if (node.activation != KPFLOW_IDENTITY) total.add(rows, node.units);
    if (node.kind == KPFLOW_NODE_ATTENTION) {
      total.add(rows, 3 * node.units);
      total.add(checked_product(rows, model.steps), node.heads);
    } else if (node.kind == KPFLOW_NODE_LAYER_NORM) {
      total.add(rows, node.units + 1);
    }
  }
  return total.get() * static_cast<int64_t>(sizeof(T));
}

template <class T>
void Graph<T>::assign(Context& context, const kpflow_graph& model) {
  static_cast<GraphSizes&>(*this) = {model.trials, model.steps, model.inputs};
  const int64_t k = rows();
  copy(context, input, model.input, k * inputs);
  nodes.resize(static_cast<size_t>(model.count));
  for (int64_t j = 0; j < model.count; ++j) {
    GraphNode<T>& node = nodes[static_cast<size_t>(j)];
    static_cast<NodeLayout&>(node) = lay_out(model, j, *this);
    copy(context, node.weight, model.nodes[j].weight, node.weights);
    copy(context, node.bias, model.nodes[j].bias, node.has_bias ? node.units : 0);
    const bool norm = node.kind == KPFLOW_NODE_LAYER_NORM, attention = node.kind == KPFLOW_NODE_ATTENTION;
    node.value.resize(k * node.units);
    node.slope.resize(node.activation != KPFLOW_IDENTITY ? k * node.units : 0);
    node.xhat.resize(norm ? k * node.units : 0);
    node.scale.resize(norm ? k : 0);
    node.attention.resize(attention ? k * steps * node.heads : 0);
    for (DeviceArray<T>* heads : {&node.queries, &node.keys, &node.contents}) {
      heads->resize(attention ? k * node.units : 0);
    }
  }
}

template <class T>
void run_graph(Graph<T>& graph, Context& context, const kpflow_graph& model, const Progress& progress) {
  const int64_t count = graph.count();
  const T* trajectory = nullptr;
  if (model.trajectory != nullptr) {
    const int64_t size = graph.rows() * graph.units;
    T* given = context.scratch<T>(Scratch::kState, size);
    context.copy_in(given, model.trajectory, size);
    trajectory = given;
  }
  auto* bad = context.scratch<unsigned long long>(Scratch::kSmall, count);
  check(cudaMemsetAsync(bad, 0xff, static_cast<size_t>(count) * sizeof(*bad), context.stream), "preparing checks");
  for (int64_t j = 0; j < count; ++j) {
    progress.advance();
    GraphNode<T>& node = graph.nodes[static_cast<size_t>(j)];
    if (node.kind == KPFLOW_NODE_ATTENTION) {
      attend(context, graph, node);
    } else if (node.kind == KPFLOW_NODE_LINEAR) {
      linear_values(context, graph, node);
    } else if (node.kind == KPFLOW_NODE_LAYER_NORM) {
      norm_values<T>(context, graph.rows(), node.units, node.epsilon, graph.value(node.input[0]),
                     node.has_weight ? node.weight.data() : nullptr, node.has_bias ? node.bias.data() : nullptr,
                     node.xhat.data(), node.scale.data(), node.value.data());
    } else {
      add_values(context, graph, node);
    }
    check_values(context, graph, node, trajectory, bad + j);
  }
  std::vector<unsigned long long> first(static_cast<size_t>(count));
  context.copy_out(first.data(), bad, count);
  for (int64_t j = 0; j < count; ++j) {
    const auto at = static_cast<int64_t>(first[static_cast<size_t>(j)]);
    if (at >= 0) refuse_value(model, model.nodes[j], at);
  }
}

#define KPFLOW_GRAPH(T)                                 \
  template struct Graph<T>;                             \
  template int64_t graph_bytes<T>(const kpflow_graph&); \
  template void run_graph<T>(Graph<T>&, Context&, const kpflow_graph&, const Progress&);
KPFLOW_GRAPH(float)
KPFLOW_GRAPH(double)
#undef KPFLOW_GRAPH

}  // namespace kpflow::cuda
