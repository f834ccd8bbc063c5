#include "linalg/long_sums.cuh"

namespace kpflow::cuda {

namespace {

constexpr int64_t kTile = 128, kBlocks = 264;       // of C, and two blocks for each multiprocessor of an H200
constexpr int64_t kLeast = 512;                     // rows of a part
constexpr int64_t kMostPartial = int64_t(1) << 24;  // elements of the parts
constexpr int kColumns = 32, kRows = 8;             // threads of a block of sum_columns

// A thread sums every kRows-th row of a part, one after another; the block adds them up in order. Memory is the limit: y is read
// once, a row by 32 neighbouring threads.
template <class T>
__global__ void __launch_bounds__(kColumns* kRows)
    sum_columns_kernel(int64_t rows, int64_t columns, int64_t length, const T* y, T* partial) {
  __shared__ T sums[kRows][kColumns];
  const int x = static_cast<int>(threadIdx.x), lane = static_cast<int>(threadIdx.y);
  const int64_t column = static_cast<int64_t>(blockIdx.y) * kColumns + x, part = blockIdx.x, parts = gridDim.x;
  const int64_t matrix = blockIdx.z, last = min(rows, (part + 1) * length);
  T sum = 0;
  for (int64_t row = part * length + lane; column < columns && row < last; row += kRows) {
    sum += y[(matrix * rows + row) * columns + column];
  }
  sums[lane][x] = sum;
  __syncthreads();
  if (lane > 0 || column >= columns) return;
  for (int k = 1; k < kRows; ++k) sum += sums[k][x];
  partial[(matrix * parts + part) * columns + column] = sum;
}

}  // namespace

template <class T>
void multiply_long(Context& context, const Product<T>& p) {
  const int64_t tiles = pieces(p.m, kTile) * pieces(p.n, kTile), size = p.m * p.n;
  if (size == 0 || 2 * tiles * p.batch >= kBlocks) return multiply(context, p);
  const int64_t parts = std::min({pieces(kBlocks, tiles), p.k / kLeast, kMostPartial / size});
  if (parts < 2) return multiply(context, p);
  const int64_t length = p.k / parts, rest = p.k - parts * length;
  const int64_t row_a = p.transpose_a ? p.lda : 1, row_b = p.transpose_b ? 1 : p.ldb;  // between neighbours along k
  T* partial = context.scratch<T>(Scratch::kPartial, parts * size);
  for (int64_t i = 0; i < p.batch; ++i) {
    Product<T> part = p;
    part.a += i * p.stride_a;
    part.b += i * p.stride_b;
    part.k = length;
    part.beta = T(0);
    part.c = partial;
    part.ldc = p.n;
    part.batch = parts;
    part.stride_a = length * row_a;
    part.stride_b = length * row_b;
    part.stride_c = size;
    multiply(context, part);
    if (rest > 0) {
      part.a += parts * length * row_a;
      part.b += parts * length * row_b;
      part.k = rest;
      part.beta = T(1);
      part.c += (parts - 1) * size;
      part.batch = 1;
      multiply(context, part);
    }
    T* c = p.c + i * p.stride_c;
    const int64_t n = p.n, ldc = p.ldc;
    const T beta = p.beta;
    for_each(context.stream, size, [=] __device__(int64_t at) {
      T sum = 0;
      for (int64_t q = 0; q < parts; ++q) sum += partial[q * size + at];
      T& target = c[at / n * ldc + at % n];
      target = beta == T(0) ? sum : sum + beta * target;
    });
  }
}

template <class T>
const T* sum_columns(Context& context, int64_t batch, int64_t rows, int64_t columns, const T* y, int64_t& parts) {
  const int64_t blocks = pieces(columns, kColumns);
  KPFLOW_REQUIRE(blocks <= 65535 && batch <= 65535, "gradient: expected fewer probes or units at once");
  const int64_t length = std::max<int64_t>(64, pieces(rows, std::max<int64_t>(1, 4 * kBlocks / (blocks * batch))));
  parts = pieces(rows, length);
  T* partial = context.scratch<T>(Scratch::kPartial, batch * parts * columns);
  const dim3 grid(static_cast<unsigned>(parts), static_cast<unsigned>(blocks), static_cast<unsigned>(batch));
  launch(context.stream, {grid, dim3(kColumns, kRows), 0, 1, "column sums"}, sum_columns_kernel<T>, rows, columns,
         length, y, partial);
  return partial;
}

#define KPFLOW_LONG_SUMS(T)                                    \
  template void multiply_long<T>(Context&, const Product<T>&); \
  template const T* sum_columns<T>(Context&, int64_t, int64_t, int64_t, const T*, int64_t&);
KPFLOW_LONG_SUMS(float)
KPFLOW_LONG_SUMS(double)
#undef KPFLOW_LONG_SUMS

}  // namespace kpflow::cuda
