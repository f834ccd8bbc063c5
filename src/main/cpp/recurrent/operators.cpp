#include "recurrent/operators.hpp"

#include <algorithm>
#include <cstring>

#include "core/status.hpp"
#include "core/system.hpp"
#include "recurrent/jacobians.hpp"
#include "recurrent/parameters.hpp"
#include "recurrent/stack.hpp"

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
  explicit RecurrentLinearization(kpflow_context& owner) : kpflow_linearization(owner) {}

  void run(const kpflow_recurrent& model, const Progress& progress) override {
    const int64_t bytes = snapshot_bytes<T>(model);
    if (bytes > held_) require_memory(bytes - held_, "this linearization", "use fewer trials or steps, or f32");
    const size_t count = static_cast<size_t>(model.layer_count);
    if (layers_.size() != count) layers_ = Layers<T>(count);
    for (size_t l = 0; l < count; ++l) {
      layers_[l].assign(model, static_cast<int64_t>(l), l == 0 ? nullptr : &layers_[l - 1], context, progress);
    }
    held_ = std::max(held_, bytes);
  }

  int32_t dtype() const override { return dtype_of<T>(); }
  int64_t trials() const override { return layers_[0].trials; }
  int64_t steps() const override { return layers_[0].steps; }
  int64_t units() const override { return layers_[0].stride; }
  int64_t parameters() const override { return layers_[0].parameters; }
  int32_t families() const override { return KPFLOW_FAMILIES * static_cast<int32_t>(layers_.size()); }
  Family family(int32_t family) const override {
    const Snapshot<T>& net = layer_of(family);
    const int kind = family % KPFLOW_FAMILIES;
    return {net.shape.gates(), net.site_units(kind), net.offset[kind]};
  }
  int64_t layers() const override { return static_cast<int64_t>(layers_.size()); }
  Layer layer(int64_t layer) const override {
    const Snapshot<T>& net = layers_[static_cast<size_t>(layer)];
    return {layer * net.shape.units, net.shape.units, net.begin, net.shape.cell.gates};
  }
  int64_t components() const override { return layers_[0].shape.cell.components; }
  bool steps_through_time() const override { return true; }

  void state(void* out) const override {
    for (const Snapshot<T>& net : layers_) {
      copy_rows(net.state.data(), net.shape.state(), net.shape.state(), static_cast<T*>(out) + net.begin, net.stride);
    }
  }

  void sites(int32_t family, void* out) const override {
    const Snapshot<T>& net = layer_of(family);
    T* target = static_cast<T*>(out);
    switch (family % KPFLOW_FAMILIES) {
      case KPFLOW_WEIGHT_IH:
        return copy_rows(net.input, net.input_stride, net.inputs, target, net.inputs);
      case KPFLOW_WEIGHT_HH:
        return copy_rows(net.site.data(), net.shape.units, net.shape.units, target, net.shape.units);
      default:
        std::fill_n(target, net.rows(), T(1));
    }
  }

  void step_jacobians(int64_t first, int64_t count, void* out) const override {
    const int64_t n = units();
    Array<T> gain;
    for (int64_t b = 0; b < trials(); ++b) {
      for (int64_t t = 0; t < count; ++t) {
        step_jacobian(layers_, b, first + t, gain, static_cast<T*>(out) + (b * count + t) * n * n);
      }
    }
  }

  void host_jacobians(int64_t first_trial, int64_t count_trials, int64_t first, int64_t count,
                      double* out) const override {
    const int64_t n = units();
    context.pool.run(count_trials * count, [&](int64_t i, int) {
      Array<double> gain;
      step_jacobian(layers_, first_trial + i / count, first + i % count, gain, out + i * n * n);
    });
  }

  Slopes slopes(WeightSide side, int64_t first, int64_t count, double* out) const override {
    constexpr int64_t kChunk = 256;
    const int64_t all = layers_[0].shape.units;
    const Snapshot<T>& net = layers_[static_cast<size_t>(std::min(first / all, layers() - 1))];
    const RowShape& shape = net.shape;
    const int m = shape.cell.components, g = shape.cell.gates;
    const int64_t k = net.rows(), unit = first - net.begin / m;
    context.pool.run(pieces(k, kChunk), [&](int64_t task, int) {
      for (int64_t jc = 0; jc < g * m; ++jc) {
        const int j = static_cast<int>(jc / m), c = static_cast<int>(jc % m);
        const int64_t slot = side == WeightSide::kFirst ? shape.record.c(j, c) : shape.record.a(j, c);
        for (int64_t u = 0; u < count; ++u) {
          for (int64_t row = task * kChunk; row < std::min(k, (task + 1) * kChunk); ++row) {
            out[(u * g * m + jc) * k + row] = static_cast<double>(net.record(row)[slot * shape.units + unit + u]);
          }
        }
      }
    });
    return Slopes::kGiven;
  }

  void apply(int32_t op, int32_t family, bool adjoint, int64_t s, const void* in, void* out,
             const Progress& progress) override {
    const T* source = static_cast<const T*>(in);
    T* target = static_cast<T*>(out);
    const int kind = family % KPFLOW_FAMILIES;
    const Side side = kind == KPFLOW_WEIGHT_HH || kind == KPFLOW_BIAS_HH ? Side::kHidden : Side::kInput;
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
        return adjoint ? gates_pull(layer_of(family), context, side, s, source, target)
                       : gates_push(layer_of(family), context, side, s, source, target);
      case KPFLOW_CORE:
        return core(layer_of(family), side, adjoint, s, source, target, progress);
      default:
        fail(KPFLOW_INVALID_ARGUMENT, "operator: expected 0 to %d, got %d", KPFLOW_OPERATORS - 1, op);
    }
  }

 private:
  void sweep(bool adjoint, bool inverse, int64_t s, const T* in, T* out, const Progress& progress) {
    if (adjoint) {
      propagate_layers_adjoint(layers_, context, inverse, s, in, out, progress);
    } else {
      propagate_layers(layers_, context, inverse, s, in, out, progress);
    }
  }

  void push(Weights weights, int64_t s, const T* theta, T* out, const Progress& progress) {
    for (const Snapshot<T>& net : layers_) site_push(net, context, weights, s, theta, out, progress);
  }

  void pull(Weights weights, int64_t s, const T* a, T* theta, const Progress& progress) {
    for (const Snapshot<T>& net : layers_) site_pull(net, context, weights, s, a, theta, progress);
    if (weights == Weights::kShared) reduce_over_trials(theta, s * parameters());
  }

  // J = P D_theta f; J* = (D_theta f)* P*.
  void jacobian(Weights weights, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) {
    if (!adjoint) {
      push(weights, s, in, out, progress);
      return sweep(false, false, s, out, out, progress);
    }
    const int64_t theta = parameters() * (weights == Weights::kShared ? 1 : trials());
    in_blocks(s, state_count(), [&](int64_t first, int64_t count, T* a) {
      sweep(true, false, count, in + first * state_count(), a, progress);
      pull(weights, count, a, out + first * theta, progress);
    });
  }

  // K = D_theta f (D_theta f)*.
  void parameter_operator(int64_t s, const T* in, T* out, const Progress& progress) {
    in_blocks(s, parameters(), [&](int64_t first, int64_t count, T* theta) {
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

  // P_core = P D_Q f of the families on one side of a layer.
  void core(const Snapshot<T>& net, Side side, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) {
    if (!adjoint) {
      gates_push(net, context, side, s, in, out);
      return sweep(false, false, s, out, out, progress);
    }
    in_blocks(s, state_count(), [&](int64_t first, int64_t count, T* a) {
      sweep(true, false, count, in + first * state_count(), a, progress);
      gates_pull(net, context, side, count, a, out + first * net.rows() * net.shape.gates());
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

  int64_t state_count() const { return trials() * steps() * units(); }

  const Snapshot<T>& layer_of(int32_t family) const { return layers_[static_cast<size_t>(family / KPFLOW_FAMILIES)]; }

  // The first `length` entries of every row (b, t), between arrays with rows of different lengths.
  void copy_rows(const T* from, int64_t from_stride, int64_t length, T* to, int64_t to_stride) const {
    constexpr int64_t kChunk = 256;
    const int64_t rows = layers_[0].rows();
    context.pool.run(pieces(rows, kChunk), [&](int64_t task, int) {
      for (int64_t row = task * kChunk; row < std::min(rows, (task + 1) * kChunk); ++row) {
        std::copy_n(from + row * from_stride, length, to + row * to_stride);
      }
    });
  }

  T* reserve(Array<T>& workspace, int64_t count) {
    if (count > workspace.size()) {
      require_memory(count * static_cast<int64_t>(sizeof(T)), "one probe between the halves of an operator",
                     "use fewer trials or steps, or f32");
      workspace.resize(count);
    }
    return workspace.data();
  }

  Layers<T> layers_;
  int64_t held_ = 0;  // the most bytes that were predicted for a run
  Array<T> between_;  // scratch between the halves of an operator; it only grows
};

}  // namespace

std::unique_ptr<kpflow_linearization> new_recurrent(kpflow_context& context, int32_t dtype) {
  if (dtype == KPFLOW_F32) return std::make_unique<RecurrentLinearization<float>>(context);
  return std::make_unique<RecurrentLinearization<double>>(context);
}

}  // namespace kpflow
