#include "recurrent/snapshot.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "core/status.hpp"
#include "recurrent/computed.hpp"
#include "recurrent/panels.hpp"

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

template <class T>
CellShape cell_shape(const kpflow_recurrent& model, int64_t index) {
  return model.cell != nullptr ? find_cell(model.cell).shape : computed_shape<T>(model, model.layers[index]);
}

}  // namespace

template <class T>
void Snapshot<T>::assign(const kpflow_recurrent& model, int64_t index, const Snapshot* below, kpflow_context& context,
                         const Progress& progress) {
  const kpflow_layer& layer = model.layers[index];
  static_cast<LayerLayout&>(*this) = lay_out(model, index, cell_shape<T>(model, index));
  const int64_t gates = shape.gates();
  copy_or_zero(weight_ih, layer.weight_ih, gates * inputs);
  copy_or_zero(weight_hh, layer.weight_hh, gates * shape.units);
  hidden.pack(true, shape.units, gates, weight_hh.data());
  hidden_adjoint.pack(false, gates, shape.units, weight_hh.data());
  copy_or_zero(bias_ih, layer.bias_ih, gates);
  copy_or_zero(bias_hh, layer.bias_hh, gates);
  if (below == nullptr) {
    copy_or_zero(x, model.input, rows() * inputs);
    input = x.data();
    input_stride = inputs;
  } else {
    input = below->state.data();
    input_stride = below->shape.state();
  }
  site.resize(rows() * shape.units);
  state.resize(rows() * shape.state());
  derivatives.resize(rows() * shape.derivatives());
  if (model.cell != nullptr) {
    forward(model, context, progress);
  } else {
    take(layer);
  }
}

template <class T>
int64_t snapshot_bytes(const kpflow_recurrent& model) {
  const RowShape shape(largest_shape(model), model.units);
  return snapshot_elements(model) * static_cast<int64_t>(sizeof(T)) +
         model.layer_count *
             (PackedMatrix<T>::bytes(shape.units, shape.gates()) + PackedMatrix<T>::bytes(shape.gates(), shape.units));
}

template <class T>
void Snapshot<T>::require_finite(int64_t row) const {
  const int64_t n = shape.state();
  const T* h = state.data() + row * n;
  int32_t infinite = 0;  // without a branch, so that it is done in vectors
  for (int64_t i = 0; i < n; ++i) infinite |= std::fabs(h[i]) <= std::numeric_limits<T>::max() ? 0 : 1;
  if (infinite == 0) return;
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(h[i])) refuse_state<T>(*this, row / steps, row % steps, i);
  }
}

template <class T>
void Snapshot<T>::forward(const kpflow_recurrent& model, kpflow_context& context, const Progress& progress) {
  const Cell& cell = find_cell(model.cell);
  const int64_t units = shape.units, n = shape.state(), gates = shape.gates();
  const StepFunction<T> step = cell.step(T());
  const SiteFunction<T> psi = cell.site(T());
  const T* initial = static_cast<const T*>(model.initial);
  const T* given = static_cast<const T*>(model.trajectory);
  Array<T> zero(n);
  std::memset(zero.data(), 0, static_cast<size_t>(n) * sizeof(T));
  const Panels panels(trials);
  PackedMatrix<T> read;  // W_ih^T
  read.pack(true, inputs, gates, weight_ih.data());

  context.pool.run(panels.count, [&](int64_t task, int worker) {
    const int64_t first = task * panels.size, count = std::min(panels.size, trials - first);
    T* v = context.worker_scratch<T>(worker, count * (units + 2 * gates));
    T *q = v + count * units, *p = q + count * gates;
    for (int64_t t = 0; t < steps; ++t) {
      progress.advance(count);
      const auto previous = [&](int64_t b) -> const T* {
        if (t > 0) return state.data() + (row(b, t) - 1) * n;
        return initial != nullptr ? initial + b * stride + begin : zero.data();
      };
      for (int64_t r = 0; r < count; ++r) {
        const int64_t at = row(first + r, t);
        if (psi == nullptr) {
          std::copy_n(previous(first + r), units, v + r * units);
        } else {
          psi(units, previous(first + r), v + r * units,
              derivatives.data() + at * shape.derivatives() + shape.record.s(0) * units);
        }
        std::copy_n(v + r * units, units, site.data() + at * units);
        std::copy_n(bias_hh.data(), gates, q + r * gates);
        std::copy_n(bias_ih.data(), gates, p + r * gates);
      }
      const T* x_t = input + row(first, t) * input_stride;  // those of the other trials are steps rows apart
      hidden.multiply(PackedProduct<T>{false, true, count, v, units, q, gates}, 0, units);
      read.multiply(PackedProduct<T>{false, true, count, x_t, steps * input_stride, p, gates}, 0, inputs);
      for (int64_t r = 0; r < count; ++r) {
        const int64_t b = first + r, at = row(b, t);
        T* next = state.data() + at * n;
        step(CellRow<T>{units, model.cell_parameter, q + r * gates, p + r * gates, previous(b), next,
                        derivatives.data() + at * shape.derivatives()});
        if (given != nullptr) std::copy_n(given + at * stride + begin, n, next);
        require_finite(at);
      }
    }
  });
}

template <class T>
void Snapshot<T>::take(const kpflow_layer& layer) {
  std::memcpy(site.data(), layer.sites, static_cast<size_t>(site.size()) * sizeof(T));
  std::memcpy(state.data(), layer.states, static_cast<size_t>(state.size()) * sizeof(T));
  for (int64_t at = 0; at < rows(); ++at) {
    require_finite(at);
    take_record(shape, at, static_cast<const T*>(layer.derivatives), derivatives.data());
  }
}

template struct Snapshot<float>;
template struct Snapshot<double>;
template int64_t snapshot_bytes<float>(const kpflow_recurrent&);
template int64_t snapshot_bytes<double>(const kpflow_recurrent&);

}  // namespace kpflow
