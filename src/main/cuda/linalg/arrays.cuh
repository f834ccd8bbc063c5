// Elementwise and contraction primitives on whole arrays of the card; see kpflow.h and core/device.hpp.
#pragma once

#include <cstdint>

#include "core/context.cuh"
#include "core/device.hpp"

namespace kpflow::cuda {

template <class T>
void axpby(Context& context, int64_t count, double alpha, const T* x, double beta, T* y);

// Sums in f64 in a fixed order; out [rows] is the host's.
template <class T>
void dot(Context& context, int64_t rows, int64_t columns, const T* x, const T* y, double* out);

// out = x y^T [m, s] in f64 on the host, x [m, n], y [s, n].
template <class T>
void row_products(Context& context, int64_t m, int64_t s, int64_t n, const T* x, const T* y, double* out);

// The first k rows of x [m, n] become coefficients x; coefficients [k, m] are the host's.
template <class T>
void combine_rows(Context& context, int64_t k, int64_t m, int64_t n, const double* coefficients, T* x);

void strided_axpby(Context& context, const StridedAxpby& call);

template <class T>
void accumulate_gram(Context& context, int64_t s, const int64_t (&sizes)[3], const T* x, int32_t keep, double alpha,
                     double* out, const Progress& progress);

// Rows of a [m, n], m <= n, become an orthonormal basis of their span.
template <class T>
void orthonormalize(Context& context, int64_t m, int64_t n, T* a);

}  // namespace kpflow::cuda
