// Eigenpairs of operators given by callbacks against those of dense matrices, by every solver that the device has.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <functional>

#include "parts.hpp"

namespace kpflow_test {

namespace {

size_t at(int64_t index) { return static_cast<size_t>(index); }

// A symmetric matrix as an operator: products are formed on the host, in f64.
struct Matrix {
  const Machine* machine;
  int32_t dtype;
  int64_t n;
  Values entries;
  int64_t fails_at = -1, nan_at = -1, products = 0;
  kpflow_monitor* cancels = nullptr;
};

template <class T>
bool multiply_as(const Matrix& a, const void* x, void* y) {
  std::vector<T> in(at(a.n)), out(at(a.n));
  const int64_t bytes = a.n * static_cast<int64_t>(sizeof(T));
  if (kpflow_buffer_copy(a.machine->device(), x, in.data(), bytes) != KPFLOW_OK) return false;
  for (int64_t i = 0; i < a.n; ++i) {
    double sum = 0;
    for (int64_t j = 0; j < a.n; ++j) sum += a.entries[at(i * a.n + j)] * static_cast<double>(in[at(j)]);
    out[at(i)] = static_cast<T>(a.products == a.nan_at ? NAN : sum);
  }
  return kpflow_buffer_copy(a.machine->device(), out.data(), y, bytes) == KPFLOW_OK;
}

int32_t multiply(void* user, const void* x, void* y) {
  Matrix& a = *static_cast<Matrix*>(user);
  if (++a.products == a.fails_at) return 1;
  if (a.cancels != nullptr && a.products == 3) a.cancels->cancel = 1;
  return (a.dtype == KPFLOW_F32 ? multiply_as<float>(a, x, y) : multiply_as<double>(a, x, y)) ? 0 : 1;
}

// Q diag(values) Q^T for a random orthogonal Q, symmetric to the last bit.
Values with_eigenvalues(const Values& values) {
  const int64_t n = static_cast<int64_t>(values.size());
  Values q = Random(5).values(n * n), ignored(at(n)), a(at(n * n));
  for (int64_t i = 0; i < n * n; ++i) q[at(i)] = q[at(std::min(i, i % n * n + i / n))];
  require(kpflow_symmetric_eigen(n, q.data(), ignored.data(), 1), "symmetric_eigen");
  for (int64_t i = 0; i < n; ++i) {
    for (int64_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (int64_t l = 0; l < n; ++l) sum += values[at(l)] * q[at(l * n + i)] * q[at(l * n + j)];
      a[at(i * n + j)] = a[at(j * n + i)] = sum;
    }
  }
  return a;
}

Values sequence(int64_t n, const std::function<double(double)>& value) {
  Values values(at(n));
  for (int64_t i = 0; i < n; ++i) values[at(i)] = value(static_cast<double>(i));
  return values;
}

// The wanted ones of ascending eigenvalues, descending.
Values wanted(Values all, int32_t which, int64_t modes) {
  const int64_t n = static_cast<int64_t>(all.size()), low = which == KPFLOW_SA ? modes : modes / 2;
  if (which == KPFLOW_LM) {
    std::sort(all.begin(), all.end(), [](double a, double b) { return std::fabs(a) < std::fabs(b); });
  }
  Values found;
  if (which == KPFLOW_LM || which == KPFLOW_LA) {
    found.assign(all.end() - modes, all.end());
  } else {
    found.assign(all.begin(), all.begin() + low);
    found.insert(found.end(), all.begin() + n - (modes - low), all.end());
  }
  std::sort(found.begin(), found.end(), std::greater<double>());
  return found;
}

class Eigsh {
 public:
  // slack: roundings by which results may be off, relative to the operator.
  Eigsh(const Machine& machine, int32_t dtype, double slack, const Values& entries, int64_t modes, int64_t basis,
        int32_t which)
      : machine_(machine),
        slack_(slack * rounding(dtype)),
        n_(static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(entries.size()))))),
        matrix{&machine, dtype, n_, rounded(dtype, entries)},
        options{modes, basis, 3000, 0, which, 1},
        start(machine, dtype, Random(9).values(n_), 1),
        vectors(machine, dtype, modes * n_, 1),
        values(at(modes), NAN),
        residuals(at(modes), NAN) {}

  int32_t run(kpflow_monitor* monitor = nullptr) {
    return kpflow_eigsh(machine_.context(), matrix.dtype, n_, nullptr, 0, multiply, &matrix, &options, start.data(),
                        values.data(), vectors.data(), residuals.data(), &info, monitor);
  }

  // The first `count` pairs: right values, orthonormal vectors, residuals as reported and small.
  void check(Checks& checks, const std::string& name, int64_t count, bool all) {
    Values truth(at(n_)), copy = matrix.entries;
    require(kpflow_symmetric_eigen(n_, copy.data(), truth.data(), 0), "symmetric_eigen");
    const double size = std::max(std::fabs(truth.front()), std::fabs(truth.back()));
    const Values v = vectors.read();
    if (all) checks.within(name + " values", values, wanted(truth, options.which, options.modes), slack_ * size);
    for (int64_t i = 0; i < count; ++i) {
      double square = 0;
      for (int64_t row = 0; row < n_; ++row) {
        double sum = -values[at(i)] * v[at(i * n_ + row)];
        for (int64_t j = 0; j < n_; ++j) sum += matrix.entries[at(row * n_ + j)] * v[at(i * n_ + j)];
        square += sum * sum;
      }
      checks.within(name + " residual", {residuals[at(i)]}, {std::sqrt(square)}, slack_ * size);
      checks.expect(residuals[at(i)] <= slack_ * size, name + " residual", text("%g of %g", residuals[at(i)], size));
      for (int64_t j = 0; j <= i; ++j) {
        double product = 0;
        for (int64_t row = 0; row < n_; ++row) product += v[at(i * n_ + row)] * v[at(j * n_ + row)];
        checks.within(name + " orthonormal", {product}, {i == j ? 1.0 : 0.0}, slack_);
      }
    }
  }

 private:
  const Machine& machine_;
  double slack_;
  int64_t n_;

 public:
  Matrix matrix;
  kpflow_eigsh_options options;
  Buffer start, vectors;
  Values values, residuals;
  kpflow_eigsh_info info{};
};

