// The training functions against plain loops in f64.
#include <cmath>

#include "parts.hpp"

namespace kpflow_test {

namespace {

size_t at(int64_t index) { return static_cast<size_t>(index); }

class TrainingTest {
 public:
  TrainingTest(const Machine& machine, int32_t dtype, Checks& checks)
      : machine_(machine), context_(machine.context()), dtype_(dtype), checks_(checks), r_(32 * rounding(dtype)) {}

  void readout(int64_t rows, int64_t units, int64_t begin, int64_t width, int64_t outputs, bool with_bias) {
    const Values state = random_.values(rows * units), weight = random_.values(outputs * width);
    const Values bias = random_.values(outputs), errors = random_.values(rows * outputs);
    Values y(errors.size()), back(state.size()), gradient(weight.size()), sums(bias.size());
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t o = 0; o < outputs; ++o) {
        const double error = errors[at(row * outputs + o)];
        double& value = y[at(row * outputs + o)];
        value = with_bias ? bias[at(o)] : 0;
        sums[at(o)] += error;
        for (int64_t i = 0; i < width; ++i) {
          const size_t place = at(row * units + begin + i);
          value += weight[at(o * width + i)] * state[place];
          back[place] += weight[at(o * width + i)] * error;
          gradient[at(o * width + i)] += error * state[place];
        }
      }
    }
    const Buffer h(machine_, dtype_, state), w(machine_, dtype_, weight), b(machine_, dtype_, bias),
        e(machine_, dtype_, errors), out(machine_, dtype_, rows * outputs), adjoint(machine_, dtype_, rows * units),
        dw(machine_, dtype_, outputs * width), db(machine_, dtype_, outputs);
    const kpflow_readout readout{
        dtype_, 0, rows, units, begin, width, outputs, w.data(), with_bias ? b.data() : nullptr};
    require(kpflow_readout_apply(context_, &readout, h.data(), out.data()), "readout_apply");
    checks_.close("readout", out.read(), y, r_);
    require(kpflow_readout_adjoint(context_, &readout, e.data(), adjoint.data()), "readout_adjoint");
    checks_.close("its adjoint", adjoint.read(), back, r_);
    require(kpflow_readout_gradient(context_, &readout, h.data(), e.data(), dw.data(), db.data()), "readout_gradient");
    checks_.close("its weight's gradient", dw.read(), gradient, r_);
    checks_.close("its bias's gradient", db.read(), sums, r_);
    const Buffer alone(machine_, dtype_, outputs * width);
    require(kpflow_readout_gradient(context_, &readout, h.data(), e.data(), alone.data(), nullptr), "readout_gradient");
    checks_.same("the weight's gradient alone", alone.read(), dw.read());
  }

  void loss(int64_t rows, int64_t outputs, bool masked) {
    const Values y = random_.values(rows * outputs), targets = random_.values(rows * outputs);
    Values mask(at(rows), 1.0), slope(y.size(), 0.0);
    double counted = 0, sum = 0, found = NAN;
    for (int64_t row = 0; row < rows; ++row) {
      if (masked && row > 0) mask[at(row)] = static_cast<double>(random_.below(2));
      counted += mask[at(row)] * static_cast<double>(outputs);
    }
    for (size_t i = 0; i < y.size(); ++i) {
      const double difference = mask[i / at(outputs)] * (y[i] - targets[i]);
      sum += difference * difference / counted;
      slope[i] = 2 / counted * difference;
    }
    const Buffer out(machine_, dtype_, y), t(machine_, dtype_, targets), m(machine_, dtype_, mask);
    require(kpflow_mean_squared_error(context_, dtype_, rows, outputs, out.data(), t.data(),
                                      masked ? m.data() : nullptr, &found),
            "mean_squared_error");
    checks_.close("loss", {found}, {sum}, dtype_ == KPFLOW_F64 ? 1e-12 : 1e-6);
    checks_.close("its derivative", out.read(), slope, r_);
  }

  void clamp() {
    for (const int64_t count : {1, 5, 4099, 70001}) {
      Values x = random_.values(count);
      const Buffer a(machine_, dtype_, x, 1);
      require(kpflow_clamp(context_, dtype_, count, 0.25, a.data()), "clamp");
      for (double& value : x) value = std::fmin(std::fmax(value, -0.25), 0.25);
      checks_.same("clamp", a.read(), x);
    }
    const Buffer a(machine_, dtype_, Values{NAN, 2, -INFINITY});
    require(kpflow_clamp(context_, dtype_, 3, 1, a.data()), "clamp");
    const Values found = a.read();
    checks_.expect(std::isnan(found[0]) && found[1] == 1 && found[2] == -1, "clamp of a NaN and of infinity");
  }

  void adam() {
    const double rate = 0.01, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8;
    for (const int64_t count : {1, 33, 70001}) {
      const Values start = random_.values(count);
      Values theta = start, m(theta.size(), 0.0), v(m);
      const Buffer weights(machine_, dtype_, theta, 1), first(machine_, dtype_, m), second(machine_, dtype_, v);
      for (int step = 1; step <= 3; ++step) {
        const Values g = random_.values(count);
        const Buffer gradient(machine_, dtype_, g);
        require(kpflow_adam_step(context_, dtype_, count, step, rate, beta1, beta2, epsilon, gradient.data(),
                                 first.data(), second.data(), weights.data()),
                "adam_step");
        for (size_t i = 0; i < g.size(); ++i) {
          m[i] = beta1 * m[i] + (1 - beta1) * g[i];
          v[i] = beta2 * v[i] + (1 - beta2) * g[i] * g[i];
          theta[i] -=
              rate * (m[i] / (1 - std::pow(beta1, step))) / (std::sqrt(v[i] / (1 - std::pow(beta2, step))) + epsilon);
        }
      }
      checks_.close("Adam's m", first.read(), m, r_);
      checks_.close("Adam's v", second.read(), v, r_);
      checks_.close("Adam's theta", weights.read(), theta, r_);
    }
  }

