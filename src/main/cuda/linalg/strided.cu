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

// Numbers c step with first <= c <= last.
struct Multiples {
  int64_t step, first, last;
};

// Whether a sum of one number of each kind, from kind `at` on, lies between low and high. Kinds are ordered by step, the largest
// first, so that few of its numbers leave a rest that the others reach; where `tries` runs out the answer is yes.
bool reaches(const std::vector<Multiples>& kinds, size_t at, int64_t low, int64_t high, int& tries) {
  if (at == kinds.size()) return low <= 0 && 0 <= high;
  int64_t least = 0, most = 0;  // of the others
  for (size_t i = at + 1; i < kinds.size(); ++i) {
    least += kinds[i].step * kinds[i].first;
    most += kinds[i].step * kinds[i].last;
  }
  const Multiples& kind = kinds[at];
  const int64_t lowest = low - most, highest = high - least, step = kind.step;
  const int64_t first = std::max(kind.first, lowest > 0 ? pieces(lowest, step) : -(-lowest / step));
  const int64_t last = std::min(kind.last, highest >= 0 ? highest / step : -pieces(-highest, step));
  for (int64_t c = first; c <= last; ++c) {
    if (--tries < 0 || reaches(kinds, at + 1, low - c * step, high - c * step, tries)) return true;
  }
  return false;
}

// Whether an element of x and one of y share memory. Elements lie i . dx and j . dy behind the arrays' beginnings: two share some
// where i . dx - j . dy in bytes is y - x to less than the size of an element.
template <class X, class Y>
bool meet(const X* x, const Y* y, const std::vector<Axis>& axes) {
  constexpr int kTries = 1 << 14;
  constexpr int64_t of_x = sizeof(X), of_y = sizeof(Y);
  std::vector<Multiples> kinds;
  const auto add = [&](int64_t step, int64_t first, int64_t last) {
    const auto same = std::find_if(kinds.begin(), kinds.end(), [&](const Multiples& k) { return k.step == step; });
    if (step == 0) return;
    if (same == kinds.end()) return kinds.push_back({step, first, last});
    same->first += first;
    same->last += last;
  };
  for (const Axis& axis : axes) {
    add(axis.dx * of_x, 0, axis.size - 1);
    add(axis.dy * of_y, 1 - axis.size, 0);
  }
  std::sort(kinds.begin(), kinds.end(), [](const Multiples& a, const Multiples& b) { return a.step > b.step; });
  const int64_t between = static_cast<int64_t>(reinterpret_cast<intptr_t>(y) - reinterpret_cast<intptr_t>(x));
  int tries = kTries;
  return reaches(kinds, 0, between - of_x + 1, between + of_y - 1, tries);
}

template <class X, class Y>
void run(Context& context, const StridedAxpby& call) {
  const X* x = static_cast<const X*>(call.x);
  Y* y = static_cast<Y*>(call.y);
  std::vector<Axis> axes, spread;
  Axes all, repeated, parallel;
  bool same = sizeof(X) == sizeof(Y) && call.x == call.y;
  for (int axis = 0; axis < call.axes; ++axis) {
    const Axis next{call.shape[axis], call.x_strides[axis], call.y_strides[axis]};
    if (next.size == 0) return;
    if (next.size == 1) continue;
    axes.push_back(next);
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
  if (apart && (same || !meet(x, y, axes))) {
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
