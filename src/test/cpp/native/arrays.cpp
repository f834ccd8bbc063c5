// The array primitives against plain loops in f64.
#include <algorithm>
#include <cmath>

#include "parts.hpp"

namespace kpflow_test {

namespace {

class ArrayTest {
 public:
  ArrayTest(const Machine& machine, int32_t dtype, Checks& checks)
      : machine_(machine), context_(machine.context()), dtype_(dtype), checks_(checks), r_(16 * rounding(dtype)) {}

  void axpby() {
    for (const int64_t count : {0, 1, 7, 255, 4097, 70001}) {
      for (const double beta : {0.0, 1.0, -0.75}) {
        for (const int64_t shift : {0, 1}) {
          const Values x = random_.values(count), y = random_.values(count);
          Values truth(x.size());
          for (size_t i = 0; i < x.size(); ++i) truth[i] = 1.25 * x[i] + beta * y[i];
          const Buffer a(machine_, dtype_, x, shift);
          Buffer b(machine_, dtype_, count, shift);  // NaN, which beta = 0 does not read
          if (beta != 0) b.write(y);
          require(kpflow_axpby(context_, dtype_, count, 1.25, a.data(), beta, b.data()), "axpby");
          checks_.close("axpby", b.read(), truth, r_);
        }
      }
    }
  }

  void dots() {
    const std::vector<std::vector<int64_t>> sizes = {{1, 1}, {3, 7}, {5, 257}, {2, 70001}, {300, 33}, {0, 4}};
    for (const auto& size : sizes) {
      const Values x = random_.values(product(size)), y = random_.values(product(size));
      Values truth(static_cast<size_t>(size[0])), found(truth.size(), NAN);
      for (size_t i = 0; i < x.size(); ++i) truth[i / static_cast<size_t>(size[1])] += x[i] * y[i];
      const Buffer a(machine_, dtype_, x, 1), b(machine_, dtype_, y);
      require(kpflow_dot(context_, dtype_, size[0], size[1], a.data(), b.data(), found.data()), "dot");
      checks_.close("dot", found, truth, 1e-12);  // sums are in f64
      const Values first = found;
      require(kpflow_dot(context_, dtype_, size[0], size[1], a.data(), b.data(), found.data()), "dot");
      checks_.same("dot, again", found, first);
    }
  }

  void gemm() {
    const std::vector<std::vector<int64_t>> sizes = {{1, 1, 1},    {33, 5, 7},     {64, 64, 64},
                                                     {3, 130, 65}, {129, 67, 200}, {17, 33, 1}};
    for (const auto& size : sizes) {
      const int64_t m = size[0], n = size[1], k = size[2];
      for (int transposes = 0; transposes < 4; ++transposes) {
        for (const double beta : {0.0, 1.0, 0.5}) gemm(m, n, k, (transposes & 1) != 0, (transposes & 2) != 0, beta);
      }
    }
    gemm(4, 5, 0, false, false, 0.5);
  }

  void row_products() {
    const std::vector<std::vector<int64_t>> sizes = {{1, 1, 1}, {5, 3, 7}, {17, 17, 4099}, {2, 40, 70001}};
    for (const auto& size : sizes) {
      const int64_t m = size[0], s = size[1], n = size[2];
      const Values x = random_.values(m * n), y = random_.values(s * n);
      Values truth(static_cast<size_t>(m * s)), found(truth.size(), NAN);
      for (int64_t i = 0; i < m * s; ++i) {
        for (int64_t j = 0; j < n; ++j) truth[at(i)] += x[at(i / s * n + j)] * y[at(i % s * n + j)];
      }
      const Buffer a(machine_, dtype_, x), b(machine_, dtype_, y, 1);
      require(kpflow_row_products(context_, dtype_, m, s, n, a.data(), b.data(), found.data()), "row_products");
      // Products of f32 may be summed in f32 over a part of the columns.
      checks_.close("row_products", found, truth, 0, 4 * rounding(dtype_) * norm(x) * norm(y));
    }
  }

  void combine_rows() {
    const std::vector<std::vector<int64_t>> sizes = {{1, 1, 1}, {2, 5, 7}, {5, 5, 4099}, {3, 17, 333}, {0, 3, 5}};
    for (const auto& size : sizes) {
      const int64_t k = size[0], m = size[1], n = size[2];
      const Values x = random_.values(m * n), coefficients = random_.values(k * m);
      Values truth = x;
      for (int64_t i = 0; i < k * n; ++i) {
        truth[at(i)] = 0;
        for (int64_t j = 0; j < m; ++j) truth[at(i)] += coefficients[at(i / n * m + j)] * x[at(j * n + i % n)];
      }
      const Buffer a(machine_, dtype_, x, 1);
      require(kpflow_combine_rows(context_, dtype_, k, m, n, coefficients.data(), a.data()), "combine_rows");
      checks_.close("combine_rows", a.read(), truth, r_);
    }
  }

