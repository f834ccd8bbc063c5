// A feed-forward model, linearized: its weights, the values of its nodes and the derivatives along them.
#pragma once

#include <cstdint>
#include <vector>

#include "core/context.hpp"
#include "graph/layout.hpp"
#include "linalg/packed.hpp"

namespace kpflow {

// One node and what its local derivatives need. Row r is (b, t), k of them; v is the value of its input.
template <class T>
struct GraphNode : NodeLayout {
  int64_t packed_offset;  // of a perturbed weight among those packed for the forward sweep, -1 without one

  Array<T> weight, bias;             // as given; empty where there is none
  PackedMatrix<T> forward, adjoint;  // linear: W^T and W
  Array<T> value;                    // [k, units]
  Array<T> slope;                    // linear: phi' [k, units], empty for the identity
  Array<T> xhat, scale;   // layer norm: (v - mean v) / sqrt(var v + epsilon) [k, units], that divisor's inverse [k]
  Array<T> attention;     // A [B, heads, T, T], zero above the diagonal where it is causal
  Array<T> keys, values;  // attention: K^T and Z^T of every trial and head, [B, heads, d, T]
};

template <class T>
struct Graph : GraphSizes {
  using Node = GraphNode<T>;

  // Takes over a checked description and its weights. Arrays keep their memory where it is enough.
  void assign(const kpflow_graph& model);

  int64_t count() const { return static_cast<int64_t>(nodes.size()); }
  const GraphNode<T>& node(int64_t j) const { return nodes[static_cast<size_t>(j)]; }
  int64_t width(int64_t source) const { return source < 0 ? inputs : node(source).units; }
  const T* value(int64_t source) const { return source < 0 ? input.data() : node(source).value.data(); }
  // The values of a source as the right side of products over rows.
  const PackedMatrix<T>& sites(int64_t source) const { return packed_sites[static_cast<size_t>(source + 1)]; }

  int64_t packed_size;  // elements of one theta's packed weights
  int64_t scratch;      // elements that the derivatives of one node need
  bool has_attention;
  Array<T> input;  // x, [k, n_in]
  std::vector<GraphNode<T>> nodes;
  std::vector<PackedMatrix<T>> packed_sites;  // of x and of every node that a trainable linear node reads
};

// Bytes of all arrays; reads a checked description's sizes only.
template <class T>
int64_t graph_bytes(const kpflow_graph& model);

// Runs the model along its own state, or along model.trajectory, and fills values and derivatives.
template <class T>
void run_graph(Graph<T>& graph, kpflow_context& context, const kpflow_graph& model, const Progress& progress);

}  // namespace kpflow
