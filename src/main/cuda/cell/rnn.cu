// rnn: h' = phi(q + p).
#include "cell/cell_kernel.cuh"
#include "core/activation.cuh"

namespace kpflow::cuda {

namespace {

template <class Phi>
struct RnnCell {
  static constexpr int kGates = 1, kComponents = 1;
  static constexpr bool kSite = false;
  template <class T>
  static __device__ void step(T, const Record& record, const T* q, const T* p, const T*, T* next, const Slots<T>& out) {
    const T z = q[0] + p[0], y = Phi::value(z);
    next[0] = y;
    out[record.a(0, 0)] = Phi::slope(z, y);
  }
};

const RegisterCell cells[] = {
    RegisterCell(cell_of<RnnCell<Tanh>>("rnn_tanh")), RegisterCell(cell_of<RnnCell<Relu>>("rnn_relu")),
    RegisterCell(cell_of<RnnCell<Gelu>>("rnn_gelu")), RegisterCell(cell_of<RnnCell<Linear>>("rnn_linear"))};

}  // namespace

}  // namespace kpflow::cuda