  // Random shapes; axes of x repeat (stride 0) or lie in any order, those of y lie in any order, with gaps.
  void strided() {
    for (int round = 0; round < 60; ++round) {
      const int64_t axes = random_.below(KPFLOW_MAX_AXES + 1);
      std::vector<int64_t> shape(at(axes)), x_strides(at(axes)), y_strides(at(axes)), order;
      for (int64_t axis = 0; axis < axes; ++axis) {
        shape[at(axis)] = 1 + random_.below(axes > 4 ? 3 : 6);
        order.insert(order.begin() + random_.below(axis + 1), axis);
      }
      int64_t x_count = 1, y_count = 1;
      for (const int64_t axis : order) {
        const bool repeated = random_.below(4) == 0;
        x_strides[at(axis)] = repeated ? 0 : x_count;
        if (!repeated) x_count = x_count * shape[at(axis)] + random_.below(2);
        y_strides[at(axis)] = y_count;
        y_count = y_count * shape[at(axis)] + random_.below(3);
      }
      const int32_t y_dtype = round % 2 == 0 ? dtype_ : dtype_ == KPFLOW_F32 ? KPFLOW_F64 : KPFLOW_F32;
      const double beta = round % 3 == 0 ? 0 : 0.5;
      const Values x = random_.values(x_count), y = random_.values(y_count);
      Values truth = y;
      for (int64_t i = 0; i < product(shape); ++i) {
        int64_t rest = i, from = 0, to = 0;
        for (int64_t axis = axes - 1; axis >= 0; --axis) {
          from += rest % shape[at(axis)] * x_strides[at(axis)];
          to += rest % shape[at(axis)] * y_strides[at(axis)];
          rest /= shape[at(axis)];
        }
        truth[at(to)] = 1.5 * x[at(from)] + beta * y[at(to)];
      }
      const Buffer a(machine_, dtype_, x), b(machine_, y_dtype, y);
      require(kpflow_strided_axpby(context_, static_cast<int32_t>(axes), shape.data(), 1.5, dtype_, a.data(), x_count,
                                   x_strides.data(), beta, y_dtype, b.data(), y_count, y_strides.data()),
              "strided_axpby");
      checks_.close("strided_axpby", b.read(), truth, 16 * rounding(std::min(dtype_, y_dtype)));
    }
    // One element of y that many of x are added to, in order.
    const int64_t shape[] = {1000}, one[] = {1}, none[] = {0};
    const Values x = random_.values(1000);
    double sum = 2;
    for (const double value : x) sum += value;
    const Buffer a(machine_, KPFLOW_F64, x), b(machine_, KPFLOW_F64, Values{2});
    require(
        kpflow_strided_axpby(context_, 1, shape, 1, KPFLOW_F64, a.data(), 1000, one, 1, KPFLOW_F64, b.data(), 1, none),
        "strided_axpby");
    checks_.close("strided_axpby into one element", b.read(), {sum}, 1e-13);
  }

  void grams() {
    const int64_t s = 4, B = 3, T = 5, n = 6;
    const Values x = random_.values(s * B * T * n);
    for (int32_t keep = 1; keep <= 7; ++keep) {
      const auto kept = [&](int64_t row, int32_t mask) {
        const int64_t sizes[] = {B, T, n}, index[] = {row / (T * n), row / n % T, row % n};
        int64_t result = 0;
        for (int axis = 0; axis < 3; ++axis) {
          if (mask >> axis & 1) result = result * sizes[axis] + index[axis];
        }
        return result;
      };
      const int64_t d = (keep & 1 ? B : 1) * (keep & 2 ? T : 1) * (keep & 4 ? n : 1), size = B * T * n;
      Values before = random_.values(d * d);  // symmetric
      for (int64_t i = 0; i < d * d; ++i) before[at(i)] = before[at(std::min(i, i % d * d + i / d))];
      Values truth = before;
      for (int64_t j = 0; j < s; ++j) {
        for (int64_t a = 0; a < size; ++a) {
          for (int64_t b = 0; b < size; ++b) {
            if (kept(a, 7 - keep) != kept(b, 7 - keep)) continue;
            truth[at(kept(a, keep) * d + kept(b, keep))] += 0.7 * x[at(j * size + a)] * x[at(j * size + b)];
          }
        }
      }
      const Buffer a(machine_, dtype_, x), out(machine_, KPFLOW_F64, before);
      require(kpflow_accumulate_gram(context_, dtype_, s, B, T, n, a.data(), keep, 0.7, out.data(), nullptr),
              "accumulate_gram");
      checks_.close(text("accumulate_gram keep=%d", keep), out.read(), truth, r_);
    }
  }

