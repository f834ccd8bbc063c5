#include "linalg/random.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/simd.hpp"

namespace kpflow {

namespace {

// Blocks of the stream that are drawn together, so that the loops below run in vectors.
constexpr int64_t kBatch = 256;

struct Batch {
  uint32_t w[4][kBatch];
  double u[kBatch], v[kBatch];
};

// Ten rounds of Philox4x32 on the counters (block, 0), block = first, first + 1, ... under the key seed, and two uniform
// numbers in (0, 1) of each: 52 bits at cell centres, never 0 or 1.
KPFLOW_INLINE void draw_uniform(uint64_t seed, uint64_t first, Batch& b) {
  for (int64_t i = 0; i < kBatch; ++i) {
    const uint64_t block = first + static_cast<uint64_t>(i);
    uint32_t key0 = static_cast<uint32_t>(seed), key1 = static_cast<uint32_t>(seed >> 32);
    uint32_t c0 = static_cast<uint32_t>(block), c1 = static_cast<uint32_t>(block >> 32), c2 = 0, c3 = 0;
    for (int round = 0; round < 10; ++round) {
      const uint64_t left = uint64_t{0xD2511F53u} * c0, right = uint64_t{0xCD9E8D57u} * c2;
      c0 = static_cast<uint32_t>(right >> 32) ^ c1 ^ key0;
      c1 = static_cast<uint32_t>(right);
      c2 = static_cast<uint32_t>(left >> 32) ^ c3 ^ key1;
      c3 = static_cast<uint32_t>(left);
      key0 += 0x9E3779B9u;
      key1 += 0xBB67AE85u;
    }
    b.w[0][i] = c0;
    b.w[1][i] = c1;
    b.w[2][i] = c2;
    b.w[3][i] = c3;
  }
  for (int64_t i = 0; i < kBatch; ++i) {
    const uint64_t high = (uint64_t{b.w[0][i]} << 32 | b.w[1][i]) >> 12;
    const uint64_t low = (uint64_t{b.w[2][i]} << 32 | b.w[3][i]) >> 12;
    b.u[i] = (static_cast<double>(static_cast<int64_t>(high)) + 0.5) * 0x1p-52;
    b.v[i] = (static_cast<double>(static_cast<int64_t>(low)) + 0.5) * 0x1p-52;
  }
}

// ln x for x in (0, 1), by argument reduction to [sqrt(1/2), sqrt(2)) and the polynomial of Sun's fdlibm; below 1 ulp.
KPFLOW_INLINE double log_of(double x) {
  uint64_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  const uint64_t over = bits - 0x3FE6A09E667F3BCDu;
  const int64_t k = static_cast<int64_t>(over) >> 52;
  bits -= over & 0xFFF0000000000000u;
  double z;
  std::memcpy(&z, &bits, sizeof z);
  const double f = z - 1, s = f / (2 + f), s2 = s * s, w = s2 * s2, half = 0.5 * f * f;
  const double odd = w * (0.3999999999940941908 + w * (0.2222219843214978396 + w * 0.1531383769920937332));
  const double even = s2 * (0.6666666666666735130 +
                            w * (0.2857142874366239149 + w * (0.1818357216161805012 + w * 0.1479819860511658591)));
  const double e = static_cast<double>(k);
  return e * 6.93147180369123816490e-01 - (half - (s * (half + odd + even) + e * 1.90821492927058770002e-10) - f);
}

// sin and cos of 2 pi v: v = q / 4 + r with r in [-1/8, 1/8], and the polynomials of fdlibm for 2 pi r.
KPFLOW_INLINE void sincos_of(double v, double& sine, double& cosine) {
  const double q = std::floor(4 * v + 0.5), t = 2 * M_PI * (v - 0.25 * q), z = t * t;
  const double s = t + t * z *
                           (-1.66666666666666324348e-01 +
                            z * (8.33333333332248946124e-03 +
                                 z * (-1.98412698298579493134e-04 +
                                      z * (2.75573137070700676789e-06 +
                                           z * (-2.50507602534068634195e-08 + z * 1.58969099521155010221e-10)))));
  const double c = 1 - 0.5 * z +
                   z * z *
                       (4.16666666666666019037e-02 +
                        z * (-1.38888888888741095749e-03 +
                             z * (2.48015872894767294178e-05 +
                                  z * (-2.75573143513906633035e-07 +
                                       z * (2.08757232129817482790e-09 + z * -1.13596475577881948265e-11)))));
  const int32_t quadrant = static_cast<int32_t>(q);
  const double a = quadrant & 1 ? c : s, b = quadrant & 1 ? s : c;
  sine = quadrant & 2 ? -a : a;
  cosine = (quadrant + 1) & 2 ? -b : b;
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
