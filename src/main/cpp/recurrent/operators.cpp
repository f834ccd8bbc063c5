#include "recurrent/operators.hpp"

#include <algorithm>

#include "core/system.hpp"
#include "recurrent/jacobians.hpp"
#include "recurrent/linearization.hpp"
#include "recurrent/parameters.hpp"
#include "recurrent/stack.hpp"

namespace kpflow {

namespace {

template <class T>
class CpuRecurrent final : public RecurrentLinearization<T, Snapshot<T>> {
  using Base = RecurrentLinearization<T, Snapshot<T>>;
  using Base::context, Base::layers_, Base::held_, Base::trials, Base::units;
  using typename Base::Between;

 public:
  explicit CpuRecurrent(kpflow_context& owner) : Base(owner, (int64_t(512) << 20) / static_cast<int64_t>(sizeof(T))) {}

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

  void state(void* out) const override {
    for (const Snapshot<T>& net : layers_) {
      copy_rows(net.state.data(), net.shape.state(), net.shape.state(), static_cast<T*>(out) + net.begin, net.stride);
    }
  }

  void sites(int32_t family, void* out) const override {
    const Snapshot<T>& net = this->layer_of(family);
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
    const Snapshot<T>& net = this->layer_of_unit(first);
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
    this->compose(op, family, adjoint, s, static_cast<const T*>(in), static_cast<T*>(out), progress);
  }

 protected:
  void sweep(bool adjoint, bool inverse, int64_t s, const T* in, T* out, const Progress& progress) override {
    if (adjoint) {
      propagate_layers_adjoint(layers_, context, inverse, s, in, out, progress);
    } else {
      propagate_layers(layers_, context, inverse, s, in, out, progress);
    }
  }
  void site_push(const Snapshot<T>& net, Weights weights, int64_t s, const T* theta, T* out,
                 const Progress& progress) override {
    kpflow::site_push(net, context, weights, s, theta, out, progress);
  }
  void site_pull(const Snapshot<T>& net, Weights weights, int64_t s, const T* a, T* theta,
                 const Progress& progress) override {
    kpflow::site_pull(net, context, weights, s, a, theta, progress);
  }
  void gates_push(const Snapshot<T>& net, Side side, int64_t s, const T* y, T* out) override {
    kpflow::gates_push(net, context, side, s, y, out);
  }
  void gates_pull(const Snapshot<T>& net, Side side, int64_t s, const T* a, T* y) override {
    kpflow::gates_pull(net, context, side, s, a, y);
  }
  T* between(Between, int64_t count) override {
    if (count > between_.size()) {
      require_memory(count * static_cast<int64_t>(sizeof(T)), "one probe between the halves of an operator",
                     "use fewer trials or steps, or f32");
      between_.resize(count);
    }
    return between_.data();
  }

 private:
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

  Array<T> between_;  // it only grows
};

}  // namespace

std::unique_ptr<kpflow_linearization> new_recurrent(kpflow_context& context, int32_t dtype) {
  if (dtype == KPFLOW_F32) return std::make_unique<CpuRecurrent<float>>(context);
  return std::make_unique<CpuRecurrent<double>>(context);
}

}  // namespace kpflow
