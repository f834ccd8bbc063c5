// Elementwise kernels on the rows of one node, [rows, width]; row strides where an array is part of a wider one.
#pragma once

#include <cstdint>

namespace kpflow {

// y = slope (y + bias); slope [rows, width] and bias [width] may be nullptr.
void scale_rows(int64_t rows, int64_t width, const float* slope, const float* bias, float* y);
void scale_rows(int64_t rows, int64_t width, const double* slope, const double* bias, double* y);

// target = source, or += with accumulate.
void move_rows(int64_t rows, int64_t width, const float* source, int64_t source_stride, bool accumulate, float* target,
               int64_t target_stride);
void move_rows(int64_t rows, int64_t width, const double* source, int64_t source_stride, bool accumulate,
               double* target, int64_t target_stride);

// target = source - taken; source and target have one stride.
void subtract_rows(int64_t rows, int64_t width, const float* source, int64_t stride, const float* taken, float* target);
void subtract_rows(int64_t rows, int64_t width, const double* source, int64_t stride, const double* taken,
                   double* target);

// sum [width] += the rows of y, times those of factor unless that is nullptr.
void sum_rows(int64_t rows, int64_t width, const float* y, const float* factor, float* sum);
void sum_rows(int64_t rows, int64_t width, const double* y, const double* factor, double* sum);

// y += dgamma xhat + dbeta; dgamma [width] and dbeta [width] may be nullptr.
void affine_rows(int64_t rows, int64_t width, const float* xhat, const float* dgamma, const float* dbeta, float* y);
void affine_rows(int64_t rows, int64_t width, const double* xhat, const double* dgamma, const double* dbeta, double* y);

// Layer norm, xhat = (v - mean v) scale: y = gamma scale (dv - mean dv - xhat mean(xhat dv)); gamma may be nullptr.
void norm_tangent(int64_t rows, int64_t width, const float* gamma, const float* xhat, const float* scale,
                  const float* dv, float* y);
void norm_tangent(int64_t rows, int64_t width, const double* gamma, const double* xhat, const double* scale,
                  const double* dv, double* y);

// Its adjoint: a becomes gamma a, and dv = scale (a - mean a - xhat mean(xhat a)), or += with accumulate.
void norm_cotangent(int64_t rows, int64_t width, const float* gamma, const float* xhat, const float* scale, float* a,
                    bool accumulate, float* dv);
void norm_cotangent(int64_t rows, int64_t width, const double* gamma, const double* xhat, const double* scale,
                    double* a, bool accumulate, double* dv);

// Row t of s [size, size] becomes a factor (s - sum(a s)), a = softmax: its derivative, which is its own adjoint.
void softmax_tangent(int64_t size, float factor, const float* a, float* s);
void softmax_tangent(int64_t size, double factor, const double* a, double* s);

}  // namespace kpflow