  void shampoo(int64_t m, int64_t n) {
    const Values g = random_.values(m * n), theta = random_.values(m * n);
    Values left = random_.values(m * m), right = random_.values(n * n), left_sum = left, right_sum = right;
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < m; ++j) {
        for (int64_t l = 0; l < n; ++l) left_sum[at(i * m + j)] += g[at(i * n + l)] * g[at(j * n + l)];
      }
    }
    for (int64_t i = 0; i < n; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        for (int64_t l = 0; l < m; ++l) right_sum[at(i * n + j)] += g[at(l * n + i)] * g[at(l * n + j)];
      }
    }
    const Buffer gradient(machine_, dtype_, g), L(machine_, KPFLOW_F64, left), R(machine_, KPFLOW_F64, right);
    require(kpflow_shampoo_accumulate(context_, dtype_, m, n, gradient.data(), L.data(), R.data()),
            "shampoo_accumulate");
    checks_.close("Shampoo's left statistics", L.read(), left_sum, 1e-12);
    checks_.close("Shampoo's right statistics", R.read(), right_sum, 1e-12);
    const Buffer alone(machine_, KPFLOW_F64, left);
    require(kpflow_shampoo_accumulate(context_, dtype_, m, n, gradient.data(), alone.data(), nullptr),
            "shampoo_accumulate");
    checks_.close("Shampoo's left statistics alone", alone.read(), left_sum, 1e-12);
    for (const bool both : {true, false}) {
      const Buffer weights(machine_, dtype_, theta), A(machine_, KPFLOW_F64, left), B(machine_, KPFLOW_F64, right);
      require(kpflow_shampoo_step(context_, dtype_, m, n, 0.1, A.data(), gradient.data(), both ? B.data() : nullptr,
                                  weights.data()),
              "shampoo_step");
      Values product(g.size()), moved = theta;
      for (int64_t i = 0; i < m * n; ++i) {
        for (int64_t l = 0; l < m; ++l) product[at(i)] += left[at(i / n * m + l)] * g[at(l * n + i % n)];
      }
      for (int64_t i = 0; i < m * n; ++i) {
        double value = both ? 0 : product[at(i)];
        for (int64_t l = 0; l < n && both; ++l) value += product[at(i / n * n + l)] * right[at(l * n + i % n)];
        moved[at(i)] -= 0.1 * value;
      }
      checks_.close("Shampoo's step", weights.read(), moved, r_);
    }
  }

 private:
  const Machine& machine_;
  kpflow_context* context_;
  int32_t dtype_;
  Checks& checks_;
  double r_;
  Random random_{11};
};

// A^(-1/root) to the power of root, times A, is I for a matrix whose eigenvalues are above the floor.
void inverse_root(const Machine& machine, int64_t n, Checks& checks) {
  Random random(12);
  const Values b = random.values(n * n);
  Values a(b.size()), identity(b.size(), 0.0);
  for (int64_t i = 0; i < n * n; ++i) {
    identity[at(i)] = i / n == i % n ? 1 : 0;
    a[at(i)] = identity[at(i)];
    for (int64_t l = 0; l < n; ++l) a[at(i)] += b[at(i / n * n + l)] * b[at(i % n * n + l)];
  }
  const auto times = [&](const Values& x, const Values& y) {
    Values product(x.size());
    for (int64_t i = 0; i < n * n; ++i) {
      for (int64_t l = 0; l < n; ++l) product[at(i)] += x[at(i / n * n + l)] * y[at(l * n + i % n)];
    }
    return product;
  };
  for (const int32_t root : {2, 4}) {
    const Buffer in(machine, KPFLOW_F64, a), out(machine, KPFLOW_F64, n * n);
    require(kpflow_inverse_root(machine.context(), n, in.data(), root, 1e-12, out.data()), "inverse_root");
    const Values found = out.read(), square = times(found, found);
    checks.close(text("inverse root %d", root), times(root == 2 ? square : times(square, square), a), identity, 1e-10);
    checks.same("its argument is kept", in.read(), a);
    // A floor above every eigenvalue: floor^(-1/root) I.
    const double floor = 1e4;
    require(kpflow_inverse_root(machine.context(), n, in.data(), root, floor, out.data()), "inverse_root");
    Values scaled = identity;
    for (double& value : scaled) value *= std::pow(floor, -1.0 / root);
    checks.close("inverse root at the floor", out.read(), scaled, 1e-12);
  }
}

}  // namespace

void test_training(const Machine& machine, const Options&, Checks& checks) {
  for (const int32_t dtype : {KPFLOW_F64, KPFLOW_F32}) {
    checks.group(text("%s %s training", machine.name(), dtype_name(dtype)), [&] {
      TrainingTest test(machine, dtype, checks);
      test.readout(21, 33, 0, 33, 3, true);
      test.readout(1000, 66, 33, 20, 1, false);
      test.readout(1, 1, 0, 1, 1, true);
      test.loss(21, 3, false);
      test.loss(1003, 2, true);
      test.clamp();
      test.adam();
      test.shampoo(7, 5);
      test.shampoo(1, 33);
    });
  }
  checks.group(text("%s inverse roots", machine.name()), [&] {
    inverse_root(machine, 1, checks);
    inverse_root(machine, 17, checks);
    inverse_root(machine, 65, checks);
  });
}

}  // namespace kpflow_test
