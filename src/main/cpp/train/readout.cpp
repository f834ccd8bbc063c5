#include "train/readout.hpp"

#include <algorithm>

#include "linalg/blas.hpp"

namespace kpflow {

namespace {

constexpr int64_t kChunk = 256;  // rows of one product
constexpr int64_t kParts = 16;   // partial sums over rows; fixed, so that sums do not depend on the thread count

}  // namespace

template <class T>
void readout_apply(kpflow_context& context, const kpflow_readout& readout, const T* state, T* y) {
  const int64_t outputs = readout.outputs, n = readout.units;
  const T *weight = static_cast<const T*>(readout.weight), *bias = static_cast<const T*>(readout.bias);
  context.pool.run(pieces(readout.rows, kChunk), [&](int64_t task, int) {
    const int64_t first = task * kChunk, count = std::min(kChunk, readout.rows - first);
    T* target = y + first * outputs;
    for (int64_t r = 0; bias != nullptr && r < count; ++r) std::copy_n(bias, outputs, target + r * outputs);
    gemm(false, true, count, outputs, readout.width, T(1), state + first * n + readout.begin, n, weight, readout.width,
         bias != nullptr ? T(1) : T(0), target, outputs);
  });
}

template <class T>
void readout_adjoint(kpflow_context& context, const kpflow_readout& readout, const T* y, T* state) {
  const int64_t outputs = readout.outputs, n = readout.units;
  const T* weight = static_cast<const T*>(readout.weight);
  context.pool.run(pieces(readout.rows, kChunk), [&](int64_t task, int) {
    const int64_t first = task * kChunk, count = std::min(kChunk, readout.rows - first);
    T* target = state + first * n;
    if (readout.width < n) std::fill_n(target, count * n, T(0));
    gemm(false, false, count, readout.width, outputs, T(1), y + first * outputs, outputs, weight, readout.width, T(0),
         target + readout.begin, n);
  });
}

template <class T>
void readout_gradient(kpflow_context& context, const kpflow_readout& readout, const T* state, const T* y, T* weight,
                      T* bias) {
  const int64_t outputs = readout.outputs, width = readout.width, n = readout.units, size = outputs * (width + 1);
  const int64_t length = pieces(readout.rows, kParts), parts = pieces(readout.rows, length);
  Array<T> partial(parts * size);
  context.pool.run(parts, [&](int64_t part, int) {
    const int64_t first = part * length, count = std::min(length, readout.rows - first);
    const T* errors = y + first * outputs;
    T *product = partial.data() + part * size, *sum = product + outputs * width;
    gemm(true, false, outputs, width, count, T(1), errors, outputs, state + first * n + readout.begin, n, T(0), product,
         width);
    std::fill_n(sum, outputs, T(0));
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t i = 0; i < outputs; ++i) sum[i] += errors[r * outputs + i];
    }
  });
  const auto sum_up = [&](int64_t offset, int64_t count, T* out) {
    for (int64_t i = 0; i < count; ++i) {
      T sum = partial[offset + i];
      for (int64_t part = 1; part < parts; ++part) sum += partial[part * size + offset + i];
      out[i] = sum;
    }
  };
  sum_up(0, outputs * width, weight);
  if (bias != nullptr) sum_up(outputs * width, outputs, bias);
}

template <class T>
double mean_squared_error(kpflow_context& context, int64_t rows, int64_t outputs, T* y, const T* targets,
                          const T* mask) {
  int64_t counted = rows;
  if (mask != nullptr) {
    counted = 0;
    for (int64_t r = 0; r < rows; ++r) {
      KPFLOW_REQUIRE(mask[r] == T(0) || mask[r] == T(1), "mask: expected 0 or 1, got %g", static_cast<double>(mask[r]));
      counted += mask[r] == T(1) ? 1 : 0;
    }
    KPFLOW_REQUIRE(counted > 0, "mask: expected at least one step that counts, got none");
  }
  const double entries = static_cast<double>(counted * outputs);
  const T factor = static_cast<T>(2 / entries);
  const int64_t length = pieces(rows, kParts), parts = pieces(rows, length);
  double partial[kParts] = {};
  context.pool.run(parts, [&](int64_t part, int) {
    double sum = 0;
    for (int64_t r = part * length; r < std::min(rows, (part + 1) * length); ++r) {
      const bool counts = mask == nullptr || mask[r] != T(0);
      for (int64_t i = r * outputs; i < (r + 1) * outputs; ++i) {
        const T difference = counts ? y[i] - targets[i] : T(0);
        sum += static_cast<double>(difference) * static_cast<double>(difference);
        y[i] = factor * difference;
      }
    }
    partial[part] = sum;
  });
  double loss = 0;
  for (double sum : partial) loss += sum;
  return loss / entries;
}

#define KPFLOW_READOUT(T)                                                                                \
  template void readout_apply<T>(kpflow_context&, const kpflow_readout&, const T*, T*);                  \
  template void readout_adjoint<T>(kpflow_context&, const kpflow_readout&, const T*, T*);                \
  template void readout_gradient<T>(kpflow_context&, const kpflow_readout&, const T*, const T*, T*, T*); \
  template double mean_squared_error<T>(kpflow_context&, int64_t, int64_t, T*, const T*, const T*);
KPFLOW_READOUT(float)
KPFLOW_READOUT(double)
#undef KPFLOW_READOUT

}  // namespace kpflow
