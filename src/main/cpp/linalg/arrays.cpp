#include "linalg/arrays.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/simd.hpp"
#include "linalg/blas.hpp"

namespace kpflow {

namespace {

constexpr int64_t kChunk = 1 << 15;  // elements of one task; fixed, so that sums do not depend on the thread count

template <class T>
KPFLOW_INLINE void axpby_body(int64_t count, T alpha, const T* x, T beta, T* y) {
  if (beta == T(0)) {
    for (int64_t i = 0; i < count; ++i) y[i] = alpha * x[i];
  } else {
    for (int64_t i = 0; i < count; ++i) y[i] = alpha * x[i] + beta * y[i];
  }
}
KPFLOW_CLONES void axpby_chunk(int64_t count, float alpha, const float* x, float beta, float* y) {
  axpby_body(count, alpha, x, beta, y);
}
KPFLOW_CLONES void axpby_chunk(int64_t count, double alpha, const double* x, double beta, double* y) {
  axpby_body(count, alpha, x, beta, y);
}

// Eight partial sums in f64, combined in a fixed order.
template <class T>
KPFLOW_INLINE double dot_body(int64_t count, const T* x, const T* y) {
  double lanes[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int lane = 0; lane < 8; ++lane)
      lanes[lane] += static_cast<double>(x[i + lane]) * static_cast<double>(y[i + lane]);
  }
  for (; i < count; ++i) lanes[0] += static_cast<double>(x[i]) * static_cast<double>(y[i]);
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}
KPFLOW_CLONES double dot_chunk(int64_t count, const float* x, const float* y) { return dot_body(count, x, y); }
KPFLOW_CLONES double dot_chunk(int64_t count, const double* x, const double* y) { return dot_body(count, x, y); }

// y += alpha x, in f64.
KPFLOW_CLONES void add_row(int64_t count, double alpha, const float* x, double* y) {
  for (int64_t i = 0; i < count; ++i) y[i] += alpha * static_cast<double>(x[i]);
}
KPFLOW_CLONES void add_row(int64_t count, double alpha, const double* x, double* y) {
  for (int64_t i = 0; i < count; ++i) y[i] += alpha * x[i];
}

}  // namespace

template <class T>
void axpby(ThreadPool& pool, int64_t count, double alpha, const T* x, double beta, T* y) {
  pool.run(pieces(count, kChunk), [&](int64_t task, int) {
    const int64_t first = task * kChunk;
    axpby_chunk(std::min(kChunk, count - first), static_cast<T>(alpha), x + first, static_cast<T>(beta), y + first);
  });
}

template <class T>
void dot(ThreadPool& pool, int64_t rows, int64_t columns, const T* x, const T* y, double* out) {
  const int64_t chunks = std::max<int64_t>(pieces(columns, kChunk), 1);
  Array<double> partial(rows * chunks);
  pool.run(rows * chunks, [&](int64_t task, int) {
    const int64_t first = task % chunks * kChunk, at = task / chunks * columns + first;
    partial[task] = dot_chunk(std::min(kChunk, columns - first), x + at, y + at);
  });
  for (int64_t row = 0; row < rows; ++row) {
    double sum = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) sum += partial[row * chunks + chunk];
    out[row] = sum;
  }
}

template <class T>
void parallel_gemm(ThreadPool& pool, bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const T* a,
                   const T* b, double beta, T* c) {
  // The longer side of C is cut into panels of fixed size, each one BLAS call.
  if (k == 0) return axpby(pool, m * n, 0.0, c, beta, c);
  constexpr int64_t kPanel = 256;
  const int64_t lda = ta ? m : k, ldb = tb ? k : n;
  const bool by_rows = m >= n;
  pool.run(pieces(by_rows ? m : n, kPanel), [&](int64_t task, int) {
    const int64_t first = task * kPanel, length = std::min(kPanel, (by_rows ? m : n) - first);
    if (by_rows) {
      gemm(ta, tb, length, n, k, static_cast<T>(alpha), a + (ta ? first : first * lda), lda, b, ldb,
           static_cast<T>(beta), c + first * n, n);
    } else {
      gemm(ta, tb, m, length, k, static_cast<T>(alpha), a, lda, b + (tb ? first * ldb : first), ldb,
           static_cast<T>(beta), c + first, n);
    }
  });
}

