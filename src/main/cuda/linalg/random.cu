#include "linalg/random.cuh"
#include "linalg/random_numbers.hpp"

namespace kpflow::cuda {

// A thread draws elements 2 block and 2 block + 1 of the stream. Compiled without contraction, so that the numbers are the CPU's.
// Limited by the arithmetic of the Gaussian in f64, else by the writes.
template <class T>
void fill_random(Context& context, int32_t distribution, uint64_t seed, int64_t offset, int64_t count, T* out) {
  if (count == 0) return;
  const int64_t first = offset / 2;
  for_each(context.stream, (offset + count - 1) / 2 - first + 1, [=] __device__(int64_t i) {
    const int64_t block = first + i, at = 2 * block - offset;
    uint32_t w0, w1, w2, w3;
    philox(seed, static_cast<uint64_t>(block), w0, w1, w2, w3);
    double a = uniform_of(w0, w1), b = uniform_of(w2, w3);
    if (distribution == KPFLOW_GAUSSIAN) {  // Box and Muller 1958
      const double radius = std::sqrt(-2 * log_of(a));
      double sine, cosine;
      sincos_of(b, sine, cosine);
      a = radius * cosine;
      b = radius * sine;
    } else if (distribution == KPFLOW_RADEMACHER) {
      a = a < 0.5 ? -1 : 1;
      b = b < 0.5 ? -1 : 1;
    }
    if (at >= 0) out[at] = static_cast<T>(a);
    if (at + 1 < count) out[at + 1] = static_cast<T>(b);
  });
}

template void fill_random<float>(Context&, int32_t, uint64_t, int64_t, int64_t, float*);
template void fill_random<double>(Context&, int32_t, uint64_t, int64_t, int64_t, double*);

}  // namespace kpflow::cuda
