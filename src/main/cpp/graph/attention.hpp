// Attention of one trial and head: S = Q K^T / sqrt(d), A = softmax(S), out = A Z, and its derivatives.
#pragma once

#include <cstdint>

#include "graph/snapshot.hpp"

namespace kpflow {

// Elements of scratch that the derivatives below need.
template <class T>
int64_t attention_scratch(const Graph<T>& graph, const GraphNode<T>& node);

// Fills the value, A, keys and values of one trial.
template <class T>
void attend(const Graph<T>& graph, GraphNode<T>& node, int64_t trial);

// out = A dZ + dA Z, dA = A (dS - sum(A dS)), dS = (dQ K^T + Q dK^T) / sqrt(d), for all heads of one trial: [T, units] each;
// an input of nullptr is zero, one of them is not.
template <class T>
void attention_tangent(const Graph<T>& graph, const GraphNode<T>& node, int64_t trial, const T* const (&inputs)[3],
                       T* out, T* scratch);

// The adjoint: inputs[i] += what a [T, units] gives them, but for those that are nullptr.
template <class T>
void attention_cotangent(const Graph<T>& graph, const GraphNode<T>& node, int64_t trial, const T* a,
                         T* const (&inputs)[3], T* scratch);

}  // namespace kpflow
