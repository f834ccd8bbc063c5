// Pointwise functions of the cells and their derivatives. The exponential here is arithmetic alone, so that a loop over units becomes
// vector instructions, which the mathematical library's is not. sigmoid and tanh agree with the library's to a few units in the
// last place, and a NaN stays one.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/simd.hpp"

namespace kpflow {

template <class T>
struct Exponential;

template <>
struct Exponential<float> {
  using Bits = uint32_t;
  static constexpr int kMantissa = 23, kBias = 127, kTerms = 7;
  static constexpr float kRound = 12582912.0f;   // 1.5 2^23: added, it leaves the nearest integer in the low bits
  static constexpr float kMost = 87, kOne = 10;  // e^x stays normal to 87 and -87; tanh x is 1 from 10 on
  static constexpr float kHigh = 0.693359375f, kLow = -0.00021219444005469058f;  // ln 2; n times the first is exact
};

template <>
struct Exponential<double> {
  using Bits = uint64_t;
  static constexpr int kMantissa = 52, kBias = 1023, kTerms = 13;
  static constexpr double kRound = 6755399441055744.0;  // 1.5 2^52
  static constexpr double kMost = 708, kOne = 20;
  static constexpr double kHigh = 0.6931471803691238, kLow = 1.9082149292705877e-10;
};

constexpr double kInverseFactorials[] = {
    1,         1,          1. / 2,      1. / 6,       1. / 24,       1. / 120,       1. / 720,
    1. / 5040, 1. / 40320, 1. / 362880, 1. / 3628800, 1. / 39916800, 1. / 479001600, 1. / 6227020800};

// x = n ln 2 + r with |r| <= ln 2 / 2: gives 2^n and e^r - 1 = r (1 + r / 2 + r^2 / 6 + ...), |x| at most kMost.
template <class T>
KPFLOW_INLINE void reduced_exponential(T x, T& power, T& rest) {
  using E = Exponential<T>;
  const T shifted = x * T(1.4426950408889634074) + E::kRound;
  const T n = shifted - E::kRound;
  const T r = (x - n * E::kHigh) - n * E::kLow;
  typename E::Bits bits;
  std::memcpy(&bits, &shifted, sizeof(bits));
  bits = (bits + E::kBias) << E::kMantissa;
  std::memcpy(&power, &bits, sizeof(bits));
  T sum = T(kInverseFactorials[E::kTerms]);
#pragma GCC unroll 16
  for (int k = E::kTerms - 1; k > 0; --k) sum = T(kInverseFactorials[k]) + r * sum;
  rest = r * sum;
}

template <class T>
KPFLOW_INLINE T sigmoid(T z) {
  constexpr T kMost = Exponential<T>::kMost;
  T power, rest;
  reduced_exponential(z > kMost ? -kMost : z < -kMost ? kMost : -z, power, rest);
  return T(1) / (T(1) + (power + power * rest));
}

// e / (e + 2) with e = exp(2 |z|) - 1, and the sign of z.
template <class T>
KPFLOW_INLINE T fast_tanh(T z) {
  constexpr T kOne = Exponential<T>::kOne;
  const T size = std::fabs(z);
  T power, rest;
  reduced_exponential(T(2) * (size > kOne ? kOne : size), power, rest);
  const T e = power * rest + (power - T(1));
  return std::copysign(e / (e + T(2)), z);
}

// Activations: value and derivative at z, given the value y = f(z).
struct Tanh {
  template <class T>
  static KPFLOW_INLINE T value(T z) {
    return fast_tanh(z);
  }
  template <class T>
  static KPFLOW_INLINE T slope(T, T y) {
    return T(1) - y * y;
  }
};

struct Relu {  // relu'(0) = 0
  template <class T>
  static KPFLOW_INLINE T value(T z) {
    return z <= T(0) ? T(0) : z;  // a NaN stays one
  }
  template <class T>
  static KPFLOW_INLINE T slope(T z, T) {
    return z <= T(0) ? T(0) : z > T(0) ? T(1) : z;
  }
};

struct Gelu {  // z Phi(z), Phi the distribution function of the normal distribution
  template <class T>
  static KPFLOW_INLINE T value(T z) {
    return z * normal(z);
  }
  template <class T>
  static KPFLOW_INLINE T slope(T z, T) {
    return normal(z) + z * std::exp(-z * z / 2) * T(0.39894228040143267794);
  }
  template <class T>
  static KPFLOW_INLINE T normal(T z) {
    return std::erfc(-z * T(0.70710678118654752440)) / 2;
  }
};

struct Linear {
  template <class T>
  static KPFLOW_INLINE T value(T z) {
    return z;
  }
  template <class T>
  static KPFLOW_INLINE T slope(T, T) {
    return T(1);
  }
};

}  // namespace kpflow
