#include "linalg/dense.hpp"

#include <algorithm>
#include <climits>
#include <cmath>
#include <vector>

#include "core/memory.hpp"
#include "core/status.hpp"

extern "C" {
void dsyevd_(const char*, const char*, const int*, double*, const int*, double*, double*, const int*, int*, const int*,
             int*);
void dgesdd_(const char*, const int*, const int*, double*, const int*, double*, double*, const int*, double*,
             const int*, double*, const int*, int*, int*);
void sgeqrf_(const int*, const int*, float*, const int*, float*, float*, const int*, int*);
void dgeqrf_(const int*, const int*, double*, const int*, double*, double*, const int*, int*);
void sorgqr_(const int*, const int*, const int*, float*, const int*, const float*, float*, const int*, int*);
void dorgqr_(const int*, const int*, const int*, double*, const int*, const double*, double*, const int*, int*);
}

namespace kpflow {

namespace {

int size(int64_t n) {
  KPFLOW_REQUIRE(n >= 0 && n <= INT_MAX / 4, "matrix size: expected 0 to %d, got %lld", INT_MAX / 4,
                 static_cast<long long>(n));
  return static_cast<int>(n);
}

void check(const char* routine, int info) {
  if (info < 0) fail(KPFLOW_INTERNAL, "%s: argument %d is wrong", routine, -info);
  if (info > 0) fail(KPFLOW_NUMERICAL, "%s did not converge (info %d); is the matrix finite?", routine, info);
}

// LAPACK computes the length of its workspace in 32 bits: 2 n^2 and more elements with vectors.
constexpr int64_t kMostWithVectors = 16000;

void require_vectors_fit(int64_t n) {
  KPFLOW_REQUIRE(n <= kMostWithVectors,
                 "matrix size: expected at most %lld for eigenvectors or singular vectors, got %lld",
                 static_cast<long long>(kMostWithVectors), static_cast<long long>(n));
}

// LAPACK may give finite nonsense for a matrix that is not.
void require_finite(int64_t count, const double* a) {
  for (int64_t i = 0; i < count; ++i) {
    if (!std::isfinite(a[i]))
      fail(KPFLOW_NUMERICAL, "matrix: element %lld of %lld is %g; expected finite numbers", static_cast<long long>(i),
           static_cast<long long>(count), a[i]);
  }
}

void geqrf(const int* m, const int* n, float* a, float* tau, float* work, const int* lwork, int* info) {
  sgeqrf_(m, n, a, m, tau, work, lwork, info);
}
void geqrf(const int* m, const int* n, double* a, double* tau, double* work, const int* lwork, int* info) {
  dgeqrf_(m, n, a, m, tau, work, lwork, info);
}
void orgqr(const int* m, const int* n, float* a, const float* tau, float* work, const int* lwork, int* info) {
  sorgqr_(m, n, n, a, m, tau, work, lwork, info);
}
void orgqr(const int* m, const int* n, double* a, const double* tau, double* work, const int* lwork, int* info) {
  dorgqr_(m, n, n, a, m, tau, work, lwork, info);
}

// The rows of a row-major [m,n] are the columns of a column-major n x m matrix, which LAPACK factors as Q R.
template <class T>
void orthonormalize_rows(int64_t rows, int64_t columns, T* a, T* diagonal) {
  KPFLOW_REQUIRE(rows <= columns, "orthonormalize: expected at most %lld rows, got %lld",
                 static_cast<long long>(columns), static_cast<long long>(rows));
  if (rows == 0) return;
  const int m = size(columns), n = size(rows), query = -1;
  int info = 0;
  T optimal[2] = {};
  std::vector<T> tau(static_cast<size_t>(rows));
  geqrf(&m, &n, a, tau.data(), &optimal[0], &query, &info);
  orgqr(&m, &n, a, tau.data(), &optimal[1], &query, &info);
  const int lwork = static_cast<int>(std::max(optimal[0], optimal[1]));
  std::vector<T> work(static_cast<size_t>(lwork));
  geqrf(&m, &n, a, tau.data(), work.data(), &lwork, &info);
  check("geqrf", info);
  if (diagonal != nullptr) {
    for (int64_t i = 0; i < rows; ++i) diagonal[i] = a[i * columns + i];
  }
  orgqr(&m, &n, a, tau.data(), work.data(), &lwork, &info);
  check("orgqr", info);
}

}  // namespace

void symmetric_eigen(int64_t n, double* a, double* values, bool vectors) {
  if (n == 0) return;
  const int order = size(n), query = -1;
  require_finite(n * n, a);
  if (vectors) require_vectors_fit(n);
  const char* job = vectors ? "V" : "N";  // LAPACK's upper triangle is the lower one of row-major rows
  int info = 0, optimal_integers = 0;
  double optimal = 0;
  dsyevd_(job, "U", &order, a, &order, values, &optimal, &query, &optimal_integers, &query, &info);
  check("dsyevd", info);
  const int lwork = static_cast<int>(optimal), liwork = optimal_integers;
  Array<double> work(lwork);
  std::vector<int> integers(static_cast<size_t>(liwork));
  dsyevd_(job, "U", &order, a, &order, values, work.data(), &lwork, integers.data(), &liwork, &info);
  check("dsyevd", info);
}

void svd(int64_t m, int64_t n, double* a, double* values, double* u, double* vt) {
  const int64_t rank = std::min(m, n);
  if (rank == 0) return;
  require_finite(m * n, a);
  if (u != nullptr) require_vectors_fit(std::max(m, n));
  // Row-major a is column-major a^T = v s u^T: LAPACK's left vectors (n x r, column-major) are our vt, its right are our u.
  const int rows = size(n), columns = size(m), r = size(rank), query = -1;
  const char* job = u != nullptr ? "S" : "N";
  std::vector<int> integers(static_cast<size_t>(8 * rank));
  double optimal = 0;
  int info = 0;
  dgesdd_(job, &rows, &columns, a, &rows, values, vt, &rows, u, &r, &optimal, &query, integers.data(), &info);
  check("dgesdd", info);
  const int lwork = static_cast<int>(optimal);
  Array<double> work(lwork);
  dgesdd_(job, &rows, &columns, a, &rows, values, vt, &rows, u, &r, work.data(), &lwork, integers.data(), &info);
  check("dgesdd", info);
}

void orthonormalize(int64_t m, int64_t n, float* a, float* diagonal) { orthonormalize_rows(m, n, a, diagonal); }
void orthonormalize(int64_t m, int64_t n, double* a, double* diagonal) { orthonormalize_rows(m, n, a, diagonal); }

}  // namespace kpflow
