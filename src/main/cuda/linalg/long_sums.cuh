// Sums over very many rows, cut into parts that are added up in order: the same at every run.
#pragma once

#include <cstdint>

#include "core/context.cuh"
#include "linalg/gemm.cuh"

namespace kpflow::cuda {

// A product whose inner dimension is long: in parts where there would be too few tiles of C for the card.
template <class T>
void multiply_long(Context& context, const Product<T>& product);

// The columns of y [batch, rows, columns] summed over rows, in parts [batch, parts, columns] that are the caller's to add up in
// order; returns the number of parts. They stay valid until the next call of this file.
template <class T>
const T* sum_columns(Context& context, int64_t batch, int64_t rows, int64_t columns, const T* y, int64_t& parts);

}  // namespace kpflow::cuda
