#include <algorithm>

#include "recurrent/jacobians.cuh"
#include "recurrent/operators.cuh"
#include "recurrent/parameters.cuh"
#include "recurrent/scratch.cuh"
#include "recurrent/stack.cuh"

namespace kpflow::cuda {

namespace {

template <class T>
class RecurrentLinearization final : public kpflow_linearization {
 public:
  explicit RecurrentLinearization(Context& on) : kpflow_linearization(on.owner), card_(on) {}

  using kpflow_linearization::run;  // refuses any other model
  void run(const kpflow_recurrent& model, const Progress& progress) override {
    const int64_t bytes = snapshot_bytes<T>(model) + forward_bytes<T>(model);
    if (bytes > held_) require_memory(bytes - held_, "this linearization", "use fewer trials or steps, or f32");
    const size_t count = static_cast<size_t>(model.layer_count);
    if (layers_.size() != count) layers_ = Layers<T>(count);
    card_.to_its_end([&] {
      for (size_t l = 0; l < count; ++l) {
        layers_[l].assign(model, static_cast<int64_t>(l), l == 0 ? nullptr : &layers_[l - 1], card_, progress);
      }
    });
    held_ = std::max(held_, bytes);
  }

  int32_t dtype() const override { return sizeof(T) == 4 ? KPFLOW_F32 : KPFLOW_F64; }
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
    card_.to_its_end([&] {
      for (const Snapshot<T>& net : layers_) {
        copy_rows(card_, net.rows(), net.shape.state(), net.state.data(), net.shape.state(),
                  static_cast<T*>(out) + net.begin, net.stride);
      }
    });
  }

  void sites(int32_t family, void* out) const override {
    const Snapshot<T>& net = layer_of(family);
    T* target = static_cast<T*>(out);
    switch (family % KPFLOW_FAMILIES) {
      case KPFLOW_WEIGHT_IH:
        copy_rows(card_, net.rows(), net.inputs, net.input, net.input_stride, target, net.inputs);
        break;
      case KPFLOW_WEIGHT_HH:
        copy_rows<T>(card_, net.rows(), net.shape.units, net.site.data(), net.shape.units, target, net.shape.units);
        break;
      default:
        fill_ones(card_, net.rows(), target);
    }
    card_.finish();
  }

  void step_jacobians(int64_t first, int64_t count, void* out) const override {
    card_.to_its_end([&] { cuda::step_jacobians(layers_, card_, 0, trials(), first, count, static_cast<T*>(out)); });
  }

  void host_jacobians(int64_t first_trial, int64_t count_trials, int64_t first, int64_t count,
                      double* out) const override {
    const int64_t all = count_trials * count * units() * units();
    double* jacobians = card_.scratch<double>(Scratch::kState, all);
    cuda::step_jacobians(layers_, card_, first_trial, count_trials, first, count, jacobians);
    card_.copy_out(out, jacobians, all);
  }

  Slopes slopes(WeightSide side, int64_t first, int64_t count, double* out) const override {
    const int64_t all = layers_[0].shape.units;
    const Snapshot<T>& net = layers_[static_cast<size_t>(std::min(first / all, layers() - 1))];
    const int m = net.shape.cell.components;
    const int64_t unit = first - net.begin / m, each = net.shape.cell.gates * m * net.rows();
    const int64_t most = std::min(count, most_rows<double>(each));
    double* part = card_.scratch<double>(Scratch::kState, most * each);
    for (int64_t done = 0; done < count; done += most) {
      const int64_t these = std::min(most, count - done);
      gather_slopes(card_, net, side, unit + done, these, part);
      card_.copy_out(out + done * each, part, these * each);
    }
    return Slopes::kGiven;
  }

  void apply(int32_t op, int32_t family, bool adjoint, int64_t s, const void* in, void* out,
             const Progress& progress) override {
    card_.to_its_end([&] { start(op, family, adjoint, s, static_cast<const T*>(in), static_cast<T*>(out), progress); });
  }