  // U z and U^T x with ragged ranges of columns: some units have none, some columns take no part.
  void unit_columns() {
    const int64_t s = 5, k = 7, L = 2, m = 2, H = 9, total = 40, size = m * k;
    std::vector<int64_t> first, count;
    for (int64_t u = 0, next = 1; u < L * H; ++u) {
      const int64_t wanted = std::min(total - next, random_.below(4));
      first.push_back(next);
      count.push_back(wanted);
      next += wanted;
    }
    const Values columns = random_.values(total * size), z = random_.values(s * total);
    const Values x = random_.values(s * k * L * m * H);
    const auto state = [&](int64_t j, int64_t u, int64_t c, int64_t row) {  // [s, k, L, m, H]
      return at((((j * k + row) * L + u / H) * m + c) * H + u % H);
    };
    Values combined(x.size()), coefficients(z.size());
    for (int64_t j = 0; j < s; ++j) {
      for (int64_t u = 0; u < L * H; ++u) {
        for (int64_t column = first[at(u)]; column < first[at(u)] + count[at(u)]; ++column) {
          for (int64_t i = 0; i < size; ++i) {
            const double entry = columns[at(column * size + i)];
            const size_t place = state(j, u, i / k, i % k);
            combined[place] += entry * z[at(j * total + column)];
            coefficients[at(j * total + column)] += entry * x[place];
          }
        }
      }
    }
    const Buffer u(machine_, dtype_, columns), a(machine_, dtype_, z), b(machine_, dtype_, x);
    Buffer out(machine_, dtype_, s * k * L * m * H);
    const Buffer back(machine_, dtype_, s * total);
    for (const double beta : {0.0, 0.5}) {
      Values truth = combined;
      for (size_t i = 0; i < truth.size(); ++i) truth[i] = 2 * combined[i] + beta * x[i];
      if (beta != 0) out.write(x);
      require(kpflow_unit_combine(context_, dtype_, s, k, L, m, H, total, first.data(), count.data(), u.data(), 2,
                                  a.data(), beta, out.data(), nullptr),
              "unit_combine");
      checks_.close("unit_combine", out.read(), truth, r_);
    }
    require(kpflow_unit_coefficients(context_, dtype_, s, k, L, m, H, total, first.data(), count.data(), u.data(),
                                     b.data(), back.data(), nullptr),
            "unit_coefficients");
    checks_.close("unit_coefficients", back.read(), coefficients, r_);
  }

  // The same numbers as the CPU's, in parts as in one piece, of the right moments.
  void random_numbers(const Machine& cpu) {
    const uint64_t seed = 0x123456789ABCDEFu;
    for (const int32_t distribution : {KPFLOW_GAUSSIAN, KPFLOW_RADEMACHER, KPFLOW_UNIFORM}) {
      const Values own = draw(machine_, distribution, seed, 3, 100001);
      const Values truth = draw(cpu, distribution, seed, 3, 100001);
      if (distribution == KPFLOW_GAUSSIAN && dtype_ == KPFLOW_F64) {
        bool near = true;
        for (size_t i = 0; i < own.size(); ++i)
          near = near && std::fabs(own[i] - truth[i]) <= 1e-15 * std::fabs(truth[i]);
        checks_.expect(near, "Gaussian numbers", "not the CPU's to 1e-15");
      } else if (distribution == KPFLOW_GAUSSIAN) {
        checks_.within("Gaussian numbers", own, truth, 2 * rounding(dtype_) * 8);
      } else {
        checks_.same(text("distribution %d", distribution), own, truth);
      }
      const Values part = draw(machine_, distribution, seed, 3 + 1234, 777);
      checks_.same("a part of them", part, Values(own.begin() + 1234, own.begin() + 1234 + 777));
      double mean = 0;
      for (const double value : own) mean += value / static_cast<double>(own.size());
      const double variance = dot(own, own) / static_cast<double>(own.size()) - mean * mean;
      const bool uniform = distribution == KPFLOW_UNIFORM;
      checks_.within("mean", {mean}, {uniform ? 0.5 : 0}, 0.015);
      checks_.within("variance", {variance}, {uniform ? 1.0 / 12 : 1}, 0.02);
    }
    // Philox4x32-10 of the counter 0 under the key 0 begins with these words (Salmon et al. 2011, kat_vectors); a uniform
    // number has 52 bits of two of them.
    const auto uniform_of = [](uint64_t high, uint64_t low) {
      return (static_cast<double>((high << 32 | low) >> 12) + 0.5) * 0x1p-52;
    };
    checks_.same("words of the generator", draw(machine_, KPFLOW_UNIFORM, 0, 0, 2),
                 rounded(dtype_, {uniform_of(0x6627e8d5, 0xe169c58d), uniform_of(0xbc57ac4c, 0x9b00dbd8)}));
  }

