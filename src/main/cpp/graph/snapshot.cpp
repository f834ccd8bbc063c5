#include "graph/snapshot.hpp"

#include <algorithm>
#include <cmath>

#include "core/activation.hpp"
#include "core/simd.hpp"
#include "core/status.hpp"
#include "graph/attention.hpp"

namespace kpflow {

namespace {

constexpr int64_t kChunk = 256;  // rows whose values are computed at once

bool reads_packed_sites(const kpflow_node& node) {
  return node.kind == KPFLOW_NODE_LINEAR && (node.trainable & 1) != 0;
}

template <class T>
void copy(Array<T>& target, const void* source, int64_t count) {
  target.resize(count);
  std::copy_n(static_cast<const T*>(source), count, target.data());
}

template <class Activation, class T>
KPFLOW_INLINE void activate(int64_t count, T* value, T* slope) {
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) {
    const T z = value[i], y = Activation::value(z);
    value[i] = y;
    slope[i] = Activation::slope(z, y);
  }
}
KPFLOW_CLONES void activate_tanh(int64_t count, float* value, float* slope) { activate<Tanh>(count, value, slope); }
KPFLOW_CLONES void activate_tanh(int64_t count, double* value, double* slope) { activate<Tanh>(count, value, slope); }

template <class T>
void linear_rows(const Graph<T>& graph, GraphNode<T>& node, int64_t first, int64_t rows) {
  const int64_t units = node.units;
  T* value = node.value.data() + first * units;
  node.forward.multiply(rows, graph.value(node.input[0]) + first * node.width, value);
  if (node.has_bias) {
    for (int64_t i = 0; i < rows * units; ++i) value[i] += node.bias[i % units];
  }
  T* slope = node.slope.data() + first * units;
  switch (node.activation) {
    case KPFLOW_TANH:
      return activate_tanh(rows * units, value, slope);
    case KPFLOW_RELU:
      return activate<Relu>(rows * units, value, slope);
    case KPFLOW_GELU:
      return activate<Gelu>(rows * units, value, slope);
    default:
      return;
  }
}

template <class T>
void norm_rows(const Graph<T>& graph, GraphNode<T>& node, int64_t first, int64_t rows) {
  const int64_t units = node.units;
  for (int64_t r = first; r < first + rows; ++r) {
    const T* v = graph.value(node.input[0]) + r * units;
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < units; ++i) mean += v[i];
    mean /= static_cast<double>(units);
    for (int64_t i = 0; i < units; ++i) variance += (v[i] - mean) * (v[i] - mean);
    const double scale = 1 / std::sqrt(variance / static_cast<double>(units) + node.epsilon);
    node.scale[r] = static_cast<T>(scale);
    for (int64_t i = 0; i < units; ++i) {
      const T xhat = node.xhat[r * units + i] = static_cast<T>((v[i] - mean) * scale);
      node.value[r * units + i] =
          (node.has_weight ? node.weight[i] * xhat : xhat) + (node.has_bias ? node.bias[i] : T(0));
    }
    if (!(node.scale[r] > T(0))) node.value[r * units] = static_cast<T>(NAN);  // the variance overflows
  }
}

template <class T>
void add_rows(const Graph<T>& graph, GraphNode<T>& node, int64_t first, int64_t rows) {
  const T *left = graph.value(node.input[0]), *right = graph.value(node.input[1]);
  for (int64_t i = first * node.units; i < (first + rows) * node.units; ++i) node.value[i] = left[i] + right[i];
}

template <class T>
void require_finite(const kpflow_graph& model, const GraphNode<T>& node, int64_t j, int64_t first, int64_t rows) {
  for (int64_t i = first * node.units; i < (first + rows) * node.units; ++i) {
    if (!std::isfinite(node.value[i])) refuse_value(model, model.nodes[j], i);
  }
}

}  // namespace

template <class T>
int64_t graph_bytes(const kpflow_graph& model) {
  TotalSize total;
  const int64_t rows = checked_product(model.trials, model.steps);
  std::vector<bool> packed(static_cast<size_t>(model.count + 1));
  total.add(rows, model.inputs);
  for (int64_t j = 0; j < model.count; ++j) {
    const kpflow_node& node = model.nodes[j];
    const int64_t width = source_width(model, node.inputs[0]);
    total.add(rows, node.units);
    if (node.kind == KPFLOW_NODE_LINEAR) {
      constexpr int64_t kPadding = 128;  // of a packed matrix's columns, at most
      total.add(node.units, width);
      total.add(node.units + kPadding, width);
      total.add(width + kPadding, node.units);
      if (node.activation != KPFLOW_IDENTITY) total.add(rows, node.units);
      if (reads_packed_sites(node) && !packed[static_cast<size_t>(node.inputs[0] + 1)]) {
        packed[static_cast<size_t>(node.inputs[0] + 1)] = true;
        total.add(rows, width + kPadding);
      }
    } else if (node.kind == KPFLOW_NODE_ATTENTION) {
      total.add(rows, 2 * node.units);
      total.add(checked_product(rows, model.steps), node.heads);
    } else if (node.kind == KPFLOW_NODE_LAYER_NORM) {
      total.add(rows, node.units + 1);
    }
  }
  return total.get() * static_cast<int64_t>(sizeof(T));
}

