#include "graph/rows.hpp"

#include "core/simd.hpp"

namespace kpflow {

namespace {

// Every iteration stands alone, also where source and target are one array.
#define KPFLOW_EACH(i, count) _Pragma("GCC ivdep") for (int64_t i = 0; i < (count); ++i)

// sum x y, in 16 partial sums, so that it is one vector operation per vector and the same for every width of vectors.
template <class T>
KPFLOW_INLINE T dot(int64_t count, const T* x, const T* y) {
  constexpr int64_t kLanes = 16;
  T part[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) part[j] += x[i + j] * y[i + j];
  }
  for (int64_t j = 0; i < count; ++i, ++j) part[j] += x[i] * y[i];
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t j = 0; j < half; ++j) part[j] += part[j + half];
  }
  return part[0];
}

template <class T>
KPFLOW_INLINE T sum(int64_t count, const T* x) {
  constexpr int64_t kLanes = 16;
  T part[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t j = 0; j < kLanes; ++j) part[j] += x[i + j];
  }
  for (int64_t j = 0; i < count; ++i, ++j) part[j] += x[i];
  for (int64_t half = kLanes / 2; half > 0; half /= 2) {
    for (int64_t j = 0; j < half; ++j) part[j] += part[j + half];
  }
  return part[0];
}

template <class T>
KPFLOW_INLINE void scale_body(int64_t rows, int64_t width, const T* slope, const T* bias, T* y) {
  for (int64_t r = 0; r < rows; ++r, y += width) {
    if (bias != nullptr) KPFLOW_EACH(i, width) y[i] += bias[i];
    if (slope != nullptr) {
      KPFLOW_EACH(i, width) y[i] *= slope[i];
      slope += width;
    }
  }
}

template <class T>
KPFLOW_INLINE void move_body(int64_t rows, int64_t width, const T* source, int64_t source_stride, bool accumulate,
                             T* target, int64_t target_stride) {
  for (int64_t r = 0; r < rows; ++r, source += source_stride, target += target_stride) {
    if (accumulate) {
      KPFLOW_EACH(i, width) target[i] += source[i];
    } else {
      KPFLOW_EACH(i, width) target[i] = source[i];
    }
  }
}

template <class T>
KPFLOW_INLINE void subtract_body(int64_t rows, int64_t width, const T* source, int64_t stride, const T* taken,
                                 T* target) {
  for (int64_t r = 0; r < rows; ++r, source += stride, target += stride, taken += width) {
    KPFLOW_EACH(i, width) target[i] = source[i] - taken[i];
  }
}

template <class T>
KPFLOW_INLINE void sum_body(int64_t rows, int64_t width, const T* y, const T* factor, T* total) {
  for (int64_t r = 0; r < rows; ++r, y += width) {
    if (factor != nullptr) {
      const T* x = factor + r * width;
      KPFLOW_EACH(i, width) total[i] += y[i] * x[i];
    } else {
      KPFLOW_EACH(i, width) total[i] += y[i];
    }
  }
}

template <class T>
KPFLOW_INLINE void affine_body(int64_t rows, int64_t width, const T* xhat, const T* dgamma, const T* dbeta, T* y) {
  for (int64_t r = 0; r < rows; ++r, y += width, xhat += width) {
    if (dgamma != nullptr) KPFLOW_EACH(i, width) y[i] += dgamma[i] * xhat[i];
    if (dbeta != nullptr) KPFLOW_EACH(i, width) y[i] += dbeta[i];
  }
}

template <class T>
KPFLOW_INLINE void norm_tangent_body(int64_t rows, int64_t width, const T* gamma, const T* xhat, const T* scale,
                                     const T* dv, T* y) {
  const T share = T(1) / static_cast<T>(width);
  for (int64_t r = 0; r < rows; ++r, xhat += width, dv += width, y += width) {
    const T mean = share * sum(width, dv), slant = share * dot(width, xhat, dv), factor = scale[r];
    KPFLOW_EACH(i, width) y[i] = factor * (dv[i] - mean - xhat[i] * slant);
    if (gamma != nullptr) KPFLOW_EACH(i, width) y[i] *= gamma[i];
  }
}

