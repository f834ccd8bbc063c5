// Leading modes of K = D_theta f (D_theta f)*, which does not mix units: K is the direct sum of one block per unit.
#pragma once

#include "linalg/unit_modes.hpp"
#include "recurrent/snapshot.hpp"

namespace kpflow {

// The modes of units first..first+count-1 with eigenvalues above cut: slopes A on the hidden side, C on the input side.
// gram_input and gram_hidden [k, k] are the sums of V V^T over the trainable families of a side, nullptr for a side without.
template <class T>
void unit_modes(const Snapshot<T>& net, kpflow_context& context, const double* gram_input, const double* gram_hidden,
                int64_t first, int64_t count, double tolerance, double cut, const UnitModes& out,
                const Progress& progress);

}  // namespace kpflow
