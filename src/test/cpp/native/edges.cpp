// The array primitives where they are most easily wrong: rows that depend on each other, strides that meet, numbers whose squares
// overflow, blocks larger than what is taken at a time.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "parts.hpp"

namespace kpflow_test {

namespace {

size_t at(int64_t index) { return static_cast<size_t>(index); }

// Orthonormal rows whose span holds those of x, whatever these are.
void orthonormalize(const Machine& machine, int32_t dtype, Checks& checks, const char* name, int64_t m, int64_t n,
                    const Values& x) {
  const Buffer a(machine, dtype, x);
  require(kpflow_orthonormalize(machine.context(), dtype, m, n, a.data()), "orthonormalize");
  const Values q = a.read();
  double off = 0, lost = 0;
  for (int64_t i = 0; i < m; ++i) {
    Values left(x.begin() + i * n, x.begin() + (i + 1) * n);
    const double size =
        *std::max_element(left.begin(), left.end(), [](double c, double d) { return std::fabs(c) < std::fabs(d); });
    for (double& value : left) value = size != 0 ? value / std::fabs(size) : 0;
    const double whole = norm(left);
    for (int64_t j = 0; j < m; ++j) {
      const Values other(q.begin() + j * n, q.begin() + (j + 1) * n);
      off = std::max(off, std::fabs(dot(Values(q.begin() + i * n, q.begin() + (i + 1) * n), other) - (i == j ? 1 : 0)));
      const double part = dot(left, other);
      for (int64_t c = 0; c < n; ++c) left[at(c)] -= part * other[at(c)];
    }
    if (whole > 0) lost = std::max(lost, norm(left) / whole);
  }
  const double r = rounding(dtype);
  checks.expect(off <= 200 * r + 1e-12, text("%s %dx%d", name, static_cast<int>(m), static_cast<int>(n)),
                text("Q Q^T is off by %g", off));
  checks.expect(lost <= 1000 * r + 1e-12, text("%s %dx%d", name, static_cast<int>(m), static_cast<int>(n)),
                text("the span has lost %g", lost));
}

void degenerate_rows(const Machine& machine, int32_t dtype, Checks& checks) {
  Random random(11);
  const double huge = dtype == KPFLOW_F32 ? 1e30 : 1e200;
  const std::vector<std::vector<int64_t>> sizes = {{1, 1}, {2, 3}, {40, 64}, {40, 40}, {9, 4099}, {70, 75}};
  for (const auto& size : sizes) {
    const int64_t m = size[0], n = size[1];
    const auto rows = [&](auto entry) {
      Values x(at(m * n));
      for (int64_t i = 0; i < m * n; ++i) x[at(i)] = entry(i / n, i % n);
      return rounded(dtype, x);
    };
    const Values base = random.values(m * n);
    const auto check = [&](const char* name, const Values& x) {
      orthonormalize(machine, dtype, checks, name, m, n, x);
    };
    check("any rows", base);
    check("huge rows", rows([&](int64_t i, int64_t j) { return huge * base[at(i * n + j)]; }));
    check("tiny rows", rows([&](int64_t i, int64_t j) { return base[at(i * n + j)] / huge; }));
    check("zero rows", Values(at(m * n)));
    check("rows in pairs", rows([&](int64_t i, int64_t j) { return base[at(i / 2 * 2 * n + j)]; }));
    check("rows close together",
          rows([&](int64_t i, int64_t j) { return base[at(j)] + 1e-6 * base[at(i * n + j)] * (i % 3 == 0 ? 0 : 1); }));
    check("powers", rows([&](int64_t i, int64_t j) {
            return std::pow(static_cast<double>(j + 1) / static_cast<double>(n), static_cast<double>(i));
          }));
    check("rank two", rows([](int64_t i, int64_t j) { return j < 2 ? static_cast<double>(1 + i * (1 - j)) : 0.0; }));
  }
}

// Strides of y that are zero, overlap or lie in any order: updates happen in row-major order.
void strides(const Machine& machine, int32_t x_dtype, int32_t y_dtype, Checks& checks) {
  Random random(13);
  for (int round = 0; round < 120; ++round) {
    const int64_t axes = random.below(KPFLOW_MAX_AXES + 1);
    std::vector<int64_t> shape, x_strides, y_strides;
    int64_t x_count = 1, y_count = 1, size = 1;
    for (int64_t axis = 0; axis < axes; ++axis) {
      shape.push_back(1 + random.below(axes > 4 ? 3 : 6));
      x_strides.push_back(random.below(3) == 0 ? 0 : random.below(20));
      const int64_t kind = random.below(3);
      y_strides.push_back(kind == 0 ? 0 : kind == 1 && round % 2 == 0 ? random.below(4) : y_count);
      x_count += (shape.back() - 1) * x_strides.back();
      y_count += (shape.back() - 1) * y_strides.back();
      size *= shape.back();
    }
    const double beta = round % 3 == 0 ? 0 : round % 3 == 1 ? 1 : 0.9;
    const Values x = random.values(x_count), y = random.values(y_count);
    Values truth = y;
    for (int64_t i = 0; i < size; ++i) {
      int64_t rest = i, from = 0, to = 0;
      for (int64_t axis = axes - 1; axis >= 0; --axis) {
        from += rest % shape[at(axis)] * x_strides[at(axis)];
        to += rest % shape[at(axis)] * y_strides[at(axis)];
        rest /= shape[at(axis)];
      }
      truth[at(to)] = rounded(y_dtype, {1.25 * x[at(from)] + beta * truth[at(to)]})[0];
    }
    const Buffer a(machine, x_dtype, x), b(machine, y_dtype, y);
    require(kpflow_strided_axpby(machine.context(), static_cast<int32_t>(axes), shape.data(), 1.25, x_dtype, a.data(),
                                 x_count, x_strides.data(), beta, y_dtype, b.data(), y_count, y_strides.data()),
            "strided_axpby");
    checks.close("strided_axpby", b.read(), truth, 4 * rounding(y_dtype));
  }
}

// x and y in one array: columns side by side, of which none is both, and rows or columns that are.
void slices(const Machine& machine, int32_t dtype, Checks& checks) {
  constexpr int64_t kRows = 70, kColumns = 9;
  struct Case {
    const char* name;
    int64_t rows, columns, x, y;  // both are rows x columns of the array, from these elements on
  };
  for (const Case& c :
       {Case{"columns side by side", kRows, 3, 1, 5}, Case{"columns the other way round", kRows, 4, 5, 1},
        Case{"the same columns", kRows, 4, 2, 2}, Case{"rows of a later half", kRows / 2, 9, 0, kRows / 2 * kColumns},
        Case{"columns that overlap", kRows, 4, 2, 4}, Case{"rows that overlap", kRows - 1, 9, 0, kColumns}}) {
    for (const double beta : {0.0, 0.5}) {
      const Buffer array(machine, dtype, Random(19).values(kRows * kColumns));
      Values truth = array.read();
      for (int64_t i = 0; i < c.rows * c.columns; ++i) {
        const int64_t entry = i / c.columns * kColumns + i % c.columns;
        truth[at(c.y + entry)] = rounded(dtype, {0.75 * truth[at(c.x + entry)] + beta * truth[at(c.y + entry)]})[0];
      }
      const int64_t shape[] = {c.rows, c.columns}, strides[] = {kColumns, 1};
      char* memory = static_cast<char*>(array.data());
      require(kpflow_strided_axpby(machine.context(), 2, shape, 0.75, dtype, memory + c.x * dtype_size(dtype),
                                   array.count() - c.x, strides, beta, dtype, memory + c.y * dtype_size(dtype),
                                   array.count() - c.y, strides),
              "strided_axpby");
      checks.close(c.name, array.read(), truth, 4 * rounding(dtype));
    }
  }
}

// Copies within an array whose ranges overlap.
void moves(const Machine& machine, Checks& checks) {
  const int64_t count = 100003;
  for (const int64_t shift : {int64_t{-50000}, int64_t{-1}, int64_t{0}, int64_t{3}, int64_t{99000}}) {
    const Values values = Random(23).values(count);
    Values truth = values;
    const int64_t from = std::max<int64_t>(0, -shift), moved = count - std::abs(shift);
    for (int64_t i = 0; i < moved; ++i) truth[at(from + shift + i)] = values[at(from + i)];
    const Buffer array(machine, KPFLOW_F64, values);
    double* memory = static_cast<double*>(array.data());
    require(kpflow_buffer_copy(machine.device(), memory + from, memory + from + shift,
                               moved * static_cast<int64_t>(sizeof(double))),
            "buffer_copy");
    checks.same(text("an array moved by %d", static_cast<int>(shift)), array.read(), truth);
  }
}

// Gram matrices of more terms than one strip, of more rows than one tile, of numbers whose squares leave f32.
void grams(const Machine& machine, int32_t dtype, Checks& checks) {
  struct Case {
    int64_t s, B, T, n;
    double scale;
  };
  const double huge = dtype == KPFLOW_F32 ? 1e25 : 1;
  for (const Case& c : {Case{1, 1, 1, 1, 1}, Case{2, 2, 3, 600, 1}, Case{1, 2, 4500, 2, 1}, Case{4200, 1, 2, 3, 1},
                        Case{2, 33, 2, 35, huge}, Case{2, 33, 2, 35, 1 / huge}, Case{2, 0, 3, 4, 1}}) {
    const Values x = rounded(dtype, Random(17).values(c.s * c.B * c.T * c.n, c.scale));
    for (int32_t keep = 1; keep <= 7; ++keep) {
      const int64_t d = (keep & 1 ? c.B : 1) * (keep & 2 ? c.T : 1) * (keep & 4 ? c.n : 1), size = c.B * c.T * c.n;
      if (d > 100) continue;
      std::vector<int64_t> kept(at(size)), traced(at(size));
      for (int64_t i = 0; i < size; ++i) {
        const int64_t sizes[] = {c.B, c.T, c.n}, index[] = {i / (c.T * c.n), i / c.n % c.T, i % c.n};
        for (int axis = 0; axis < 3; ++axis) {
          int64_t& flat = keep >> axis & 1 ? kept[at(i)] : traced[at(i)];
          flat = flat * sizes[axis] + index[axis];
        }
      }
      const int64_t columns = d > 0 ? size / d : 0;
      Values turned(at(c.s * size)), truth(at(d * d)), back(truth);
      for (int64_t i = 0; i < c.s * size; ++i) {
        turned[at((i / size * columns + traced[at(i % size)]) * d + kept[at(i % size)])] = x[at(i)];
      }
      for (int64_t column = 0; column < c.s * columns; ++column) {
        const double* row = turned.data() + column * d;
        for (int64_t i = 0; i < d * d; ++i) truth[at(i)] += 0.7 * row[i / d] * row[i % d];
      }
      const Buffer a(machine, dtype, x), out(machine, KPFLOW_F64, back);
      require(kpflow_accumulate_gram(machine.context(), dtype, c.s, c.B, c.T, c.n, a.data(), keep, 0.7, out.data(),
                                     nullptr),
              "accumulate_gram");
      const Values found = out.read();
      for (int64_t i = 0; i < d * d; ++i) back[at(i)] = found[at(i % d * d + i / d)];
      const std::string name = text("accumulate_gram keep=%d scale=%g", keep, c.scale);
      checks.close(name, found, truth, 64 * rounding(dtype) + 1e-12, 0);  // the truth itself is rounded
      checks.same(name + ", symmetric", back, found);
    }
  }
}

// The numbers of the CPU to the last bit, wherever they begin.
void random_bits(const Machine& machine, int32_t dtype, int32_t threads, Checks& checks) {
  const Machine cpu(KPFLOW_CPU, threads);
  for (const int32_t distribution : {KPFLOW_GAUSSIAN, KPFLOW_RADEMACHER, KPFLOW_UNIFORM}) {
    for (const int64_t offset : {int64_t{0}, int64_t{1}, int64_t{12345678901}, (int64_t{1} << 62) + 3}) {
      for (const int64_t count : {0, 1, 2, 3, 20011}) {
        const auto draw = [&](const Machine& on) {
          const Buffer out(on, dtype, count);
          require(kpflow_fill_random(on.context(), dtype, distribution, 0xC0FFEE123456789u, offset, count, out.data()),
                  "fill_random");
          return out.read();
        };
        checks.same(text("distribution %d", distribution), draw(machine), draw(cpu));
      }
    }
  }
}

}  // namespace

void test_edges(const Machine& machine, const Options& options, Checks& checks) {
  for (const int32_t dtype : {KPFLOW_F32, KPFLOW_F64}) {
    if (options.small && dtype == KPFLOW_F64) continue;
    const auto group = [&](const char* name, auto body) {
      checks.group(text("%s %s %s", machine.name(), dtype_name(dtype), name), body);
    };
    group("rows that depend on each other", [&] { degenerate_rows(machine, dtype, checks); });
    group("strides that meet", [&] {
      for (const int32_t y_dtype : {KPFLOW_F64, KPFLOW_F32}) strides(machine, dtype, y_dtype, checks);
    });
    group("slices of one array", [&] { slices(machine, dtype, checks); });
    group("Gram matrices of awkward sizes", [&] { grams(machine, dtype, checks); });
    group("bits of random numbers", [&] { random_bits(machine, dtype, options.threads, checks); });
  }
  checks.group(text("%s copies within an array", machine.name()), [&] { moves(machine, checks); });
}

}  // namespace kpflow_test
