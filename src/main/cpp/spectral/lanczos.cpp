#include "spectral/lanczos.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>
#include <vector>

#include "linalg/dense.hpp"
#include "spectral/eigsh.hpp"

namespace kpflow {

namespace {

class DeviceMemory {
 public:
  DeviceMemory(Device& device, int64_t bytes) : device_(device), data_(device.allocate(bytes)) {
    if (data_ == nullptr) fail(KPFLOW_OUT_OF_MEMORY, "the system refused %lld bytes", static_cast<long long>(bytes));
  }
  ~DeviceMemory() { device_.free(data_); }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  char* data() const { return static_cast<char*>(data_); }

 private:
  Device& device_;
  void* data_;
};

// Rows of equal length in a device's memory and what is done with them. Rows begin at multiples of 64 bytes; what lies between
// them is zero and takes part in sums. The context is locked while one of these works, not while the operator does.
class Basis {
 public:
  Basis(kpflow_context& context, int32_t dtype, int64_t n, int64_t rows)
      : context_(context),
        device_(find_device(context.device)),
        dtype_(dtype),
        size_(dtype == KPFLOW_F32 ? 4 : 8),
        n_(n),
        length_(pieces(n * size_, kAlignment) * kAlignment / size_),
        rows_(device_, enough(device_, rows * length_ * size_ + (n + rows) * 8)),
        small_(device_, rows * size_),
        wide_(device_, n * 8) {}

  void* row(int64_t i) const { return rows_.data() + i * length_ * size_; }

  void set(int64_t i, const void* vector) { device_.copy(vector, row(i), n_ * size_); }
  void get(int64_t i, void* vector) { device_.copy(row(i), vector, n_ * size_); }
  void copy(int64_t from, int64_t to) { device_.copy(row(from), row(to), length_ * size_); }

  void randomize(int64_t i, uint64_t seed) {
    std::lock_guard<std::mutex> lock(context_.mutex);
    context_.kernels->fill_random(dtype_, KPFLOW_GAUSSIAN, seed, 0, n_, row(i));
  }
  double dot(int64_t i, int64_t j) {
    std::lock_guard<std::mutex> lock(context_.mutex);
    double product = 0;
    context_.kernels->dot(dtype_, 1, length_, row(i), row(j), &product);
    return product;
  }
  double norm(int64_t i) { return std::sqrt(dot(i, i)); }
  void scale(int64_t i, double factor) {
    std::lock_guard<std::mutex> lock(context_.mutex);
    context_.kernels->axpby(dtype_, length_, factor, row(i), 0, row(i));
  }
  // Row i loses its parts along rows 0..count-1, which are returned.
  std::vector<double> project(int64_t i, int64_t count) {
    std::lock_guard<std::mutex> lock(context_.mutex);
    std::vector<double> parts(static_cast<size_t>(count));
    context_.kernels->row_products(dtype_, count, 1, length_, row(0), row(i), parts.data());
    if (dtype_ == KPFLOW_F32) {
      const std::vector<float> rounded(parts.begin(), parts.end());
      device_.copy(rounded.data(), small_.data(), count * size_);
    } else {
      device_.copy(parts.data(), small_.data(), count * size_);
    }
    context_.kernels->gemm(dtype_, false, false, 1, length_, count, -1, small_.data(), row(0), 1, row(i));
    return parts;
  }
  // The first `kept` of `count` rows become coefficients [kept, count] times these.
  void combine(int64_t kept, int64_t count, const std::vector<double>& coefficients) {
    std::lock_guard<std::mutex> lock(context_.mutex);
    context_.kernels->combine_rows(dtype_, kept, count, length_, coefficients.data(), row(0));
  }
  // ||row i - value row j||, the difference in f64.
  double distance(int64_t i, double value, int64_t j) {
    std::lock_guard<std::mutex> lock(context_.mutex);
    const int64_t one = 1;
    context_.kernels->strided_axpby({1, &n_, 1, dtype_, row(i), &one, 0, KPFLOW_F64, wide_.data(), &one});
    context_.kernels->strided_axpby({1, &n_, -value, dtype_, row(j), &one, 1, KPFLOW_F64, wide_.data(), &one});
    double square = 0;
    context_.kernels->dot(KPFLOW_F64, 1, n_, wide_.data(), wide_.data(), &square);
    return std::sqrt(square);
  }

