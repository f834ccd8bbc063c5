// The local maps of single nodes on a block of s probes, arrays [s, k, n] of which node j has the columns from node.begin on: what
// perturbations of a node's inputs and weights do to it, and back.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/snapshot.cuh"

namespace kpflow::cuda {

// out_j = injected_j + sign (D_h f_j source + D_theta f_j theta). theta [s k / group_rows, p], group_rows k or T.
template <class T>
struct Tangent {
  int64_t s;
  const T* injected;  // or nullptr: zero
  const T* source;    // read where live
  T sign;
  const T* theta;  // or nullptr: zero
  int64_t group_rows;
  T* out;
  const std::vector<bool>& live;  // the nodes whose part of source is not zero
};

// Writes node j's part of out; false where that is zero because nothing reaches it.
template <class T>
bool local_tangent(Context& context, const Graph<T>& graph, int64_t j, const Tangent<T>& call);

// target += sign (D_h f_j)* source_j, into the inputs of node j from `from` on; theta (of the parameters of node j) =
// (D_theta f_j)* source_j. target or theta may be nullptr.
template <class T>
struct Cotangent {
  int64_t s;
  const T* source;
  T* target;
  T sign;
  int64_t from;
  T* theta;
  int64_t group_rows;
  T* overwritten;  // source, if its part may be changed, or nullptr
};

template <class T>
void local_cotangent(Context& context, const Graph<T>& graph, int64_t j, const Cotangent<T>& call);

}  // namespace kpflow::cuda
