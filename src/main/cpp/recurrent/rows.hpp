// Elementwise kernels on one row (b, t): m components and g gates of H units, with the derivatives of THEORY's gate form,
// A_j[c], C_j[c], D[c][d], S[d], taken from the row's record.
#pragma once

#include <cstdint>

#include "cell/cell.hpp"

namespace kpflow {

struct RowShape {
  constexpr RowShape(const CellShape& cell_shape, int64_t hidden_units)
      : cell(cell_shape), record(cell_shape), units(hidden_units) {}
  constexpr int64_t state() const { return cell.components * units; }
  constexpr int64_t gates() const { return cell.gates * units; }
  constexpr int64_t derivatives() const { return record.slots() * units; }

  CellShape cell;
  Record record;
  int64_t units;
};

// Which gate derivative: A (through W_hh, b_hh) or C (through W_ih, b_ih).
enum class Side { kHidden, kInput };

// out_c = u_c + sign (sum_d D[c][d] previous_d + sum_j A_j[c] y_j). out may be u.
void step_row(const RowShape& shape, const float* record, float sign, const float* u, const float* previous,
              const float* y, float* out);
void step_row(const RowShape& shape, const double* record, double sign, const double* u, const double* previous,
              const double* y, double* out);

// x = sum_d S[d] delta_d: the perturbation of the site.
void site_row(const RowShape& shape, const float* record, const float* delta, float* x);
void site_row(const RowShape& shape, const double* record, const double* delta, double* x);

// out_d = e_d + sign (sum_c D[c][d] a_c + S[d] x). out may be e.
void adjoint_row(const RowShape& shape, const float* record, float sign, const float* e, const float* a, const float* x,
                 float* out);
void adjoint_row(const RowShape& shape, const double* record, double sign, const double* e, const double* a,
                 const double* x, double* out);

// y_j = sum_c A_j[c] a_c (or C_j) for gates first..first+count-1, units unit..unit+length-1; y is [count, length].
void pull_row(const RowShape& shape, const float* record, Side side, int first, int count, int64_t unit, int64_t length,
              const float* a, float* y);
void pull_row(const RowShape& shape, const double* record, Side side, int first, int count, int64_t unit,
              int64_t length, const double* a, double* y);

// out_c = beta out_c + sum_j A_j[c] y_j (or C_j), beta 0 or 1.
void push_row(const RowShape& shape, const float* record, Side side, const float* y, bool accumulate, float* out);
void push_row(const RowShape& shape, const double* record, Side side, const double* y, bool accumulate, double* out);

}  // namespace kpflow