 private:
  static int64_t enough(Device& device, int64_t bytes) {
    const int64_t available = device.available_memory();
    if (available >= 0 && bytes > available) {
      fail(KPFLOW_OUT_OF_MEMORY,
           "eigsh's Krylov basis needs %.2f GiB and %.2f GiB are available; use a smaller basis or fewer modes",
           static_cast<double>(bytes) / 0x1p30, static_cast<double>(available) / 0x1p30);
    }
    return bytes;
  }

  kpflow_context& context_;
  Device& device_;
  int32_t dtype_;
  int64_t size_, n_, length_;
  DeviceMemory rows_, small_, wide_;
};

// V A V^T = T for the rows V of the basis: diagonal with one full row and column where the last restart was, tridiagonal after it.
class Lanczos {
 public:
  Lanczos(kpflow_context& context, int32_t dtype, int64_t n, const ApplyOnDevice& apply,
          const kpflow_eigsh_options& options, const Progress& progress)
      : n_(n),
        most_(options.basis),
        options_(options),
        epsilon_(dtype == KPFLOW_F32 ? 0x1p-24 : 0x1p-53),
        apply_(apply),
        progress_(progress),
        v_(context, dtype, n, options.basis + 1),
        t_(static_cast<size_t>(most_ * most_)),
        theta_(static_cast<size_t>(most_)) {}

  // Builds bases until all that is wanted has converged; false where the operator is zero.
  bool iterate(const void* start) {
    if (options_.has_start) {
      v_.set(0, start);
    } else {
      v_.randomize(0, kSeed);
    }
    const double norm = v_.norm(0);
    if (norm == 0) refuse_start();
    v_.scale(0, 1 / norm);
    for (int64_t kept = 0;; kept = restart()) {
      for (int64_t j = kept; j < most_; ++j) {
        if (!extend(j)) return false;
      }
      ++iterations_;
      solve();
      if (converged() == options_.modes || iterations_ >= options_.max_iterations) return true;
    }
  }

  // Eigenpairs that have converged, in descending order of their values, which are Rayleigh quotients: restarts add rounding to
  // the projected matrix.
  int64_t extract(double* values, void* vectors, double* residuals, int64_t row_bytes) {
    std::vector<int64_t> found;
    for (int64_t i = 0; i < options_.modes; ++i) {
      if (has_converged(wanted_[static_cast<size_t>(i)])) found.push_back(wanted_[static_cast<size_t>(i)]);
    }
    combine(found);
    struct Pair {
      int64_t row;
      double value, residual;
    };
    std::vector<Pair> pairs;
    for (int64_t i = 0; i < static_cast<int64_t>(found.size()); ++i) {
      v_.scale(i, 1 / v_.norm(i));
      product(i, most_);
      const double value = v_.dot(i, most_);
      pairs.push_back({i, value, v_.distance(most_, value, i)});
    }
    std::stable_sort(pairs.begin(), pairs.end(), [](const Pair& a, const Pair& b) { return a.value > b.value; });
    for (size_t i = 0; i < pairs.size(); ++i) {
      values[i] = pairs[i].value;
      residuals[i] = pairs[i].residual;
      v_.get(pairs[i].row, static_cast<char*>(vectors) + static_cast<int64_t>(i) * row_bytes);
    }
    return static_cast<int64_t>(pairs.size());
  }

  int64_t matvecs() const { return matvecs_; }
  int64_t iterations() const { return iterations_; }

