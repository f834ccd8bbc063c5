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

// How the kernels see a product: op(B) as blocks of columns, each [count, width] and `block` elements after the one before.
template <class T>
struct Operands {
  int64_t rows, count, columns;
  const T* a;
  int64_t a_stride;
  const T* blocks;
  int64_t block;
  T* c;
  int64_t c_stride;
  bool accumulate;
};

// c[r, :] (+)= sum_k a[r, k] b[k, :] for kRows rows and one block of columns, of which `used` are stored.
template <class T, int kVectorBytes, int kRows, bool kTransposed>
KPFLOW_INLINE void block_product(const Operands<T>& x, const T* a, const T* b, int64_t used, T* c) {
  typedef T V __attribute__((vector_size(kVectorBytes)));
  constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));
  const int64_t stride = x.a_stride, depth = x.count;
  V low[kRows], high[kRows];
  for (int r = 0; r < kRows; ++r) low[r] = high[r] = V{};
  for (int64_t k = 0; k < depth; ++k) {
    V left, right;
    std::memcpy(&left, b + k * 2 * kLanes, kVectorBytes);
    std::memcpy(&right, b + k * 2 * kLanes + kLanes, kVectorBytes);
#pragma GCC unroll 16
    for (int r = 0; r < kRows; ++r) {
      const T value = kTransposed ? a[k * stride + r] : a[r * stride + k];
      low[r] += value * left;
      high[r] += value * right;
    }
  }
  for (int r = 0; r < kRows; ++r) {
    T* target = c + r * x.c_stride;
    if (used == 2 * kLanes) {
      if (x.accumulate) {
        V left, right;
        std::memcpy(&left, target, kVectorBytes);
        std::memcpy(&right, target + kLanes, kVectorBytes);
        low[r] += left;
        high[r] += right;
      }
      std::memcpy(target, &low[r], kVectorBytes);
      std::memcpy(target + kLanes, &high[r], kVectorBytes);
    } else {
      T row[2 * kLanes];
      std::memcpy(row, &low[r], kVectorBytes);
      std::memcpy(row + kLanes, &high[r], kVectorBytes);
      for (int64_t i = 0; i < used; ++i) target[i] = x.accumulate ? target[i] + row[i] : row[i];
    }
  }
}

// The same for any number of rows up to the kernel's: one instance each.
template <class T, int kVectorBytes, int kRows, bool kTransposed>
KPFLOW_INLINE void some_rows(int64_t rows, const Operands<T>& x, const T* a, const T* b, int64_t used, T* c) {
  if (rows == kRows) {
    block_product<T, kVectorBytes, kRows, kTransposed>(x, a, b, used, c);
  } else if constexpr (kRows > 1) {
    some_rows<T, kVectorBytes, kRows - 1, kTransposed>(rows, x, a, b, used, c);
  }
}

// A block of columns stays in the first cache while all rows pass; rows are cut as evenly as the kernel allows.
template <class T, int kVectorBytes, bool kTransposed>
KPFLOW_INLINE void product(const Operands<T>& x) {
  constexpr int64_t kMost = Registers<kVectorBytes>::kRows, kWidth = 2 * kVectorBytes / static_cast<int>(sizeof(T));
  const int64_t pieces = (x.rows + kMost - 1) / kMost;
  for (int64_t column = 0; column < x.columns; column += kWidth) {
    const T* b = x.blocks + column / kWidth * x.block;
    for (int64_t piece = 0; piece < pieces; ++piece) {
      const int64_t first = x.rows * piece / pieces, rows = x.rows * (piece + 1) / pieces - first;
      some_rows<T, kVectorBytes, kMost, kTransposed>(rows, x, x.a + first * (kTransposed ? 1 : x.a_stride), b,
                                                     std::min(kWidth, x.columns - column),
                                                     x.c + first * x.c_stride + column);
    }
  }
}

template <class T>
using Product = void (*)(const Operands<T>& operands);