void spectra(const Machine& machine, int32_t dtype, double slack, Checks& checks) {
  const double step = dtype == KPFLOW_F32 ? 1e-3 : 1e-6;
  const std::vector<std::pair<const char*, Values>> spectra = {
      {"decaying", sequence(90, [](double i) { return std::pow(0.8, i); })},
      {"clustered", sequence(80, [&](double i) { return i < 6 ? 1 + step * i : 0.5 * std::cos(i); })},
      {"indefinite", sequence(70, [](double i) { return std::cos(1.3 * i) + 0.1 * std::sin(i); })},
      {"of rank 5", sequence(60, [](double i) { return i < 5 ? 3 - i : 0; })},
      {"large", sequence(40, [](double i) { return 1e25 / (1 + i); })},
      {"small", sequence(40, [](double i) { return 1e-20 * (i - 11.3); })},
      {"tiny", sequence(3, [](double i) { return i - 0.7; })}};
  for (const auto& [name, eigenvalues] : spectra) {
    const Values entries = with_eigenvalues(eigenvalues);
    const int64_t n = static_cast<int64_t>(eigenvalues.size());
    for (const int64_t modes : {1, 2, 7}) {
      if (modes >= n) continue;
      for (const int32_t which : {KPFLOW_LM, KPFLOW_LA, KPFLOW_SA, KPFLOW_BE}) {
        // The small ones of values that decay lie too close together.
        if (which > KPFLOW_LA && std::strcmp(name, "decaying") == 0) continue;
        Eigsh solver(machine, dtype, slack, entries, modes, std::min(n, 2 * modes + 12), which);
        const int32_t status = solver.run();
        const std::string label = text("%s, %d of which=%d:", name, static_cast<int>(modes), which);
        checks.expect(status == KPFLOW_OK && solver.info.converged == modes, label, kpflow_last_error());
        checks.expect(solver.info.matvecs == solver.matrix.products, label + " count of products");
        if (status == KPFLOW_OK) solver.check(checks, label, modes, true);
      }
    }
  }
}

