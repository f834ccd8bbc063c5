// A linear read-out, its loss, and the rules that turn gradients into new weights; see kpflow.h.
#pragma once

#include <cstdint>

#include "core/context.cuh"

namespace kpflow::cuda {

template <class T>
void readout_apply(Context& context, const kpflow_readout& readout, const T* state, T* y);

template <class T>
void readout_adjoint(Context& context, const kpflow_readout& readout, const T* y, T* state);

template <class T>
void readout_gradient(Context& context, const kpflow_readout& readout, const T* state, const T* y, T* weight, T* bias);

template <class T>
double mean_squared_error(Context& context, int64_t rows, int64_t outputs, T* y, const T* targets, const T* mask);

template <class T>
void clamp(Context& context, int64_t count, double limit, T* x);

template <class T>
void adam_step(Context& context, int64_t count, int64_t step, double rate, double beta1, double beta2, double epsilon,
               const T* gradient, T* m, T* v, T* theta);

template <class T>
void shampoo_accumulate(Context& context, int64_t m, int64_t n, const T* gradient, double* left, double* right);

template <class T>
void shampoo_step(Context& context, int64_t m, int64_t n, double rate, const double* left, const T* gradient,
                  const double* right, T* theta);

}  // namespace kpflow::cuda
