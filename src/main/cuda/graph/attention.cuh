// Attention of all trials and heads: S = Q K^T / sqrt(d), A = softmax(S), out = A Z, and its derivatives on a block of probes.
//
// Probes are made rows or columns of a few large products, one for each pair of trial and head: perturbations are packed by heads
// as [B, heads, T, s, d] (steps first) or [B, heads, s, T, d] (probes first), scores are [B, heads, T, s, T].
#pragma once

#include <cstdint>

#include "graph/local.cuh"

namespace kpflow::cuda {

// Fills the value, A, queries, keys and contents.
template <class T>
void attend(Context& context, const Graph<T>& graph, GraphNode<T>& node);

// Elements of scratch for one probe: packed perturbations and scores.
template <class T>
int64_t attention_scratch(const Graph<T>& graph, const GraphNode<T>& node);

// out = A dZ + dA Z, dA = A (dS - sum(A dS)), dS = (dQ K^T + Q dK^T) / sqrt(d), and its adjoint.
template <class T>
bool attention_tangent(Context& context, const Graph<T>& graph, const GraphNode<T>& node, const Tangent<T>& call);
template <class T>
void attention_cotangent(Context& context, const Graph<T>& graph, const GraphNode<T>& node, const Cotangent<T>& call);

}  // namespace kpflow::cuda
