#include <cmath>

#include "linalg/gemm.cuh"
#include "linalg/sums.cuh"
#include "train/training.cuh"

namespace kpflow::cuda {

template <class T>
void readout_apply(Context& context, const kpflow_readout& readout, const T* state, T* y) {
  const int64_t outputs = readout.outputs;
  const T* bias = static_cast<const T*>(readout.bias);
  if (bias != nullptr) {
    for_each(context.stream, readout.rows * outputs, [=] __device__(int64_t i) { y[i] = bias[i % outputs]; });
  }
  multiply<T>(context,
              {false, true, readout.rows, outputs, readout.width, T(1), state + readout.begin, readout.units,
               static_cast<const T*>(readout.weight), readout.width, bias != nullptr ? T(1) : T(0), y, outputs});
}

template <class T>
void readout_adjoint(Context& context, const kpflow_readout& readout, const T* y, T* state) {
  if (readout.width < readout.units) context.zero(state, readout.rows * readout.units);
  multiply<T>(context,
              {false, false, readout.rows, readout.width, readout.outputs, T(1), y, readout.outputs,
               static_cast<const T*>(readout.weight), readout.width, T(0), state + readout.begin, readout.units});
}

// Sums over parts of the rows, a batch of matrix products, and of these in f64.
template <class T>
void readout_gradient(Context& context, const kpflow_readout& readout, const T* state, const T* y, T* weight, T* bias) {
  constexpr int64_t kLeast = 1024, kMostParts = 128;
  const int64_t outputs = readout.outputs, width = readout.width, n = readout.units, size = outputs * width;
  const int64_t length = std::max(kLeast, pieces(readout.rows, kMostParts)), whole = readout.rows / length;
  const int64_t parts = pieces(readout.rows, length), done = whole * length;
  T* products = context.scratch<T>(Scratch::kSpare, parts * size);
  double* sums = context.scratch<double>(Scratch::kGates, std::max(size, outputs));
  multiply<T>(context, {true, false, outputs, width, length, T(1), y, outputs, state + readout.begin, n, T(0), products,
                        width, whole, length * outputs, length * n, size});
  if (whole < parts) {
    multiply<T>(context, {true, false, outputs, width, readout.rows - done, T(1), y + done * outputs, outputs,
                          state + done * n + readout.begin, n, T(0), products + whole * size, width});
  }
  sum_rows(context, parts, size, products, sums);
  for_each(context.stream, size, [=] __device__(int64_t i) { weight[i] = static_cast<T>(sums[i]); });
  if (bias != nullptr) {
    sum_rows(context, readout.rows, outputs, y, sums);
    for_each(context.stream, outputs, [=] __device__(int64_t i) { bias[i] = static_cast<T>(sums[i]); });
  }
}

namespace {

constexpr int64_t kMostBlocks = 1024;  // whose sums the host adds up

// out[block] = rows of the block's part that count, out[blocks + block] = its first row whose mask is neither 0 nor 1, or rows.
template <class T>
__global__ void __launch_bounds__(kThreads) count_kernel(int64_t rows, int64_t length, const T* mask, double* out) {
  KPFLOW_SHARED(int64_t, wrong);  // [kThreads]
  const int64_t first = blockIdx.x * length, last = min(rows, first + length);
  double counted = 0;
  int64_t at = rows;
  for (int64_t r = first + threadIdx.x; r < last; r += kThreads) {
    counted += mask[r] == T(1) ? 1 : 0;
    if (!(mask[r] == T(0) || mask[r] == T(1))) at = min(at, r);
  }
  wrong[threadIdx.x] = at;
  counted = block_sum(counted);
  if (threadIdx.x > 0) return;
  for (int thread = 1; thread < kThreads; ++thread) at = min(at, wrong[thread]);
  out[blockIdx.x] = counted;
  out[gridDim.x + blockIdx.x] = static_cast<double>(at);
}

template <class T>
int64_t rows_that_count(Context& context, int64_t rows, const T* mask) {
  const int64_t length = std::max<int64_t>(kThreads, pieces(rows, kMostBlocks)), blocks = pieces(rows, length);
  double* device = context.scratch<double>(Scratch::kPartial, 2 * blocks);
  launch(context.stream, {dim3(static_cast<unsigned>(blocks)), dim3(kThreads), kThreads * sizeof(int64_t), 1, "mask"},
         count_kernel<T>, rows, length, mask, device);
  double host[2 * kMostBlocks];
  context.copy_out(host, device, 2 * blocks);
  double counted = 0;
  for (int64_t block = 0; block < blocks; ++block) {
    counted += host[block];
    const int64_t wrong = static_cast<int64_t>(host[blocks + block]);
    if (wrong == rows) continue;
    T value = 0;
    context.copy_out(&value, mask + wrong, 1);
    fail(KPFLOW_INVALID_ARGUMENT, "mask: expected 0 or 1, got %g", static_cast<double>(value));
  }
  KPFLOW_REQUIRE(counted > 0, "mask: expected at least one step that counts, got none");
  return static_cast<int64_t>(counted);
}

// out[block] = the sum of squares of its part; y = factor (y - targets) where the row counts, else 0. Limited by memory.
template <class T>
__global__ void __launch_bounds__(kThreads) error_kernel(int64_t count, int64_t length, int64_t outputs, T factor, T* y,
                                                         const T* targets, const T* mask, double* out) {
  const int64_t first = blockIdx.x * length, last = min(count, first + length);
  double sum = 0;
  for (int64_t i = first + threadIdx.x; i < last; i += kThreads) {
    const bool counts = mask == nullptr || mask[i / outputs] != T(0);
    const T difference = counts ? y[i] - targets[i] : T(0);
    sum += static_cast<double>(difference) * static_cast<double>(difference);
    y[i] = factor * difference;
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

}  // namespace

template <class T>
double mean_squared_error(Context& context, int64_t rows, int64_t outputs, T* y, const T* targets, const T* mask) {
  const int64_t counted = mask != nullptr ? rows_that_count(context, rows, mask) : rows, count = rows * outputs;
  const double entries = static_cast<double>(counted * outputs);
  const int64_t length = std::max<int64_t>(4 * kThreads, pieces(count, kMostBlocks)), blocks = pieces(count, length);
  double* device = context.scratch<double>(Scratch::kPartial, blocks);
  launch(context.stream, {dim3(static_cast<unsigned>(blocks)), dim3(kThreads), 0, 1, "squared error"}, error_kernel<T>,
         count, length, outputs, static_cast<T>(2 / entries), y, targets, mask, device);
  double host[kMostBlocks];
  context.copy_out(host, device, blocks);
  double loss = 0;
  for (int64_t block = 0; block < blocks; ++block) loss += host[block];
  return loss / entries;
}

template <class T>
void clamp(Context& context, int64_t count, double limit, T* x) {
  const T most = static_cast<T>(limit);
  for_each(context.stream, count, [=] __device__(int64_t i) {
    x[i] = x[i] > most ? most : x[i] < -most ? -most : x[i];
  });
}

// Limited by memory: four arrays read, three written.
template <class T>
void adam_step(Context& context, int64_t count, int64_t step, double rate, double beta1, double beta2, double epsilon,
               const T* gradient, T* m, T* v, T* theta) {
  const double number = static_cast<double>(step);
  const T decay1 = static_cast<T>(beta1), decay2 = static_cast<T>(beta2), rest1 = static_cast<T>(1 - beta1),
          rest2 = static_cast<T>(1 - beta2), scaled = static_cast<T>(rate / (1 - std::pow(beta1, number))),
          root = static_cast<T>(std::sqrt(1 - std::pow(beta2, number))), small = static_cast<T>(epsilon);
  for_each(context.stream, count, [=] __device__(int64_t i) {
    const T g = gradient[i];
    m[i] = decay1 * m[i] + rest1 * g;
    v[i] = decay2 * v[i] + rest2 * g * g;
    theta[i] -= scaled * m[i] / (std::sqrt(v[i]) / root + small);
  });
}

namespace {

// The gradient in f64, in scratch memory.
template <class T>
double* widened(Context& context, int64_t count, const T* gradient) {
  double* wide = context.scratch<double>(Scratch::kTheta, count);
  for_each(context.stream, count, [=] __device__(int64_t i) { wide[i] = static_cast<double>(gradient[i]); });
  return wide;
}

}  // namespace

template <class T>
void shampoo_accumulate(Context& context, int64_t m, int64_t n, const T* gradient, double* left, double* right) {
  const double* g = widened(context, m * n, gradient);
  multiply<double>(context, {false, true, m, m, n, 1.0, g, n, g, n, 1.0, left, m});
  if (right != nullptr) multiply<double>(context, {true, false, n, n, m, 1.0, g, n, g, n, 1.0, right, n});
}

template <class T>
void shampoo_step(Context& context, int64_t m, int64_t n, double rate, const double* left, const T* gradient,
                  const double* right, T* theta) {
  double* g = widened(context, m * n, gradient);
  double* product = context.scratch<double>(Scratch::kState, m * n);
  multiply<double>(context, {false, false, m, n, m, 1.0, left, m, g, n, 0.0, product, n});
  if (right != nullptr) {
    multiply<double>(context, {false, false, m, n, n, 1.0, product, n, right, n, 0.0, g, n});
    std::swap(g, product);
  }
  for_each(context.stream, m * n,
           [=] __device__(int64_t i) { theta[i] = static_cast<T>(static_cast<double>(theta[i]) - rate * product[i]); });
}

#define KPFLOW_TRAINING(T)                                                                                      \
  template void readout_apply<T>(Context&, const kpflow_readout&, const T*, T*);                                \
  template void readout_adjoint<T>(Context&, const kpflow_readout&, const T*, T*);                              \
  template void readout_gradient<T>(Context&, const kpflow_readout&, const T*, const T*, T*, T*);               \
  template double mean_squared_error<T>(Context&, int64_t, int64_t, T*, const T*, const T*);                    \
  template void clamp<T>(Context&, int64_t, double, T*);                                                        \
  template void adam_step<T>(Context&, int64_t, int64_t, double, double, double, double, const T*, T*, T*, T*); \
  template void shampoo_accumulate<T>(Context&, int64_t, int64_t, const T*, double*, double*);                  \
  template void shampoo_step<T>(Context&, int64_t, int64_t, double, const double*, const T*, const double*, T*);
KPFLOW_TRAINING(float)
KPFLOW_TRAINING(double)
#undef KPFLOW_TRAINING

}  // namespace kpflow::cuda
