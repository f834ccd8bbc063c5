// Models of awkward sizes: identities that hold on every device, and every device against the CPU in f64.
#include <algorithm>
#include <cmath>

#include "cells.hpp"
#include "parts.hpp"
#include "random_models.hpp"

namespace kpflow_test {

namespace {

constexpr int64_t kProbes = 5;

class ModelTest {
 public:
  ModelTest(const Machine& machine, const Model& model, int32_t dtype, Checks& checks)
      : machine_(machine),
        model_(model),
        checks_(checks),
        l_(machine, model, dtype),
        wide_(dtype == KPFLOW_F64),
        tolerance_(wide_ ? 1e-12 : 1e-5) {}

  // Everything against the CPU in f64, for blocks of these numbers of probes.
  void against(const Machine& cpu, const std::vector<int64_t>& probes) {
    const Linearization truth(cpu, model_, KPFLOW_F64);
    const double r = wide_ ? 1e-11 : 1e-4;
    checks_.close("state", l_.state(), truth.state(), r);
    for (const Family& f : l_.families()) {
      checks_.close(text("sites %d", f.index), l_.sites(f.index), truth.sites(f.index), r);
    }
    if (l_.steps_through_time()) {
      checks_.close("step Jacobians", l_.step_jacobians(), truth.step_jacobians(), r);
      checks_.within("exponents", exponents(l_), exponents(truth), wide_ ? 1e-9 : 1e-3);
    }
    for_each_operator([&](int32_t op, int32_t family, const std::string& name) {
      for (const int64_t s : probes) {
        for (const bool adjoint : {false, true}) {
          const Values x = random(s * l_.domain(op, family, adjoint));
          checks_.close(text("%s%s s=%d", name.c_str(), adjoint ? "*" : "", static_cast<int>(s)),
                        l_.apply(op, x, adjoint, family), truth.apply(op, x, adjoint, family), r);
        }
      }
    });
  }

  void identities() {
    if (!model_.cell.empty() && model_.trajectory.empty()) {
      checks_.close("forward pass in loops", l_.state(), forward_state(model_), wide_ ? 1e-12 : 1e-5);
    } else if (!model_.trajectory.empty()) {
      checks_.same("given state", l_.state(), model_.trajectory);
    }
    adjoints();
    products();
    gates();
    trials();
    blocks();
    if (l_.parameters() > 0) unit_modes();
    if (wide_ && model_.trajectory.empty() && !has_kinks() && !is_computed()) differences();
  }

  // Another run gives what this one does: again, from the device's memory, with other threads, for elements at odd places.
  void repeats() {
    const Values state = l_.state(), probe = random(kProbes * l_.state_size());
    const Values ntk = l_.apply(KPFLOW_NTK, probe);
    const auto same = [&](const char* how, const Linearization& other) {
      checks_.same(std::string("state ") + how, other.state(), state);
      checks_.same(std::string("NTK ") + how, other.apply(KPFLOW_NTK, probe), ntk);
    };
    Model other = model_;
    for (const auto& weight : other.weights()) {
      for (double& value : *weight.first) value *= 0.5;
    }
    if (!is_computed()) {
      Linearization again(machine_, other, l_.dtype());
      again.apply(KPFLOW_NTK, probe);
      again.run_again(model_);
      same("run again", again);
    }
    same("from the device's memory", Linearization(machine_, model_, l_.dtype(), true));
    const Machine one(machine_.device(), 1);
    same("with one thread", Linearization(one, model_, l_.dtype()));
    const Values adjoint = l_.apply(KPFLOW_J, probe, true);
    checks_.close("NTK of a slice", l_.apply(KPFLOW_NTK, probe, false, 0, 1), ntk, tolerance_);
    checks_.close("J* of a slice", l_.apply(KPFLOW_J, probe, true, 0, 3), adjoint, tolerance_);
    checks_.close("J of a slice", l_.apply(KPFLOW_J, adjoint, false, 0, 1), l_.apply(KPFLOW_J, adjoint), tolerance_);
  }

  // <A x, y> = <x, A* y>
  void adjoints() {
    for_each_operator([&](int32_t op, int32_t family, const std::string& name) {
      const Values x = random(l_.domain(op, family, false)), y = random(l_.domain(op, family, true));
      const Values image = l_.apply(op, x, false, family), back = l_.apply(op, y, true, family);
      checks_.within(name + " and its adjoint", {dot(image, y)}, {dot(x, back)},
                     tolerance_ * (norm(image) * norm(y) + norm(x) * norm(back)));
    });
  }