template <class T>
void row_products(ThreadPool& pool, int64_t m, int64_t s, int64_t n, const T* x, const T* y, double* out) {
  // out = sum over groups of columns, each a sum over chunks, both in order; products of f32 are formed in f32 within a chunk only.
  constexpr int64_t kGroups = 32, kColumns = 1024;
  const int64_t size = m * s, width = pieces(std::max<int64_t>(n, 1), kGroups), groups = pieces(n, width);
  Array<double> partial(groups * size);
  pool.run(groups, [&](int64_t group, int) {
    double* sum = partial.data() + group * size;
    std::fill_n(sum, size, 0.0);
    Array<T> products(size);
    const int64_t last = std::min(n, (group + 1) * width);
    for (int64_t first = group * width; first < last; first += kColumns) {
      gemm(false, true, m, s, std::min(kColumns, last - first), T(1), x + first, n, y + first, n, T(0), products.data(),
           s);
      add_row(size, 1.0, products.data(), sum);
    }
  });
  std::fill_n(out, size, 0.0);
  for (int64_t group = 0; group < groups; ++group) add_row(size, 1.0, partial.data() + group * size, out);
}

template <class T>
void combine_rows(kpflow_context& context, int64_t k, int64_t m, int64_t n, const double* coefficients, T* x) {
  if (k == 0) return;
  constexpr int64_t kPanel = 512;  // columns that a worker combines on the side and then writes back
  Array<T> rounded(k * m);
  for (int64_t i = 0; i < k * m; ++i) rounded[i] = static_cast<T>(coefficients[i]);
  context.pool.run(pieces(n, kPanel), [&](int64_t task, int worker) {
    const int64_t first = task * kPanel, width = std::min(kPanel, n - first);
    T* combined = context.worker_scratch<T>(worker, k * width);
    gemm(false, false, k, width, m, T(1), rounded.data(), m, x + first, n, T(0), combined, width);
    for (int64_t row = 0; row < k; ++row) std::copy_n(combined + row * width, width, x + row * n + first);
  });
}

template <class X, class Y>
void strided_axpby(int axes, const int64_t* shape, double alpha, const X* x, const int64_t* x_strides, double beta,
                   Y* y, const int64_t* y_strides) {
  int64_t index[KPFLOW_MAX_AXES] = {};
  for (int axis = 0; axis < axes; ++axis) {
    if (shape[axis] == 0) return;
  }
  const int64_t inner = axes > 0 ? shape[axes - 1] : 1;
  const int64_t dx = axes > 0 ? x_strides[axes - 1] : 0, dy = axes > 0 ? y_strides[axes - 1] : 0;
  while (true) {
    for (int64_t i = 0; i < inner; ++i) {
      const double value = alpha * static_cast<double>(x[i * dx]);
      y[i * dy] = static_cast<Y>(beta == 0 ? value : value + beta * static_cast<double>(y[i * dy]));
    }
    int axis = axes - 2;
    for (; axis >= 0; --axis) {
      x += x_strides[axis];
      y += y_strides[axis];
      if (++index[axis] < shape[axis]) break;
      x -= shape[axis] * x_strides[axis];
      y -= shape[axis] * y_strides[axis];
      index[axis] = 0;
    }
    if (axis < 0) return;
  }
}

namespace {

// Column c of the [kept, traced] view of one sample, as the strides of the kept and the traced axes.
struct KeptView {
  int64_t kept = 1, traced = 1;
  int64_t kept_sizes[3], kept_strides[3], traced_sizes[3], traced_strides[3];
  int kept_axes = 0, traced_axes = 0;

  KeptView(const int64_t (&sizes)[3], int32_t keep) {
    const int64_t strides[3] = {sizes[1] * sizes[2], sizes[2], 1};
    for (int axis = 0; axis < 3; ++axis) {
      if (keep >> axis & 1) {
        kept *= sizes[axis];
        kept_sizes[kept_axes] = sizes[axis];
        kept_strides[kept_axes++] = strides[axis];
      } else {
        traced *= sizes[axis];
        traced_sizes[traced_axes] = sizes[axis];
        traced_strides[traced_axes++] = strides[axis];
      }
    }
  }

  static int64_t offset(int64_t flat, int axes, const int64_t* sizes, const int64_t* strides) {
    int64_t at = 0;
    for (int axis = axes - 1; axis >= 0; --axis) {
      at += flat % sizes[axis] * strides[axis];
      flat /= sizes[axis];
    }
    return at;
  }
};

// A power of two that brings the largest element near 1, so that products of f32 neither overflow nor vanish; 1 for f64.
template <class T>
T safe_scale(ThreadPool& pool, int64_t count, const T* x) {
  if (sizeof(T) > 4) return T(1);
  Array<T> partial(pieces(count, kChunk));
  pool.run(partial.size(), [&](int64_t task, int) {
    T largest = 0;
    for (int64_t i = task * kChunk; i < std::min(count, (task + 1) * kChunk); ++i)
      largest = std::max(largest, std::abs(x[i]));
    partial[task] = largest;
  });
  T largest = 0;
  for (int64_t i = 0; i < partial.size(); ++i) largest = std::max(largest, partial[i]);
  if (!(largest > 0) || !std::isfinite(largest)) return T(1);
  return std::ldexp(T(1), -std::clamp(std::ilogb(largest), -100, 100));
}

// Products of f32 numbers are formed in f32 over a strip of at most kStrip terms and summed over strips in f64, in the lower
// triangle of out [d, d].
constexpr int64_t kStrip = 4096;

// One strip: X [d, terms] with rows ld apart, or transposed, X [terms, d].
template <class T>
struct Strip {
  const T* x;
  int64_t d, terms, ld;
  bool transposed;

