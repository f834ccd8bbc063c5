// rnn: h' = phi(q + p).
#include "cell/cell.hpp"
#include "core/activation.hpp"

namespace kpflow {

namespace {

constexpr CellShape kShape{1, 1, 0, false, false};

template <class Phi, class T>
KPFLOW_INLINE void step_body(const CellRow<T>& row) {
  const Record record(kShape);
  T* a = row.derivatives + record.a(0, 0) * row.units;
  const T *q = row.q, *p = row.p;
  T* next = row.next;
#pragma GCC ivdep
  for (int64_t i = 0; i < row.units; ++i) {
    const T z = q[i] + p[i], y = Phi::value(z);
    next[i] = y;
    a[i] = Phi::slope(z, y);
  }
}

#define KPFLOW_RNN(Phi, name)                                                         \
  KPFLOW_CLONES void name##_step(const CellRow<float>& row) { step_body<Phi>(row); }  \
  KPFLOW_CLONES void name##_step(const CellRow<double>& row) { step_body<Phi>(row); } \
  const RegisterCell name##_cell(Cell{"rnn_" #name, kShape, name##_step, name##_step, nullptr, nullptr});
KPFLOW_RNN(Tanh, tanh)
KPFLOW_RNN(Relu, relu)
KPFLOW_RNN(Gelu, gelu)
KPFLOW_RNN(Linear, linear)
#undef KPFLOW_RNN

}  // namespace

}  // namespace kpflow
