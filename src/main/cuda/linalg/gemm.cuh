// Matrix products, row-major and batched: C_i = alpha op(A_i) op(B_i) + beta C_i, by cuBLAS where it is found, by our own kernels
// (own.cuh) otherwise.
//
// Environment, read when a context is made:
//   KPFLOW_CUDA_GEMM=auto|cublas|own|simt   cublas: no context without it; own: never it; simt: nor tensor cores
//   KPFLOW_CUBLAS=path                      the only library that is tried
//   KPFLOW_CUDA_MATH=f32|tf32               tf32: cuBLAS may round factors of f32 products to 11 bits
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/context.cuh"

namespace kpflow::cuda {

// op(A) [m, k], op(B) [k, n], C [m, n]; rows lie ld elements apart, the matrices of a batch stride elements apart (0: all the
// same one). beta = 0 does not read C.
template <class T>
struct Product {
  bool transpose_a, transpose_b;
  int64_t m, n, k;
  T alpha;
  const T* a;
  int64_t lda;
  const T* b;
  int64_t ldb;
  T beta;
  T* c;
  int64_t ldc;
  int64_t batch = 1, stride_a = 0, stride_b = 0, stride_c = 0;
};

class Cublas;  // cublas.cuh

// The engine of one context. It takes kRoom bytes of Scratch::kProducts when it is made and never more, so that products may be
// captured into a graph.
class Products {
 public:
  static constexpr int64_t kRoom = int64_t{32} << 20;

  explicit Products(Context& context);
  ~Products();

  void run(const Product<float>& product);
  void run(const Product<double>& product);

  // What does the work, for messages: "cuBLAS 13.1.0 (libcublas.so.13)", "own kernels (no cuBLAS: ...)".
  const std::string& describe() const { return description_; }

 private:
  template <class T>
  void run_typed(const Product<T>& product);

  Context& context_;
  bool tensor_cores_ = true;
  int multiprocessors_ = 1;
  std::unique_ptr<Cublas> cublas_;
  std::string description_;
};

// A context with an engine of its own.
std::unique_ptr<Context> new_context(kpflow_context& owner);

template <class T>
void multiply(Context& context, const Product<T>& product) {
  if (product.m > 0 && product.n > 0 && product.batch > 0) context.products->run(product);
}

}  // namespace kpflow::cuda