  void orthonormalize() {
    const std::vector<std::vector<int64_t>> sizes = {{1, 1}, {3, 7}, {5, 5}, {17, 4099}, {40, 64}};
    for (const auto& size : sizes) {
      const int64_t m = size[0], n = size[1];
      const Values x = random_.values(m * n);
      const Buffer a(machine_, dtype_, x);
      require(kpflow_orthonormalize(context_, dtype_, m, n, a.data()), "orthonormalize");
      const Values q = a.read();
      Values gram(at(m * m)), identity(at(m * m), 0.0), coefficients(at(m * m)), back(x.size());
      for (int64_t i = 0; i < m * m; ++i) {
        identity[at(i)] = i / m == i % m ? 1 : 0;
        for (int64_t j = 0; j < n; ++j) {
          gram[at(i)] += q[at(i / m * n + j)] * q[at(i % m * n + j)];
          coefficients[at(i)] += x[at(i / m * n + j)] * q[at(i % m * n + j)];
        }
      }
      for (int64_t i = 0; i < m * n; ++i) {
        for (int64_t j = 0; j < m; ++j) back[at(i)] += coefficients[at(i / n * m + j)] * q[at(j * n + i % n)];
      }
      checks_.close("Q Q^T = I", gram, identity, 64 * rounding(dtype_));
      checks_.close("the same span", back, x, 64 * rounding(dtype_));
    }
  }

 private:
  static size_t at(int64_t index) { return static_cast<size_t>(index); }

  void gemm(int64_t m, int64_t n, int64_t k, bool transpose_a, bool transpose_b, double beta) {
    const Values a = random_.values(m * k), b = random_.values(k * n), c = random_.values(m * n);
    Values truth(c.size());
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0;
        for (int64_t l = 0; l < k; ++l) {
          sum += a[at(transpose_a ? l * m + i : i * k + l)] * b[at(transpose_b ? j * k + l : l * n + j)];
        }
        truth[at(i * n + j)] = 1.5 * sum + beta * c[at(i * n + j)];
      }
    }
    const Buffer left(machine_, dtype_, a, 1), right(machine_, dtype_, b);
    Buffer out(machine_, dtype_, m * n);
    if (beta != 0) out.write(c);
    require(kpflow_gemm(context_, dtype_, transpose_a, transpose_b, m, n, k, 1.5, left.data(), right.data(), beta,
                        out.data()),
            "gemm");
    checks_.close(text("gemm %d%d", transpose_a, transpose_b), out.read(), truth, r_);
  }

  Values draw(const Machine& machine, int32_t distribution, uint64_t seed, int64_t offset, int64_t count) const {
    const Buffer out(machine, dtype_, count);
    require(kpflow_fill_random(machine.context(), dtype_, distribution, seed, offset, count, out.data()),
            "fill_random");
    return out.read();
  }

  const Machine& machine_;
  kpflow_context* context_;
  int32_t dtype_;
  Checks& checks_;
  double r_;
  Random random_{7};
};