  // products [rows, columns] = rows row.. times rows column.. of X.
  void multiply(int64_t row, int64_t rows, int64_t column, int64_t columns, T* products) const {
    const int64_t step = transposed ? 1 : ld;
    gemm(transposed, !transposed, rows, columns, terms, T(1), x + row * step, ld, x + column * step, ld, T(0), products,
         columns);
  }
};

// out += alpha X X^T by blocks of the triangle, a task each.
template <class T>
void add_gram(kpflow_context& context, const Strip<T>& strip, double alpha, double* out, const Progress& progress) {
  const int64_t d = strip.d, size = std::clamp<int64_t>(pieces(d, 8), 32, 256), blocks = pieces(d, size);
  context.pool.run(blocks * (blocks + 1) / 2, [&](int64_t task, int worker) {
    progress.advance();
    const int64_t i = static_cast<int64_t>((std::sqrt(8.0 * static_cast<double>(task) + 1) - 1) / 2);
    const int64_t row = i * size, column = (task - i * (i + 1) / 2) * size;
    const int64_t rows = std::min(size, d - row), columns = std::min(size, d - column);
    T* products = context.worker_scratch<T>(worker, rows * columns);
    strip.multiply(row, rows, column, columns, products);
    for (int64_t r = 0; r < rows; ++r) {
      add_row(std::min(columns, row + r + 1 - column), alpha, products + r * columns, out + (row + r) * d + column);
    }
  });
}

// x [s, d, traced]: the samples of a strip are set side by side, X [d, samples * traced].
template <class T>
void gram_of_rows(kpflow_context& context, int64_t s, int64_t d, int64_t traced, const T* x, double alpha, double* out,
                  const Progress& progress) {
  const int64_t most = std::min(s, kStrip / traced);
  if (most < 2) {
    for (int64_t sample = 0; sample < s; ++sample) {
      for (int64_t first = 0; first < traced; first += kStrip) {
        const T* part = x + sample * d * traced + first;
        add_gram(context, Strip<T>{part, d, std::min(kStrip, traced - first), traced, false}, alpha, out, progress);
      }
    }
    return;
  }
  const int64_t ld = most * traced + 16;  // not a power of two, on which caches trip
  T* beside = static_cast<T*>(context.workspace.reserve(d * ld * static_cast<int64_t>(sizeof(T))));
  for (int64_t first = 0; first < s; first += most) {
    const int64_t count = std::min(most, s - first), terms = count * traced;
    constexpr int64_t kRows = 16;
    context.pool.run(pieces(d, kRows), [&](int64_t task, int) {
      for (int64_t row = task * kRows; row < std::min(d, (task + 1) * kRows); ++row) {
        for (int64_t i = 0; i < count; ++i) {
          std::copy_n(x + ((first + i) * d + row) * traced, traced, beside + row * ld + i * traced);
        }
      }
    });
    add_gram(context, Strip<T>{beside, d, terms, ld, false}, alpha, out, progress);
  }
}

// x [columns, d]. Where d is small, strips are the tasks, so that each reads its numbers once; their products are summed in
// the order of the strips.
template <class T>
void gram_of_columns(kpflow_context& context, int64_t columns, int64_t d, const T* x, double alpha, double* out,
                     const Progress& progress) {
  constexpr int64_t kFew = 512, kRound = 16;
  const auto strip = [&](int64_t first) {
    return Strip<T>{x + first * d, d, std::min(kStrip, columns - first), d, true};
  };
  if (d > kFew) {
    for (int64_t first = 0; first < columns; first += kStrip) add_gram(context, strip(first), alpha, out, progress);
    return;
  }
  T* products = static_cast<T*>(context.workspace.reserve(kRound * d * d * static_cast<int64_t>(sizeof(T))));
  for (int64_t start = 0; start < columns; start += kRound * kStrip) {
    const int64_t strips = std::min(kRound, pieces(columns - start, kStrip));
    context.pool.run(strips, [&](int64_t task, int) {
      progress.advance();
      strip(start + task * kStrip).multiply(0, d, 0, d, products + task * d * d);
    });
    context.pool.run(d, [&](int64_t row, int) {
      for (int64_t task = 0; task < strips; ++task) {
        add_row(row + 1, alpha, products + task * d * d + row * d, out + row * d);
      }
    });
  }
}

// Axes in any order: columns are gathered into a strip [columns, d], scaled.
template <class T>
void gram_of_gathered(kpflow_context& context, int64_t s, const KeptView& view, const T* x, T scale, double alpha,
                      double* out, const Progress& progress) {
  const int64_t d = view.kept, columns = s * view.traced, sample = d * view.traced;
  const int64_t most = std::min({columns, kStrip, std::max<int64_t>(64, (int64_t(1) << 22) / d)});
  Array<T> gathered(most * d);
  Array<int64_t> kept_offsets(d);
  for (int64_t i = 0; i < d; ++i) {
    kept_offsets[i] = KeptView::offset(i, view.kept_axes, view.kept_sizes, view.kept_strides);
  }
  for (int64_t first = 0; first < columns; first += most) {
    const int64_t width = std::min(most, columns - first);
    constexpr int64_t kGather = 16;
    context.pool.run(pieces(width, kGather), [&](int64_t task, int) {
      for (int64_t c = task * kGather; c < std::min(width, (task + 1) * kGather); ++c) {
        const int64_t column = first + c;
        const T* source =
            x + column / view.traced * sample +
            KeptView::offset(column % view.traced, view.traced_axes, view.traced_sizes, view.traced_strides);
        for (int64_t i = 0; i < d; ++i) gathered.data()[c * d + i] = scale * source[kept_offsets[i]];
      }
    });
    gram_of_columns(context, width, d, gathered.data(), alpha, out, progress);
  }
}

// The upper triangle of out [d, d] becomes the transpose of the lower, by tiles that stay in the cache.
void mirror(ThreadPool& pool, int64_t d, double* out) {
  constexpr int64_t kTile = 32;
  pool.run(pieces(d, kTile), [&](int64_t task, int) {
    const int64_t first = task * kTile, last = std::min(d, first + kTile);
    for (int64_t tile = 0; tile <= first; tile += kTile) {
      for (int64_t j = tile; j < std::min(tile + kTile, last); ++j) {
        for (int64_t i = std::max(first, j + 1); i < last; ++i) out[j * d + i] = out[i * d + j];
      }
    }
  });
}

}  // namespace

