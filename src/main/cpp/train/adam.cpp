// Elementwise rules: Adam and the clipping of gradients.
#include <algorithm>
#include <cmath>

#include "core/simd.hpp"
#include "train/optimizers.hpp"

namespace kpflow {

namespace {

constexpr int64_t kChunk = 1 << 14;  // elements of one task

template <class T>
KPFLOW_INLINE void adam_body(int64_t count, const AdamStep& step, const T* g, T* m, T* v, T* theta) {
  const T beta1 = static_cast<T>(step.beta1), beta2 = static_cast<T>(step.beta2), rate = static_cast<T>(step.rate),
          root = static_cast<T>(step.root), epsilon = static_cast<T>(step.epsilon);
  const T rest1 = static_cast<T>(1 - step.beta1), rest2 = static_cast<T>(1 - step.beta2);
#pragma GCC ivdep
  for (int64_t i = 0; i < count; ++i) {
    m[i] = beta1 * m[i] + rest1 * g[i];
    v[i] = beta2 * v[i] + rest2 * g[i] * g[i];
    theta[i] -= rate * m[i] / (std::sqrt(v[i]) / root + epsilon);
  }
}
KPFLOW_CLONES void adam_chunk(int64_t count, const AdamStep& step, const float* g, float* m, float* v, float* theta) {
  adam_body(count, step, g, m, v, theta);
}
KPFLOW_CLONES void adam_chunk(int64_t count, const AdamStep& step, const double* g, double* m, double* v,
                              double* theta) {
  adam_body(count, step, g, m, v, theta);
}

}  // namespace

AdamStep::AdamStep(int64_t step, double rate_, double beta1_, double beta2_, double epsilon_)
    : beta1(beta1_),
      beta2(beta2_),
      rate(rate_ / (1 - std::pow(beta1_, static_cast<double>(step)))),
      root(std::sqrt(1 - std::pow(beta2_, static_cast<double>(step)))),
      epsilon(epsilon_) {}

template <class T>
void adam_step(ThreadPool& pool, int64_t count, const AdamStep& step, const T* gradient, T* m, T* v, T* theta) {
  pool.run(pieces(count, kChunk), [&](int64_t task, int) {
    const int64_t first = task * kChunk;
    adam_chunk(std::min(kChunk, count - first), step, gradient + first, m + first, v + first, theta + first);
  });
}

template <class T>
void clamp(ThreadPool& pool, int64_t count, double limit, T* x) {
  const T most = static_cast<T>(limit);
  pool.run(pieces(count, kChunk), [&](int64_t task, int) {
    for (int64_t i = task * kChunk; i < std::min(count, (task + 1) * kChunk); ++i) {
      x[i] = x[i] > most ? most : x[i] < -most ? -most : x[i];
    }
  });
}

template void adam_step<float>(ThreadPool&, int64_t, const AdamStep&, const float*, float*, float*, float*);
template void adam_step<double>(ThreadPool&, int64_t, const AdamStep&, const double*, double*, double*, double*);
template void clamp<float>(ThreadPool&, int64_t, double, float*);
template void clamp<double>(ThreadPool&, int64_t, double, double*);

}  // namespace kpflow
