#include "recurrent/operators.hpp"

#include <algorithm>
#include <cstring>

#include "core/status.hpp"
#include "core/system.hpp"
#include "recurrent/jacobians.hpp"
#include "recurrent/parameters.hpp"
#include "recurrent/propagate.hpp"
#include "recurrent/unit_modes.hpp"

namespace kpflow {

namespace {

template <class T>
constexpr int32_t dtype_of() {
  return sizeof(T) == 4 ? KPFLOW_F32 : KPFLOW_F64;
}

// The one place where gradients of several processes, each owning a shard of the trials, would be summed. One process owns all.
template <class T>
void reduce_over_trials(T* /*theta*/, int64_t /*count*/) {}

template <class T>
class RecurrentLinearization final : public kpflow_linearization {
 public:
  RecurrentLinearization(kpflow_context& owner, const Cell& cell, const kpflow_recurrent& model,
                         const Progress& progress)
      : kpflow_linearization(owner), net_(cell, model) {
    run_forward(net_, owner, model, progress);
  }

  int32_t dtype() const override { return dtype_of<T>(); }
  int64_t trials() const override { return net_.trials; }
  int64_t steps() const override { return net_.steps; }
  int64_t units() const override { return net_.shape.state(); }
  int64_t parameters() const override { return net_.parameters; }
  int32_t families() const override { return KPFLOW_FAMILIES; }
  Family family(int32_t family) const override {
    return {net_.shape.gates(), net_.site_units(family), net_.offset[family]};
  }
  int64_t layers() const override { return 1; }
  Layer layer(int64_t) const override { return {0, net_.shape.units, 0}; }
  int64_t components() const override { return net_.shape.cell.components; }
  bool steps_through_time() const override { return true; }

  void state(void* out) const override { std::copy_n(net_.state.data(), net_.state.size(), static_cast<T*>(out)); }

  void sites(int32_t family, void* out) const override {
    T* target = static_cast<T*>(out);
    if (family == KPFLOW_WEIGHT_IH) {
      std::copy_n(net_.input.data(), net_.input.size(), target);
    } else if (family == KPFLOW_WEIGHT_HH) {
      std::copy_n(net_.site.data(), net_.site.size(), target);
    } else {
      std::fill_n(target, net_.rows(), T(1));
    }
  }

  void step_jacobians(int64_t first, int64_t count, void* out) const override {
    const int64_t n = net_.shape.state();
    for (int64_t b = 0; b < net_.trials; ++b) {
      for (int64_t t = 0; t < count; ++t) {
        step_jacobian(net_, b, first + t, static_cast<T*>(out) + (b * count + t) * n * n);
      }
    }
  }

  void lyapunov(int64_t count, double* out, double* smallest, const Progress& progress) override {
    kpflow::lyapunov(net_, context, count, out, smallest, progress);
  }

  void unit_modes(const double* gram_input, const double* gram_hidden, int64_t first, int64_t count, double tolerance,
                  double cut, int64_t most, int64_t* ranks, double* modes, double* values, double* rest,
                  const Progress& progress) override {
    kpflow::unit_modes(net_, context, gram_input, gram_hidden, first, count, tolerance, cut,
                       {most, ranks, modes, values, rest}, progress);
  }

  void apply(int32_t op, int32_t family, bool adjoint, int64_t s, const void* in, void* out,
             const Progress& progress) override {
    const T* source = static_cast<const T*>(in);
    T* target = static_cast<T*>(out);
    const Side side = family == KPFLOW_WEIGHT_HH || family == KPFLOW_BIAS_HH ? Side::kHidden : Side::kInput;
    switch (op) {
      case KPFLOW_P:
        return sweep(adjoint, false, s, source, target, progress);
      case KPFLOW_P_INVERSE:
        return sweep(adjoint, true, s, source, target, progress);
      case KPFLOW_D_THETA:
        return adjoint ? pull(Weights::kShared, s, source, target, progress)
                       : push(Weights::kShared, s, source, target, progress);
      case KPFLOW_J:
        return jacobian(Weights::kShared, adjoint, s, source, target, progress);
      case KPFLOW_TRIAL_JACOBIAN:
        return jacobian(Weights::kPerTrial, adjoint, s, source, target, progress);
      case KPFLOW_K:
        return parameter_operator(s, source, target, progress);
      case KPFLOW_NTK:
        return tangent_kernel(s, source, target, progress);
      case KPFLOW_D_GATES:
        return adjoint ? gates_pull(net_, context, side, s, source, target)
                       : gates_push(net_, context, side, s, source, target);
      case KPFLOW_CORE:
        return core(side, adjoint, s, source, target, progress);
      default:
        fail(KPFLOW_INVALID_ARGUMENT, "operator: expected 0 to %d, got %d", KPFLOW_OPERATORS - 1, op);
    }
  }

 private:
  void sweep(bool adjoint, bool inverse, int64_t s, const T* in, T* out, const Progress& progress) {
    if (adjoint) {
      propagate_adjoint(net_, context, inverse, s, in, out, progress);
    } else {
      propagate(net_, context, inverse, s, in, out, progress);
    }
  }

  void push(Weights weights, int64_t s, const T* theta, T* out, const Progress& progress) {
    site_push(net_, context, weights, s, theta, out, progress);
  }

  void pull(Weights weights, int64_t s, const T* a, T* theta, const Progress& progress) {
    site_pull(net_, context, weights, s, a, theta, progress);
    if (weights == Weights::kShared) reduce_over_trials(theta, s * net_.parameters);
  }

