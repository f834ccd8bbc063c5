// Leading modes of K = D_theta f (D_theta f)*, which does not mix units: K is the direct sum of one block per unit.
#pragma once

#include "recurrent/snapshot.hpp"

namespace kpflow {

// Where the modes of one unit go: at most `most` of them, row r of modes [most, m k] being a unit eigenvector and values[r]
// its eigenvalue, descending. rank tells how many there are; if it is above most, none is written. rest receives bounds
// on what the modes leave out of the block: its norm and its trace.
struct UnitModes {
  int64_t most;
  int64_t* rank;
  double* modes;
  double* values;
  double* rest;
};

// The modes of units first..first+count-1 with eigenvalues above cut; out[u] for each. gram_input and gram_hidden [k, k] are
// the sums of V V^T over the trainable families of a side, or nullptr for a side without any.
template <class T>
void unit_modes(const Snapshot<T>& net, kpflow_context& context, const double* gram_input, const double* gram_hidden,
                int64_t first, int64_t count, double tolerance, double cut, const UnitModes& out,
                const Progress& progress);

}  // namespace kpflow