 private:
  void start(int32_t op, int32_t family, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) {
    const int kind = family % KPFLOW_FAMILIES;
    const Side side = kind == KPFLOW_WEIGHT_HH || kind == KPFLOW_BIAS_HH ? Side::kHidden : Side::kInput;
    switch (op) {
      case KPFLOW_P:
        return sweep(adjoint, false, s, in, out, progress);
      case KPFLOW_P_INVERSE:
        return sweep(adjoint, true, s, in, out, progress);
      case KPFLOW_D_THETA:
        return adjoint ? pull(Weights::kShared, s, in, out, progress) : push(Weights::kShared, s, in, out, progress);
      case KPFLOW_J:
        return jacobian(Weights::kShared, adjoint, s, in, out, progress);
      case KPFLOW_TRIAL_JACOBIAN:
        return jacobian(Weights::kPerTrial, adjoint, s, in, out, progress);
      case KPFLOW_K:
        return parameter_operator(s, in, out, progress);
      case KPFLOW_NTK:
        return tangent_kernel(s, in, out, progress);
      case KPFLOW_D_GATES:
        return adjoint ? gates_pull(layer_of(family), card_, side, s, in, out)
                       : gates_push(layer_of(family), card_, side, s, in, out);
      case KPFLOW_CORE:
        return core(layer_of(family), side, adjoint, s, in, out, progress);
      default:
        fail(KPFLOW_INVALID_ARGUMENT, "operator: expected 0 to %d, got %d", KPFLOW_OPERATORS - 1, op);
    }
  }

  void sweep(bool adjoint, bool inverse, int64_t s, const T* in, T* out, const Progress& progress) {
    if (adjoint) {
      propagate_layers_adjoint(layers_, card_, inverse, s, in, out, progress);
    } else {
      propagate_layers(layers_, card_, inverse, s, in, out, progress);
    }
  }

  void push(Weights weights, int64_t s, const T* theta, T* out, const Progress& progress) {
    for (const Snapshot<T>& net : layers_) site_push(net, card_, weights, s, theta, out, progress);
  }

  void pull(Weights weights, int64_t s, const T* a, T* theta, const Progress& progress) {
    for (const Snapshot<T>& net : layers_) site_pull(net, card_, weights, s, a, theta, progress);
  }

  // J = P D_theta f; J* = (D_theta f)* P*.
  void jacobian(Weights weights, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) {
    if (!adjoint) {
      push(weights, s, in, out, progress);
      return sweep(false, false, s, out, out, progress);
    }
    const int64_t theta = parameters() * (weights == Weights::kShared ? 1 : trials());
    in_blocks(Scratch::kState, s, state_count(), [&](int64_t first, int64_t count, T* a) {
      sweep(true, false, count, in + first * state_count(), a, progress);
      pull(weights, count, a, out + first * theta, progress);
    });
  }

  // K = D_theta f (D_theta f)*.
  void parameter_operator(int64_t s, const T* in, T* out, const Progress& progress) {
    in_blocks(Scratch::kTheta, s, parameters(), [&](int64_t first, int64_t count, T* theta) {
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
      gates_push(net, card_, side, s, in, out);
      return sweep(false, false, s, out, out, progress);
    }
    in_blocks(Scratch::kState, s, state_count(), [&](int64_t first, int64_t count, T* a) {
      sweep(true, false, count, in + first * state_count(), a, progress);
      gates_pull(net, card_, side, count, a, out + first * net.rows() * net.shape.gates());
    });
  }

  // Cuts a block of probes so that what lies between the halves of an operator stays bounded, at one probe at least:
  // body(first, count, scratch) with scratch for count probes.
  template <class Body>
  void in_blocks(Scratch what, int64_t s, int64_t scratch_per_probe, const Body& body) {
    const int64_t most = std::min(s, most_rows<T>(scratch_per_probe));
    T* scratch = card_.scratch<T>(what, most * scratch_per_probe);
    for (int64_t first = 0; first < s; first += most) body(first, std::min(most, s - first), scratch);
  }

  int64_t state_count() const { return trials() * steps() * units(); }

  const Snapshot<T>& layer_of(int32_t family) const { return layers_[static_cast<size_t>(family / KPFLOW_FAMILIES)]; }

  Context& card_;
  Layers<T> layers_;
  int64_t held_ = 0;  // the most bytes that were predicted for a run
};

}  // namespace

std::unique_ptr<kpflow_linearization> new_recurrent(Context& context, int32_t dtype) {
  if (dtype == KPFLOW_F32) return std::make_unique<RecurrentLinearization<float>>(context);
  return std::make_unique<RecurrentLinearization<double>>(context);
}

}  // namespace kpflow::cuda
