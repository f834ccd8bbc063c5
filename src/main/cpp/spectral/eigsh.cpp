#include "spectral/eigsh.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numeric>
#include <vector>

#include "core/status.hpp"
#include "core/system.hpp"
#include "linalg/random.hpp"

// ARPACK's C interface; bytedeco's jar has the library but not its header.
extern "C" {
void ssaupd_c(int* ido, const char* bmat, int n, const char* which, int nev, float tol, float* resid, int ncv, float* v,
              int ldv, int* iparam, int* ipntr, float* workd, float* workl, int lworkl, int* info);
void dsaupd_c(int* ido, const char* bmat, int n, const char* which, int nev, double tol, double* resid, int ncv,
              double* v, int ldv, int* iparam, int* ipntr, double* workd, double* workl, int lworkl, int* info);
void sseupd_c(int rvec, const char* howmny, const int* select, float* d, float* z, int ldz, float sigma,
              const char* bmat, int n, const char* which, int nev, float tol, float* resid, int ncv, float* v, int ldv,
              int* iparam, int* ipntr, float* workd, float* workl, int lworkl, int* info);
void dseupd_c(int rvec, const char* howmny, const int* select, double* d, double* z, int ldz, double sigma,
              const char* bmat, int n, const char* which, int nev, double tol, double* resid, int ncv, double* v,
              int ldv, int* iparam, int* ipntr, double* workd, double* workl, int lworkl, int* info);
}

namespace kpflow {

namespace {

template <class... Arguments>
void saupd(float, Arguments... arguments) {
  ssaupd_c(arguments...);
}
template <class... Arguments>
void saupd(double, Arguments... arguments) {
  dsaupd_c(arguments...);
}
template <class... Arguments>
void seupd(float, Arguments... arguments) {
  sseupd_c(arguments...);
}
template <class... Arguments>
void seupd(double, Arguments... arguments) {
  dseupd_c(arguments...);
}

// ARPACK keeps state in static variables between the calls of one iteration: one loop at a time in the process. A callback
// that starts another loop on the same thread would wait for itself, so it is refused.
class ArpackLock {
 public:
  explicit ArpackLock(const Progress& progress) {
    if (inside_)
      fail(KPFLOW_INVALID_ARGUMENT,
           "eigsh: called from inside an operator that eigsh is applying; ARPACK is not re-entrant");
    while (!mutex_.try_lock_for(std::chrono::milliseconds(20)))
      progress.advance();  // a waiting caller can be cancelled
    inside_ = true;
  }
  ~ArpackLock() {
    inside_ = false;
    mutex_.unlock();
  }

 private:
  static std::timed_mutex mutex_;
  static thread_local bool inside_;
};
std::timed_mutex ArpackLock::mutex_;
thread_local bool ArpackLock::inside_ = false;

const char* which_name(int32_t which, int64_t modes) {
  if (which == KPFLOW_BE && modes == 1) return "LA";  // ARPACK refuses it; an odd mode is the largest
  constexpr const char* kNames[] = {"LM", "LA", "SA", "BE"};
  return kNames[which];
}

template <class T>
class Lanczos {
 public:
  Lanczos(int64_t n, const Apply<T>& apply, const kpflow_eigsh_options& options, T* start, const Progress& progress)
      : n_(static_cast<int>(n)),
        modes_(static_cast<int>(options.modes)),
        basis_(static_cast<int>(options.basis)),
        which_(which_name(options.which, options.modes)),
        tolerance_(static_cast<T>(options.tolerance)),
        apply_(apply),
        residual_(start),
        progress_(progress),
        vectors_(n * options.basis),
        workd_(3 * n),
        workl_(options.basis * (options.basis + 8)) {
    iparam_[0] = 1;  // exact shifts
    iparam_[2] = static_cast<int>(std::min<int64_t>(options.max_iterations, 1 << 30));
    iparam_[3] = 1;
    iparam_[6] = 1;  // A x = lambda x
    info_ = options.has_start;
  }

