#include "linalg/gemm.cuh"

namespace kpflow::cuda {

namespace {

constexpr int kTile = 16;

// One element of C by a thread; tiles of op(A) and op(B) pass through shared memory.
template <class T>
__global__ void __launch_bounds__(kTile* kTile) product_kernel(Product<T> p) {
  __shared__ T left[kTile][kTile + 1], right[kTile][kTile + 1];
  const int x = static_cast<int>(threadIdx.x), y = static_cast<int>(threadIdx.y);
  const int64_t row = static_cast<int64_t>(blockIdx.y) * kTile + y,
                column = static_cast<int64_t>(blockIdx.x) * kTile + x;
  for (int64_t i = blockIdx.z; i < p.batch; i += gridDim.z) {
    const T *a = p.a + i * p.stride_a, *b = p.b + i * p.stride_b;
    T sum = 0;
    for (int64_t first = 0; first < p.k; first += kTile) {
      const int64_t at_a = first + x, at_b = first + y;
      left[y][x] = row < p.m && at_a < p.k ? a[p.transpose_a ? at_a * p.lda + row : row * p.lda + at_a] : T(0);
      right[y][x] =
          at_b < p.k && column < p.n ? b[p.transpose_b ? column * p.ldb + at_b : at_b * p.ldb + column] : T(0);
      __syncthreads();
      for (int q = 0; q < kTile; ++q) sum += left[y][q] * right[q][x];
      __syncthreads();
    }
    if (row < p.m && column < p.n) {
      T& target = p.c[i * p.stride_c + row * p.ldc + column];
      target = p.beta == T(0) ? p.alpha * sum : p.alpha * sum + p.beta * target;
    }
  }
}

template <class T>
void run_own(cudaStream_t stream, const Product<T>& p) {
  const dim3 grid(static_cast<unsigned>(pieces(p.n, kTile)), static_cast<unsigned>(pieces(p.m, kTile)),
                  static_cast<unsigned>(std::min<int64_t>(p.batch, 65535)));
  launch(stream, {grid, dim3(kTile, kTile), 0, 1, "matrix product"}, product_kernel<T>, p);
}

}  // namespace

Products::Products(Context& context) : context_(context) {}
Products::~Products() = default;
void Products::run(const Product<float>& product) { run_own(context_.stream, product); }
void Products::run(const Product<double>& product) { run_own(context_.stream, product); }
std::string Products::describe() const { return "own kernels"; }

}  // namespace kpflow::cuda