// Singular values, eigenvalues and vectors of small matrices, which the CPU computes whatever the device.
void dense(Checks& checks) {
  const int64_t n = 12;
  Values a = Random(3).values(n * n), b = a, values(n), vectors(static_cast<size_t>(n * n)), back(vectors);
  for (int64_t i = 0; i < n * n; ++i) {
    a[static_cast<size_t>(i)] = b[static_cast<size_t>(i)] + b[static_cast<size_t>(i % n * n + i / n)];
  }
  const Values symmetric = a;
  require(kpflow_symmetric_eigen(n, a.data(), values.data(), 1), "symmetric_eigen");
  for (int64_t i = 0; i < n * n; ++i) {
    for (int64_t j = 0; j < n; ++j) {
      const double* v = a.data() + j * n;
      back[static_cast<size_t>(i)] += values[static_cast<size_t>(j)] * v[i / n] * v[i % n];
    }
  }
  checks.close("symmetric_eigen", back, symmetric, 1e-13);
  checks.expect(std::is_sorted(values.begin(), values.end()), "eigenvalues ascend");
  const int64_t m = 5;
  Values c = Random(4).values(m * n), singular(m), u(m * m), vt(m * n), product(c.size(), 0.0);
  const Values matrix = c;
  require(kpflow_svd(m, n, c.data(), singular.data(), u.data(), vt.data()), "svd");
  for (size_t i = 0; i < product.size(); ++i) {
    for (size_t j = 0; j < m; ++j) product[i] += u[i / n * m + j] * singular[j] * vt[j * n + i % n];
  }
  checks.close("svd", product, matrix, 1e-13);
}

// eigsh of an operator given by a callback: a diagonal matrix, whose eigenvalues are known.
struct Diagonal {
  const Machine* machine;
  int64_t n;
};
int32_t multiply(void* user, const void* x, void* y) {
  const auto& diagonal = *static_cast<const Diagonal*>(user);
  const int32_t device = diagonal.machine->device();
  Values values(static_cast<size_t>(diagonal.n));
  const auto bytes = static_cast<int64_t>(values.size() * sizeof(double));
  if (kpflow_buffer_copy(device, x, values.data(), bytes) != KPFLOW_OK) return 1;
  for (size_t i = 0; i < values.size(); ++i) values[i] *= static_cast<double>(i) - 10;
  return kpflow_buffer_copy(device, values.data(), y, bytes) == KPFLOW_OK ? 0 : 1;
}

void callback_eigsh(const Machine& machine, Checks& checks) {
  const int64_t n = 60, modes = 4;
  Diagonal diagonal{&machine, n};
  const std::vector<std::pair<int32_t, Values>> expected = {{KPFLOW_LA, {46, 47, 48, 49}},
                                                            {KPFLOW_SA, {-10, -9, -8, -7}},
                                                            {KPFLOW_LM, {46, 47, 48, 49}},
                                                            {KPFLOW_BE, {-10, -9, 48, 49}}};
  for (const auto& [which, truth] : expected) {
    const kpflow_eigsh_options options{modes, 24, 500, 0, which, 0};
    const Buffer start(machine, KPFLOW_F64, Values(n, 1.0)), vectors(machine, KPFLOW_F64, modes * n);
    Values values(modes, NAN), residuals(modes, NAN);
    kpflow_eigsh_info info{};
    require(kpflow_eigsh(machine.context(), KPFLOW_F64, n, nullptr, 0, multiply, &diagonal, &options, start.data(),
                         values.data(), vectors.data(), residuals.data(), &info, nullptr),
            "eigsh");
    std::sort(values.begin(), values.end());
    checks.within(text("eigsh of a callback, which=%d", which), values, truth, 1e-10);
    checks.within("its residuals", residuals, Values(modes, 0.0), 1e-8);
    checks.expect(info.converged == modes && info.matvecs > 0, "its counts");
  }
}

}  // namespace

void test_arrays(const Machine& machine, const Options& options, Checks& checks) {
  const Machine cpu(KPFLOW_CPU, options.threads);
  for (const int32_t dtype : {KPFLOW_F64, KPFLOW_F32}) {
    ArrayTest test(machine, dtype, checks);
    const auto group = [&](const char* name, auto body) {
      checks.group(text("%s %s %s", machine.name(), dtype_name(dtype), name), body);
    };
    group("axpby", [&] { test.axpby(); });
    group("dot", [&] { test.dots(); });
    group("gemm", [&] { test.gemm(); });
    group("row products", [&] { test.row_products(); });
    group("combined rows", [&] { test.combine_rows(); });
    group("strided axpby", [&] { test.strided(); });
    group("accumulated Gram matrices", [&] { test.grams(); });
    group("unit columns", [&] { test.unit_columns(); });
    group("random numbers", [&] { test.random_numbers(cpu); });
    group("orthonormal rows", [&] { test.orthonormalize(); });
  }
  checks.group(text("%s eigsh of a callback", machine.name()), [&] { callback_eigsh(machine, checks); });
  checks.group("dense factorizations", [&] { dense(checks); });
}

}  // namespace kpflow_test
