#include "linalg/unit_modes.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "core/linearization.hpp"
#include "core/system.hpp"
#include "linalg/blas.hpp"
#include "linalg/dense.hpp"

namespace kpflow {

// sum_j a_j[c](i) a_j[d](l) of one side.
double UnitBlock::weight(size_t side, int64_t p, int64_t q) const {
  const double* slope = slopes_[side];
  double sum = 0;
  for (int64_t j = 0; j < gates_; ++j) sum += slope[j * size_ + p] * slope[j * size_ + q];
  return sum;
}

void UnitBlock::diagonal(double* out) const {
  std::fill_n(out, size_, 0.0);
  for (size_t side = 0; side < grams_.size(); ++side) {
    for (int64_t p = 0; p < size_; ++p) out[p] += grams_[side][p % rows_ * (rows_ + 1)] * weight(side, p, p);
  }
}

void UnitBlock::column(int64_t p, double* out) const {
  std::fill_n(out, size_, 0.0);
  for (size_t side = 0; side < grams_.size(); ++side) {
    const double* gram = grams_[side] + p % rows_ * rows_;
    for (int64_t q = 0; q < size_; q += rows_) {
      for (int64_t l = 0; l < rows_; ++l) out[q + l] += gram[l] * weight(side, p, q + l);
    }
  }
}

namespace {

// K_u = C^T C + E with rows C [r, N] by Cholesky factorization with complete pivoting; E is positive semidefinite with
// trace at most tolerance. Returns tr E and what rounding can add to it.
double pivoted_cholesky(const UnitBlock& block, double tolerance, std::vector<double>& factor,
                        const Progress& progress) {
  const int64_t size = block.size();
  std::vector<double> diagonal(size), column(size), weights;
  block.diagonal(diagonal.data());
  const double least = 1e-15 * *std::max_element(diagonal.begin(), diagonal.end());
  const double whole = std::accumulate(diagonal.begin(), diagonal.end(), 0.0);
  factor.clear();
  for (int64_t r = 0;; ++r) {
    double trace = 0;
    for (double value : diagonal) trace += value;
    if (!std::isfinite(trace)) fail(KPFLOW_NUMERICAL, "K: a diagonal entry is not finite; the model overflows");
    const int64_t p = std::max_element(diagonal.begin(), diagonal.end()) - diagonal.begin();
    if (trace <= tolerance || diagonal[p] <= least || r == size) {
      return trace + static_cast<double>(r + 1) * std::numeric_limits<double>::epsilon() * whole;
    }
    progress.advance();
    block.column(p, column.data());
    weights.resize(r);
    for (int64_t q = 0; q < r; ++q) weights[q] = factor[q * size + p];
    if (r > 0) {  // column -= C^T C[:, p]
      cblas_dgemv(CblasRowMajor, CblasTrans, static_cast<int>(r), static_cast<int>(size), -1, factor.data(),
                  static_cast<int>(size), weights.data(), 1, 1, column.data(), 1);
    }
    if (factor.size() + static_cast<size_t>(size) > factor.capacity()) {
      const size_t larger = std::max<size_t>(factor.capacity() / 2 * 3, 32 * static_cast<size_t>(size));
      require_memory(static_cast<int64_t>(larger * sizeof(double)), "the modes of K of one unit",
                     "use fewer trials or steps, or sampled views");
      factor.reserve(larger);
    }
    const double scale = 1 / std::sqrt(diagonal[p]);
    for (int64_t l = 0; l < size; ++l) {
      column[l] *= scale;
      diagonal[l] = std::max(diagonal[l] - column[l] * column[l], 0.0);
    }
    diagonal[p] = 0;
    factor.insert(factor.end(), column.begin(), column.end());
  }
}

// The eigenpairs of C^T C above cut from those of C C^T = W diag(values) W^T: the rows of diag(values)^{-1/2} W^T C.
void rotate(const std::vector<double>& factor, int64_t size, double left, double cut, const UnitModes& out) {
  const int64_t r = static_cast<int64_t>(factor.size()) / size;
  std::vector<double> vectors(r * r), ascending(r);
  *out.rank = 0;
  out.rest[0] = out.rest[1] = left;
  if (r == 0) return;
  gemm(false, true, r, r, size, 1.0, factor.data(), size, factor.data(), size, 0.0, vectors.data(), r);
  symmetric_eigen(r, vectors.data(), ascending.data(), true);
  int64_t dropped = 0;
  while (dropped < r && ascending[dropped] <= cut) out.rest[1] += std::max(ascending[dropped++], 0.0);
  if (dropped > 0) out.rest[0] += std::max(ascending[dropped - 1], 0.0);
  const int64_t rank = *out.rank = r - dropped;
  if (rank == 0 || rank > out.most) return;
  std::vector<double> scaled(rank * r);
  for (int64_t i = 0; i < rank; ++i) {
    const int64_t from = r - 1 - i;
    out.values[i] = ascending[from];
    const double scale = 1 / std::sqrt(ascending[from]);
    for (int64_t q = 0; q < r; ++q) scaled[i * r + q] = scale * vectors[from * r + q];
  }
  gemm(false, false, rank, size, r, 1.0, scaled.data(), r, factor.data(), size, 0.0, out.modes, size);
}

// Writes the modes of one unit for another with the same block.
void copy_modes(int64_t size, const UnitModes& from, const UnitModes& to) {
  const int64_t rank = *to.rank = *from.rank;
  std::copy_n(from.rest, 2, to.rest);
  if (rank > from.most) return;
  std::copy_n(from.values, rank, to.values);
  std::copy_n(from.modes, rank * size, to.modes);
}

int64_t gates_of(const kpflow_linearization& model, int64_t unit) {
  int64_t j = 0;
  while (unit >= model.layer(j).first + model.layer(j).units) ++j;
  return model.layer(j).gates;
}

}  // namespace

void unit_modes(const kpflow_linearization& model, const double* gram_first, const double* gram_second, int64_t first,
                int64_t count, double tolerance, double cut, const UnitModes& out, const Progress& progress) {
  if (count == 0) return;
  const int64_t rows = model.trials() * model.steps(), components = model.components(), gates = gates_of(model, first);
  const int64_t size = rows * components, stride = gates * size;
  struct {
    WeightSide side;
    const double* gram;
    Slopes kind;
    Array<double> values;
  } sides[2]{{WeightSide::kSecond, gram_second, Slopes::kNone, {}},
             {WeightSide::kFirst, gram_first, Slopes::kNone, {}}};
  bool alike = true;  // without slopes of their own all units have the same block
  for (auto& side : sides) {
    if (side.gram == nullptr) continue;
    side.values.resize(count * stride);
    side.kind = model.slopes(side.side, first, count, side.values.data());
    if (side.kind == Slopes::kOnes) std::fill_n(side.values.data(), stride, 1.0);
    alike = alike && side.kind != Slopes::kGiven;
  }
  model.context.pool.run(alike ? 1 : count, [&](int64_t u, int) {
    UnitBlock block(rows, components, gates);
    for (const auto& side : sides) {
      if (side.kind == Slopes::kNone) continue;
      block.add_side(side.gram, side.values.data() + (side.kind == Slopes::kGiven ? u * stride : 0));
    }
    std::vector<double> factor;
    const double left = pivoted_cholesky(block, tolerance, factor, progress);
    rotate(factor, size, left, cut, out.of(u, size));
  });
  for (int64_t u = 1; alike && u < count; ++u) copy_modes(size, out, out.of(u, size));
}

}  // namespace kpflow
