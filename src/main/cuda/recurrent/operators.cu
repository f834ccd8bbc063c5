#include <algorithm>

#include "recurrent/jacobians.cuh"
#include "recurrent/linearization.hpp"
#include "recurrent/operators.cuh"
#include "recurrent/parameters.cuh"
#include "recurrent/scratch.cuh"
#include "recurrent/stack.cuh"

namespace kpflow::cuda {

namespace {

template <class T>
class CudaRecurrent final : public RecurrentLinearization<T, Snapshot<T>> {
  using Base = RecurrentLinearization<T, Snapshot<T>>;
  using Base::layers_, Base::held_, Base::trials, Base::units;
  using typename Base::Between;

 public:
  explicit CudaRecurrent(Context& on) : Base(on.owner, kMostScratch / static_cast<int64_t>(sizeof(T))), card_(on) {}

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

  void state(void* out) const override {
    card_.to_its_end([&] {
      for (const Snapshot<T>& net : layers_) {
        copy_rows(card_, net.rows(), net.shape.state(), net.state.data(), net.shape.state(),
                  static_cast<T*>(out) + net.begin, net.stride);
      }
    });
  }

  void sites(int32_t family, void* out) const override {
    const Snapshot<T>& net = this->layer_of(family);
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
    double* jacobians = card_.template scratch<double>(Scratch::kState, all);
    cuda::step_jacobians(layers_, card_, first_trial, count_trials, first, count, jacobians);
    card_.copy_out(out, jacobians, all);
  }

  Slopes slopes(WeightSide side, int64_t first, int64_t count, double* out) const override {
    const Snapshot<T>& net = this->layer_of_unit(first);
    const int m = net.shape.cell.components;
    const int64_t unit = first - net.begin / m, each = net.shape.cell.gates * m * net.rows();
    const int64_t most = std::min(count, most_rows<double>(each));
    double* part = card_.template scratch<double>(Scratch::kState, most * each);
    for (int64_t done = 0; done < count; done += most) {
      const int64_t these = std::min(most, count - done);
      gather_slopes(card_, net, side, unit + done, these, part);
      card_.copy_out(out + done * each, part, these * each);
    }
    return Slopes::kGiven;
  }

  void apply(int32_t op, int32_t family, bool adjoint, int64_t s, const void* in, void* out,
             const Progress& progress) override {
    card_.to_its_end(
        [&] { this->compose(op, family, adjoint, s, static_cast<const T*>(in), static_cast<T*>(out), progress); });
  }

 protected:
  void sweep(bool adjoint, bool inverse, int64_t s, const T* in, T* out, const Progress& progress) override {
    if (adjoint) {
      propagate_layers_adjoint(layers_, card_, inverse, s, in, out, progress);
    } else {
      propagate_layers(layers_, card_, inverse, s, in, out, progress);
    }
  }
  void site_push(const Snapshot<T>& net, Weights weights, int64_t s, const T* theta, T* out,
                 const Progress& progress) override {
    cuda::site_push(net, card_, weights, s, theta, out, progress);
  }
  void site_pull(const Snapshot<T>& net, Weights weights, int64_t s, const T* a, T* theta,
                 const Progress& progress) override {
    cuda::site_pull(net, card_, weights, s, a, theta, progress);
  }
  void gates_push(const Snapshot<T>& net, Side side, int64_t s, const T* y, T* out) override {
    cuda::gates_push(net, card_, side, s, y, out);
  }
  void gates_pull(const Snapshot<T>& net, Side side, int64_t s, const T* a, T* y) override {
    cuda::gates_pull(net, card_, side, s, a, y);
  }
  T* between(Between what, int64_t count) override {
    return card_.template scratch<T>(what == Between::kStates ? Scratch::kState : Scratch::kTheta, count);
  }

 private:
  Context& card_;
};

}  // namespace

std::unique_ptr<kpflow_linearization> new_recurrent(Context& context, int32_t dtype) {
  if (dtype == KPFLOW_F32) return std::make_unique<CudaRecurrent<float>>(context);
  return std::make_unique<CudaRecurrent<double>>(context);
}

}  // namespace kpflow::cuda
