#include "recurrent/rows.hpp"

#include "core/simd.hpp"

namespace kpflow {

namespace {

// out and u may be the same array, never shifted ones: every iteration stands alone.
#define KPFLOW_EACH(i, count) _Pragma("GCC ivdep") for (int64_t i = 0; i < (count); ++i)

template <class T>
KPFLOW_INLINE void step_body(const RowShape& shape, const T* record, T sign, const T* u, const T* previous, const T* y,
                             T* out) {
  const int64_t units = shape.units;
  const int m = shape.cell.components, g = shape.cell.gates;
  for (int c = 0; c < m; ++c) {
    const T* source = u + c * units;
    T* target = out + c * units;
    if (shape.cell.state_path) {
      for (int d = 0; d < m; ++d) {
        const T *slope = record + shape.record.d(c, d) * units, *path = previous + d * units;
        const T* base = d == 0 ? source : target;
        KPFLOW_EACH(i, units) target[i] = base[i] + sign * slope[i] * path[i];
      }
      source = target;
    }
    for (int j = 0; j < g; ++j) {
      const T *a = record + shape.record.a(j, c) * units, *gate = y + j * units;
      const T* base = j == 0 ? source : target;
      KPFLOW_EACH(i, units) target[i] = base[i] + sign * a[i] * gate[i];
    }
  }
}

template <class T>
KPFLOW_INLINE void site_body(const RowShape& shape, const T* record, const T* delta, T* x) {
  const int64_t units = shape.units;
  if (!shape.cell.nonlinear_site) {
    KPFLOW_EACH(i, units) x[i] = delta[i];
    return;
  }
  for (int d = 0; d < shape.cell.components; ++d) {
    const T *slope = record + shape.record.s(d) * units, *part = delta + d * units;
    if (d == 0) {
      KPFLOW_EACH(i, units) x[i] = slope[i] * part[i];
    } else {
      KPFLOW_EACH(i, units) x[i] += slope[i] * part[i];
    }
  }
}

template <class T>
KPFLOW_INLINE void adjoint_body(const RowShape& shape, const T* record, T sign, const T* e, const T* a, const T* x,
                                T* out) {
  const int64_t units = shape.units;
  const int m = shape.cell.components;
  for (int d = 0; d < m; ++d) {
    const T* source = e + d * units;
    T* target = out + d * units;
    if (shape.cell.nonlinear_site) {
      const T* slope = record + shape.record.s(d) * units;
      KPFLOW_EACH(i, units) target[i] = source[i] + sign * slope[i] * x[i];
    } else if (d == 0) {
      KPFLOW_EACH(i, units) target[i] = source[i] + sign * x[i];
    } else {
      KPFLOW_EACH(i, units) target[i] = source[i];
    }
    for (int c = 0; shape.cell.state_path && c < m; ++c) {
      const T *slope = record + shape.record.d(c, d) * units, *part = a + c * units;
      KPFLOW_EACH(i, units) target[i] += sign * slope[i] * part[i];
    }
  }
}

template <class T>
KPFLOW_INLINE void pull_body(const RowShape& shape, const T* record, Side side, int first, int count, int64_t unit,
                             int64_t length, const T* a, T* y) {
  const int64_t units = shape.units;
  for (int j = first; j < first + count; ++j) {
    T* gate = y + (j - first) * length;
    for (int c = 0; c < shape.cell.components; ++c) {
      const int slot = side == Side::kHidden ? shape.record.a(j, c) : shape.record.c(j, c);
      const T *slope = record + slot * units + unit, *part = a + c * units + unit;
      if (c == 0) {
        KPFLOW_EACH(i, length) gate[i] = slope[i] * part[i];
      } else {
        KPFLOW_EACH(i, length) gate[i] += slope[i] * part[i];
      }
    }
  }
}

template <class T>
KPFLOW_INLINE void push_body(const RowShape& shape, const T* record, Side side, const T* y, bool accumulate, T* out) {
  const int64_t units = shape.units;
  for (int c = 0; c < shape.cell.components; ++c) {
    T* target = out + c * units;
    for (int j = 0; j < shape.cell.gates; ++j) {
      const int slot = side == Side::kHidden ? shape.record.a(j, c) : shape.record.c(j, c);
      const T *slope = record + slot * units, *gate = y + j * units;
      if (j == 0 && !accumulate) {
        KPFLOW_EACH(i, units) target[i] = slope[i] * gate[i];
      } else {
        KPFLOW_EACH(i, units) target[i] += slope[i] * gate[i];
      }
    }
  }
}

}  // namespace

#define KPFLOW_ROWS(T)                                                                                               \
  KPFLOW_CLONES void step_row(const RowShape& shape, const T* record, T sign, const T* u, const T* previous,         \
                              const T* y, T* out) {                                                                  \
    step_body(shape, record, sign, u, previous, y, out);                                                             \
  }                                                                                                                  \
  KPFLOW_CLONES void site_row(const RowShape& shape, const T* record, const T* delta, T* x) {                        \
    site_body(shape, record, delta, x);                                                                              \
  }                                                                                                                  \
  KPFLOW_CLONES void adjoint_row(const RowShape& shape, const T* record, T sign, const T* e, const T* a, const T* x, \
                                 T* out) {                                                                           \
    adjoint_body(shape, record, sign, e, a, x, out);                                                                 \
  }                                                                                                                  \
  KPFLOW_CLONES void pull_row(const RowShape& shape, const T* record, Side side, int first, int count, int64_t unit, \
                              int64_t length, const T* a, T* y) {                                                    \
    pull_body(shape, record, side, first, count, unit, length, a, y);                                                \
  }                                                                                                                  \
  KPFLOW_CLONES void push_row(const RowShape& shape, const T* record, Side side, const T* y, bool accumulate,        \
                              T* out) {                                                                              \
    push_body(shape, record, side, y, accumulate, out);                                                              \
  }
KPFLOW_ROWS(float)
KPFLOW_ROWS(double)
#undef KPFLOW_ROWS
#undef KPFLOW_EACH

}  // namespace kpflow
