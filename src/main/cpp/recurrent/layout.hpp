// What the description of a recurrent model says of its layers, read in one place for every device: sizes, and each layer's place in
// the state and in theta.
#pragma once

#include <cstdint>

#include "core/linearization.hpp"
#include "core/status.hpp"
#include "recurrent/computed.hpp"
#include "recurrent/rows.hpp"

namespace kpflow {

// Whether all trials share one theta [s, p], or each has its own [s, B, p].
enum class Weights { kShared, kPerTrial };

struct LayerLayout {
  RowShape shape{CellShape{}, 0};
  int64_t trials, steps;
  int64_t stride, begin;                // n of the model, and where this layer's part of it begins
  int64_t inputs;                       // n_in, or H
  int64_t parameters;                   // p of the model
  int64_t site_units[KPFLOW_FAMILIES];  // m_f of each family, 0 where the layer has none
  int64_t offset[KPFLOW_FAMILIES];      // of each trainable family in theta, -1 for the others

  int64_t rows() const { return trials * steps; }  // k
  int64_t row(int64_t b, int64_t t) const { return b * steps + t; }
  bool trains(int kind) const { return offset[kind] >= 0; }
  Family family(int kind) const { return {shape.gates(), site_units[kind], offset[kind]}; }
};

// Layer number `index` of a checked description, whose cell has this shape.
inline LayerLayout lay_out(const kpflow_recurrent& model, int64_t index, const CellShape& cell) {
  LayerLayout layer{};
  layer.shape = RowShape(cell, model.units);
  layer.trials = model.trials;
  layer.steps = model.steps;
  layer.stride = model.layer_count * layer.shape.state();
  layer.begin = index * layer.shape.state();
  for (int64_t l = 0; l < model.layer_count; ++l) {
    const kpflow_layer& given = model.layers[l];
    const int64_t inputs = l == 0 ? model.inputs : model.units;
    const int64_t sites[KPFLOW_FAMILIES] = {inputs, model.units, given.bias_ih != nullptr, given.bias_hh != nullptr};
    if (l == index) layer.inputs = inputs;
    for (int kind = 0; kind < KPFLOW_FAMILIES; ++kind) {
      const bool trains = given.trainable >> kind & 1;
      if (l == index) {
        layer.site_units[kind] = sites[kind];
        layer.offset[kind] = trains ? layer.parameters : -1;
      }
      if (trains) layer.parameters += layer.shape.gates() * sites[kind];
    }
  }
  return layer;
}

// The shape of its cells, every slot being there where the caller has computed them.
inline CellShape largest_shape(const kpflow_recurrent& model) {
  return model.cell != nullptr ? find_cell(model.cell).shape : general_shape(model.gates, model.components);
}

// Elements of x, of the weights and biases, and of v, h and the records of all layers; reads sizes only.
inline int64_t snapshot_elements(const kpflow_recurrent& model) {
  const RowShape shape(largest_shape(model), model.units);
  const int64_t upper = model.layer_count - 1;
  const int64_t per_row = checked_product(model.layer_count, shape.units + shape.state() + shape.derivatives());
  const int64_t inputs = checked_product(shape.gates(), model.inputs + checked_product(upper, model.units));
  const int64_t recurrent = checked_product(shape.gates(), checked_product(model.layer_count, model.units + 2));
  const int64_t rows = checked_product(checked_product(model.trials, model.steps), per_row + model.inputs);
  KPFLOW_REQUIRE(inputs <= INT64_MAX / 64 && recurrent <= INT64_MAX / 64 && rows <= INT64_MAX / 64,
                 "model: its arrays overflow the address space");
  return rows + inputs + recurrent;
}

// Refuses a state of type T whose entry `at` of a layer's part is not finite.
template <class T>
[[noreturn]] void refuse_state(const LayerLayout& layer, int64_t trial, int64_t step, int64_t at) {
  fail(KPFLOW_NUMERICAL, "forward pass: the state is not finite at trial %lld, step %lld, unit %lld; %s",
       static_cast<long long>(trial), static_cast<long long>(step), static_cast<long long>(layer.begin + at),
       sizeof(T) == 4 ? "the dynamics overflow in f32, try f64" : "the dynamics diverge");
}

}  // namespace kpflow
