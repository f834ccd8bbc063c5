// Orthonormal rows by Gram-Schmidt, repeated until nothing is lost by it.
#include <cmath>
#include <vector>

#include "linalg/arrays.cuh"
#include "linalg/gemm.cuh"
#include "linalg/random.cuh"
#include "linalg/sums.cuh"

namespace kpflow::cuda {

namespace {

constexpr int64_t kPanel = 32;                 // rows that are projected against earlier ones together
constexpr int64_t kAtOnce = int64_t(1) << 18;  // threads that keep a card busy
constexpr double kKept = 0.7;  // a projection that leaves more of a row's norm than this loses no digits of it

template <class T>
struct GramSchmidt {
  GramSchmidt(Context& context, int64_t m, int64_t n, T* a) : context_(context), m_(m), n_(n), a_(a) {}

  void run() {
    scale_rows();
    for (int64_t first = 0; first < m_; first += kPanel) {
      const int64_t count = std::min(kPanel, m_ - first);
      const std::vector<double> whole = norms(first, count);
      for (int pass = 0; pass < 2 && first > 0; ++pass) project_panel(first, count);
      const std::vector<double> left = first > 0 ? norms(first, count) : whole;
      for (size_t i = 0; i < left.size(); ++i) {
        finish_row(left[i] < kKept * whole[i] ? 0 : first, first + static_cast<int64_t>(i), left[i]);
      }
    }
  }

  T* row(int64_t i) const { return a_ + i * n_; }

  // Every row times a power of two that brings its largest element near 1: squares neither overflow nor vanish.
  void scale_rows() {
    const int64_t n = n_;
    T* a = a_;
    // Each of `lanes` threads takes every lanes-th element of a row; so many rows that they fill the card need few.
    const int64_t lanes = pieces(std::clamp<int64_t>(pieces(n, 64), 1, pieces(kAtOnce, m_)), 32) * 32;
    double* largest = context_.scratch<double>(Scratch::kSmall, m_ * lanes);
    for_each(context_.stream, m_ * lanes, [=] __device__(int64_t i) {
      double most = 0;
      for (int64_t j = i % lanes; j < n; j += lanes) {
        const double value = std::fabs(static_cast<double>(a[i / lanes * n + j]));
        most = value > most ? value : most;
      }
      largest[i] = most;
    });
    std::vector<double> host(static_cast<size_t>(m_ * lanes)), scales(static_cast<size_t>(m_), 1.0);
    context_.copy_out(host.data(), largest, m_ * lanes);
    for (int64_t i = 0; i < m_; ++i) {
      const double most = *std::max_element(host.begin() + i * lanes, host.begin() + (i + 1) * lanes);
      if (most > 0 && std::isfinite(most)) {
        scales[static_cast<size_t>(i)] = std::ldexp(1.0, -std::clamp(std::ilogb(most), -1000, 1000));
      }
    }
    double* device = context_.scratch<double>(Scratch::kSmall, m_);
    context_.copy_in_now(device, scales);
    for_each(context_.stream, m_ * n_,
             [=] __device__(int64_t i) { a[i] = static_cast<T>(static_cast<double>(a[i]) * device[i / n]); });
  }

  std::vector<double> norms(int64_t first, int64_t count) {
    std::vector<double> out(static_cast<size_t>(count));
    double* squares = context_.scratch<double>(Scratch::kSmall, count);
    row_dots(context_, count, n_, row(first), n_, row(first), n_, squares);
    context_.copy_out(out.data(), squares, count);
    for (double& value : out) value = std::sqrt(value);
    return out;
  }

  // Rows first..first+count-1 lose their parts along rows 0..first-1.
  void project_panel(int64_t first, int64_t count) {
    double* sums = context_.scratch<double>(Scratch::kSmall, count * first);
    row_products_on_device(context_, count, first, n_, row(first), row(0), sums);
    T* parts = context_.scratch<T>(Scratch::kTheta, count * first);
    for_each(context_.stream, count * first, [=] __device__(int64_t i) { parts[i] = static_cast<T>(sums[i]); });
    multiply<T>(context_, {false, false, count, n_, first, T(-1), parts, first, row(0), n_, T(1), row(first), n_});
  }

  // Row i loses its parts along rows first..i-1. Limited by reading these, twice.
  void project(int64_t first, int64_t i) {
    const int64_t count = i - first, n = n_;
    if (count == 0) return;
    double* parts = context_.scratch<double>(Scratch::kSmall, count);
    row_dots(context_, count, n_, row(first), n_, row(i), 0, parts);
    const T* q = row(first);
    T* target = row(i);
    for_each(context_.stream, n, [=] __device__(int64_t j) {
      double sum = static_cast<double>(target[j]);
      for (int64_t r = 0; r < count; ++r) sum -= parts[r] * static_cast<double>(q[r * n + j]);
      target[j] = static_cast<T>(sum);
    });
  }

  // Where most of a row was along earlier ones, rounding has left parts along all of them: it is projected again, against all.
  // A row that vanishes becomes a random one.
  void finish_row(int64_t first, int64_t i, double before) {
    constexpr int kMostPasses = 16;
    constexpr double kVanished = 1e-30;
    for (int pass = 0; pass < kMostPasses; ++pass) {
      if (before < kVanished) {
        fill_random(context_, KPFLOW_GAUSSIAN, 0x0271, i * n_, n_, row(i));
        before = norms(i, 1)[0];
        first = 0;
      }
      project(first, i);
      const double after = i > first ? norms(i, 1)[0] : before;
      const bool kept = !(after < kKept * before);
      before = after;
      if (kept) break;
      first = 0;
    }
    const double scale = 1 / before;
    T* target = row(i);
    for_each(context_.stream, n_,
             [=] __device__(int64_t j) { target[j] = static_cast<T>(scale * static_cast<double>(target[j])); });
  }

  Context& context_;
  int64_t m_, n_;
  T* a_;
};

}  // namespace

template <class T>
void orthonormalize(Context& context, int64_t m, int64_t n, T* a) {
  KPFLOW_REQUIRE(m <= n, "orthonormalize: expected at most %lld rows, got %lld", static_cast<long long>(n),
                 static_cast<long long>(m));
  if (m > 0) GramSchmidt<T>(context, m, n, a).run();
}

template void orthonormalize<float>(Context&, int64_t, int64_t, float*);
template void orthonormalize<double>(Context&, int64_t, int64_t, double*);

}  // namespace kpflow::cuda
