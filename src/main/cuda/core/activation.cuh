// Pointwise functions of the cells and their derivatives on the card; see cpp/core/activation.hpp.
#pragma once

#include <cmath>

#include "core/runtime.cuh"

namespace kpflow::cuda {

template <class T>
__device__ T sigmoid(T z) {
  return T(1) / (T(1) + std::exp(-z));
}

// Value and derivative at z, given the value y = f(z).
struct Tanh {
  template <class T>
  static __device__ T value(T z) {
    return std::tanh(z);
  }
  template <class T>
  static __device__ T slope(T, T y) {
    return T(1) - y * y;
  }
};

struct Relu {  // relu'(0) = 0
  template <class T>
  static __device__ T value(T z) {
    return z <= T(0) ? T(0) : z;  // a NaN stays one
  }
  template <class T>
  static __device__ T slope(T z, T) {
    return z <= T(0) ? T(0) : z > T(0) ? T(1) : z;
  }
};

struct Gelu {  // z Phi(z), Phi the distribution function of the normal distribution
  template <class T>
  static __device__ T value(T z) {
    return z * normal(z);
  }
  template <class T>
  static __device__ T slope(T z, T) {
    return normal(z) + z * std::exp(-z * z / 2) * T(0.39894228040143267794);
  }
  template <class T>
  static __device__ T normal(T z) {
    return std::erfc(-z * T(0.70710678118654752440)) / 2;
  }
};

struct Linear {
  template <class T>
  static __device__ T value(T z) {
    return z;
  }
  template <class T>
  static __device__ T slope(T, T) {
    return T(1);
  }
};

}  // namespace kpflow::cuda