void unusual(const Machine& machine, int32_t dtype, double slack, Checks& checks) {
  const int64_t n = 40;
  const Values entries = with_eigenvalues(sequence(n, [](double i) { return 1 + std::cos(2.1 * i); }));
  const auto refused = [&](const char* name, Eigsh& solver, int32_t status, const char* words,
                           kpflow_monitor* monitor = nullptr) {
    const int32_t found = solver.run(monitor);
    const std::string message = kpflow_last_error();
    checks.expect(found == status && message.find(words) != std::string::npos, name,
                  text("%d %s", found, message.c_str()));
  };
  {
    Eigsh own_start(machine, dtype, slack, entries, 3, 12, KPFLOW_LA);
    own_start.options.has_start = 0;
    require(own_start.run(), "eigsh");
    own_start.check(checks, "a start of its own", 3, true);
  }
  {
    Eigsh whole(machine, dtype, slack, entries, n - 1, n, KPFLOW_LA);
    require(whole.run(), "eigsh");
    whole.check(checks, "all but one", n - 1, true);
  }
  {
    Eigsh loose(machine, dtype, slack, entries, 4, 20, KPFLOW_LM);
    loose.options.tolerance = 1e-2;
    require(loose.run(), "eigsh");
    checks.expect(*std::max_element(loose.residuals.begin(), loose.residuals.end()) <= 3e-2, "a loose tolerance");
  }
  {
    Eigsh zero(machine, dtype, slack, Values(at(n * n)), 3, 12, KPFLOW_LM);
    require(zero.run(), "eigsh");
    zero.check(checks, "the zero operator", 3, true);
  }
  {
    Eigsh start(machine, dtype, slack, entries, 3, 12, KPFLOW_LM);
    start.start.write(Values(at(n)));
    refused("a start that is zero", start, KPFLOW_INVALID_ARGUMENT, "start: expected a vector that is not zero");
  }
  {
    Values diagonal(at(n * n));
    for (int64_t i = 1; i < n; ++i) diagonal[at(i * n + i)] = static_cast<double>(i);
    Values first(at(n));
    first[0] = 1;
    Eigsh kernel(machine, dtype, slack, diagonal, 3, 12, KPFLOW_LM);
    kernel.start.write(first);
    refused("a start that is mapped to zero", kernel, KPFLOW_INVALID_ARGUMENT,
            "start: expected a vector that is not zero and that the operator does not map to zero");
    first[0] = 0;
    first[at(n - 1)] = 1;
    Eigsh eigenvector(machine, dtype, slack, diagonal, 2, 12, KPFLOW_LM);
    eigenvector.start.write(first);
    require(eigenvector.run(), "eigsh");
    eigenvector.check(checks, "a start that is an eigenvector", 2, true);
  }
  {
    Eigsh nan(machine, dtype, slack, entries, 3, 12, KPFLOW_LM);
    nan.matrix.nan_at = 5;
    refused("NaN", nan, KPFLOW_NUMERICAL, "eigsh: product 5 with the operator is infinite or not a number");
  }
  {
    Eigsh failing(machine, dtype, slack, entries, 3, 12, KPFLOW_LM);
    failing.matrix.fails_at = 4;
    refused("a failing operator", failing, KPFLOW_CALLBACK_FAILED, "eigsh: the operator failed in product 4");
  }
  {
    Eigsh cancelled(machine, dtype, slack, entries, 3, 12, KPFLOW_LM);
    kpflow_monitor monitor{};
    cancelled.matrix.cancels = &monitor;
    refused("cancelled", cancelled, KPFLOW_CANCELLED, "", &monitor);
    checks.expect(cancelled.matrix.products == 3, "cancelled at once");
  }
  {
    Eigsh wrong(machine, dtype, slack, entries, 3, 3, KPFLOW_LM);
    refused("basis", wrong, KPFLOW_INVALID_ARGUMENT, "basis: expected 4 to 40, got 3");
    wrong.options.basis = 12;
    wrong.options.which = 4;
    refused("which", wrong, KPFLOW_INVALID_ARGUMENT, "which: expected 0 (LM), 1 (LA), 2 (SA) or 3 (BE), got 4");
  }
  {
    // One value stands out and converges; the others lie close together and do not.
    const auto spectrum = [](double i) { return i == 0 ? 100 : 1 + 1e-3 * i; };
    Eigsh early(machine, dtype, slack, with_eigenvalues(sequence(n, spectrum)), 4, 10, KPFLOW_LA);
    early.options.max_iterations = 2;
    refused("no convergence", early, KPFLOW_NO_CONVERGENCE, "4 eigenpairs converged in");
    checks.expect(early.info.converged >= 1 && early.info.converged < 4, "what converged early");
    checks.within("its value", {early.values[0]}, {100}, 1e-4);
    early.check(checks, "what converged early", early.info.converged, false);
  }
}

void every_test(const Machine& machine, const char* solver, double slack, Checks& checks) {
  for (const int32_t dtype : {KPFLOW_F64, KPFLOW_F32}) {
    checks.group(text("%s %s spectra by %s", machine.name(), dtype_name(dtype), solver),
                 [&] { spectra(machine, dtype, slack, checks); });
    checks.group(text("%s %s eigsh by %s", machine.name(), dtype_name(dtype), solver),
                 [&] { unusual(machine, dtype, slack, checks); });
  }
}

}  // namespace

void test_spectral(const Machine& machine, const Options&, Checks& checks) {
  if (machine.device() != KPFLOW_CPU) return every_test(machine, "Lanczos", 200, checks);
  every_test(machine, "ARPACK", 2000, checks);
  setenv("KPFLOW_EIGSH", "lanczos", 1);
  every_test(machine, "Lanczos", 200, checks);
  unsetenv("KPFLOW_EIGSH");
}

}  // namespace kpflow_test
