// A tall matrix whose columns live on one unit each: U z = sum_c z_c u_c (x) e_unit(c), on states
// [k, L, m, H] of L layers with H units each.
#pragma once

#include "core/context.hpp"

namespace kpflow {

// Columns [R, m k] in the order of their units: those of unit u that take part are first[u] .. first[u] + count[u] - 1.
template <class T>
struct UnitColumns {
  int64_t rows, layers, components, units;  // k, L, m, H
  int64_t total;                            // R
  const int64_t* first;
  const int64_t* count;
  const T* columns;
};

// out [s, k, L, m, H] = alpha U z + beta out, z [s, R].
template <class T>
void unit_combine(kpflow_context& context, const UnitColumns<T>& u, int64_t s, T alpha, const T* z, T beta, T* out,
                  const Progress& progress);

// z [s, R] = U^T x, x [s, k, L, m, H]; zero for columns that take no part.
template <class T>
void unit_coefficients(kpflow_context& context, const UnitColumns<T>& u, int64_t s, const T* x, T* z,
                       const Progress& progress);

}  // namespace kpflow
