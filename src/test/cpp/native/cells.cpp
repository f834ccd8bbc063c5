#include "cells.hpp"

#include <cmath>
#include <stdexcept>

namespace kpflow_test {

namespace {

// value + slope * epsilon with epsilon^2 = 0.
struct Dual {
  double value = 0, slope = 0;
};
Dual operator+(Dual a, Dual b) { return {a.value + b.value, a.slope + b.slope}; }
Dual operator-(Dual a, Dual b) { return {a.value - b.value, a.slope - b.slope}; }
Dual operator*(Dual a, Dual b) { return {a.value * b.value, a.value * b.slope + a.slope * b.value}; }
Dual constant(double value) { return {value, 0}; }
Dual tanh(Dual z) {
  const double y = std::tanh(z.value);
  return {y, (1 - y * y) * z.slope};
}
Dual sigmoid(Dual z) {
  const double y = 1 / (1 + std::exp(-z.value));
  return {y, y * (1 - y) * z.slope};
}
Dual activation(const std::string& name, Dual z) {
  if (name == "tanh") return tanh(z);
  if (name == "linear") return z;
  if (name == "relu") return z.value > 0 ? z : Dual{};
  if (name == "gelu") {  // z Phi(z)
    const double whole = std::erfc(-z.value / std::sqrt(2.0)) / 2;
    const double density = std::exp(-z.value * z.value / 2) / std::sqrt(2 * M_PI);
    return {z.value * whole, (whole + z.value * density) * z.slope};
  }
  throw std::runtime_error("no activation " + name);
}

bool begins(const std::string& text, const char* prefix) { return text.rfind(prefix, 0) == 0; }
std::string behind(const std::string& text, const char* prefix) { return text.substr(std::string(prefix).size()); }

// v = psi(previous) of one unit.
Dual site(const Model& model, const std::vector<Dual>& previous) {
  return begins(model.cell, "leaky_rnn_") ? activation(behind(model.cell, "leaky_rnn_"), previous[0]) : previous[0];
}

// next = phi(q, p, previous) of one unit.
std::vector<Dual> step(const Model& model, const std::vector<Dual>& q, const std::vector<Dual>& p,
                       const std::vector<Dual>& previous) {
  const auto sum = [&](size_t j) { return q[j] + p[j]; };
  if (begins(model.cell, "leaky_rnn_")) {
    return {constant(1 - model.cell_parameter) * previous[0] + constant(model.cell_parameter) * sum(0)};
  }
  if (begins(model.cell, "rnn_")) return {activation(behind(model.cell, "rnn_"), sum(0))};
  if (model.cell == "gru") {
    const Dual r = sigmoid(sum(0)), z = sigmoid(sum(1)), n = tanh(p[2] + r * q[2]);
    return {(constant(1) - z) * n + z * previous[0]};
  }
  if (model.cell == "lstm") {
    const Dual c = sigmoid(sum(1)) * previous[1] + sigmoid(sum(0)) * tanh(sum(2));
    return {sigmoid(sum(3)) * tanh(c), c};
  }
  throw std::runtime_error("no cell " + model.cell);
}

// weight [gates H, width] times v, plus bias.
Values affine(const Values& weight, const Values& v, const Values& bias) {
  const size_t rows = weight.size() / v.size();
  Values result(rows);
  for (size_t i = 0; i < rows; ++i) {
    double sum = bias.empty() ? 0 : bias[i];
    for (size_t j = 0; j < v.size(); ++j) sum += weight[i * v.size() + j] * v[j];
    result[i] = sum;
  }
  return result;
}

// One unit's step with its record of derivatives: A, C, D and S of kpflow.h, `stride` numbers apart.
std::vector<Dual> unit_step(const Model& model, std::vector<Dual> q, std::vector<Dual> p, std::vector<Dual> previous,
                            double* record, size_t stride) {
  const size_t g = q.size(), m = previous.size();
  const auto derive = [&](std::vector<Dual>& group, size_t index, size_t slot, size_t slot_step) {
    group[index].slope = 1;
    const std::vector<Dual> next = step(model, q, p, previous);
    group[index].slope = 0;
    for (size_t c = 0; c < m; ++c) record[(slot + c * slot_step) * stride] = next[c].slope;
  };
  for (size_t j = 0; j < g; ++j) derive(q, j, j * m, 1);
  for (size_t j = 0; j < g; ++j) derive(p, j, (g + j) * m, 1);
  for (size_t d = 0; d < m; ++d) derive(previous, d, 2 * g * m + d, m);
  for (size_t d = 0; d < m; ++d) {
    previous[d].slope = 1;
    record[(2 * g * m + m * m + d) * stride] = site(model, previous).slope;
    previous[d].slope = 0;
  }
  return step(model, q, p, previous);
}

void run_layer(const Model& model, size_t index, const Values& input, size_t width, LayerData& layer) {
  const auto H = static_cast<size_t>(model.units), m = static_cast<size_t>(model.components),
             g = static_cast<size_t>(model.gates), slots = 2 * g * m + m * m + m;
  const auto steps = static_cast<size_t>(model.steps), rows = static_cast<size_t>(model.trials) * steps;
  layer.sites.resize(rows * H);
  layer.states.resize(rows * m * H);
  layer.derivatives.resize(rows * slots * H);
  for (size_t row = 0; row < rows; ++row) {
    Values before(m * H, 0.0);
    if (row % steps > 0) {
      before.assign(layer.states.data() + (row - 1) * m * H, layer.states.data() + row * m * H);
    } else if (!model.initial.empty()) {
      const double* first = model.initial.data() + (row / steps * model.layers.size() + index) * m * H;
      before.assign(first, first + m * H);
    }
    const auto previous = [&](size_t i) {
      std::vector<Dual> unit;
      for (size_t c = 0; c < m; ++c) unit.push_back(constant(before[c * H + i]));
      return unit;
    };
    Values v(H);
    for (size_t i = 0; i < H; ++i) v[i] = layer.sites[row * H + i] = site(model, previous(i)).value;
    const Values x(input.data() + row * width, input.data() + (row + 1) * width);
    const Values q = affine(layer.weight_hh, v, layer.bias_hh), p = affine(layer.weight_ih, x, layer.bias_ih);
    for (size_t i = 0; i < H; ++i) {
      std::vector<Dual> q_unit, p_unit;
      for (size_t j = 0; j < g; ++j) {
        q_unit.push_back(constant(q[j * H + i]));
        p_unit.push_back(constant(p[j * H + i]));
      }
      const std::vector<Dual> next =
          unit_step(model, q_unit, p_unit, previous(i), layer.derivatives.data() + row * slots * H + i, H);
      for (size_t c = 0; c < m; ++c) layer.states[(row * m + c) * H + i] = next[c].value;
    }
  }
}

}  // namespace

Model computed_model(const Model& model) {
  Model computed = model;
  Values input = model.input;
  auto width = static_cast<size_t>(model.inputs);
  const auto H = static_cast<size_t>(model.units), m = static_cast<size_t>(model.components);
  for (size_t l = 0; l < model.layers.size(); ++l) {
    LayerData& layer = computed.layers[l];
    run_layer(model, l, input, width, layer);
    input.clear();  // h of this layer
    for (size_t row = 0; row < layer.states.size(); row += m * H) {
      input.insert(input.end(), layer.states.data() + row, layer.states.data() + row + H);
    }
    width = H;
  }
  computed.cell.clear();
  computed.initial.clear();
  computed.name = "computed " + model.name;
  return computed;
}

Values forward_state(const Model& model) {
  const Model computed = computed_model(model);
  const auto part = static_cast<size_t>(model.units * model.components);
  Values state;
  for (size_t row = 0; row < static_cast<size_t>(model.trials * model.steps); ++row) {
    for (const LayerData& layer : computed.layers) {
      state.insert(state.end(), layer.states.data() + row * part, layer.states.data() + (row + 1) * part);
    }
  }
  return state;
}

}  // namespace kpflow_test