  // J = P D_theta f; J* = (D_theta f)* P*.
  void jacobian(Weights weights, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) {
    if (!adjoint) {
      push(weights, s, in, out, progress);
      return sweep(false, false, s, out, out, progress);
    }
    const int64_t theta = net_.parameters * (weights == Weights::kShared ? 1 : net_.trials);
    in_blocks(s, state_count(), [&](int64_t first, int64_t count, T* a) {
      sweep(true, false, count, in + first * state_count(), a, progress);
      pull(weights, count, a, out + first * theta, progress);
    });
  }

  // K = D_theta f (D_theta f)*.
  void parameter_operator(int64_t s, const T* in, T* out, const Progress& progress) {
    in_blocks(s, net_.parameters, [&](int64_t first, int64_t count, T* theta) {
      pull(Weights::kShared, count, in + first * state_count(), theta, progress);
      push(Weights::kShared, count, theta, out + first * state_count(), progress);
    });
  }

  // NTK = P K P*; out holds the adjoint until the push overwrites it.
  void tangent_kernel(int64_t s, const T* in, T* out, const Progress& progress) {
    sweep(true, false, s, in, out, progress);
    parameter_operator(s, out, out, progress);
    sweep(false, false, s, out, out, progress);
  }

  // P_core = P D_Q f of the families on one side.
  void core(Side side, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) {
    if (!adjoint) {
      gates_push(net_, context, side, s, in, out);
      return sweep(false, false, s, out, out, progress);
    }
    in_blocks(s, state_count(), [&](int64_t first, int64_t count, T* a) {
      sweep(true, false, count, in + first * state_count(), a, progress);
      gates_pull(net_, context, side, count, a, out + first * net_.rows() * net_.shape.gates());
    });
  }

  // Cuts a block of probes so that what lies between the halves of an operator stays bounded, at one probe at least:
  // body(first, count, scratch) with scratch for count probes.
  template <class Body>
  void in_blocks(int64_t s, int64_t scratch_per_probe, const Body& body) {
    constexpr int64_t kMostElements = (int64_t(512) << 20) / static_cast<int64_t>(sizeof(T));
    const int64_t most = std::clamp<int64_t>(kMostElements / std::max<int64_t>(scratch_per_probe, 1), 1, s);
    T* scratch = reserve(between_, most * scratch_per_probe);
    for (int64_t first = 0; first < s; first += most) body(first, std::min(most, s - first), scratch);
  }

  int64_t state_count() const { return net_.rows() * net_.shape.state(); }

  T* reserve(Array<T>& workspace, int64_t count) {
    if (count > workspace.size()) {
      require_memory(count * static_cast<int64_t>(sizeof(T)), "one probe between the halves of an operator",
                     "use fewer trials or steps, or f32");
      workspace.resize(count);
    }
    return workspace.data();
  }

  Snapshot<T> net_;
  Array<T> between_;  // scratch between the halves of an operator; it only grows
};

void check(const kpflow_recurrent& model, const Cell& cell) {
  const auto positive = [](const char* name, int64_t value) {
    KPFLOW_REQUIRE(value >= 1 && value <= INT32_MAX, "%s: expected 1 to 2^31-1, got %lld", name,
                   static_cast<long long>(value));
  };
  positive("trials", model.trials);
  positive("steps", model.steps);
  positive("inputs", model.inputs);
  positive("units", model.units);
  positive("gate units", checked_product(cell.shape.gates, model.units));
  KPFLOW_REQUIRE(model.dtype == KPFLOW_F32 || model.dtype == KPFLOW_F64, "dtype: expected 1 (f32) or 2 (f64), got %d",
                 model.dtype);
  KPFLOW_REQUIRE(model.trainable >= 0 && model.trainable < 1 << KPFLOW_FAMILIES,
                 "trainable: expected a mask of 0 to %d", (1 << KPFLOW_FAMILIES) - 1);
  KPFLOW_REQUIRE(!(model.trainable >> KPFLOW_BIAS_IH & 1) || model.bias_ih != nullptr, "bias_ih: trainable but absent");
  KPFLOW_REQUIRE(!(model.trainable >> KPFLOW_BIAS_HH & 1) || model.bias_hh != nullptr, "bias_hh: trainable but absent");
}

}  // namespace

int64_t recurrent_bytes(const kpflow_recurrent& model) {
  const Cell& cell = find_cell(model.cell);
  check(model, cell);
  return model.dtype == KPFLOW_F32 ? Snapshot<float>::bytes(cell, model) : Snapshot<double>::bytes(cell, model);
}

std::unique_ptr<kpflow_linearization> linearize_recurrent(kpflow_context& context, const kpflow_recurrent& model,
                                                          const Progress& progress) {
  require_memory(recurrent_bytes(model), "this linearization", "use fewer trials or steps, or f32");
  KPFLOW_REQUIRE(model.weight_ih != nullptr && model.weight_hh != nullptr, "weights: got NULL");
  KPFLOW_REQUIRE(model.input != nullptr, "input: got NULL");
  const Cell& cell = find_cell(model.cell);
  if (model.dtype == KPFLOW_F32) return std::make_unique<RecurrentLinearization<float>>(context, cell, model, progress);
  return std::make_unique<RecurrentLinearization<double>>(context, cell, model, progress);
}

}  // namespace kpflow
