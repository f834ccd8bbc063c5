// leaky_rnn: h' = (1 - dt) h + dt (q + p), with site phi(h): q = W_hh phi(h).
#include "cell/cell.hpp"
#include "core/activation.hpp"

namespace kpflow {

namespace {

constexpr CellShape kShape{1, 1, 0, true, true};

template <class T>
KPFLOW_INLINE void step_body(const CellRow<T>& row) {
  const Record record(kShape);
  const T dt = static_cast<T>(row.parameter);
  T* a = row.derivatives + record.a(0, 0) * row.units;
  T* d = row.derivatives + record.d(0, 0) * row.units;
  const T *q = row.q, *p = row.p, *h = row.previous;
  T* next = row.next;
#pragma GCC ivdep
  for (int64_t i = 0; i < row.units; ++i) {
    next[i] = (T(1) - dt) * h[i] + dt * (q[i] + p[i]);
    a[i] = dt;
    d[i] = T(1) - dt;
  }
}

template <class Phi, class T>
KPFLOW_INLINE void site_body(int64_t units, const T* previous, T* v, T* derivative) {
#pragma GCC ivdep
  for (int64_t i = 0; i < units; ++i) {
    const T value = Phi::value(previous[i]);
    v[i] = value;
    derivative[i] = Phi::slope(previous[i], value);
  }
}

KPFLOW_CLONES void step(const CellRow<float>& row) { step_body(row); }
KPFLOW_CLONES void step(const CellRow<double>& row) { step_body(row); }

#define KPFLOW_LEAKY(Phi, name)                                                                          \
  KPFLOW_CLONES void name##_site(int64_t units, const float* previous, float* v, float* derivative) {    \
    site_body<Phi>(units, previous, v, derivative);                                                      \
  }                                                                                                      \
  KPFLOW_CLONES void name##_site(int64_t units, const double* previous, double* v, double* derivative) { \
    site_body<Phi>(units, previous, v, derivative);                                                      \
  }                                                                                                      \
  const RegisterCell name##_cell(Cell{"leaky_rnn_" #name, kShape, step, step, name##_site, name##_site});
KPFLOW_LEAKY(Tanh, tanh)
KPFLOW_LEAKY(Relu, relu)
KPFLOW_LEAKY(Gelu, gelu)
KPFLOW_LEAKY(Linear, linear)
#undef KPFLOW_LEAKY

}  // namespace

}  // namespace kpflow
