// leaky_rnn: h' = (1 - dt) h + dt (q + p), with site phi(h): q = W_hh phi(h).
#include "cell/cell_kernel.cuh"
#include "core/activation.cuh"

namespace kpflow::cuda {

namespace {

template <class Phi>
struct LeakyCell {
  static constexpr int kGates = 1, kComponents = 1;
  static constexpr bool kSite = true;
  template <class T>
  static __device__ void step(T dt, const Record& record, const T* q, const T* p, const T* h, T* next,
                              const Slots<T>& out) {
    next[0] = (T(1) - dt) * h[0] + dt * (q[0] + p[0]);
    out[record.a(0, 0)] = dt;
    out[record.d(0, 0)] = T(1) - dt;
  }
  template <class T>
  static __device__ void site(T h, T& v, T& slope) {
    v = Phi::value(h);
    slope = Phi::slope(h, v);
  }
};

const RegisterCell cells[] = {RegisterCell(cell_of<LeakyCell<Tanh>>("leaky_rnn_tanh")),
                              RegisterCell(cell_of<LeakyCell<Relu>>("leaky_rnn_relu")),
                              RegisterCell(cell_of<LeakyCell<Gelu>>("leaky_rnn_gelu")),
                              RegisterCell(cell_of<LeakyCell<Linear>>("leaky_rnn_linear"))};

}  // namespace

}  // namespace kpflow::cuda
