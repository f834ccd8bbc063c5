#include "graph/panel.hpp"

#include "graph/attention.hpp"
#include "graph/rows.hpp"

namespace kpflow {

namespace {

template <class T>
const T* part(T* array, int64_t at) {
  return array == nullptr ? nullptr : array + at;
}

// phi' (W dv + dW v + db).
template <class T>
bool linear_tangent(const Panel<T>& panel, const GraphNode<T>& node, const Perturbation<T>& weights, T* y) {
  const Graph<T>& graph = panel.graph;
  const int64_t units = node.units, parent = node.input[0];
  const bool moved = parent >= 0 && panel.live[parent];
  const bool weight = weights.theta != nullptr && node.weight_offset >= 0;
  const bool bias = weights.theta != nullptr && node.bias_offset >= 0;
  if (!moved && !weight && !bias) return false;
  if (moved) node.forward.multiply(panel.rows, panel.block(parent), y);
  if (!moved && !weight) std::fill_n(y, panel.rows * units, T(0));
  panel.for_groups(weight || bias ? weights.group_rows : graph.rows(), [&](int64_t at, int64_t rows, int64_t group) {
    const int64_t record = panel.record(at);
    if (weight) {
      multiply_packed(
          {false, moved, rows, graph.value(parent) + record * node.width, node.width, y + at * units, units},
          node.width, units, weights.packed + group * graph.packed_size + node.packed_offset, 0, node.width);
    }
    const T* shift = bias ? weights.theta + group * graph.parameters + node.bias_offset : nullptr;
    scale_rows(rows, units, part(node.slope.data(), record * units), shift, y + at * units);
  });
  return true;
}

template <class T>
void linear_cotangent(const Panel<T>& panel, const GraphNode<T>& node, const Gradient<T>& gradient, bool propagate,
                      T* a) {
  const Graph<T>& graph = panel.graph;
  const int64_t units = node.units, parent = node.input[0];
  if (node.slope.size() > 0) {
    panel.for_groups(graph.rows(), [&](int64_t at, int64_t rows, int64_t) {
      scale_rows(rows, units, node.slope.data() + panel.record(at) * units, static_cast<const T*>(nullptr),
                 a + at * units);
    });
  }
  if (gradient.theta != nullptr && (node.weight_offset >= 0 || node.bias_offset >= 0)) {
    panel.for_groups(gradient.group_rows, [&](int64_t at, int64_t rows, int64_t group) {
      T* theta = gradient.theta + (group - gradient.first_group) * graph.parameters;
      if (node.weight_offset >= 0) {  // sum a v^T
        graph.sites(parent).multiply({true, true, units, a + at * units, units, theta + node.weight_offset, node.width},
                                     panel.record(at), rows);
      }
      if (node.bias_offset >= 0) {
        sum_rows(rows, units, a + at * units, static_cast<const T*>(nullptr), theta + node.bias_offset);
      }
    });
  }
  if (!propagate || parent < 0) return;
  node.adjoint.multiply({false, panel.live[parent], panel.rows, a, units, panel.block(parent), node.width}, 0, units);
  panel.live[parent] = true;
}

// gamma dxhat + dgamma xhat + dbeta.
template <class T>
bool norm_node_tangent(const Panel<T>& panel, const GraphNode<T>& node, const Perturbation<T>& weights, T* y) {
  const Graph<T>& graph = panel.graph;
  const int64_t units = node.units, parent = node.input[0];
  const bool moved = parent >= 0 && panel.live[parent];
  const bool weight = weights.theta != nullptr && node.weight_offset >= 0;
  const bool bias = weights.theta != nullptr && node.bias_offset >= 0;
  if (!moved && !weight && !bias) return false;
  if (!moved) std::fill_n(y, panel.rows * units, T(0));
  panel.for_groups(weight || bias ? weights.group_rows : graph.rows(), [&](int64_t at, int64_t rows, int64_t group) {
    const int64_t record = panel.record(at);
    const T* xhat = node.xhat.data() + record * units;
    if (moved) {
      norm_tangent(rows, units, node.has_weight ? node.weight.data() : nullptr, xhat, node.scale.data() + record,
                   panel.block(parent) + at * units, y + at * units);
    }
    if (weight || bias) {
      const T* theta = weights.theta + group * graph.parameters;
      affine_rows(rows, units, xhat, weight ? theta + node.weight_offset : nullptr,
                  bias ? theta + node.bias_offset : nullptr, y + at * units);
    }
  });
  return true;
}

template <class T>
void norm_node_cotangent(const Panel<T>& panel, const GraphNode<T>& node, const Gradient<T>& gradient, bool propagate,
                         T* a) {
  const Graph<T>& graph = panel.graph;
  const int64_t units = node.units, parent = node.input[0];
  if (gradient.theta != nullptr) {
    panel.for_groups(gradient.group_rows, [&](int64_t at, int64_t rows, int64_t group) {
      T* theta = gradient.theta + (group - gradient.first_group) * graph.parameters;
      if (node.weight_offset >= 0) {
        sum_rows(rows, units, a + at * units, node.xhat.data() + panel.record(at) * units, theta + node.weight_offset);
      }
      if (node.bias_offset >= 0) {
        sum_rows(rows, units, a + at * units, static_cast<const T*>(nullptr), theta + node.bias_offset);
      }
    });
  }
  if (!propagate || parent < 0) return;
  panel.for_groups(graph.rows(), [&](int64_t at, int64_t rows, int64_t) {
    const int64_t record = panel.record(at);
    norm_cotangent(rows, units, node.has_weight ? node.weight.data() : nullptr, node.xhat.data() + record * units,
                   node.scale.data() + record, a + at * units, panel.live[parent], panel.block(parent) + at * units);
  });
  panel.live[parent] = true;
}

template <class T>
bool sum_tangent(const Panel<T>& panel, const GraphNode<T>& node, T* y) {
  bool written = false;
  for (int i = 0; i < 2; ++i) {
    const int64_t parent = node.input[i];
    if (parent < 0 || !panel.live[parent]) continue;
    move_rows(panel.rows, node.units, panel.block(parent), node.units, written, y, node.units);
    written = true;
  }
  return written;
}

template <class T>
void sum_cotangent(const Panel<T>& panel, const GraphNode<T>& node, const T* a) {
  for (int i = 0; i < 2; ++i) {
    const int64_t parent = node.input[i];
    if (parent < 0) continue;
    move_rows(panel.rows, node.units, a, node.units, panel.live[parent], panel.block(parent), node.units);
    panel.live[parent] = true;
  }
}

// The blocks of Q, K and Z, nullptr where `used` says no, from a row on.
template <class T, class Used>
bool attention_blocks(const Panel<T>& panel, const GraphNode<T>& node, T* (&blocks)[3], const Used& used) {
  bool any = false;
  for (int i = 0; i < 3; ++i) {
    const int64_t parent = node.input[i];
    blocks[i] = parent >= 0 && used(parent) ? panel.block(parent) : nullptr;
    any = any || blocks[i] != nullptr;
  }
  return any;
}

template <class T>
bool attention_node_tangent(const Panel<T>& panel, const GraphNode<T>& node, T* y) {
  const int64_t steps = panel.graph.steps, size = steps * node.units;
  T* blocks[3];
  if (!attention_blocks(panel, node, blocks, [&](int64_t parent) { return panel.live[parent]; })) return false;
  for (int64_t i = 0; i < panel.rows / steps; ++i) {
    const T* inputs[3];
    for (int q = 0; q < 3; ++q) inputs[q] = part(blocks[q], i * size);
    attention_tangent(panel.graph, node, panel.record(i * steps) / steps, inputs, y + i * size, panel.scratch);
  }
  return true;
}

template <class T>
void attention_node_cotangent(const Panel<T>& panel, const GraphNode<T>& node, const T* a) {
  const int64_t steps = panel.graph.steps, size = steps * node.units;
  T* blocks[3];
  if (!attention_blocks(panel, node, blocks, [](int64_t) { return true; })) return;
  for (int q = 0; q < 3; ++q) {
    if (blocks[q] == nullptr || panel.live[node.input[q]]) continue;
    std::fill_n(blocks[q], panel.rows * node.units, T(0));
    panel.live[node.input[q]] = true;
  }
  for (int64_t i = 0; i < panel.rows / steps; ++i) {
    T* inputs[3];
    for (int q = 0; q < 3; ++q) inputs[q] = blocks[q] == nullptr ? nullptr : blocks[q] + i * size;
    attention_cotangent(panel.graph, node, panel.record(i * steps) / steps, a + i * size, inputs, panel.scratch);
  }
}

}  // namespace

template <class T>
bool local_tangent(const Panel<T>& panel, int64_t j, const Perturbation<T>& weights, T* y) {
  const GraphNode<T>& node = panel.graph.node(j);
  switch (node.kind) {
    case KPFLOW_NODE_LINEAR:
      return linear_tangent(panel, node, weights, y);
    case KPFLOW_NODE_LAYER_NORM:
      return norm_node_tangent(panel, node, weights, y);
    case KPFLOW_NODE_ATTENTION:
      return attention_node_tangent(panel, node, y);
    default:
      return sum_tangent(panel, node, y);
  }
}

template <class T>
void local_cotangent(const Panel<T>& panel, int64_t j, const Gradient<T>& gradient, bool propagate, T* a) {
  const GraphNode<T>& node = panel.graph.node(j);
  switch (node.kind) {
    case KPFLOW_NODE_LINEAR:
      return linear_cotangent(panel, node, gradient, propagate, a);
    case KPFLOW_NODE_LAYER_NORM:
      return norm_node_cotangent(panel, node, gradient, propagate, a);
    case KPFLOW_NODE_ATTENTION:
      if (propagate) attention_node_cotangent(panel, node, a);
      return;
    default:
      if (propagate) sum_cotangent(panel, node, a);
  }
}

template bool local_tangent<float>(const Panel<float>&, int64_t, const Perturbation<float>&, float*);
template bool local_tangent<double>(const Panel<double>&, int64_t, const Perturbation<double>&, double*);
template void local_cotangent<float>(const Panel<float>&, int64_t, const Gradient<float>&, bool, float*);
template void local_cotangent<double>(const Panel<double>&, int64_t, const Gradient<double>&, bool, double*);

}  // namespace kpflow
