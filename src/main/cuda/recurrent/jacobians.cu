// Every entry by a thread of its own: the limit is writing them.
#include "linalg/gemm.cuh"
#include "recurrent/jacobians.cuh"
#include "recurrent/scratch.cuh"

namespace kpflow::cuda {

namespace {

// The Jacobians of a launch: number i is that of trial first_trial + i / count at step first + i % count.
struct Steps {
  int64_t first_trial, first, count, length;  // length: T
  __device__ int64_t row(int64_t i) const { return (first_trial + i / count) * length + first + i % count; }
};

// What a layer's own previous state does to its state, zero right of it.
template <class T, class Out>
void write_own(const Snapshot<T>& net, Context& context, Steps which, int64_t matrices, Out* out) {
  const RowShape shape = net.shape;
  const T *weight = net.weight_hh.data(), *derivatives = net.derivatives.data();
  const int64_t units = shape.units, n = net.stride, rows = shape.state(), begin = net.begin, columns = n - begin;
  for_each(context.stream, matrices * rows * columns, [=] __device__(int64_t at) {
    const int64_t matrix = at / (rows * columns), row = at / columns % rows, column = at % columns;
    const int c = static_cast<int>(row / units);
    const int64_t i = row % units;
    Out value = 0;
    if (column < rows) {
      const int d = static_cast<int>(column / units);
      const int64_t l = column % units;
      const T* record = derivatives + which.row(matrix) * shape.derivatives();
      if (shape.cell.nonlinear_site || d == 0) {
        for (int j = 0; j < shape.cell.gates; ++j) {
          value += Out(record[shape.record.a(j, c) * units + i]) * Out(weight[(j * units + i) * units + l]);
        }
        if (shape.cell.nonlinear_site) value *= Out(record[shape.record.s(d) * units + l]);
      }
      if (shape.cell.state_path && i == l) value += Out(record[shape.record.d(c, d) * units + i]);
    }
    out[matrix * n * n + (begin + row) * n + begin + column] = value;
  });
}

// What the previous states of the layers below do to a layer's state, through h of the one right below.
template <class T, class Out>
void write_below(const Snapshot<T>& net, const Snapshot<T>& below, Context& context, Steps which, int64_t matrices,
                 Out* out) {
  const RowShape shape = net.shape;
  const T *weight = net.weight_ih.data(), *derivatives = net.derivatives.data();
  const int64_t units = shape.units, n = net.stride, rows = shape.state();
  Out* gain = context.scratch<Out>(Scratch::kGates, matrices * rows * units);  // d h^l / d h^{l-1} at the same step
  for_each(context.stream, matrices * rows * units, [=] __device__(int64_t at) {
    const int64_t matrix = at / (rows * units), row = at / units % rows, l = at % units, i = row % units;
    const int c = static_cast<int>(row / units);
    const T* record = derivatives + which.row(matrix) * shape.derivatives();
    Out value = 0;
    for (int j = 0; j < shape.cell.gates; ++j) {
      value += Out(record[shape.record.c(j, c) * units + i]) * Out(weight[(j * units + i) * units + l]);
    }
    gain[at] = value;
  });
  multiply<Out>(context, {false, false, rows, net.begin, units, Out(1), gain, units, out + below.begin * n, n, Out(0),
                          out + net.begin * n, n, matrices, rows * units, n * n, n * n});
}

}  // namespace

template <class T, class Out>
void step_jacobians(const Layers<T>& layers, Context& context, int64_t first_trial, int64_t trials, int64_t first,
                    int64_t steps, Out* out) {
  const int64_t n = layers[0].stride, all = trials * steps;
  const int64_t most = most_rows<Out>(layers[0].shape.state() * layers[0].shape.units);
  // A launch has some steps of one trial, or all steps of some trials.
  const int64_t length = std::min(steps, most), at_once = std::max<int64_t>(most / std::max<int64_t>(steps, 1), 1);
  for (int64_t done = 0, count; done < all; done += count) {
    const int64_t trial = done / steps, step = done % steps;
    const int64_t these = length < steps ? 1 : std::min(at_once, trials - trial);
    const int64_t count_steps = std::min(length, steps - step);
    count = these * count_steps;
    const Steps which{first_trial + trial, first + step, count_steps, layers[0].steps};
    for (size_t l = 0; l < layers.size(); ++l) {
      write_own(layers[l], context, which, count, out + done * n * n);
      if (l > 0) write_below(layers[l], layers[l - 1], context, which, count, out + done * n * n);
    }
  }
}

#define KPFLOW_JACOBIANS(T, Out) \
  template void step_jacobians<T, Out>(const Layers<T>&, Context&, int64_t, int64_t, int64_t, int64_t, Out*);
KPFLOW_JACOBIANS(float, float)
KPFLOW_JACOBIANS(float, double)
KPFLOW_JACOBIANS(double, double)
#undef KPFLOW_JACOBIANS

}  // namespace kpflow::cuda