 private:
  static constexpr uint64_t kSeed = 0x5EED;

  [[noreturn]] static void refuse_start() {
    fail(KPFLOW_INVALID_ARGUMENT,
         "start: expected a vector that is not zero and that the operator does not map to zero");
  }

  double& t(int64_t i, int64_t j) { return t_[static_cast<size_t>(i * most_ + j)]; }
  double y(int64_t i, int64_t j) const { return y_[static_cast<size_t>(i * most_ + j)]; }

  // Row `to` = A row `from`; returns its norm.
  double product(int64_t from, int64_t to) {
    progress_.advance(1);
    ++matvecs_;
    if (!apply_(v_.row(from), v_.row(to))) {
      fail(KPFLOW_CALLBACK_FAILED, "eigsh: the operator failed in product %lld", static_cast<long long>(matvecs_));
    }
    const double norm = v_.norm(to);
    if (!std::isfinite(norm)) {
      fail(KPFLOW_NUMERICAL,
           "eigsh: product %lld with the operator is infinite or not a number; is its input finite, and does it "
           "overflow?",
           static_cast<long long>(matvecs_));
    }
    return norm;
  }

  // Row j + 1 = A row j, orthogonalized, with row j of T; false where A is zero.
  bool extend(int64_t j) {
    const double norm = product(j, j + 1);
    if (matvecs_ == 1 && norm == 0) {
      v_.randomize(0, kSeed + 1);
      if (product(0, 1) > 0) refuse_start();
      return false;
    }
    size_of_a_ = std::max(size_of_a_, norm);
    for (int pass = 0; pass < 2; ++pass) t(j, j) += v_.project(j + 1, j + 1)[static_cast<size_t>(j)];
    beta_ = j + 1 == n_ ? 0 : v_.norm(j + 1);
    if (beta_ <= 2 * epsilon_ * size_of_a_) {
      beta_ = 0;  // the basis spans an invariant subspace: it goes on with any other vector
      if (j + 1 < n_) renew(j + 1);
    } else {
      v_.scale(j + 1, 1 / beta_);
    }
    if (j + 1 < most_) t(j, j + 1) = t(j + 1, j) = beta_;
    return true;
  }

  // Row i becomes a random vector orthogonal to those before it.
  void renew(int64_t i) {
    v_.randomize(i, kSeed + 1 + static_cast<uint64_t>(++renewed_));
    for (int pass = 0; pass < 4; ++pass) {
      v_.scale(i, 1 / v_.norm(i));
      if (pass < 3) v_.project(i, i);
    }
  }

  // Ritz values, the rows of y_ their vectors in the basis, and the indices of both by how much they are wanted.
  void solve() {
    y_ = t_;
    symmetric_eigen(most_, y_.data(), theta_.data(), true);
    wanted_.resize(static_cast<size_t>(most_));
    std::iota(wanted_.begin(), wanted_.end(), 0);
    const auto value = [&](int64_t i) { return theta_[static_cast<size_t>(i)]; };
    if (options_.which == KPFLOW_LM) {
      std::stable_sort(wanted_.begin(), wanted_.end(),
                       [&](int64_t a, int64_t b) { return std::fabs(value(a)) > std::fabs(value(b)); });
    } else if (options_.which == KPFLOW_LA) {
      std::reverse(wanted_.begin(), wanted_.end());
    } else if (options_.which == KPFLOW_BE) {  // the largest, the smallest, the second largest, ...
      for (int64_t i = 0; i < most_; ++i) wanted_[static_cast<size_t>(i)] = i % 2 == 0 ? most_ - 1 - i / 2 : i / 2;
    }
  }

