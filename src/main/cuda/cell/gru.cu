// gru, PyTorch's gate order (r, z, n): r = s(q_r + p_r), z = s(q_z + p_z), n = tanh(p_n + r q_n), h' = (1 - z) n + z h.
#include "cell/cell_kernel.cuh"
#include "core/activation.cuh"

namespace kpflow::cuda {

namespace {

struct GruCell {
  enum Gate { kReset, kUpdate, kCandidate };
  static constexpr int kGates = 3, kComponents = 1;
  static constexpr bool kSite = false;
  template <class T>
  static __device__ void step(T, const Record& record, const T* q, const T* p, const T* h, T* next,
                              const Slots<T>& out) {
    const T q_n = q[kCandidate];
    const T r = sigmoid(q[kReset] + p[kReset]), z = sigmoid(q[kUpdate] + p[kUpdate]);
    const T n = Tanh::value(p[kCandidate] + r * q_n);
    const T slope = (T(1) - z) * (T(1) - n * n);  // d h'/d(candidate pre-activation)
    next[0] = (T(1) - z) * n + z * h[0];
    out[record.a(kReset, 0)] = slope * q_n * r * (T(1) - r);
    out[record.a(kUpdate, 0)] = (h[0] - n) * z * (T(1) - z);
    out[record.a(kCandidate, 0)] = slope * r;
    out[record.c(kCandidate, 0)] = slope;
    out[record.d(0, 0)] = z;
  }
};

const RegisterCell gru(cell_of<GruCell>("gru"));

}  // namespace

}  // namespace kpflow::cuda
