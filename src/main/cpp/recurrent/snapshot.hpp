// One recurrent layer, linearized: its weights, its trajectory and the derivatives along it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/context.hpp"
#include "linalg/packed.hpp"
#include "recurrent/rows.hpp"

namespace kpflow {

template <class T>
struct Snapshot {
  // Becomes layer number `index` of a model: it reads the layer below, or x where that is nullptr. Runs it along its own state or
  // along model.trajectory, or takes over what the caller has computed. Arrays keep their memory where it is enough.
  void assign(const kpflow_recurrent& model, int64_t index, const Snapshot* below, kpflow_context& context,
              const Progress& progress);

  int64_t rows() const { return trials * steps; }  // k
  int64_t row(int64_t b, int64_t t) const { return b * steps + t; }
  const T* record(int64_t row) const { return derivatives.data() + row * shape.derivatives(); }
  bool trains(int kind) const { return offset[kind] >= 0; }
  int64_t site_units(int kind) const;

  RowShape shape{CellShape{}, 0};
  int64_t trials, steps;
  int64_t stride, begin;                   // n of the model, and where this layer's part of it begins
  int64_t parameters;                      // p of the model
  int64_t offset[KPFLOW_FAMILIES];         // of each trainable family in theta, -1 for the others
  Array<T> weight_ih, weight_hh;           // [g H, inputs], [g H, H]
  PackedMatrix<T> hidden, hidden_adjoint;  // W_hh^T and W_hh, as the sweeps read them
  Array<T> bias_ih, bias_hh;               // [g H], zero where the model has none
  bool has_bias_ih, has_bias_hh;
  int64_t inputs, input_stride;  // n_in, or H
  Array<T> x;                    // [k, n_in], of the first layer
  const T* input;                // [k, inputs] with rows input_stride apart: x, or h of the layer below
  Array<T> site;                 // v, [k, H]
  Array<T> state;                // [k, m H]
  Array<T> derivatives;          // [k, record]

 private:
  void forward(const kpflow_recurrent& model, kpflow_context& context, const Progress& progress);
  void take(const kpflow_layer& layer);
  void require_finite(int64_t row) const;
};

// The layers of a model, from below.
template <class T>
using Layers = std::vector<Snapshot<T>>;

// Bytes of the arrays of all layers; reads sizes only.
template <class T>
int64_t snapshot_bytes(const kpflow_recurrent& model);

}  // namespace kpflow
