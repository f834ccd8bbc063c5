#include "recurrent/snapshot.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/status.hpp"
#include "linalg/blas.hpp"

namespace kpflow {

namespace {

template <class T>
void copy_or_zero(Array<T>& target, const void* source, int64_t count) {
  target.resize(count);
  const size_t bytes = static_cast<size_t>(count) * sizeof(T);
  if (source != nullptr) {
    std::memcpy(target.data(), source, bytes);
  } else {
    std::memset(target.data(), 0, bytes);
  }
}

}  // namespace

template <class T>
Snapshot<T>::Snapshot(const Cell& cell_definition, const kpflow_recurrent& model)
    : cell(cell_definition),
      shape(cell.shape, model.units),
      trials(model.trials),
      steps(model.steps),
      inputs(model.inputs),
      parameter(model.cell_parameter),
      has_bias_ih(model.bias_ih != nullptr),
      has_bias_hh(model.bias_hh != nullptr) {
  const int64_t gates = shape.gates();
  copy_or_zero(weight_ih, model.weight_ih, gates * inputs);
  copy_or_zero(weight_hh, model.weight_hh, gates * shape.units);
  hidden.pack(true, shape.units, gates, weight_hh.data());
  hidden_adjoint.pack(false, gates, shape.units, weight_hh.data());
  copy_or_zero(bias_ih, model.bias_ih, gates);
  copy_or_zero(bias_hh, model.bias_hh, gates);
  copy_or_zero(input, model.input, rows() * inputs);
  site.resize(rows() * shape.units);
  state.resize(rows() * shape.state());
  derivatives.resize(rows() * shape.derivatives());
  for (int family = 0; family < KPFLOW_FAMILIES; ++family) {
    offset[family] = -1;
    if (model.trainable >> family & 1) {
      offset[family] = parameters;
      parameters += gates * site_units(family);
    }
  }
}

template <class T>
int64_t Snapshot<T>::site_units(int family) const {
  switch (family) {
    case KPFLOW_WEIGHT_IH:
      return inputs;
    case KPFLOW_WEIGHT_HH:
      return shape.units;
    case KPFLOW_BIAS_IH:
      return has_bias_ih ? 1 : 0;
    case KPFLOW_BIAS_HH:
      return has_bias_hh ? 1 : 0;
    default:
      return 0;
  }
}

template <class T>
int64_t Snapshot<T>::bytes(const Cell& cell, const kpflow_recurrent& model) {
  const RowShape shape(cell.shape, model.units);
  const int64_t per_row = model.inputs + shape.units + shape.state() + shape.derivatives();
  const int64_t rows = checked_product(model.trials, model.steps);
  const int64_t weights = checked_product(shape.gates(), model.inputs + model.units + 2);
  const int64_t total = checked_product(rows, per_row);
  KPFLOW_REQUIRE(total <= INT64_MAX / 16 - weights, "model: its arrays overflow the address space");
  return (total + weights) * static_cast<int64_t>(sizeof(T)) + PackedMatrix<T>::bytes(shape.units, shape.gates()) +
         PackedMatrix<T>::bytes(shape.gates(), shape.units);
}

template <class T>
void run_forward(Snapshot<T>& net, kpflow_context& context, const kpflow_recurrent& model, const Progress& progress) {
  constexpr int64_t kPanel = 32;  // trials that go through a step's product together
  const RowShape& shape = net.shape;
  const int64_t units = shape.units, n = shape.state(), gates = shape.gates(), steps = net.steps, inputs = net.inputs;
  const StepFunction<T> step = net.cell.step(T());
  const SiteFunction<T> site = net.cell.site(T());
  const T* initial = static_cast<const T*>(model.initial);
  const T* given = static_cast<const T*>(model.trajectory);
  Array<T> zero(n);
  std::memset(zero.data(), 0, static_cast<size_t>(n) * sizeof(T));

  context.pool.run(pieces(net.trials, kPanel), [&](int64_t task, int worker) {
    const int64_t first = task * kPanel, count = std::min(kPanel, net.trials - first);
    T* v = context.worker_scratch<T>(worker, count * (units + 2 * gates + inputs));
    T *q = v + count * units, *p = q + count * gates, *x = p + count * gates;
    for (int64_t t = 0; t < steps; ++t) {
      progress.advance(count);
      const auto previous = [&](int64_t b) -> const T* {
        if (t > 0) return net.state.data() + (net.row(b, t) - 1) * n;
        return initial != nullptr ? initial + b * n : zero.data();
      };
      for (int64_t r = 0; r < count; ++r) {
        const int64_t row = net.row(first + r, t);
        if (site == nullptr) {
          std::copy_n(previous(first + r), units, v + r * units);
        } else {
          site(units, previous(first + r), v + r * units,
               net.derivatives.data() + row * shape.derivatives() + shape.record.s(0) * units);
        }
        std::copy_n(v + r * units, units, net.site.data() + row * units);
        std::copy_n(net.input.data() + row * inputs, inputs, x + r * inputs);
        std::copy_n(net.bias_hh.data(), gates, q + r * gates);
        std::copy_n(net.bias_ih.data(), gates, p + r * gates);
      }
      gemm(false, true, count, gates, units, T(1), v, units, net.weight_hh.data(), units, T(1), q, gates);
      gemm(false, true, count, gates, inputs, T(1), x, inputs, net.weight_ih.data(), inputs, T(1), p, gates);
      for (int64_t r = 0; r < count; ++r) {
        const int64_t b = first + r, row = net.row(b, t);
        T* next = net.state.data() + row * n;
        step(CellRow<T>{units, net.parameter, q + r * gates, p + r * gates, previous(b), next,
                        net.derivatives.data() + row * shape.derivatives()});
        if (given != nullptr) std::copy_n(given + row * n, n, next);
        for (int64_t i = 0; i < n; ++i) {
          if (!std::isfinite(next[i])) {
            fail(KPFLOW_NUMERICAL, "forward pass: the state is not finite at trial %lld, step %lld, unit %lld; %s",
                 static_cast<long long>(b), static_cast<long long>(t), static_cast<long long>(i),
                 sizeof(T) == 4 ? "the dynamics overflow in f32, try f64" : "the dynamics diverge");
          }
        }
      }
    }
  });
}

template struct Snapshot<float>;
template struct Snapshot<double>;
template void run_forward<float>(Snapshot<float>&, kpflow_context&, const kpflow_recurrent&, const Progress&);
template void run_forward<double>(Snapshot<double>&, kpflow_context&, const kpflow_recurrent&, const Progress&);

}  // namespace kpflow
