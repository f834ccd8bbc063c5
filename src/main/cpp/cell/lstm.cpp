// lstm, PyTorch's gate order (i, f, g, o) on a = q + p: c' = s(a_f) c + s(a_i) tanh(a_g), h' = s(a_o) tanh(c'). State [h ; c].
#include "cell/cell.hpp"
#include "core/activation.hpp"

namespace kpflow {

namespace {

enum Gate { kInput, kForget, kCell, kOutput };
enum Component { kH, kC };
constexpr CellShape kShape{4, 2, 0, true, false};

template <class T>
KPFLOW_INLINE void step_body(const CellRow<T> &row) {
  const Record record(kShape);
  const int64_t units = row.units;
  const auto slot = [&](int index) { return row.derivatives + index * units; };
  T *h_i = slot(record.a(kInput, kH)), *c_i = slot(record.a(kInput, kC));
  T *h_f = slot(record.a(kForget, kH)), *c_f = slot(record.a(kForget, kC));
  T *h_g = slot(record.a(kCell, kH)), *c_g = slot(record.a(kCell, kC));
  T *h_o = slot(record.a(kOutput, kH)), *c_o = slot(record.a(kOutput, kC));
  T *h_h = slot(record.d(kH, kH)), *c_h = slot(record.d(kC, kH));
  T *h_c = slot(record.d(kH, kC)), *c_c = slot(record.d(kC, kC));
  const T *q = row.q, *p = row.p, *c = row.previous + kC * units;
  T *next_h = row.next + kH * units, *next_c = row.next + kC * units;
#pragma GCC ivdep
  for (int64_t i = 0; i < units; ++i) {
    const T in = sigmoid(q[i] + p[i]), forget = sigmoid(q[units + i] + p[units + i]);
    const T candidate = fast_tanh(q[2 * units + i] + p[2 * units + i]),
            out = sigmoid(q[3 * units + i] + p[3 * units + i]);
    const T moved = forget * c[i] + in * candidate, squashed = fast_tanh(moved);
    next_h[i] = out * squashed;
    next_c[i] = moved;
    const T h_per_c = out * (T(1) - squashed * squashed);  // d h'/d c'
    c_i[i] = candidate * in * (T(1) - in);
    c_f[i] = c[i] * forget * (T(1) - forget);
    c_g[i] = in * (T(1) - candidate * candidate);
    c_o[i] = T(0);
    h_i[i] = h_per_c * c_i[i];
    h_f[i] = h_per_c * c_f[i];
    h_g[i] = h_per_c * c_g[i];
    h_o[i] = squashed * out * (T(1) - out);
    h_h[i] = T(0);
    c_h[i] = T(0);
    h_c[i] = h_per_c * forget;
    c_c[i] = forget;
  }
}

KPFLOW_CLONES void step(const CellRow<float> &row) { step_body(row); }
KPFLOW_CLONES void step(const CellRow<double> &row) { step_body(row); }

const RegisterCell lstm_cell(Cell{"lstm", kShape, step, step, nullptr, nullptr});

}  // namespace

}  // namespace kpflow