  // Runs the reverse-communication loop; returns ARPACK's info.
  int iterate() {
    int ido = 0;
    while (true) {
      saupd(T(), &ido, "I", n_, which_, modes_, tolerance_, residual_, basis_, vectors_.data(), n_, iparam_, ipntr_,
            workd_.data(), workl_.data(), static_cast<int>(workl_.size()), &info_);
      if (ido != -1 && ido != 1) return info_;
      product(workd_.data() + ipntr_[0] - 1, workd_.data() + ipntr_[1] - 1);
    }
  }

  // Eigenpairs that have converged, values ascending, vectors as rows of out.
  int64_t extract(std::vector<T>& values, T* out) {
    std::vector<int> select(static_cast<size_t>(basis_));
    int failed = 0;
    values.assign(static_cast<size_t>(modes_), T(0));
    seupd(T(), 1, "A", select.data(), values.data(), out, n_, T(0), "I", n_, which_, modes_, tolerance_, residual_,
          basis_, vectors_.data(), n_, iparam_, ipntr_, workd_.data(), workl_.data(), static_cast<int>(workl_.size()),
          &failed);
    if (failed != 0) fail(KPFLOW_NUMERICAL, "eigsh: no eigenvalue converged (ARPACK seupd info %d)", failed);
    return std::min<int64_t>(iparam_[4], modes_);
  }

  void product(const T* x, T* y) {
    progress_.advance(1);
    ++matvecs_;
    if (!apply_(x, y))
      fail(KPFLOW_CALLBACK_FAILED, "eigsh: the operator failed in product %lld", static_cast<long long>(matvecs_));
    double sum = 0;  // ARPACK goes on with numbers that are none
    for (int64_t i = 0; i < n_; ++i) sum += std::abs(static_cast<double>(y[i]));
    if (!std::isfinite(sum))
      fail(KPFLOW_NUMERICAL,
           "eigsh: product %lld with the operator is infinite or not a number; is its input finite, and does it "
           "overflow?",
           static_cast<long long>(matvecs_));
  }

  int64_t matvecs() const { return matvecs_; }
  int64_t iterations() const { return iparam_[2]; }

