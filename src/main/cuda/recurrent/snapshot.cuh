// One recurrent layer on the card, linearized: its weights, its trajectory and the derivatives along it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/context.cuh"
#include "recurrent/graphs.cuh"
#include "recurrent/rows.cuh"

namespace kpflow::cuda {

template <class T>
struct Snapshot {
  // Becomes layer number `index` of a model: it reads the layer below, or x where that is nullptr. Runs it along its own state or
  // along model.trajectory, or takes over what the caller has computed. Arrays keep their memory where it is enough.
  void assign(const kpflow_recurrent& model, int64_t index, const Snapshot* below, Context& context,
              const Progress& progress);

  int64_t rows() const { return trials * steps; }  // k
  bool trains(int kind) const { return offset[kind] >= 0; }
  int64_t site_units(int kind) const;
  LayerView<T> view() const { return {shape, derivatives.data(), steps, rows(), stride}; }

  RowShape shape{CellShape{}, 0};
  int64_t trials, steps;
  int64_t stride, begin;                // n of the model, and where this layer's part of it begins
  int64_t parameters;                   // p of the model
  int64_t offset[KPFLOW_FAMILIES];      // of each trainable family in theta, -1 for the others
  DeviceArray<T> weight_ih, weight_hh;  // [g H, inputs], [g H, H]
  DeviceArray<T> bias_ih, bias_hh;      // [g H], zero where the model has none
  bool has_bias_ih, has_bias_hh;
  int64_t inputs, input_stride;  // n_in, or H
  DeviceArray<T> x;              // [k, n_in], of the first layer
  const T* input;                // [k, inputs] with rows input_stride apart: x, or h of the layer below
  DeviceArray<T> site;           // v, [k, H]
  DeviceArray<T> state;          // [k, m H]
  DeviceArray<T> derivatives;    // [k, record]
  mutable SweepGraphs graphs;    // of P and P*

 private:
  void forward(const kpflow_recurrent& model, Context& context, const Progress& progress);
  void take(const kpflow_layer& layer, Context& context);
  [[noreturn]] void fail_not_finite(int64_t b, int64_t t, int64_t entry) const;
};

// The layers of a model, from below.
template <class T>
using Layers = std::vector<Snapshot<T>>;

// Bytes of the arrays of all layers, and of those that a forward pass needs beside them; reads sizes only.
template <class T>
int64_t snapshot_bytes(const kpflow_recurrent& model);
template <class T>
int64_t forward_bytes(const kpflow_recurrent& model);

}  // namespace kpflow::cuda
