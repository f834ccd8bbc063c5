// One recurrent layer, linearized: its weights, its trajectory and the derivatives along it. Immutable once built.
#pragma once

#include <cstdint>

#include "core/context.hpp"
#include "linalg/packed.hpp"
#include "recurrent/rows.hpp"

namespace kpflow {

template <class T>
struct Snapshot {
  Snapshot(const Cell& cell_definition, const kpflow_recurrent& model);

  int64_t rows() const { return trials * steps; }  // k
  int64_t row(int64_t b, int64_t t) const { return b * steps + t; }
  const T* record(int64_t row) const { return derivatives.data() + row * shape.derivatives(); }
  bool trains(int family) const { return offset[family] >= 0; }
  int64_t site_units(int family) const;

  // Bytes of all arrays; reads sizes only.
  static int64_t bytes(const Cell& cell, const kpflow_recurrent& model);

  const Cell& cell;
  RowShape shape;
  int64_t trials, steps, inputs;
  double parameter;
  int64_t parameters = 0;                  // p
  int64_t offset[KPFLOW_FAMILIES];         // of each trainable family in theta, -1 for the others
  Array<T> weight_ih, weight_hh;           // [g H, n_in], [g H, H]
  PackedMatrix<T> hidden, hidden_adjoint;  // W_hh^T and W_hh, as the sweeps read them
  Array<T> bias_ih, bias_hh;               // [g H], zero where the model has none
  bool has_bias_ih, has_bias_hh;
  Array<T> input;        // x, [k, n_in]
  Array<T> site;         // v, [k, H]
  Array<T> state;        // h, [k, n]
  Array<T> derivatives;  // [k, record]
};

// Runs the model along its own state, or along model.trajectory, and fills site, state and derivatives.
template <class T>
void run_forward(Snapshot<T>& snapshot, kpflow_context& context, const kpflow_recurrent& model,
                 const Progress& progress);

}  // namespace kpflow