template <class T>
void accumulate_gram(kpflow_context& context, int64_t s, const int64_t (&sizes)[3], const T* x, int32_t keep,
                     double alpha, double* out, const Progress& progress) {
  const KeptView view(sizes, keep);
  const int64_t d = view.kept, columns = s * view.traced;
  if (d == 0 || columns == 0) return;
  constexpr T kModest = T(1e-8);  // no scaling needed between this and its inverse
  const T scale = safe_scale(context.pool, s * d * view.traced, x);
  const bool modest = scale > kModest && scale < 1 / kModest;
  if (modest && (keep == 1 || keep == 3)) {  // kept axes first
    gram_of_rows(context, s, d, view.traced, x, alpha, out, progress);
  } else if (modest && (keep == 4 || keep == 6 || keep == 7)) {  // kept axes last
    gram_of_columns(context, columns, d, x, alpha, out, progress);
  } else {
    gram_of_gathered(context, s, view, x, scale, alpha / (static_cast<double>(scale) * static_cast<double>(scale)), out,
                     progress);
  }
  mirror(context.pool, d, out);
}

#define KPFLOW_ARRAYS(T)                                                                                              \
  template void axpby<T>(ThreadPool&, int64_t, double, const T*, double, T*);                                         \
  template void dot<T>(ThreadPool&, int64_t, int64_t, const T*, const T*, double*);                                   \
  template void parallel_gemm<T>(ThreadPool&, bool, bool, int64_t, int64_t, int64_t, double, const T*, const T*,      \
                                 double, T*);                                                                         \
  template void row_products<T>(ThreadPool&, int64_t, int64_t, int64_t, const T*, const T*, double*);                 \
  template void combine_rows<T>(kpflow_context&, int64_t, int64_t, int64_t, const double*, T*);                       \
  template void accumulate_gram<T>(kpflow_context&, int64_t, const int64_t(&)[3], const T*, int32_t, double, double*, \
                                   const Progress&);                                                                  \
  template void strided_axpby<T, float>(int, const int64_t*, double, const T*, const int64_t*, double, float*,        \
                                        const int64_t*);                                                              \
  template void strided_axpby<T, double>(int, const int64_t*, double, const T*, const int64_t*, double, double*,      \
                                         const int64_t*);
KPFLOW_ARRAYS(float)
KPFLOW_ARRAYS(double)
#undef KPFLOW_ARRAYS

}  // namespace kpflow
