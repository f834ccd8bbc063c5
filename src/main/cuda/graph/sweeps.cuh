// The sweeps through a graph on a block of probes, node by node: forward with perturbations, backward with cotangents. Arrays
// [s, k, n] are read and written in place, a node's part being n wide rows' columns.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/snapshot.cuh"

namespace kpflow::cuda {

// Elements of scratch that a sweep needs for one probe.
template <class T>
int64_t sweep_scratch(const Graph<T>& graph);

// out [s, k, n] = P (in + D_theta f theta), its inverse on in, or D_theta f theta; in or theta may be nullptr. theta is
// [s k / group_rows, p] with group_rows k or T.
template <class T>
void forward(Context& context, const Graph<T>& graph, Sweep sweep, int64_t s, const T* in, const T* theta,
             int64_t group_rows, T* out, const Progress& progress);

// out = P out, where only node `first`'s part of out is given and that of all others is zero, whatever it holds.
template <class T>
void forward_from(Context& context, const Graph<T>& graph, int64_t first, int64_t s, T* out, const Progress& progress);

// out [s, k, n] = P* in or its inverse, from the last node to the one after `last`; the parts of nodes before `last` are not
// meant to be read.
template <class T>
void reverse(Context& context, const Graph<T>& graph, Sweep sweep, int64_t last, int64_t s, const T* in, T* out,
             const Progress& progress);

// theta [s k / group_rows, p] = (D_theta f)* P* in or (D_theta f)* in.
template <class T>
void gradient(Context& context, const Graph<T>& graph, Sweep sweep, int64_t s, const T* in, T* theta,
              int64_t group_rows, const Progress& progress);

}  // namespace kpflow::cuda
