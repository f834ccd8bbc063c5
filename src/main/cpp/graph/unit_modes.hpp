// Leading modes of K of a graph: every unit of a node is a block by itself.
#pragma once

#include "graph/snapshot.hpp"
#include "linalg/unit_modes.hpp"

namespace kpflow {

// The modes of units first..first+count-1 of the state with eigenvalues above cut. A weight W or a bias has slopes phi' and the
// Gram matrix gram_first; gamma of a layer norm has slopes xhat and gram_second, 1 1^T. nullptr for a kind without weights.
template <class T>
void unit_modes(const Graph<T>& graph, kpflow_context& context, const double* gram_first, const double* gram_second,
                int64_t first, int64_t count, double tolerance, double cut, const UnitModes& out,
                const Progress& progress);

}  // namespace kpflow
