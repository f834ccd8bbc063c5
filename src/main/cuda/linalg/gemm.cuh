// Matrix products, row-major and batched: C_i = alpha op(A_i) op(B_i) + beta C_i, by cuBLAS where it is found, by our own kernels
// otherwise.
#pragma once

#include <cstdint>
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

// The engine of one context.
class Products {
 public:
  explicit Products(Context& context);
  ~Products();

  void run(const Product<float>& product);
  void run(const Product<double>& product);

  // What does the work, for messages.
  std::string describe() const;

 private:
  Context& context_;
};

template <class T>
void multiply(Context& context, const Product<T>& product) {
  if (product.m > 0 && product.n > 0 && product.batch > 0) context.products->run(product);
}

}  // namespace kpflow::cuda
