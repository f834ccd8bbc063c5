#include "recurrent/propagate.hpp"

#include <algorithm>

#include "recurrent/panels.hpp"

namespace kpflow {

namespace {

// Whether step t of all rows of a panel is zero: impulses leave most steps before (or after) them untouched, and what is zero
// needs no product with W_hh.
template <class T>
bool is_zero(const T* x, int64_t rows, int64_t steps, int64_t t, int64_t stride, int64_t n) {
  for (int64_t r = 0; r < rows; ++r) {
    const T* row = x + (r * steps + t) * stride;
    for (int64_t i = 0; i < n; ++i) {
      if (row[i] != T(0)) return false;
    }
  }
  return true;
}

}  // namespace

template <class T>
void propagate(const Snapshot<T>& net, kpflow_context& context, bool inverse, int64_t s, const T* in, T* out,
               const Progress& progress) {
  const RowShape& shape = net.shape;
  const int64_t units = shape.units, n = shape.state(), gates = shape.gates(), steps = net.steps, trials = net.trials;
  const int64_t stride = net.stride;
  const Panels panels(s * trials);
  in += net.begin;
  out += net.begin;
  const T sign = inverse ? T(-1) : T(1);
  const T* from = inverse ? in : out;  // whose previous step feeds the terms
  context.pool.run(panels.count, [&](int64_t task, int worker) {
    const int64_t first = task * panels.size, count = std::min(panels.size, panels.rows - first);
    T* x = context.worker_scratch<T>(worker, count * (units + gates));
    T* y = x + count * units;
    for (int64_t r = first; r < first + count; ++r) {
      if (in != out) std::copy_n(in + r * steps * stride, n, out + r * steps * stride);
    }
    bool silent = true;  // nothing has reached the panel yet
    for (int64_t t = 1; t < steps; ++t) {
      progress.advance(count);
      silent = silent && is_zero(from + first * steps * stride, count, steps, t - 1, stride, n);
      if (silent) {
        for (int64_t r = first; in != out && r < first + count; ++r) {
          std::copy_n(in + (r * steps + t) * stride, n, out + (r * steps + t) * stride);
        }
        continue;
      }
      for (int64_t r = 0; r < count; ++r) {
        const int64_t at = (first + r) * steps + t;
        site_row(shape, net.record(net.row((first + r) % trials, t)), from + (at - 1) * stride, x + r * units);
      }
      net.hidden.multiply(count, x, y);
      for (int64_t r = 0; r < count; ++r) {
        const int64_t at = (first + r) * steps + t;
        step_row(shape, net.record(net.row((first + r) % trials, t)), sign, in + at * stride, from + (at - 1) * stride,
                 y + r * gates, out + at * stride);
      }
    }
  });
}

template <class T>
void propagate_adjoint(const Snapshot<T>& net, kpflow_context& context, bool inverse, int64_t s, const T* in, T* out,
                       const Progress& progress) {
  const RowShape& shape = net.shape;
  const int64_t units = shape.units, n = shape.state(), gates = shape.gates(), steps = net.steps, trials = net.trials;
  const int64_t stride = net.stride;
  const Panels panels(s * trials);
  in += net.begin;
  out += net.begin;
  const T sign = inverse ? T(-1) : T(1);
  const T* from = inverse ? in : out;
  context.pool.run(panels.count, [&](int64_t task, int worker) {
    const int64_t first = task * panels.size, count = std::min(panels.size, panels.rows - first);
    T* x = context.worker_scratch<T>(worker, count * (units + gates));
    T* y = x + count * units;
    for (int64_t r = first; r < first + count; ++r) {
      const int64_t last = ((r + 1) * steps - 1) * stride;
      if (in != out) std::copy_n(in + last, n, out + last);
    }
    bool silent = true;
    for (int64_t t = steps - 2; t >= 0; --t) {
      progress.advance(count);
      silent = silent && is_zero(from + first * steps * stride, count, steps, t + 1, stride, n);
      if (silent) {
        for (int64_t r = first; in != out && r < first + count; ++r) {
          std::copy_n(in + (r * steps + t) * stride, n, out + (r * steps + t) * stride);
        }
        continue;
      }
      for (int64_t r = 0; r < count; ++r) {
        const int64_t at = (first + r) * steps + t;
        pull_row(shape, net.record(net.row((first + r) % trials, t + 1)), Side::kHidden, 0, shape.cell.gates, 0, units,
                 from + (at + 1) * stride, y + r * gates);
      }
      net.hidden_adjoint.multiply(count, y, x);
      for (int64_t r = 0; r < count; ++r) {
        const int64_t at = (first + r) * steps + t;
        adjoint_row(shape, net.record(net.row((first + r) % trials, t + 1)), sign, in + at * stride,
                    from + (at + 1) * stride, x + r * units, out + at * stride);
      }
    }
  });
}

#define KPFLOW_PROPAGATE(T)                                                                                      \
  template void propagate<T>(const Snapshot<T>&, kpflow_context&, bool, int64_t, const T*, T*, const Progress&); \
  template void propagate_adjoint<T>(const Snapshot<T>&, kpflow_context&, bool, int64_t, const T*, T*, const Progress&);
KPFLOW_PROPAGATE(float)
KPFLOW_PROPAGATE(double)
#undef KPFLOW_PROPAGATE

}  // namespace kpflow