  void products() {
    const Values x = random(kProbes * l_.state_size());
    for (const bool adjoint : {false, true}) {
      const Values image = l_.apply(KPFLOW_P, x, adjoint);
      const double r = tolerance_ * (1 + norm(image) / norm(x));
      checks_.close("P^-1 P", l_.apply(KPFLOW_P_INVERSE, image, adjoint), x, r);
      checks_.close("P P^-1", l_.apply(KPFLOW_P, l_.apply(KPFLOW_P_INVERSE, x, adjoint), adjoint), x, r);
    }
    const Values kernel = l_.apply(KPFLOW_K, l_.apply(KPFLOW_P, x, true));
    checks_.close("NTK = P K P*", l_.apply(KPFLOW_NTK, x), l_.apply(KPFLOW_P, kernel), tolerance_);
    if (l_.parameters() == 0) return;
    checks_.close("K = D D*", l_.apply(KPFLOW_K, x), l_.apply(KPFLOW_D_THETA, l_.apply(KPFLOW_D_THETA, x, true)),
                  tolerance_);
    const Values u = random(kProbes * l_.parameters());
    checks_.close("J = P D", l_.apply(KPFLOW_J, u), l_.apply(KPFLOW_P, l_.apply(KPFLOW_D_THETA, u)), tolerance_);
  }

 private:
  Values random(int64_t count) { return random_.values(count); }
  bool is_computed() const { return !model_.is_graph() && model_.cell.empty(); }
  bool has_kinks() const {
    for (const NodeData& node : model_.nodes) {
      if (node.node.kind == KPFLOW_NODE_LINEAR && node.node.activation == KPFLOW_RELU) return true;
    }
    return model_.cell.find("relu") != std::string::npos;
  }
  static Values exponents(const Linearization& l) {
    const int64_t count = std::min<int64_t>(3, l.units());
    Values out(static_cast<size_t>(l.trials() * count), NAN);
    double smallest = NAN;
    require(kpflow_linearization_lyapunov(l.handle(), count, out.data(), &smallest, nullptr), "lyapunov");
    return out;
  }

  template <class Body>
  void for_each_operator(const Body& body) {
    for (const OperatorName& named : operators()) {
      const bool parameters = l_.domain(named.op, 0, false) != l_.state_size() || named.op == KPFLOW_J ||
                              named.op == KPFLOW_D_THETA || named.op == KPFLOW_TRIAL_JACOBIAN;
      if (!parameters || l_.parameters() > 0) body(named.op, 0, named.name);
    }
    for (const Family& f : l_.families()) {
      body(KPFLOW_D_GATES, f.index, text("D_gates %d", f.index));
      body(KPFLOW_CORE, f.index, text("core %d", f.index));
    }
  }

  // Weights of a layer norm act on one unit each: W is diagonal.
  bool is_gamma(const Family& f) const {
    return model_.is_graph() && f.index % 2 == 0 &&
           model_.nodes[static_cast<size_t>(f.index / 2)].node.kind == KPFLOW_NODE_LAYER_NORM;
  }

  // D_theta u = sum over families of D_gates (W v) with W the family's part of u; core = P D_gates.
  void gates() {
    const Values u = random(l_.parameters());
    Values sum(static_cast<size_t>(l_.state_size()), 0.0);
    for (const Family& f : l_.families()) {
      const Values q = random(l_.rows() * f.outputs);
      const Values image = l_.apply(KPFLOW_D_GATES, q, false, f.index);
      checks_.close(text("core %d = P D_gates", f.index), l_.apply(KPFLOW_CORE, q, false, f.index),
                    l_.apply(KPFLOW_P, image), tolerance_);
      if (f.offset < 0) continue;
      const Values sites = l_.sites(f.index);
      Values moved(q.size());
      for (int64_t row = 0; row < l_.rows(); ++row) {
        const double *weight = u.data() + f.offset, *v = sites.data() + row * f.sites;
        double* target = moved.data() + row * f.outputs;
        for (int64_t i = 0; i < f.outputs; ++i) {
          if (is_gamma(f)) target[i] = weight[i] * v[i];
          for (int64_t j = 0; j < f.sites && !is_gamma(f); ++j) target[i] += weight[i * f.sites + j] * v[j];
        }
      }
      const Values part = l_.apply(KPFLOW_D_GATES, moved, false, f.index);
      for (size_t i = 0; i < sum.size(); ++i) sum[i] += part[i];
    }
    if (l_.parameters() > 0) checks_.close("D_theta = sum of D_gates W", l_.apply(KPFLOW_D_THETA, u), sum, tolerance_);
  }

