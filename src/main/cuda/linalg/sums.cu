#include "linalg/gemm.cuh"
#include "linalg/sums.cuh"

namespace kpflow::cuda {

namespace {

constexpr int kColumns = 32, kLanes = 8;  // of a block that sums rows

// Part blockIdx.y of the rows: lane y takes every kLanes-th of them. Limited by reading x.
template <class T>
__global__ void __launch_bounds__(kColumns* kLanes)
    sum_rows_kernel(int64_t rows, int64_t columns, int64_t length, const T* x, double* out) {
  KPFLOW_SHARED(double, lanes);  // [kLanes, kColumns]
  const int64_t column = static_cast<int64_t>(blockIdx.x) * kColumns + threadIdx.x;
  const int64_t first = static_cast<int64_t>(blockIdx.y) * length, last = min(rows, first + length);
  double sum = 0;
  if (column < columns) {
    for (int64_t r = first + threadIdx.y; r < last; r += kLanes) sum += static_cast<double>(x[r * columns + column]);
  }
  lanes[threadIdx.y * kColumns + threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0 || column >= columns) return;
  for (int lane = 1; lane < kLanes; ++lane) sum += lanes[lane * kColumns + threadIdx.x];
  out[static_cast<int64_t>(blockIdx.y) * columns + column] = sum;
}

constexpr int64_t kChunk = 4096;  // elements of a row that a block multiplies

// out [rows, chunks]. Limited by reading x and y.
template <class T>
__global__ void __launch_bounds__(kThreads) dots_kernel(int64_t columns, int64_t chunks, const T* x, int64_t x_stride,
                                                        const T* y, int64_t y_stride, double* out) {
  const int64_t row = blockIdx.x / chunks, first = blockIdx.x % chunks * kChunk, last = min(columns, first + kChunk);
  const T *a = x + row * x_stride, *b = y + row * y_stride;
  double sum = 0;
#pragma unroll 4
  for (int64_t i = first + threadIdx.x; i < last; i += kThreads) {
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  sum = block_sum(sum);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

// out[r] = the sum of row r of partial [rows, chunks].
__global__ void __launch_bounds__(kThreads) sum_chunks_kernel(int64_t chunks, const double* partial, double* out) {
  double sum = 0;
  for (int64_t i = threadIdx.x; i < chunks; i += kThreads) sum += partial[blockIdx.x * chunks + i];
  sum = block_sum(sum);
  if (threadIdx.x == 0) out[blockIdx.x] = sum;
}

}  // namespace

template <class T>
void sum_rows(Context& context, int64_t rows, int64_t columns, const T* x, double* out) {
  if (columns == 0) return;
  if (rows == 0) return context.zero(out, columns);
  const int64_t blocks = pieces(columns, kColumns);
  const int64_t length = blocks > 512 ? rows : std::max<int64_t>(64, pieces(rows, 1024)), parts = pieces(rows, length);
  double* partial = parts == 1 ? out : context.scratch<double>(Scratch::kPartial, parts * columns);
  const dim3 block(kColumns, kLanes);
  constexpr size_t shared = kLanes * kColumns * sizeof(double);
  const auto grid = [&](int64_t count) { return dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(count)); };
  launch(context.stream, {grid(parts), block, shared, 1, "sum of rows"}, sum_rows_kernel<T>, rows, columns, length, x,
         partial);
  if (parts > 1) {
    launch(context.stream, {grid(1), block, shared, 1, "sum of rows"}, sum_rows_kernel<double>, parts, columns, parts,
           partial, out);
  }
}

template <class T>
void row_dots(Context& context, int64_t rows, int64_t columns, const T* x, int64_t x_stride, const T* y,
              int64_t y_stride, double* out) {
  if (rows == 0) return;
  const int64_t chunks = std::max<int64_t>(pieces(columns, kChunk), 1);
  double* partial = chunks == 1 ? out : context.scratch<double>(Scratch::kPartial, rows * chunks);
  launch(context.stream, {dim3(static_cast<unsigned>(rows * chunks)), dim3(kThreads), 0, 1, "dot products"},
         dots_kernel<T>, columns, chunks, x, x_stride, y, y_stride, partial);
  if (chunks > 1) {
    launch(context.stream, {dim3(static_cast<unsigned>(rows)), dim3(kThreads), 0, 1, "dot products"}, sum_chunks_kernel,
           chunks, partial, out);
  }
}

// Products of f32 are formed in f32 within a chunk of columns only; chunks are a batch of matrix products.
template <class T>
void row_products_on_device(Context& context, int64_t m, int64_t s, int64_t n, const T* x, const T* y, double* out) {
  constexpr int64_t kWidth = 1024, kMostElements = int64_t(1) << 25;
  const int64_t size = m * s, chunks = pieces(n, kWidth);
  if (s == 1) return row_dots(context, m, n, x, n, y, 0, out);
  if (m == 1) return row_dots(context, s, n, x, 0, y, n, out);
  if (chunks == 0) return context.zero(out, size);
  const int64_t most = std::clamp<int64_t>(kMostElements / size, 1, chunks);
  T* products = context.scratch<T>(Scratch::kSpare, most * size);
  const bool once = most == chunks;
  double* sums = once ? out : context.scratch<double>(Scratch::kGates, size);
  if (!once) context.zero(out, size);
  for (int64_t first = 0; first < chunks; first += most) {
    const int64_t count = std::min(most, chunks - first), whole = std::min(first + count, n / kWidth) - first;
    const int64_t at = first * kWidth, end = at + whole * kWidth;
    multiply<T>(context, {false, true, m, s, kWidth, T(1), x + at, n, y + at, n, T(0), products, s, whole, kWidth,
                          kWidth, size});
    if (whole < count) {
      multiply<T>(context,
                  {false, true, m, s, n - end, T(1), x + end, n, y + end, n, T(0), products + whole * size, s});
    }
    sum_rows(context, count, size, products, sums);
    if (!once) for_each(context.stream, size, [=] __device__(int64_t i) { out[i] += sums[i]; });
  }
}

#define KPFLOW_SUMS(T)                                                                                  \
  template void sum_rows<T>(Context&, int64_t, int64_t, const T*, double*);                             \
  template void row_dots<T>(Context&, int64_t, int64_t, const T*, int64_t, const T*, int64_t, double*); \
  template void row_products_on_device<T>(Context&, int64_t, int64_t, int64_t, const T*, const T*, double*);
KPFLOW_SUMS(float)
KPFLOW_SUMS(double)
#undef KPFLOW_SUMS

}  // namespace kpflow::cuda
