// The local maps of single nodes on a panel: what perturbations of a node's inputs and weights do to it, and back.
#pragma once

#include <algorithm>
#include <cstdint>

#include "graph/snapshot.hpp"

namespace kpflow {

// Rows first..first+rows-1 of a block [s k], whole trials where the graph has attention, with a perturbation or cotangent of
// every node, [rows, units] one after the other, and scratch.
template <class T>
struct Panel {
  Panel(const Graph<T>& of, int64_t first_row, int64_t row_count, T* memory)
      : graph(of),
        first(first_row),
        rows(row_count),
        blocks(memory),
        spare(blocks + rows * of.units),
        scratch(spare + rows * of.widest),
        live(reinterpret_cast<bool*>(scratch + of.scratch)) {
    std::fill_n(live, of.count(), false);
  }
  // Elements of memory that a panel of so many rows needs.
  static int64_t elements(const Graph<T>& graph, int64_t rows) {
    return rows * (graph.units + graph.widest) + graph.scratch + graph.count();
  }

  T* block(int64_t j) const { return blocks + rows * graph.node(j).begin; }

  // Calls body(first row in the panel, rows, group) for every part of the panel inside one group of `size` rows of the block;
  // size divides k or is k, so that these rows follow one another in the arrays of a node.
  template <class Body>
  void for_groups(int64_t size, const Body& body) const {
    for (int64_t at = 0; at < rows;) {
      const int64_t group = (first + at) / size, count = std::min(rows - at, (group + 1) * size - first - at);
      body(at, count, group);
      at += count;
    }
  }
  // The row of a node's arrays that a row of the panel belongs to.
  int64_t record(int64_t at) const { return (first + at) % graph.rows(); }

  const Graph<T>& graph;
  int64_t first, rows;
  T *blocks, *spare, *scratch;
  bool* live;  // of each node: its block has been written; otherwise it is zero
};

// Perturbed weights, theta [groups, p], each for group_rows rows of the block; packed holds the weights of linear nodes as right
// sides of products. theta is nullptr where the weights stay.
template <class T>
struct Perturbation {
  const T* theta;
  const T* packed;
  int64_t group_rows;
};

// Gradients [groups, p] from first_group on, added to; theta is nullptr where none is wanted.
template <class T>
struct Gradient {
  T* theta;
  int64_t group_rows, first_group;
};

// y = the perturbation of node j from those of its inputs (the live blocks) and weights; false, and y untouched, if it is zero.
template <class T>
bool local_tangent(const Panel<T>& panel, int64_t j, const Perturbation<T>& weights, T* y);

// The adjoint, which overwrites the cotangent a of node j: adds to the gradient and, with propagate, to the blocks of its inputs.
template <class T>
void local_cotangent(const Panel<T>& panel, int64_t j, const Gradient<T>& gradient, bool propagate, T* a);

}  // namespace kpflow