  // J_trial of the same weights for every trial is J, and the parts of its adjoint add up to J*.
  void trials() {
    if (l_.parameters() == 0) return;
    const int64_t p = l_.parameters();
    const Values u = random(p), y = random(l_.state_size());
    Values repeated;
    for (int64_t b = 0; b < l_.trials(); ++b) repeated.insert(repeated.end(), u.begin(), u.end());
    checks_.close("trial Jacobian", l_.apply(KPFLOW_TRIAL_JACOBIAN, repeated), l_.apply(KPFLOW_J, u), tolerance_);
    const Values parts = l_.apply(KPFLOW_TRIAL_JACOBIAN, y, true);
    Values sum(static_cast<size_t>(p), 0.0);
    for (size_t i = 0; i < parts.size(); ++i) sum[i % sum.size()] += parts[i];
    checks_.close("trial Jacobian*", sum, l_.apply(KPFLOW_J, y, true), tolerance_);
  }

  void blocks() {
    for_each_operator([&](int32_t op, int32_t family, const std::string& name) {
      for (const bool adjoint : {false, true}) {
        const int64_t size = l_.domain(op, family, adjoint);
        const Values x = random(3 * size);
        Values alone;
        for (int64_t j = 0; j < 3; ++j) {
          const Values one = l_.apply(op, Values(x.begin() + j * size, x.begin() + (j + 1) * size), adjoint, family);
          alone.insert(alone.end(), one.begin(), one.end());
        }
        checks_.close(name + (adjoint ? "*" : "") + " one by one", l_.apply(op, x, adjoint, family), alone, tolerance_);
      }
    });
  }

  // J u is the derivative of the state along u, by central differences.
  void differences() {
    if (l_.parameters() == 0) return;
    const Values u = random(l_.parameters());
    const double h = 1e-6;
    const auto moved = [&](double by) {
      Model other = model_;
      size_t at = 0;
      for (const auto& [weight, trained] : other.weights()) {
        for (size_t i = 0; trained && i < weight->size(); ++i) (*weight)[i] += by * u[at++];
      }
      return Linearization(machine_, other, KPFLOW_F64).state();
    };
    Values slope = moved(h);
    const Values below = moved(-h);
    for (size_t i = 0; i < slope.size(); ++i) slope[i] = (slope[i] - below[i]) / (2 * h);
    checks_.close("J by differences", l_.apply(KPFLOW_J, u), slope, 1e-8);
  }

  // Sum of V V^T over families, [k, k]; empty where none of them is trained.
  Values gram(const std::vector<int32_t>& families) const {
    Values sum;
    const auto k = static_cast<size_t>(l_.rows());
    for (const Family& f : l_.families()) {
      if (f.offset < 0 || std::find(families.begin(), families.end(), f.index) == families.end()) continue;
      const Values v = l_.sites(f.index);
      const auto m = static_cast<size_t>(f.sites);
      sum.resize(k * k, 0.0);
      for (size_t i = 0; i < k * k; ++i) {
        for (size_t j = 0; j < m; ++j) sum[i] += v[i / k * m + j] * v[i % k * m + j];
      }
    }
    return sum;
  }

  // The modes of a layer's first unit add up to its block of K.
  void unit_modes() {
    for (int64_t layer = 0; layer < l_.layers(); ++layer) {
      const auto at = static_cast<int32_t>(layer);
      Values first, second;
      if (!model_.is_graph()) {
        first = gram({4 * at, 4 * at + 2});
        second = gram({4 * at + 1, 4 * at + 3});
      } else {
        const kpflow_node& node = model_.nodes[static_cast<size_t>(layer)].node;
        const bool norm_node = node.kind == KPFLOW_NODE_LAYER_NORM;
        first = norm_node ? gram({2 * at + 1}) : gram({2 * at, 2 * at + 1});
        if (norm_node && (node.trainable & 1) != 0) second.assign(static_cast<size_t>(l_.rows() * l_.rows()), 1.0);
      }
      if (!first.empty() || !second.empty()) unit_modes_of(layer, first, second);
    }
  }

