// Dense factorizations by LAPACK, for row-major arrays.
#pragma once

#include <cstdint>

namespace kpflow {

// Ascending eigenvalues of the symmetric a [n,n]; with vectors, row i of a becomes the eigenvector of values[i].
void symmetric_eigen(int64_t n, double* a, double* values, bool vectors);

// Descending singular values of a [m,n], destroyed; u [m,r], vt [r,n] (r = min(m,n)) or both nullptr.
void svd(int64_t m, int64_t n, double* a, double* values, double* u, double* vt);

// Rows of a [m,n], m <= n, replaced by an orthonormal basis of their span; diagonal, if given, receives diag(R) [m].
void orthonormalize(int64_t m, int64_t n, float* a, float* diagonal);
void orthonormalize(int64_t m, int64_t n, double* a, double* diagonal);

}  // namespace kpflow
