// A library in the place of cuBLAS for the emulated card: its functions on the memory of the host, column-major, by plain loops.
// FAKE_CUBLAS=old answers a version that is refused, FAKE_CUBLAS=failing fails in products.
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace {

struct State {
  void* stream = nullptr;
  void* workspace = nullptr;
  int math = -1;
};

bool mode(const char* name) {
  const char* value = std::getenv("FAKE_CUBLAS");
  return value != nullptr && std::strcmp(value, name) == 0;
}

template <class T>
int multiply(const State* state, int ta, int tb, int m, int n, int k, const T* alpha, const T* a, int lda,
             long long stride_a, const T* b, int ldb, long long stride_b, const T* beta, T* c, int ldc,
             long long stride_c, int batch) {
  if (state->stream == nullptr || state->workspace == nullptr || (state->math != 0 && state->math != 3)) return 1;
  if (mode("failing")) return 14;
  if (lda < (ta ? k : m) || ldb < (tb ? n : k) || ldc < m) return 7;
  for (int i = 0; i < batch; i++)
    for (int x = 0; x < n; x++)
      for (int y = 0; y < m; y++) {
        double sum = 0;
        for (int q = 0; q < k; q++)
          sum += double{a[i * stride_a + (ta ? ptrdiff_t{y} * lda + q : ptrdiff_t{q} * lda + y)]} *
                 double{b[i * stride_b + (tb ? ptrdiff_t{q} * ldb + x : ptrdiff_t{x} * ldb + q)]};
        T& to = c[i * stride_c + ptrdiff_t{x} * ldc + y];
        to = *beta == 0 ? static_cast<T>(*alpha * sum) : static_cast<T>(*alpha * sum + *beta * to);
      }
  return 0;
}

}  // namespace

extern "C" {
#define EXPORTED __attribute__((visibility("default")))
EXPORTED int cublasCreate_v2(State** handle) {
  *handle = new State;
  return 0;
}
EXPORTED int cublasDestroy_v2(State* handle) {
  delete handle;
  return 0;
}
EXPORTED int cublasGetVersion_v2(State*, int* version) {
  *version = mode("old") ? 11805 : 130102;
  return 0;
}
EXPORTED int cublasSetStream_v2(State* handle, void* stream) {
  handle->stream = stream;
  handle->workspace = nullptr;
  return 0;
}
EXPORTED int cublasSetWorkspace_v2(State* handle, void* workspace, size_t bytes) {
  handle->workspace = workspace;
  return bytes >= size_t{32} << 20 ? 0 : 7;
}
EXPORTED int cublasSetMathMode(State* handle, int math) {
  handle->math = math;
  return 0;
}
EXPORTED const char* cublasGetStatusName(int status) {
  return status == 14 ? "CUBLAS_STATUS_INTERNAL_ERROR" : "CUBLAS_STATUS_INVALID_VALUE";
}
EXPORTED int cublasSgemmStridedBatched(State* state, int ta, int tb, int m, int n, int k, const float* alpha,
                                       const float* a, int lda, long long stride_a, const float* b, int ldb,
                                       long long stride_b, const float* beta, float* c, int ldc, long long stride_c,
                                       int batch) {
  return multiply(state, ta, tb, m, n, k, alpha, a, lda, stride_a, b, ldb, stride_b, beta, c, ldc, stride_c, batch);
}
EXPORTED int cublasDgemmStridedBatched(State* state, int ta, int tb, int m, int n, int k, const double* alpha,
                                       const double* a, int lda, long long stride_a, const double* b, int ldb,
                                       long long stride_b, const double* beta, double* c, int ldc, long long stride_c,
                                       int batch) {
  return multiply(state, ta, tb, m, n, k, alpha, a, lda, stride_a, b, ldb, stride_b, beta, c, ldc, stride_c, batch);
}
}