  // ||A x - theta x|| = beta |y_last| in exact arithmetic. As ARPACK, but for numbers of any size.
  bool has_converged(int64_t i) const {
    const double theta = std::fabs(theta_[static_cast<size_t>(i)]), bound = std::fabs(beta_ * y(i, most_ - 1));
    const double tolerance = options_.tolerance > 0 ? options_.tolerance : epsilon_;
    return bound <= tolerance * std::max(std::pow(epsilon_, 2.0 / 3) * size_of_a_, theta);
  }
  int64_t converged() const {
    return std::count_if(wanted_.begin(), wanted_.begin() + options_.modes,
                         [&](int64_t i) { return has_converged(i); });
  }

  // The first rows become the Ritz vectors of these indices.
  void combine(const std::vector<int64_t>& indices) {
    std::vector<double> coefficients;
    for (const int64_t i : indices) {
      coefficients.insert(coefficients.end(), y_.begin() + i * most_, y_.begin() + (i + 1) * most_);
    }
    v_.combine(static_cast<int64_t>(indices.size()), most_, coefficients);
  }

  // The most wanted Ritz vectors and the residual, which all of theirs are multiples of, begin the next basis. As many more are
  // kept as have converged, so that what has converged does not slow down the rest.
  int64_t restart() {
    int64_t kept = options_.modes + std::min(converged(), (most_ - options_.modes) / 2);
    if (kept == 1 && most_ >= 6) kept = most_ / 2;
    if (kept == 1 && most_ > 3) kept = 2;
    const std::vector<int64_t> indices(wanted_.begin(), wanted_.begin() + kept);
    combine(indices);
    v_.copy(most_, kept);
    std::fill(t_.begin(), t_.end(), 0.0);
    for (int64_t i = 0; i < kept; ++i) {
      const int64_t from = indices[static_cast<size_t>(i)];
      t(i, i) = theta_[static_cast<size_t>(from)];
      t(i, kept) = t(kept, i) = beta_ * y(from, most_ - 1);
    }
    return kept;
  }

  int64_t n_, most_;
  kpflow_eigsh_options options_;
  double epsilon_;
  const ApplyOnDevice& apply_;
  const Progress& progress_;
  Basis v_;
  std::vector<double> t_, theta_, y_;
  std::vector<int64_t> wanted_;
  double beta_ = 0;       // norm of the residual, whose direction is the row after the basis
  double size_of_a_ = 0;  // the largest ||A v|| met
  int64_t matvecs_ = 0, iterations_ = 0, renewed_ = 0;
};

// Values 0 with the first unit vectors.
void solve_zero(kpflow_context& context, int64_t n, int64_t modes, int64_t element_bytes, double* values, void* vectors,
                double* residuals) {
  Device& device = find_device(context.device);
  const float single = 1;
  const double one = 1;
  for (int64_t i = 0; i < modes; ++i) {
    char* vector = static_cast<char*>(vectors) + i * n * element_bytes;
    const std::vector<char> zeros(static_cast<size_t>(n * element_bytes), 0);
    device.copy(zeros.data(), vector, n * element_bytes);
    device.copy(element_bytes == 4 ? static_cast<const void*>(&single) : &one, vector + i * element_bytes,
                element_bytes);
    values[i] = residuals[i] = 0;
  }
}

}  // namespace

void lanczos(kpflow_context& context, int32_t dtype, int64_t n, const ApplyOnDevice& apply,
             const kpflow_eigsh_options& options, void* start, double* values, void* vectors, double* residuals,
             kpflow_eigsh_info* info, const Progress& progress) {
  const int64_t element_bytes = dtype == KPFLOW_F32 ? 4 : 8;
  Lanczos run(context, dtype, n, apply, options, progress);
  if (!run.iterate(start)) {
    solve_zero(context, n, options.modes, element_bytes, values, vectors, residuals);
    *info = kpflow_eigsh_info{options.modes, run.matvecs(), 0};
    return;
  }
  const int64_t converged = run.extract(values, vectors, residuals, n * element_bytes);
  *info = kpflow_eigsh_info{converged, run.matvecs(), run.iterations()};
  if (converged < options.modes) fail_unconverged(options, *info);
}

}  // namespace kpflow
