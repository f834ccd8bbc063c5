// The rules that turn gradients into new weights; see kpflow.h.
#pragma once

#include <cstdint>

#include "core/context.hpp"

namespace kpflow {

template <class T>
void clamp(ThreadPool& pool, int64_t count, double limit, T* x);

// Factors of one step of Adam.
struct AdamStep {
  AdamStep(int64_t step, double rate, double beta1, double beta2, double epsilon);
  double beta1, beta2;
  double rate;     // divided by 1 - beta1^step
  double root;     // sqrt(1 - beta2^step)
  double epsilon;  // added to sqrt(v) / root
};

template <class T>
void adam_step(ThreadPool& pool, int64_t count, const AdamStep& step, const T* gradient, T* m, T* v, T* theta);

template <class T>
void shampoo_accumulate(kpflow_context& context, int64_t m, int64_t n, const T* gradient, double* left, double* right);

template <class T>
void shampoo_step(kpflow_context& context, int64_t m, int64_t n, double rate, const double* left, const T* gradient,
                  const double* right, T* theta);

void inverse_root(kpflow_context& context, int64_t n, const double* a, int32_t root, double floor, double* out);

}  // namespace kpflow
