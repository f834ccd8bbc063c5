// The arithmetic of the random numbers, the same on every device to the last bit: compiled without contraction.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/simd.hpp"

#ifdef __CUDACC__
#define KPFLOW_ANYWHERE __host__ __device__ __forceinline__
#else
#define KPFLOW_ANYWHERE KPFLOW_INLINE
#endif

namespace kpflow {

// Ten rounds of Philox4x32 on the counter (block, 0) under the key seed.
KPFLOW_ANYWHERE void philox(uint64_t seed, uint64_t block, uint32_t& w0, uint32_t& w1, uint32_t& w2, uint32_t& w3) {
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
  w0 = c0;
  w1 = c1;
  w2 = c2;
  w3 = c3;
}

// Uniform in (0, 1) from two words: 52 bits at cell centres, never 0 or 1.
KPFLOW_ANYWHERE double uniform_of(uint32_t high, uint32_t low) {
  const uint64_t bits = (uint64_t{high} << 32 | low) >> 12;
  return (static_cast<double>(static_cast<int64_t>(bits)) + 0.5) * 0x1p-52;
}

// ln x for x in (0, 1), by argument reduction to [sqrt(1/2), sqrt(2)) and the polynomial of Sun's fdlibm; below 1 ulp.
KPFLOW_ANYWHERE double log_of(double x) {
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
KPFLOW_ANYWHERE void sincos_of(double v, double& sine, double& cosine) {
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

}  // namespace kpflow
