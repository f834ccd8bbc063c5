// One recurrent layer, linearized: its weights, its trajectory and the derivatives along it.
#pragma once

#include <cstdint>
#include <vector>

#include "core/context.hpp"
#include "linalg/packed.hpp"
#include "recurrent/layout.hpp"

namespace kpflow {

template <class T>
struct Snapshot : LayerLayout {
  // Becomes layer number `index` of a model: it reads the layer below, or x where that is nullptr. Runs it along its own state or
  // along model.trajectory, or takes over what the caller has computed. Arrays keep their memory where it is enough.
  void assign(const kpflow_recurrent& model, int64_t index, const Snapshot* below, kpflow_context& context,
              const Progress& progress);

  const T* record(int64_t row) const { return derivatives.data() + row * shape.derivatives(); }

  Array<T> weight_ih, weight_hh;           // [g H, inputs], [g H, H]
  PackedMatrix<T> hidden, hidden_adjoint;  // W_hh^T and W_hh, as the sweeps read them
  Array<T> bias_ih, bias_hh;               // [g H], zero where the model has none
  Array<T> x;                              // [k, n_in], of the first layer
  const T* input;                          // [k, inputs] with rows input_stride apart: x, or h of the layer below
  int64_t input_stride;
  Array<T> site;         // v, [k, H]
  Array<T> state;        // [k, m H]
  Array<T> derivatives;  // [k, record]

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
