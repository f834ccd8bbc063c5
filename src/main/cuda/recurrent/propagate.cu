// Two launches per step: a product with W_hh and one elementwise kernel, limited by the product. Where their latency would be the
// limit, the whole sweep is one launch (recurrent/persistent.cu).
#include "linalg/gemm.cuh"
#include "recurrent/persistent.cuh"
#include "recurrent/propagate.cuh"
#include "recurrent/scratch.cuh"

namespace kpflow::cuda {

namespace {

// y = x W_hh^T, x [rows, H] with rows x_stride apart.
template <class T>
void multiply_hidden(const Snapshot<T>& net, Context& context, int64_t rows, const T* x, int64_t x_stride, T* y) {
  const int64_t units = net.shape.units, gates = net.shape.gates();
  multiply<T>(context,
              {false, true, rows, gates, units, T(1), x, x_stride, net.weight_hh.data(), units, T(0), y, gates});
}

// x = y W_hh
template <class T>
void multiply_adjoint(const Snapshot<T>& net, Context& context, int64_t rows, const T* y, T* x) {
  const int64_t units = net.shape.units, gates = net.shape.gates();
  multiply<T>(context, {false, false, rows, units, gates, T(1), y, gates, net.weight_hh.data(), units, T(0), x, units});
}

// P: the perturbation of the site is the state's, in place, or what the kernel of the step before has left.
template <class T>
void sweep(const Snapshot<T>& net, Context& context, int64_t s, const T* in, T* out, const Progress& progress) {
  const LayerView<T> view = net.view();
  const int64_t steps = net.steps, rows = s * net.trials, stride = net.stride;
  const bool nonlinear = net.shape.cell.nonlinear_site;
  T* y = context.scratch<T>(Scratch::kGates, rows * net.shape.gates());
  T* x = nonlinear ? context.scratch<T>(Scratch::kSites, rows * net.shape.units) : nullptr;
  copy_rows(context, rows, net.shape.state(), in, steps * stride, out, steps * stride);
  if (nonlinear) site_rows(context, view, Rows{0, steps, rows}, out, x);
  for (int64_t t = 1; t < steps; ++t) {
    progress.advance(rows);
    multiply_hidden<T>(net, context, rows, nonlinear ? x : out + (t - 1) * stride,
                       nonlinear ? net.shape.units : steps * stride, y);
    step_rows<T>(context, view, {Rows{t, steps, rows}, T(1), in, out, y, out, x});
  }
}

template <class T>
void sweep_adjoint(const Snapshot<T>& net, Context& context, int64_t s, const T* in, T* out, const Progress& progress) {
  const LayerView<T> view = net.view();
  const int64_t steps = net.steps, rows = s * net.trials;
  T* y = context.scratch<T>(Scratch::kGates, rows * net.shape.gates());
  T* x = context.scratch<T>(Scratch::kSites, rows * net.shape.units);
  for (int64_t t = steps - 1; t >= 0; --t) {
    if (t + 1 < steps) {
      progress.advance(rows);
      multiply_adjoint(net, context, rows, y, x);
    }
    adjoint_rows<T>(context, view, {Rows{t, steps, rows}, T(1), in, out, x, out, t > 0 ? y : nullptr});
  }
}

// P^{-1} on rows first..last-1 of [s, B, T]: each takes the term of the row before, which is of its trial unless t = 0.
template <class T>
void invert(const Snapshot<T>& net, Context& context, int64_t first, int64_t last, const T* in, T* out) {
  const LayerView<T> view = net.view();
  const int64_t units = net.shape.units, gates = net.shape.gates();
  const int64_t from = std::max<int64_t>(first - 1, 0), rows = last - 1 - from;
  T* y = context.scratch<T>(Scratch::kGates, (last - first) * gates);
  T* y_from = y + (from + 1 - first) * gates;
  if (net.shape.cell.nonlinear_site) {
    T* x = context.scratch<T>(Scratch::kSites, (last - first) * units);
    site_rows(context, view, Rows{from, 1, rows}, in, x);
    multiply_hidden(net, context, rows, x, units, y_from);
  } else {
    multiply_hidden(net, context, rows, in + from * net.stride, net.stride, y_from);
  }
  step_rows<T>(context, view, {Rows{first, 1, last - first}, T(-1), in, in, y, out, nullptr});
}

// P^{-*}: each row takes the term of the row after it.
template <class T>
void invert_adjoint(const Snapshot<T>& net, Context& context, int64_t first, int64_t last, int64_t all, const T* in,
                    T* out) {
  const LayerView<T> view = net.view();
  const int64_t rows = std::min(last + 1, all) - (first + 1);
  T* y = context.scratch<T>(Scratch::kGates, (last - first) * net.shape.gates());
  T* x = context.scratch<T>(Scratch::kSites, (last - first) * net.shape.units);
  pull_rows(context, view, Rows{first + 1, 1, rows}, Sides::kHidden, in, y);
  multiply_adjoint(net, context, rows, y, x);
  adjoint_rows<T>(context, view, {Rows{first, 1, last - first}, T(-1), in, in, x, out, nullptr});
}

// Runs a sweep: in one kernel where that is worth it, or by body(progress), recorded if it has been asked for before. The first
// two poll for cancellation before they start alone, the last at every step.
template <class T, class Body>
void run_sweep(const Snapshot<T>& net, Context& context, bool adjoint, int64_t s, const T* in, T* out,
               const Progress& progress, const Body& body) {
  progress.advance();
  if (sweep_persistent(net, context, adjoint, s, in, out)) return progress.advance(s * net.trials * (net.steps - 1));
  SweepKey key{adjoint, s, in, out, context.scratch_moved()};
  if (!net.graphs.repeats(key)) {
    body(progress);
    key.scratch = context.scratch_moved();
    return net.graphs.remember(key);
  }
  progress.advance(s * net.trials * (net.steps - 1));
  net.graphs.run(context, key, [&] { body(Progress(nullptr)); });
}

// body(first, last) on parts of the rows whose scratch is bounded.
template <class T, class Body>
void in_parts(const Snapshot<T>& net, int64_t rows, const Progress& progress, const Body& body) {
  const int64_t most = most_rows<T>(net.shape.gates() + net.shape.units);
  for (int64_t first = 0; first < rows; first += most) {
    const int64_t last = std::min(rows, first + most);
    progress.advance(last - first);
    body(first, last);
  }
}

}  // namespace

template <class T>
void propagate(const Snapshot<T>& net, Context& context, bool inverse, int64_t s, const T* in, T* out,
               const Progress& progress) {
  in += net.begin;
  out += net.begin;
  if (!inverse) {
    return run_sweep(net, context, false, s, in, out, progress,
                     [&](const Progress& steps) { sweep(net, context, s, in, out, steps); });
  }
  in_parts(net, s * net.rows(), progress,
           [&](int64_t first, int64_t last) { invert(net, context, first, last, in, out); });
}

template <class T>
void propagate_adjoint(const Snapshot<T>& net, Context& context, bool inverse, int64_t s, const T* in, T* out,
                       const Progress& progress) {
  in += net.begin;
  out += net.begin;
  if (!inverse) {
    return run_sweep(net, context, true, s, in, out, progress,
                     [&](const Progress& steps) { sweep_adjoint(net, context, s, in, out, steps); });
  }
  const int64_t all = s * net.rows();
  in_parts(net, all, progress,
           [&](int64_t first, int64_t last) { invert_adjoint(net, context, first, last, all, in, out); });
}

#define KPFLOW_PROPAGATE(T)                                                                               \
  template void propagate<T>(const Snapshot<T>&, Context&, bool, int64_t, const T*, T*, const Progress&); \
  template void propagate_adjoint<T>(const Snapshot<T>&, Context&, bool, int64_t, const T*, T*, const Progress&);
KPFLOW_PROPAGATE(float)
KPFLOW_PROPAGATE(double)
#undef KPFLOW_PROPAGATE

}  // namespace kpflow::cuda
