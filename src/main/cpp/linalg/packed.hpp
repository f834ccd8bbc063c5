// Products with a matrix that stays the same over many calls: it is packed once, in the order in which the kernel reads it. The time
// loops multiply a few rows at every step, where a general GEMM would spend much of its time on packing.
#pragma once

#include <cstdint>

#include "core/memory.hpp"

namespace kpflow {

// c [rows, columns], of row stride c_stride, = a op(B), or += with accumulate. a is [rows, depth] of row stride a_stride, or, with
// transpose_a, the transpose of such an array [depth, rows].
template <class T>
struct PackedProduct {
  bool transpose_a, accumulate;
  int64_t rows;
  const T* a;
  int64_t a_stride;
  T* c;
  int64_t c_stride;
};

// Elements of a packed op(B) [depth, columns].
template <class T>
int64_t packed_size(int64_t depth, int64_t columns);

// Packs op(B) of a row-major b with row stride `stride`: op transposes b, [columns, depth], where asked.
template <class T>
void pack(bool transpose, int64_t depth, int64_t columns, const T* b, int64_t stride, T* packed);

// The product with rows first..first+count-1 of a packed op(B) [depth, columns]; a has `count` columns.
template <class T>
void multiply_packed(const PackedProduct<T>& product, int64_t depth, int64_t columns, const T* packed, int64_t first,
                     int64_t count);

// A packed matrix that owns its memory.
template <class T>
class PackedMatrix {
 public:
  // op(B), [depth, columns], of a row-major b: op transposes b, [columns, depth], where asked.
  void pack(bool transpose, int64_t depth, int64_t columns, const T* b);

  // c = a op(B): a [rows, depth] and c [rows, columns], both contiguous.
  void multiply(int64_t rows, const T* a, T* c) const;

  // The general product with rows first..first+count-1.
  void multiply(const PackedProduct<T>& product, int64_t first, int64_t count) const {
    multiply_packed(product, depth_, columns_, blocks_.data(), first, count);
  }

  // Bytes that a packed matrix takes.
  static int64_t bytes(int64_t depth, int64_t columns);

 private:
  int64_t depth_ = 0, columns_ = 0;
  Array<T> blocks_;  // [columns / width][depth][width], zero-padded
};

}  // namespace kpflow
