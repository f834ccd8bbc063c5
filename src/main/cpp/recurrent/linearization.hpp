// A linearized recurrent model on any device: its sizes, and its operators composed of the parts that a device has.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "core/reduction.hpp"
#include "recurrent/layout.hpp"

namespace kpflow {

// Net is a device's layer in type T, a LayerLayout with its arrays.
template <class T, class Net>
class RecurrentLinearization : public kpflow_linearization {
 public:
  int32_t dtype() const final { return sizeof(T) == 4 ? KPFLOW_F32 : KPFLOW_F64; }
  int64_t trials() const final { return layers_[0].trials; }
  int64_t steps() const final { return layers_[0].steps; }
  int64_t units() const final { return layers_[0].stride; }
  int64_t parameters() const final { return layers_[0].parameters; }
  int32_t families() const final { return KPFLOW_FAMILIES * static_cast<int32_t>(layers_.size()); }
  Family family(int32_t family) const final { return layer_of(family).family(family % KPFLOW_FAMILIES); }
  int64_t layers() const final { return static_cast<int64_t>(layers_.size()); }
  Layer layer(int64_t layer) const final {
    const Net& net = layers_[static_cast<size_t>(layer)];
    return {layer * net.shape.units, net.shape.units, net.begin, net.shape.cell.gates};
  }
  int64_t components() const final { return layers_[0].shape.cell.components; }
  bool steps_through_time() const final { return true; }

 protected:
  // Arrays between the halves of an operator take at most so many elements, but room for one probe at least.
  RecurrentLinearization(kpflow_context& owner, int64_t most_between)
      : kpflow_linearization(owner), most_between_(most_between) {}

  enum class Between { kStates, kThetas };

  // The parts, on blocks of s states [s, B, T, n]; formulas in recurrent/stack.hpp and recurrent/parameters.hpp. First P, P* and
  // their inverses through all layers; out may be in but for an inverse.
  virtual void sweep(bool adjoint, bool inverse, int64_t s, const T* in, T* out, const Progress& progress) = 0;
  // A layer's part of D_theta f, and of its adjoint.
  virtual void site_push(const Net& net, Weights weights, int64_t s, const T* theta, T* out,
                         const Progress& progress) = 0;
  virtual void site_pull(const Net& net, Weights weights, int64_t s, const T* a, T* theta,
                         const Progress& progress) = 0;
  // D_Q f of one side of a layer, y [s, k, g H], and its adjoint.
  virtual void gates_push(const Net& net, Side side, int64_t s, const T* y, T* out) = 0;
  virtual void gates_pull(const Net& net, Side side, int64_t s, const T* a, T* y) = 0;
  // An array of so many elements, which lasts until the next one.
  virtual T* between(Between what, int64_t count) = 0;

  // One of the operators of kpflow.h.
  void compose(int32_t op, int32_t family, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) {
    const int kind = family % KPFLOW_FAMILIES;
    const Side side = kind == KPFLOW_WEIGHT_HH || kind == KPFLOW_BIAS_HH ? Side::kHidden : Side::kInput;
    switch (op) {
      case KPFLOW_P:
        return sweep(adjoint, false, s, in, out, progress);
      case KPFLOW_P_INVERSE:
        return sweep(adjoint, true, s, in, out, progress);
      case KPFLOW_D_THETA:
        return adjoint ? pull_all(Weights::kShared, s, in, out, progress)
                       : push_all(Weights::kShared, s, in, out, progress);
      case KPFLOW_J:
        return jacobian(Weights::kShared, adjoint, s, in, out, progress);
      case KPFLOW_TRIAL_JACOBIAN:
        return jacobian(Weights::kPerTrial, adjoint, s, in, out, progress);
      case KPFLOW_K:
        return parameter_operator(s, in, out, progress);
      case KPFLOW_NTK:
        return tangent_kernel(s, in, out, progress);
      case KPFLOW_D_GATES:
        return adjoint ? gates_pull(layer_of(family), side, s, in, out)
                       : gates_push(layer_of(family), side, s, in, out);
      case KPFLOW_CORE:
        return core(layer_of(family), side, adjoint, s, in, out, progress);
      default:
        fail(KPFLOW_INVALID_ARGUMENT, "operator: expected 0 to %d, got %d", KPFLOW_OPERATORS - 1, op);
    }
  }

  int64_t state_count() const { return trials() * steps() * units(); }
  const Net& layer_of(int32_t family) const { return layers_[static_cast<size_t>(family / KPFLOW_FAMILIES)]; }
  // That of unit `first`, counted through all layers.
  const Net& layer_of_unit(int64_t first) const {
    return layers_[static_cast<size_t>(std::min(first / layers_[0].shape.units, layers() - 1))];
  }

  std::vector<Net> layers_;
  int64_t held_ = 0;  // the most bytes that were predicted for a run

 private:
  void push_all(Weights weights, int64_t s, const T* theta, T* out, const Progress& progress) {
    for (const Net& net : layers_) site_push(net, weights, s, theta, out, progress);
  }

  void pull_all(Weights weights, int64_t s, const T* a, T* theta, const Progress& progress) {
    for (const Net& net : layers_) site_pull(net, weights, s, a, theta, progress);
    if (weights == Weights::kShared) reduce_over_trials(theta, s * parameters());
  }

  // J = P D_theta f; J* = (D_theta f)* P*.
  void jacobian(Weights weights, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) {
    if (!adjoint) {
      push_all(weights, s, in, out, progress);
      return sweep(false, false, s, out, out, progress);
    }
    const int64_t theta = parameters() * (weights == Weights::kShared ? 1 : trials());
    in_blocks(Between::kStates, s, state_count(), [&](int64_t first, int64_t count, T* a) {
      sweep(true, false, count, in + first * state_count(), a, progress);
      pull_all(weights, count, a, out + first * theta, progress);
    });
  }

  // K = D_theta f (D_theta f)*.
  void parameter_operator(int64_t s, const T* in, T* out, const Progress& progress) {
    in_blocks(Between::kThetas, s, parameters(), [&](int64_t first, int64_t count, T* theta) {
      pull_all(Weights::kShared, count, in + first * state_count(), theta, progress);
      push_all(Weights::kShared, count, theta, out + first * state_count(), progress);
    });
  }

  // NTK = P K P*; out holds the adjoint until the push overwrites it.
  void tangent_kernel(int64_t s, const T* in, T* out, const Progress& progress) {
    sweep(true, false, s, in, out, progress);
    parameter_operator(s, out, out, progress);
    sweep(false, false, s, out, out, progress);
  }

  // P_core = P D_Q f of the families on one side of a layer.
  void core(const Net& net, Side side, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) {
    if (!adjoint) {
      gates_push(net, side, s, in, out);
      return sweep(false, false, s, out, out, progress);
    }
    in_blocks(Between::kStates, s, state_count(), [&](int64_t first, int64_t count, T* a) {
      sweep(true, false, count, in + first * state_count(), a, progress);
      gates_pull(net, side, count, a, out + first * net.rows() * net.shape.gates());
    });
  }

  // Cuts a block of probes so that what lies between the halves of an operator stays bounded, at one probe at least:
  // body(first, count, array) with an array for count probes.
  template <class Body>
  void in_blocks(Between what, int64_t s, int64_t per_probe, const Body& body) {
    const int64_t most = std::clamp<int64_t>(most_between_ / std::max<int64_t>(per_probe, 1), 1, s);
    T* array = between(what, most * per_probe);
    for (int64_t first = 0; first < s; first += most) body(first, std::min(most, s - first), array);
  }

  int64_t most_between_;
};

}  // namespace kpflow