  void unit_modes_of(int64_t layer, const Values& first, const Values& second) {
    int64_t sizes[3];
    require(kpflow_linearization_layer(l_.handle(), layer, sizes), "layer");
    const int64_t rows = l_.rows(), n = l_.units(), d = l_.components() * rows;
    std::vector<int64_t> index;  // of (c, row) in the state
    for (int64_t c = 0; c < l_.components(); ++c) {
      for (int64_t row = 0; row < rows; ++row) index.push_back(row * n + sizes[2] + c * sizes[1]);
    }
    Values units(static_cast<size_t>(d * l_.state_size()), 0.0), truth, sum(static_cast<size_t>(d * d), 0.0);
    for (int64_t j = 0; j < d; ++j) units[static_cast<size_t>(j * l_.state_size() + index[static_cast<size_t>(j)])] = 1;
    const Values columns = l_.apply(KPFLOW_K, units);
    double trace = 0;
    for (int64_t j = 0; j < d; ++j) {
      for (int64_t i : index) truth.push_back(columns[static_cast<size_t>(j * l_.state_size() + i)]);
      trace += truth[static_cast<size_t>(j * d + j)];
    }
    int64_t rank = -1;
    Values modes(sum.size(), NAN), values(static_cast<size_t>(d), NAN), rest(2, NAN);
    require(kpflow_linearization_unit_modes(l_.handle(), first.empty() ? nullptr : first.data(),
                                            second.empty() ? nullptr : second.data(), sizes[0], 1, 1e-14 * trace, 0, d,
                                            &rank, modes.data(), values.data(), rest.data(), nullptr),
            "unit_modes");
    checks_.expect(rank >= 0 && rank <= d, "rank of a unit");
    for (int64_t mode = 0; mode < rank; ++mode) {
      const double* v = modes.data() + mode * d;
      for (int64_t i = 0; i < d * d; ++i) {
        sum[static_cast<size_t>(i)] += values[static_cast<size_t>(mode)] * v[i / d] * v[i % d];
      }
    }
    checks_.close(text("modes of the first unit of layer %d", static_cast<int>(layer)), sum, truth,
                  wide_ ? 1e-11 : 1e-5, rest[1] + 1e-13);
  }

  const Machine& machine_;
  const Model& model_;
  Checks& checks_;
  Linearization l_;
  bool wide_;
  double tolerance_;
  Random random_{99};
};

}  // namespace

void test_models(const Machine& machine, const Options& options, Checks& checks) {
  const Machine cpu(KPFLOW_CPU, options.threads);
  const auto group = [&](const Model& model, int32_t dtype, auto body) {
    checks.group(text("%s %s %s", machine.name(), dtype_name(dtype), model.name.c_str()), [&] {
      ModelTest test(machine, model, dtype, checks);
      body(test);
    });
  };
  const std::vector<int64_t> probes =
      options.small ? std::vector<int64_t>{kProbes} : std::vector<int64_t>{1, kProbes, 17};
  for (const int32_t dtype : {KPFLOW_F64, KPFLOW_F32}) {
    const bool other = machine.device() != KPFLOW_CPU || dtype != KPFLOW_F64;
    for (const Model& model : random_models(options)) {
      group(model, dtype, [&](ModelTest& test) {
        if (other) test.against(cpu, probes);
        test.identities();
        test.repeats();
      });
    }
    if (options.small) continue;
    for (const Model& model : large_models()) {
      group(model, dtype, [&](ModelTest& test) {
        if (other) test.against(cpu, {kProbes});
        test.products();
        test.adjoints();
      });
    }
  }
  // The engine's own cells against the same given as computed ones.
  checks.group(text("%s cells against computed cells", machine.name()), [&] {
    for (const char* cell : {"rnn_tanh", "rnn_relu", "leaky_rnn_tanh", "gru", "lstm"}) {
      RecurrentSizes sizes;
      sizes.layers = 2;
      const Model model = random_recurrent(cell, sizes, 31);
      const Linearization own(machine, model, KPFLOW_F64), computed(machine, computed_model(model), KPFLOW_F64);
      Random random(32);
      const Values x = random.values(2 * own.state_size());
      for (const bool adjoint : {false, true}) {
        checks.close(text("P of %s", cell), own.apply(KPFLOW_P, x, adjoint), computed.apply(KPFLOW_P, x, adjoint),
                     1e-12);
      }
      checks.close(text("NTK of %s", cell), own.apply(KPFLOW_NTK, x), computed.apply(KPFLOW_NTK, x), 1e-12);
      checks.close(text("K of %s", cell), own.apply(KPFLOW_K, x), computed.apply(KPFLOW_K, x), 1e-12);
      checks.close(text("step Jacobians of %s", cell), own.step_jacobians(), computed.step_jacobians(), 1e-12);
    }
  });
}

}  // namespace kpflow_test