#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
template <class T, bool kTransposed>
__attribute__((target("arch=x86-64-v4"))) void product_512(const Operands<T>& operands) {
  product<T, 64, kTransposed>(operands);
}
template <class T, bool kTransposed>
__attribute__((target("arch=x86-64-v3"))) void product_256(const Operands<T>& operands) {
  product<T, 32, kTransposed>(operands);
}
#endif
template <class T, bool kTransposed>
void product_128(const Operands<T>& operands) {
  product<T, 16, kTransposed>(operands);
}

// The kernels of this CPU (for a and for its transpose) and the width of their blocks.
template <class T>
struct Choice {
  Choice() {
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("bmi2")) {
      run[0] = product_512<T, false>;
      run[1] = product_512<T, true>;
      width = 128 / static_cast<int>(sizeof(T));
      return;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi2")) {
      run[0] = product_256<T, false>;
      run[1] = product_256<T, true>;
      width = 64 / static_cast<int>(sizeof(T));
      return;
    }
#endif
    run[0] = product_128<T, false>;
    run[1] = product_128<T, true>;
    width = 32 / static_cast<int>(sizeof(T));
  }
  static const Choice& get() {
    static const Choice choice;
    return choice;
  }
  Product<T> run[2];
  int64_t width;
};

}  // namespace

template <class T>
int64_t packed_size(int64_t depth, int64_t columns) {
  const int64_t width = Choice<T>::get().width;
  return (columns + width - 1) / width * width * depth;
}

template <class T>
void pack(bool transpose, int64_t depth, int64_t columns, const T* b, int64_t stride, T* packed) {
  const int64_t width = Choice<T>::get().width;
  for (int64_t first = 0; first < columns; first += width, packed += depth * width) {
    const int64_t used = std::min(width, columns - first);
    if (used < width) std::fill_n(packed, depth * width, T(0));
    if (transpose) {
      for (int64_t j = 0; j < used; ++j) {
        const T* source = b + (first + j) * stride;
        for (int64_t k = 0; k < depth; ++k) packed[k * width + j] = source[k];
      }
    } else {
      for (int64_t k = 0; k < depth; ++k) std::copy_n(b + k * stride + first, used, packed + k * width);
    }
  }
}

template <class T>
void multiply_packed(const PackedProduct<T>& product, int64_t depth, int64_t columns, const T* packed, int64_t first,
                     int64_t count) {
  const Choice<T>& kernels = Choice<T>::get();
  kernels.run[product.transpose_a ? 1 : 0](Operands<T>{product.rows, count, columns, product.a, product.a_stride,
                                                       packed + first * kernels.width, depth * kernels.width, product.c,
                                                       product.c_stride, product.accumulate});
}

template <class T>
int64_t PackedMatrix<T>::bytes(int64_t depth, int64_t columns) {
  return packed_size<T>(depth, columns) * static_cast<int64_t>(sizeof(T));
}

template <class T>
void PackedMatrix<T>::pack(bool transpose, int64_t depth, int64_t columns, const T* b) {
  depth_ = depth;
  columns_ = columns;
  blocks_.resize(packed_size<T>(depth, columns));
  kpflow::pack(transpose, depth, columns, b, transpose ? depth : columns, blocks_.data());
}

template <class T>
void PackedMatrix<T>::multiply(int64_t rows, const T* a, T* c) const {
  multiply(PackedProduct<T>{false, false, rows, a, depth_, c, columns_}, 0, depth_);
}

#define KPFLOW_PACKED(T)                                                \
  template class PackedMatrix<T>;                                       \
  template int64_t packed_size<T>(int64_t, int64_t);                    \
  template void pack<T>(bool, int64_t, int64_t, const T*, int64_t, T*); \
  template void multiply_packed<T>(const PackedProduct<T>&, int64_t, int64_t, const T*, int64_t, int64_t);
KPFLOW_PACKED(float)
KPFLOW_PACKED(double)
#undef KPFLOW_PACKED

}  // namespace kpflow