 private:
  int n_, modes_, basis_;
  const char* which_;
  T tolerance_;
  const Apply<T>& apply_;
  T* residual_;
  const Progress& progress_;
  Array<T> vectors_, workd_, workl_;
  int iparam_[11] = {};
  int ipntr_[14] = {};
  int info_ = 0;
  int64_t matvecs_ = 0;
};

template <class T>
double residual_norm(int64_t n, const T* product, double value, const T* vector) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    const double difference = static_cast<double>(product[i]) - value * static_cast<double>(vector[i]);
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

template <class T>
bool is_zero(int64_t n, const T* x) {
  return std::all_of(x, x + n, [](T value) { return value == T(0); });
}

// ARPACK gives up where A start = 0: either A is zero, which another vector tells, or the start is all there is to blame.
template <class T>
void solve_zero(int64_t n, Lanczos<T>& lanczos, const kpflow_eigsh_options& options, double* values, T* vectors,
                double* residuals, kpflow_eigsh_info* info) {
  Array<T> probe(n), product(n);
  ThreadPool alone(1);
  fill_random(alone, KPFLOW_GAUSSIAN, 0x5EED, 0, n, probe.data());
  lanczos.product(probe.data(), product.data());
  if (!is_zero(n, product.data()))
    fail(KPFLOW_INVALID_ARGUMENT,
         "start: expected a vector that is not zero and that the operator does not map to zero");
  std::fill_n(vectors, options.modes * n, T(0));
  for (int64_t i = 0; i < options.modes; ++i) vectors[i * n + i] = T(1);
  std::fill_n(values, options.modes, 0.0);
  std::fill_n(residuals, options.modes, 0.0);
  *info = kpflow_eigsh_info{options.modes, lanczos.matvecs(), 0};
}

}  // namespace

void check_eigsh(int64_t n, const kpflow_eigsh_options& options) {
  KPFLOW_REQUIRE(n >= 2 && n <= INT32_MAX / 4, "eigsh: expected an operator of size 2 to %d, got %lld", INT32_MAX / 4,
                 static_cast<long long>(n));
  KPFLOW_REQUIRE(options.modes >= 1 && options.modes < n, "modes: expected 1 to %lld, got %lld",
                 static_cast<long long>(n - 1), static_cast<long long>(options.modes));
  KPFLOW_REQUIRE(options.basis > options.modes && options.basis <= n, "basis: expected %lld to %lld, got %lld",
                 static_cast<long long>(options.modes + 1), static_cast<long long>(n),
                 static_cast<long long>(options.basis));
  KPFLOW_REQUIRE(options.basis * (options.basis + 8) <= INT32_MAX, "basis: expected at most 46336, got %lld",
                 static_cast<long long>(options.basis));
  KPFLOW_REQUIRE(options.which >= KPFLOW_LM && options.which <= KPFLOW_BE,
                 "which: expected 0 (LM), 1 (LA), 2 (SA) or 3 (BE), got %d", options.which);
  KPFLOW_REQUIRE(options.max_iterations >= 1, "max_iterations: expected at least 1");
  KPFLOW_REQUIRE(options.tolerance >= 0 && options.tolerance < 1, "tolerance: expected 0 to 1, got %g",
                 options.tolerance);
}

void fail_unconverged(const kpflow_eigsh_options& options, const kpflow_eigsh_info& info) {
  fail(KPFLOW_NO_CONVERGENCE,
       "eigsh: %lld of %lld eigenpairs converged in %lld iterations; raise max_iterations, basis or tolerance",
       static_cast<long long>(info.converged), static_cast<long long>(options.modes),
       static_cast<long long>(info.iterations));
}

template <class T>
void eigsh(int64_t n, const Apply<T>& apply, const kpflow_eigsh_options& options, T* start, double* values, T* vectors,
           double* residuals, kpflow_eigsh_info* info, const Progress& progress) {
  require_memory(
      ((options.basis + options.modes + 4) * n + options.basis * (options.basis + 8)) * static_cast<int64_t>(sizeof(T)),
      "eigsh's Krylov basis", "use a smaller basis or fewer modes");
  ArpackLock lock(progress);
  Lanczos<T> lanczos(n, apply, options, start, progress);
  const int status = lanczos.iterate();
  if (status == -9) return solve_zero(n, lanczos, options, values, vectors, residuals, info);
  if (status < 0)
    fail(KPFLOW_NUMERICAL, "eigsh: ARPACK stopped with info %d; is the operator finite and self-adjoint?", status);

  std::vector<T> ascending;
  Array<T> found(options.modes * n);
  const int64_t converged = lanczos.extract(ascending, found.data());
  std::vector<int64_t> order(static_cast<size_t>(converged));
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](int64_t a, int64_t b) {
    return ascending[static_cast<size_t>(a)] > ascending[static_cast<size_t>(b)];
  });
  Array<T> product(n);
  for (int64_t i = 0; i < converged; ++i) {
    const int64_t source = order[static_cast<size_t>(i)];
    T* vector = vectors + i * n;
    std::copy_n(found.data() + source * n, n, vector);
    values[i] = static_cast<double>(ascending[static_cast<size_t>(source)]);
    lanczos.product(vector, product.data());
    residuals[i] = residual_norm(n, product.data(), values[i], vector);
  }
  *info = kpflow_eigsh_info{converged, lanczos.matvecs(), lanczos.iterations()};
  if (converged < options.modes) fail_unconverged(options, *info);
}

template void eigsh<float>(int64_t, const Apply<float>&, const kpflow_eigsh_options&, float*, double*, float*, double*,
                           kpflow_eigsh_info*, const Progress&);
template void eigsh<double>(int64_t, const Apply<double>&, const kpflow_eigsh_options&, double*, double*, double*,
                            double*, kpflow_eigsh_info*, const Progress&);

}  // namespace kpflow
