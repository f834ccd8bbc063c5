// lstm, PyTorch's gate order (i, f, g, o) on a = q + p: c' = s(a_f) c + s(a_i) tanh(a_g), h' = s(a_o) tanh(c'). State [h ; c].
#include "cell/cell.hpp"
#include "core/activation.hpp"

namespace kpflow {

namespace {

enum Gate { kInput, kForget, kCell, kOutput };
enum Component { kH, kC };
constexpr CellShape kShape{4, 2, 0, true, false};

template <class T>
void step(const CellRow<T>& row) {
  const Record record(kShape);
  const int64_t units = row.units;
  const auto slot = [&](int index) { return row.derivatives + index * units; };
  const T* c = row.previous + kC * units;
  for (int64_t i = 0; i < units; ++i) {
    const auto pre = [&](int gate) { return row.q[gate * units + i] + row.p[gate * units + i]; };
    const T in = sigmoid(pre(kInput)), forget = sigmoid(pre(kForget)), out = sigmoid(pre(kOutput));
    const T candidate = std::tanh(pre(kCell));
    const T next_c = forget * c[i] + in * candidate, squashed = std::tanh(next_c);
    row.next[kH * units + i] = out * squashed;
    row.next[kC * units + i] = next_c;
    const T h_per_c = out * (T(1) - squashed * squashed);  // d h'/d c'
    const T c_per[4] = {candidate * in * (T(1) - in), c[i] * forget * (T(1) - forget),
                        in * (T(1) - candidate * candidate), T(0)};
    for (int gate = 0; gate < kShape.gates; ++gate) {
      slot(record.a(gate, kC))[i] = c_per[gate];
      slot(record.a(gate, kH))[i] = h_per_c * c_per[gate];
    }
    slot(record.a(kOutput, kH))[i] = squashed * out * (T(1) - out);
    slot(record.d(kH, kH))[i] = T(0);
    slot(record.d(kC, kH))[i] = T(0);
    slot(record.d(kH, kC))[i] = h_per_c * forget;
    slot(record.d(kC, kC))[i] = forget;
  }
}

const RegisterCell lstm_cell(Cell{"lstm", kShape, step<float>, step<double>, nullptr, nullptr});

}  // namespace

}  // namespace kpflow
