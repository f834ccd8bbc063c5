#include "linalg/unit_columns.hpp"

#include <algorithm>

#include "linalg/blas.hpp"

namespace kpflow {

namespace {

// States have the unit as their last index, products need it first: a task turns a group of units, a cache line wide, of a
// few vectors.
constexpr int64_t kGroup = 16, kVectors = 8;

// body(layer, first unit in it, units, first vector, vectors, scratch [units, vectors, m k]) for every task.
template <class T, class Body>
void for_groups(kpflow_context& context, const UnitColumns<T>& u, int64_t s, const Progress& progress,
                const Body& body) {
  const int64_t size = u.rows * u.components, vector_tasks = pieces(s, kVectors), groups = pieces(u.units, kGroup);
  context.pool.run(u.layers * groups * vector_tasks, [&](int64_t task, int worker) {
    progress.advance();
    const int64_t layer = task / vector_tasks / groups, unit = task / vector_tasks % groups * kGroup;
    const int64_t vector = task % vector_tasks * kVectors;
    T* scratch = context.worker_scratch<T>(worker, kGroup * kVectors * size);
    body(layer, unit, std::min(kGroup, u.units - unit), vector, std::min(kVectors, s - vector), scratch);
  });
}

}  // namespace

template <class T>
void unit_combine(kpflow_context& context, const UnitColumns<T>& u, int64_t s, T alpha, const T* z, T beta, T* out,
                  const Progress& progress) {
  const int64_t rows = u.rows, m = u.components, size = rows * m;
  for_groups(context, u, s, progress,
             [&](int64_t layer, int64_t unit, int64_t units, int64_t vector, int64_t vectors, T* x) {
               for (int64_t i = 0; i < units; ++i) {
                 const int64_t at = layer * u.units + unit + i, first = u.first[at], count = u.count[at];
                 T* target = x + i * vectors * size;
                 if (count == 0) {
                   std::fill_n(target, vectors * size, T(0));
                 } else {
                   gemm(false, false, vectors, size, count, alpha, z + vector * u.total + first, u.total,
                        u.columns + first * size, size, T(0), target, size);
                 }
               }
               for (int64_t v = 0; v < vectors; ++v) {
                 for (int64_t c = 0; c < m; ++c) {
                   for (int64_t r = 0; r < rows; ++r) {
                     T* target = out + ((((vector + v) * rows + r) * u.layers + layer) * m + c) * u.units + unit;
                     const T* source = x + v * size + c * rows + r;
                     for (int64_t i = 0; i < units; ++i) {
                       const T value = source[i * vectors * size];
                       target[i] = beta == T(0) ? value : value + beta * target[i];
                     }
                   }
                 }
               }
             });
}

template <class T>
void unit_coefficients(kpflow_context& context, const UnitColumns<T>& u, int64_t s, const T* x, T* z,
                       const Progress& progress) {
  const int64_t rows = u.rows, m = u.components, size = rows * m;
  std::fill_n(z, s * u.total, T(0));
  for_groups(context, u, s, progress,
             [&](int64_t layer, int64_t unit, int64_t units, int64_t vector, int64_t vectors, T* turned) {
               for (int64_t v = 0; v < vectors; ++v) {
                 for (int64_t c = 0; c < m; ++c) {
                   for (int64_t r = 0; r < rows; ++r) {
                     const T* source = x + ((((vector + v) * rows + r) * u.layers + layer) * m + c) * u.units + unit;
                     T* target = turned + v * size + c * rows + r;
                     for (int64_t i = 0; i < units; ++i) target[i * vectors * size] = source[i];
                   }
                 }
               }
               for (int64_t i = 0; i < units; ++i) {
                 const int64_t at = layer * u.units + unit + i, first = u.first[at], count = u.count[at];
                 if (count == 0) continue;
                 gemm(false, true, vectors, count, size, T(1), turned + i * vectors * size, size,
                      u.columns + first * size, size, T(0), z + vector * u.total + first, u.total);
               }
             });
}

#define KPFLOW_UNIT_COLUMNS(T)                                                                                         \
  template void unit_combine<T>(kpflow_context&, const UnitColumns<T>&, int64_t, T, const T*, T, T*, const Progress&); \
  template void unit_coefficients<T>(kpflow_context&, const UnitColumns<T>&, int64_t, const T*, T*, const Progress&);
KPFLOW_UNIT_COLUMNS(float)
KPFLOW_UNIT_COLUMNS(double)
#undef KPFLOW_UNIT_COLUMNS

}  // namespace kpflow
