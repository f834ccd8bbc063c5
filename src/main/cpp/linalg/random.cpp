#include "linalg/random.hpp"

#include <algorithm>
#include <cmath>

#include "linalg/random_numbers.hpp"

namespace kpflow {

namespace {

// Blocks of the stream that are drawn together, so that the loops below run in vectors.
constexpr int64_t kBatch = 256;

struct Batch {
  uint32_t w[4][kBatch];
  double u[kBatch], v[kBatch];
};

// Two uniform numbers in (0, 1) of each of the blocks first, first + 1, ...
KPFLOW_INLINE void draw_uniform(uint64_t seed, uint64_t first, Batch& b) {
  for (int64_t i = 0; i < kBatch; ++i) {
    philox(seed, first + static_cast<uint64_t>(i), b.w[0][i], b.w[1][i], b.w[2][i], b.w[3][i]);
  }
  for (int64_t i = 0; i < kBatch; ++i) {
    b.u[i] = uniform_of(b.w[0][i], b.w[1][i]);
    b.v[i] = uniform_of(b.w[2][i], b.w[3][i]);
  }
}

// Elements 2 block and 2 block + 1 of the stream for kBatch blocks from first on, out [2 kBatch].
KPFLOW_INLINE void draw(int32_t distribution, uint64_t seed, uint64_t first, double* out) {
  Batch b;
  draw_uniform(seed, first, b);
  if (distribution == KPFLOW_GAUSSIAN) {  // Box and Muller 1958
    double sines[kBatch], cosines[kBatch];
    for (int64_t i = 0; i < kBatch; ++i) b.u[i] = std::sqrt(-2 * log_of(b.u[i]));
    for (int64_t i = 0; i < kBatch; ++i) sincos_of(b.v[i], sines[i], cosines[i]);
    for (int64_t i = 0; i < kBatch; ++i) {
      out[2 * i] = b.u[i] * cosines[i];
      out[2 * i + 1] = b.u[i] * sines[i];
    }
  } else if (distribution == KPFLOW_RADEMACHER) {
    for (int64_t i = 0; i < kBatch; ++i) {
      out[2 * i] = b.u[i] < 0.5 ? -1 : 1;
      out[2 * i + 1] = b.v[i] < 0.5 ? -1 : 1;
    }
  } else {
    for (int64_t i = 0; i < kBatch; ++i) {
      out[2 * i] = b.u[i];
      out[2 * i + 1] = b.v[i];
    }
  }
}

KPFLOW_CLONES void draw_batch(int32_t distribution, uint64_t seed, uint64_t first, double* out) {
  draw(distribution, seed, first, out);
}

}  // namespace

template <class T>
void fill_random(ThreadPool& pool, int32_t distribution, uint64_t seed, int64_t offset, int64_t count, T* out) {
  constexpr int64_t kChunk = 1 << 14, kPart = 2 * kBatch;
  pool.run(pieces(count, kChunk), [&](int64_t task, int) {
    const int64_t first = offset + task * kChunk, last = offset + std::min(count, (task + 1) * kChunk);
    double drawn[kPart];
    for (int64_t part = first / 2 * 2; part < last; part += kPart) {
      draw_batch(distribution, seed, static_cast<uint64_t>(part / 2), drawn);
      for (int64_t element = std::max(first, part); element < std::min(last, part + kPart); ++element) {
        out[element - offset] = static_cast<T>(drawn[element - part]);
      }
    }
  });
}

template void fill_random<float>(ThreadPool&, int32_t, uint64_t, int64_t, int64_t, float*);
template void fill_random<double>(ThreadPool&, int32_t, uint64_t, int64_t, int64_t, double*);

}  // namespace kpflow
