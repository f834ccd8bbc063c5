// y = alpha x + beta y over strides.
#include <algorithm>
#include <utility>
#include <vector>

#include "linalg/arrays.cuh"

namespace kpflow::cuda {

namespace {

struct Axis {
  int64_t size, dx, dy;
};

// The axes of a call in row-major order.
struct Axes {
  int count = 0;
  Axis of[KPFLOW_MAX_AXES] = {};

  // Adds an axis; where it goes on where the one before ends, the two become one.
  void add(const Axis& axis) {
    if (count > 0 && of[count - 1].dx == axis.size * axis.dx && of[count - 1].dy == axis.size * axis.dy) {
      of[count - 1] = {of[count - 1].size * axis.size, axis.dx, axis.dy};
    } else {
      of[count++] = axis;
    }
  }
  int64_t size() const {
    int64_t product = 1;
    for (int axis = 0; axis < count; ++axis) product *= of[axis].size;
    return product;
  }
  __device__ void locate(int64_t index, int64_t& x, int64_t& y) const {
    for (int axis = count - 1; axis >= 0; --axis) {
      const int64_t at = axis > 0 ? index % of[axis].size : index;
      if (axis > 0) index /= of[axis].size;
      x += at * of[axis].dx;
      y += at * of[axis].dy;
    }
  }
};

// Neither product nor sum is contracted, as on the CPU.
template <class X, class Y>
__device__ Y combined(double alpha, X x, double beta, Y y) {
  const double value = __dmul_rn(alpha, static_cast<double>(x));
  return static_cast<Y>(beta == 0 ? value : __dadd_rn(value, __dmul_rn(beta, static_cast<double>(y))));
}

// Elements of y are those of `parallel`, a thread each; it walks the repeated axes in order, along which y stays where it is.
// Limited by memory, whole lines of y at a time.
template <class X, class Y>
void run_parallel(Context& context, const Axes& parallel, const Axes& repeated, double alpha, const X* x, double beta,
                  Y* y) {
  const int64_t repeats = repeated.size();
  for_each(context.stream, parallel.size(), [=] __device__(int64_t i) {
    int64_t at_x = 0, at_y = 0;
    parallel.locate(i, at_x, at_y);
    Y value = beta == 0 ? Y(0) : y[at_y];
    if (beta == 0) {  // the last one stays
      repeated.locate(repeats - 1, at_x, at_y);
      value = combined(alpha, x[at_x], beta, value);
    } else {
      for (int64_t r = 0; r < repeats; ++r) {
        int64_t from = at_x, same = at_y;
        repeated.locate(r, from, same);
        value = combined(alpha, x[from], beta, value);
      }
    }
    y[at_y] = value;
  });
}

// One thread walks all axes in order: for strides by which elements of y meet in other ways.
template <class X, class Y>
void run_in_order(Context& context, const Axes& all, double alpha, const X* x, double beta, Y* y) {
  const int64_t size = all.size();
  for_each(context.stream, 1, [=] __device__(int64_t) {
    for (int64_t i = 0; i < size; ++i) {
      int64_t at_x = 0, at_y = 0;
      all.locate(i, at_x, at_y);
      y[at_y] = combined(alpha, x[at_x], beta, beta == 0 ? Y(0) : y[at_y]);
    }
  });
}

template <class X, class Y>
void run(Context& context, const StridedAxpby& call) {
  const X* x = static_cast<const X*>(call.x);
  Y* y = static_cast<Y*>(call.y);
  std::vector<Axis> spread;
  Axes all, repeated, parallel;
  int64_t reach_x = 1, reach_y = 1;
  bool same = sizeof(X) == sizeof(Y) && call.x == call.y;
  for (int axis = 0; axis < call.axes; ++axis) {
    const Axis next{call.shape[axis], call.x_strides[axis], call.y_strides[axis]};
    if (next.size == 0) return;
    if (next.size == 1) continue;
    reach_x += (next.size - 1) * next.dx;
    reach_y += (next.size - 1) * next.dy;
    same = same && next.dx == next.dy;
    all.add(next);
    if (next.dy == 0) {
      repeated.add(next);
    } else {
      spread.push_back(next);
    }
  }
  std::stable_sort(spread.begin(), spread.end(), [](const Axis& a, const Axis& b) { return a.dy > b.dy; });
  bool apart = true;  // different indices reach different elements of y
  int64_t within = 0;
  for (auto axis = spread.rbegin(); axis != spread.rend(); ++axis) {
    apart = apart && axis->dy > within;
    within += (axis->size - 1) * axis->dy;
  }
  for (const Axis& axis : spread) parallel.add(axis);
  const bool disjoint = static_cast<const void*>(x + reach_x) <= static_cast<const void*>(y) ||
                        static_cast<const void*>(y + reach_y) <= static_cast<const void*>(x);
  if (apart && (disjoint || same)) {
    run_parallel(context, parallel, repeated, call.alpha, x, call.beta, y);
  } else {
    run_in_order(context, all, call.alpha, x, call.beta, y);
  }
}

}  // namespace

void strided_axpby(Context& context, const StridedAxpby& call) {
  if (call.x_dtype == KPFLOW_F32) {
    return call.y_dtype == KPFLOW_F32 ? run<float, float>(context, call) : run<float, double>(context, call);
  }
  return call.y_dtype == KPFLOW_F32 ? run<double, float>(context, call) : run<double, double>(context, call);
}

}  // namespace kpflow::cuda
