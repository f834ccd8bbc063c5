// lstm, PyTorch's gate order (i, f, g, o) on a = q + p: c' = s(a_f) c + s(a_i) tanh(a_g), h' = s(a_o) tanh(c'). State [h ; c].
#include "cell/cell_kernel.cuh"
#include "core/activation.cuh"

namespace kpflow::cuda {

namespace {

struct LstmCell {
  enum Gate { kInput, kForget, kCell, kOutput };
  enum Component { kH, kC };
  static constexpr int kGates = 4, kComponents = 2;
  static constexpr bool kSite = false;
  template <class T>
  static __device__ void step(T, const Record& record, const T* q, const T* p, const T* previous, T* next,
                              const Slots<T>& out) {
    const T c = previous[kC];
    const T in = sigmoid(q[kInput] + p[kInput]), forget = sigmoid(q[kForget] + p[kForget]);
    const T candidate = Tanh::value(q[kCell] + p[kCell]), open = sigmoid(q[kOutput] + p[kOutput]);
    const T moved = forget * c + in * candidate, squashed = Tanh::value(moved);
    next[kH] = open * squashed;
    next[kC] = moved;
    const T h_per_c = open * (T(1) - squashed * squashed);  // d h'/d c'
    const T c_i = candidate * in * (T(1) - in), c_f = c * forget * (T(1) - forget);
    const T c_g = in * (T(1) - candidate * candidate);
    out[record.a(kInput, kC)] = c_i;
    out[record.a(kForget, kC)] = c_f;
    out[record.a(kCell, kC)] = c_g;
    out[record.a(kOutput, kC)] = T(0);
    out[record.a(kInput, kH)] = h_per_c * c_i;
    out[record.a(kForget, kH)] = h_per_c * c_f;
    out[record.a(kCell, kH)] = h_per_c * c_g;
    out[record.a(kOutput, kH)] = squashed * open * (T(1) - open);
    out[record.d(kH, kH)] = T(0);
    out[record.d(kC, kH)] = T(0);
    out[record.d(kH, kC)] = h_per_c * forget;
    out[record.d(kC, kC)] = forget;
  }
};

const RegisterCell lstm(cell_of<LstmCell>("lstm"));

}  // namespace

}  // namespace kpflow::cuda
