// gru, PyTorch's gate order (r, z, n): r = s(q_r + p_r), z = s(q_z + p_z), n = tanh(p_n + r q_n), h' = (1 - z) n + z h.
// The reset gate scales W_hn h + b_hn but not the input, so the candidate's d/dq carries r and its d/dp does not.
#include "cell/cell.hpp"
#include "core/activation.hpp"

namespace kpflow {

namespace {

enum Gate { kReset, kUpdate, kCandidate };
constexpr CellShape kShape{3, 1, 1u << kCandidate, true, false};

template <class T>
KPFLOW_INLINE void step_body(const CellRow<T>& row) {
  const Record record(kShape);
  const int64_t units = row.units;
  const auto slot = [&](int index) { return row.derivatives + index * units; };
  T* a_r = slot(record.a(kReset, 0));
  T* a_z = slot(record.a(kUpdate, 0));
  T* a_n = slot(record.a(kCandidate, 0));
  T* c_n = slot(record.c(kCandidate, 0));
  T* d = slot(record.d(0, 0));
  const T *q = row.q, *p = row.p, *h = row.previous;
  T* next = row.next;
#pragma GCC ivdep
  for (int64_t i = 0; i < units; ++i) {
    const T q_n = q[2 * units + i];
    const T r = sigmoid(q[i] + p[i]);
    const T z = sigmoid(q[units + i] + p[units + i]);
    const T n = fast_tanh(p[2 * units + i] + r * q_n);
    const T slope = (T(1) - z) * (T(1) - n * n);  // d h'/d(candidate pre-activation)
    next[i] = (T(1) - z) * n + z * h[i];
    a_r[i] = slope * q_n * r * (T(1) - r);
    a_z[i] = (h[i] - n) * z * (T(1) - z);
    a_n[i] = slope * r;
    c_n[i] = slope;
    d[i] = z;
  }
}

KPFLOW_CLONES void step(const CellRow<float>& row) { step_body(row); }
KPFLOW_CLONES void step(const CellRow<double>& row) { step_body(row); }

const RegisterCell gru_cell(Cell{"gru", kShape, step, step, nullptr, nullptr});

}  // namespace

}  // namespace kpflow
