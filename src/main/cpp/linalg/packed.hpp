// Products with a matrix that stays the same over many calls: it is packed once, in the order in which the kernel reads it. The time
// loops multiply a few rows at every step, where a general GEMM would spend much of its time on packing.
#pragma once

#include <cstdint>

#include "core/memory.hpp"

namespace kpflow {

template <class T>
class PackedMatrix {
 public:
  // op(B), [depth, columns], of a row-major b: op transposes b, [columns, depth], where asked.
  void pack(bool transpose, int64_t depth, int64_t columns, const T* b);

  // c = a op(B): a [rows, depth] and c [rows, columns], both contiguous.
  void multiply(int64_t rows, const T* a, T* c) const;

  // Bytes that a packed matrix takes.
  static int64_t bytes(int64_t depth, int64_t columns);

 private:
  int64_t depth_ = 0, columns_ = 0;
  Array<T> blocks_;  // [columns / width][depth][width], zero-padded
};

}  // namespace kpflow
