// One recurrent layer on the card, linearized: its weights, its trajectory and the derivatives along it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/context.cuh"
#include "recurrent/graphs.cuh"
#include "recurrent/layout.hpp"
#include "recurrent/rows.cuh"

namespace kpflow::cuda {

template <class T>
struct Snapshot : LayerLayout {
  // Becomes layer number `index` of a model: it reads the layer below, or x where that is nullptr. Runs it along its own state or
  // along model.trajectory, or takes over what the caller has computed. Arrays keep their memory where it is enough.
  void assign(const kpflow_recurrent& model, int64_t index, const Snapshot* below, Context& context,
              const Progress& progress);

  LayerView<T> view() const { return {shape, derivatives.data(), steps, rows(), stride}; }

  DeviceArray<T> weight_ih, weight_hh;  // [g H, inputs], [g H, H]
  DeviceArray<T> bias_ih, bias_hh;      // [g H], zero where the model has none
  DeviceArray<T> x;                     // [k, n_in], of the first layer
  const T* input;                       // [k, inputs] with rows input_stride apart: x, or h of the layer below
  int64_t input_stride;
  DeviceArray<T> site;         // v, [k, H]
  DeviceArray<T> state;        // [k, m H]
  DeviceArray<T> derivatives;  // [k, record]
  mutable SweepGraphs graphs;  // of P and P*

 private:
  void forward(const kpflow_recurrent& model, Context& context, const Progress& progress);
  void take(const kpflow_layer& layer, Context& context);
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
