#include "linalg/packed.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "core/simd.hpp"

namespace kpflow {

namespace {

// A kernel computes kRows x kWidth elements of c with all of them in registers, kWidth being two vectors. Both follow from the
// register file: 32 vectors of 64 bytes, 16 of 32, 16 of 16.
template <int kVectorBytes>
struct Registers {
  static constexpr int kRows = kVectorBytes == 64 ? 14 : kVectorBytes == 32 ? 6 : 4;
};

// c[r, :] = sum_k a[r, k] b[k, :] for kRows rows and one block of columns, of which `used` are stored.
template <class T, int kVectorBytes, int kRows>
KPFLOW_INLINE void block_product(int64_t depth, const T* a, const T* b, int64_t used, T* c, int64_t ldc) {
  typedef T V __attribute__((vector_size(kVectorBytes)));
  constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));
  V low[kRows], high[kRows];
  for (int r = 0; r < kRows; ++r) low[r] = high[r] = V{};
  for (int64_t k = 0; k < depth; ++k) {
    V left, right;
    std::memcpy(&left, b + k * 2 * kLanes, kVectorBytes);
    std::memcpy(&right, b + k * 2 * kLanes + kLanes, kVectorBytes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const T value = a[r * depth + k];
      low[r] += value * left;
      high[r] += value * right;
    }
  }
  for (int r = 0; r < kRows; ++r) {
    if (used == 2 * kLanes) {
      std::memcpy(c + r * ldc, &low[r], kVectorBytes);
      std::memcpy(c + r * ldc + kLanes, &high[r], kVectorBytes);
    } else {
      T row[2 * kLanes];
      std::memcpy(row, &low[r], kVectorBytes);
      std::memcpy(row + kLanes, &high[r], kVectorBytes);
      std::copy_n(row, used, c + r * ldc);
    }
  }
}

// The same for any number of rows up to the kernel's: one instance each.
template <class T, int kVectorBytes, int kRows>
KPFLOW_INLINE void some_rows(int64_t rows, int64_t depth, const T* a, const T* b, int64_t used, T* c, int64_t ldc) {
  if (rows == kRows) {
    block_product<T, kVectorBytes, kRows>(depth, a, b, used, c, ldc);
  } else if constexpr (kRows > 1) {
    some_rows<T, kVectorBytes, kRows - 1>(rows, depth, a, b, used, c, ldc);
  }
}

// A block of columns stays in the first cache while all rows pass; rows are cut as evenly as the kernel allows.
template <class T, int kVectorBytes>
KPFLOW_INLINE void product(int64_t rows, int64_t depth, int64_t columns, const T* a, const T* blocks, T* c) {
  constexpr int64_t kMost = Registers<kVectorBytes>::kRows, kWidth = 2 * kVectorBytes / static_cast<int>(sizeof(T));
  const int64_t pieces = (rows + kMost - 1) / kMost;
  for (int64_t column = 0; column < columns; column += kWidth) {
    const T* b = blocks + column * depth;
    for (int64_t piece = 0; piece < pieces; ++piece) {
      const int64_t first = rows * piece / pieces, count = rows * (piece + 1) / pieces - first;
      some_rows<T, kVectorBytes, kMost>(count, depth, a + first * depth, b, std::min(kWidth, columns - column),
                                        c + first * columns + column, columns);
    }
  }
}

template <class T>
using Product = void (*)(int64_t rows, int64_t depth, int64_t columns, const T* a, const T* blocks, T* c);

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
template <class T>
__attribute__((target("arch=x86-64-v4"))) void product_512(int64_t m, int64_t k, int64_t n, const T* a, const T* b,
                                                           T* c) {
  product<T, 64>(m, k, n, a, b, c);
}
template <class T>
__attribute__((target("arch=x86-64-v3"))) void product_256(int64_t m, int64_t k, int64_t n, const T* a, const T* b,
                                                           T* c) {
  product<T, 32>(m, k, n, a, b, c);
}
#endif
template <class T>
void product_128(int64_t m, int64_t k, int64_t n, const T* a, const T* b, T* c) {
  product<T, 16>(m, k, n, a, b, c);
}

// The kernel of this CPU and the width of its blocks.
template <class T>
struct Choice {
  Choice() {
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("bmi2")) {
      run = product_512<T>;
      width = 128 / static_cast<int>(sizeof(T));
      return;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) {
      run = product_256<T>;
      width = 64 / static_cast<int>(sizeof(T));
      return;
    }
#endif
    run = product_128<T>;
    width = 32 / static_cast<int>(sizeof(T));
  }
  static const Choice& get() {
    static const Choice choice;
    return choice;
  }
  Product<T> run;
  int64_t width;
};

}  // namespace

template <class T>
int64_t PackedMatrix<T>::bytes(int64_t depth, int64_t columns) {
  const int64_t width = Choice<T>::get().width;
  return (columns + width - 1) / width * width * depth * static_cast<int64_t>(sizeof(T));
}

template <class T>
void PackedMatrix<T>::pack(bool transpose, int64_t depth, int64_t columns, const T* b) {
  depth_ = depth;
  columns_ = columns;
  const int64_t width = Choice<T>::get().width;
  blocks_.resize(bytes(depth, columns) / static_cast<int64_t>(sizeof(T)));
  T* target = blocks_.data();
  for (int64_t first = 0; first < columns; first += width) {
    for (int64_t k = 0; k < depth; ++k) {
      for (int64_t j = first; j < first + width; ++j) {
        *target++ = j >= columns ? T(0) : transpose ? b[j * depth + k] : b[k * columns + j];
      }
    }
  }
}

template <class T>
void PackedMatrix<T>::multiply(int64_t rows, const T* a, T* c) const {
  Choice<T>::get().run(rows, depth_, columns_, a, blocks_.data(), c);
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;

}  // namespace kpflow