template <class T>
void Graph<T>::assign(const kpflow_graph& model) {
  static_cast<GraphSizes&>(*this) = {model.trials, model.steps, model.inputs};
  packed_size = scratch = 0;
  has_attention = false;
  const int64_t k = rows();
  copy(input, model.input, k * inputs);
  packed_sites.resize(static_cast<size_t>(model.count + 1));
  nodes.resize(static_cast<size_t>(model.count));
  for (int64_t j = 0; j < model.count; ++j) {
    const kpflow_node& given = model.nodes[j];
    GraphNode<T>& node = nodes[static_cast<size_t>(j)];
    static_cast<NodeLayout&>(node) = lay_out(model, j, *this);
    copy(node.weight, given.weight, node.weights);
    copy(node.bias, given.bias, node.has_bias ? node.units : 0);
    node.value.resize(k * node.units);
    node.slope.resize(node.activation != KPFLOW_IDENTITY ? k * node.units : 0);
    if (node.kind == KPFLOW_NODE_LINEAR) {
      node.forward.pack(true, node.width, node.units, node.weight.data());
      node.adjoint.pack(false, node.units, node.width, node.weight.data());
    } else if (node.kind == KPFLOW_NODE_LAYER_NORM) {
      node.xhat.resize(k * node.units);
      node.scale.resize(k);
    } else if (node.kind == KPFLOW_NODE_ATTENTION) {
      has_attention = true;
      node.attention.resize(k * steps * node.heads);
      node.keys.resize(k * node.units);
      node.values.resize(k * node.units);
      scratch = std::max(scratch, attention_scratch(*this, node));
    }
    node.packed_offset = -1;
    if (reads_packed_sites(given)) {
      node.packed_offset = packed_size;
      packed_size += kpflow::packed_size<T>(node.width, node.units);
    }
  }
}

template <class T>
void run_graph(Graph<T>& graph, kpflow_context& context, const kpflow_graph& model, const Progress& progress) {
  const int64_t k = graph.rows();
  const T* given = static_cast<const T*>(model.trajectory);
  for (int64_t j = 0; j < graph.count(); ++j) {
    GraphNode<T>& node = graph.nodes[static_cast<size_t>(j)];
    const bool attention = node.kind == KPFLOW_NODE_ATTENTION;
    const int64_t chunk = attention ? graph.steps : kChunk;
    context.pool.run(pieces(k, chunk), [&](int64_t task, int) {
      progress.advance();
      const int64_t first = task * chunk, rows = std::min(chunk, k - first);
      if (attention) {
        attend(graph, node, task);
      } else if (node.kind == KPFLOW_NODE_LINEAR) {
        linear_rows(graph, node, first, rows);
      } else if (node.kind == KPFLOW_NODE_LAYER_NORM) {
        norm_rows(graph, node, first, rows);
      } else {
        add_rows(graph, node, first, rows);
      }
      require_finite(model, node, j, first, rows);
      if (given == nullptr) return;
      for (int64_t r = first; r < first + rows; ++r) {
        std::copy_n(given + r * graph.units + node.begin, node.units, node.value.data() + r * node.units);
      }
      require_finite(model, node, j, first, rows);
    });
  }
  std::vector<bool> packed(static_cast<size_t>(graph.count() + 1));
  for (int64_t j = 0; j < graph.count(); ++j) {
    if (!reads_packed_sites(model.nodes[j])) continue;
    const int64_t source = graph.node(j).input[0];
    const size_t at = static_cast<size_t>(source + 1);
    if (!packed[at]) graph.packed_sites[at].pack(false, k, graph.width(source), graph.value(source));
    packed[at] = true;
  }
}

#define KPFLOW_GRAPH(T)                                 \
  template struct Graph<T>;                             \
  template int64_t graph_bytes<T>(const kpflow_graph&); \
  template void run_graph<T>(Graph<T>&, kpflow_context&, const kpflow_graph&, const Progress&);
KPFLOW_GRAPH(float)
KPFLOW_GRAPH(double)
#undef KPFLOW_GRAPH

}  // namespace kpflow
