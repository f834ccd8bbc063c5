// A feed-forward model, linearized, on the card: its weights, the values of its nodes and the derivatives along them.
#pragma once

#include <cstdint>
#include <vector>

#include "core/context.cuh"
#include "graph/layout.hpp"

namespace kpflow::cuda {

// One node and what its local derivatives need. Row r is (b, t), k of them.
template <class T>
struct GraphNode : NodeLayout {
  DeviceArray<T> weight, bias;  // as given; empty where there is none
  DeviceArray<T> value;         // [k, units]
  DeviceArray<T> slope;         // linear: phi' [k, units], empty for the identity
  DeviceArray<T> xhat,
      scale;                 // layer norm: (v - mean v) / sqrt(var v + epsilon) [k, units], that divisor's inverse [k]
  DeviceArray<T> attention;  // A [B, heads, T, T], zero above the diagonal where it is causal
  DeviceArray<T> queries, keys, contents;  // attention: Q, K and Z by heads, [B, heads, T, size]
};

template <class T>
struct Graph : GraphSizes {
  using Node = GraphNode<T>;

  // Takes over a checked description and its weights. Arrays keep their memory where it is enough.
  void assign(Context& context, const kpflow_graph& model);

  int64_t count() const { return static_cast<int64_t>(nodes.size()); }
  const GraphNode<T>& node(int64_t j) const { return nodes[static_cast<size_t>(j)]; }
  const T* value(int64_t source) const { return source < 0 ? input.data() : node(source).value.data(); }

  DeviceArray<T> input;  // x, [k, n_in]
  std::vector<GraphNode<T>> nodes;
};

// Bytes of all arrays; reads a checked description's sizes only.
template <class T>
int64_t graph_bytes(const kpflow_graph& model);

// Runs the model along its own state, or along model.trajectory, and fills values and derivatives.
template <class T>
void run_graph(Graph<T>& graph, Context& context, const kpflow_graph& model, const Progress& progress);

}  // namespace kpflow::cuda
