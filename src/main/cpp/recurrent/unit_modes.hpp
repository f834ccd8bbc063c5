// Leading modes of K = D_theta f (D_theta f)*, which does not mix units: K is the direct sum of one block per unit.
#pragma once

#include "linalg/unit_modes.hpp"
#include "recurrent/snapshot.hpp"

namespace kpflow {

// The modes of units first..first+count-1 with eigenvalues above cut. gram_first [k, k] is the sum of V V^T over the trainable
// families that read the input, with slopes C, gram_second over those that read the state, with slopes A; nullptr without any.
template <class T>
void unit_modes(const Snapshot<T>& net, kpflow_context& context, const double* gram_first, const double* gram_second,
                int64_t first, int64_t count, double tolerance, double cut, const UnitModes& out,
                const Progress& progress);

}  // namespace kpflow
