#include "spectral/lyapunov.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "core/memory.hpp"
#include "linalg/blas.hpp"
#include "linalg/dense.hpp"

namespace kpflow {

namespace {

// Of one trial; rows of basis [count, n] are the columns of Q, so J Q is basis J^T.
struct Trial {
  Array<double> basis, product, diagonal;
  double least;
};

void start(Trial& trial, int64_t count, int64_t n) {
  trial.basis.resize(count * n);
  trial.product.resize(count * n);
  trial.diagonal.resize(count);
  std::fill_n(trial.basis.data(), count * n, 0.0);
  for (int64_t i = 0; i < count; ++i) trial.basis[i * n + i] = 1;
  trial.least = std::numeric_limits<double>::infinity();
}

}  // namespace

void lyapunov(const kpflow_linearization& model, int64_t count, double* out, double* smallest,
              const Progress& progress) {
  constexpr int64_t kMostElements = int64_t(4) << 20;  // of Jacobians at a time, one of every trial at least
  const int64_t n = model.units(), steps = model.steps(), trials = model.trials();
  ThreadPool& pool = model.context.pool;
  const int64_t side_by_side = std::min<int64_t>(trials, pool.threads());
  const int64_t strip = std::clamp<int64_t>(kMostElements / (side_by_side * n * n), 1, steps);
  Array<double> jacobians(side_by_side * strip * n * n);
  std::vector<Trial> running(static_cast<size_t>(side_by_side));
  *smallest = std::numeric_limits<double>::infinity();
  for (int64_t first_trial = 0; first_trial < trials; first_trial += side_by_side) {
    const int64_t together = std::min(side_by_side, trials - first_trial);
    for (int64_t first = 0; first < steps; first += strip) {
      const int64_t part = std::min(strip, steps - first);
      model.host_jacobians(first_trial, together, first, part, jacobians.data());
      pool.run(together, [&](int64_t b, int) {
        Trial& trial = running[static_cast<size_t>(b)];
        double* exponents = out + (first_trial + b) * count;
        if (first == 0) {
          start(trial, count, n);
          std::fill_n(exponents, count, 0.0);
        }
        for (int64_t t = 0; t < part; ++t) {
          progress.advance(1);
          const double* jacobian = jacobians.data() + (b * part + t) * n * n;
          gemm(false, true, count, n, n, 1.0, trial.basis.data(), n, jacobian, n, 0.0, trial.product.data(), n);
          std::swap(trial.basis, trial.product);
          orthonormalize(count, n, trial.basis.data(), trial.diagonal.data());
          for (int64_t i = 0; i < count; ++i) {
            const double r = std::fabs(trial.diagonal[i]);
            trial.least = std::min(trial.least, r);
            exponents[i] += std::log(r) / static_cast<double>(steps);
          }
        }
      });
    }
    for (int64_t b = 0; b < together; ++b) *smallest = std::min(*smallest, running[static_cast<size_t>(b)].least);
  }
}

}  // namespace kpflow