template <class T>
KPFLOW_INLINE void norm_cotangent_body(int64_t rows, int64_t width, const T* gamma, const T* xhat, const T* scale, T* a,
                                       bool accumulate, T* dv) {
  const T share = T(1) / static_cast<T>(width);
  for (int64_t r = 0; r < rows; ++r, xhat += width, a += width, dv += width) {
    if (gamma != nullptr) KPFLOW_EACH(i, width) a[i] *= gamma[i];
    const T mean = share * sum(width, a), slant = share * dot(width, xhat, a), factor = scale[r];
    if (accumulate) {
      KPFLOW_EACH(i, width) dv[i] += factor * (a[i] - mean - xhat[i] * slant);
    } else {
      KPFLOW_EACH(i, width) dv[i] = factor * (a[i] - mean - xhat[i] * slant);
    }
  }
}

template <class T>
KPFLOW_INLINE void softmax_body(int64_t size, T factor, const T* a, T* s) {
  for (int64_t t = 0; t < size; ++t, a += size, s += size) {
    const T mean = dot(size, a, s);
    KPFLOW_EACH(i, size) s[i] = factor * a[i] * (s[i] - mean);
  }
}

}  // namespace

#define KPFLOW_GRAPH_ROWS(T)                                                                                          \
  KPFLOW_CLONES void scale_rows(int64_t rows, int64_t width, const T* slope, const T* bias, T* y) {                   \
    scale_body(rows, width, slope, bias, y);                                                                          \
  }                                                                                                                   \
  KPFLOW_CLONES void move_rows(int64_t rows, int64_t width, const T* source, int64_t source_stride, bool accumulate,  \
                               T* target, int64_t target_stride) {                                                    \
    move_body(rows, width, source, source_stride, accumulate, target, target_stride);                                 \
  }                                                                                                                   \
  KPFLOW_CLONES void subtract_rows(int64_t rows, int64_t width, const T* source, int64_t stride, const T* taken,      \
                                   T* target) {                                                                       \
    subtract_body(rows, width, source, stride, taken, target);                                                        \
  }                                                                                                                   \
  KPFLOW_CLONES void sum_rows(int64_t rows, int64_t width, const T* y, const T* factor, T* total) {                   \
    sum_body(rows, width, y, factor, total);                                                                          \
  }                                                                                                                   \
  KPFLOW_CLONES void affine_rows(int64_t rows, int64_t width, const T* xhat, const T* dgamma, const T* dbeta, T* y) { \
    affine_body(rows, width, xhat, dgamma, dbeta, y);                                                                 \
  }                                                                                                                   \
  KPFLOW_CLONES void norm_tangent(int64_t rows, int64_t width, const T* gamma, const T* xhat, const T* scale,         \
                                  const T* dv, T* y) {                                                                \
    norm_tangent_body(rows, width, gamma, xhat, scale, dv, y);                                                        \
  }                                                                                                                   \
  KPFLOW_CLONES void norm_cotangent(int64_t rows, int64_t width, const T* gamma, const T* xhat, const T* scale, T* a, \
                                    bool accumulate, T* dv) {                                                         \
    norm_cotangent_body(rows, width, gamma, xhat, scale, a, accumulate, dv);                                          \
  }                                                                                                                   \
  KPFLOW_CLONES void softmax_tangent(int64_t size, T factor, const T* a, T* s) { softmax_body(size, factor, a, s); }
KPFLOW_GRAPH_ROWS(float)
KPFLOW_GRAPH_ROWS(double)
#undef KPFLOW_GRAPH_ROWS
#undef KPFLOW_EACH

}  // namespace kpflow
