// Elementwise and contraction primitives on whole arrays.
#pragma once

#include <cstdint>

#include "core/context.hpp"

namespace kpflow {

template <class T>
void axpby(ThreadPool& pool, int64_t count, double alpha, const T* x, double beta, T* y);

template <class T>
void dot(ThreadPool& pool, int64_t rows, int64_t columns, const T* x, const T* y, double* out);

template <class T>
void parallel_gemm(ThreadPool& pool, bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const T* a,
                   const T* b, double beta, T* c);

// out = x y^T in f64 for tall blocks: x [m,n], y [s,n], out [m,s]; see kpflow_row_products.
template <class T>
void row_products(ThreadPool& pool, int64_t m, int64_t s, int64_t n, const T* x, const T* y, double* out);

// The first k rows of x [m,n] become coefficients x, coefficients [k,m], k at most m.
template <class T>
void combine_rows(kpflow_context& context, int64_t k, int64_t m, int64_t n, const double* coefficients, T* x);

template <class X, class Y>
void strided_axpby(int axes, const int64_t* shape, double alpha, const X* x, const int64_t* x_strides, double beta,
                   Y* y, const int64_t* y_strides);

// out += alpha sum x x^T, x viewed as [kept, traced and samples]; see kpflow_accumulate_gram.
template <class T>
void accumulate_gram(kpflow_context& context, int64_t s, const int64_t (&sizes)[3], const T* x, int32_t keep,
                     double alpha, double* out, const Progress& progress);

}  // namespace kpflow
