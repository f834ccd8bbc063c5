#include <algorithm>
#include <cmath>

#include "fixture.hpp"

namespace kpflow_test {

namespace {

struct View {
  const char* name;
  int keep;  // bits of B, T, n
};
constexpr View kViews[] = {{"_temp", 3}, {"_space", 4}, {"_batch", 1}, {"_time", 2}, {"_bh", 5}, {"_th", 6}};

// Where (b, t, i) is among the kept axes, and the product of the traced sizes.
struct Axes {
  int64_t sizes[3];
  int keep;
  int64_t kept() const { return count(keep); }
  int64_t traced() const { return count(7 - keep); }
  int64_t at(int64_t b, int64_t t, int64_t i, int mask) const {
    const int64_t index[] = {b, t, i};
    int64_t result = 0;
    for (int axis = 0; axis < 3; ++axis) {
      if (mask >> axis & 1) result = result * sizes[axis] + index[axis];
    }
    return result;
  }

 private:
  int64_t count(int mask) const {
    return product({mask & 1 ? sizes[0] : 1, mask & 2 ? sizes[1] : 1, mask & 4 ? sizes[2] : 1});
  }
};

template <class Body>
void for_each(const Axes& axes, const Body& body) {
  int64_t row = 0;
  for (int64_t b = 0; b < axes.sizes[0]; ++b) {
    for (int64_t t = 0; t < axes.sizes[1]; ++t) {
      for (int64_t i = 0; i < axes.sizes[2]; ++i)
        body(row++, axes.at(b, t, i, axes.keep), axes.at(b, t, i, 7 - axes.keep));
    }
  }
}

// Partial trace of a dense matrix, divided by the number of traced indices.
Values partial_trace(const Axes& axes, const Values& dense) {
  const int64_t size = axes.kept() * axes.traced();
  std::vector<std::vector<std::pair<int64_t, int64_t>>> groups(static_cast<size_t>(axes.traced()));
  for_each(axes, [&](int64_t row, int64_t kept, int64_t traced) {
    groups[static_cast<size_t>(traced)].emplace_back(row, kept);
  });
  Values result(static_cast<size_t>(axes.kept() * axes.kept()), 0.0);
  for (const auto& group : groups) {
    for (const auto& [row, i] : group) {
      for (const auto& [column, j] : group) {
        result[static_cast<size_t>(i * axes.kept() + j)] += dense[static_cast<size_t>(row * size + column)];
      }
    }
  }
  for (double& value : result) value /= static_cast<double>(axes.traced());
  return result;
}

// Columns [q, B, T, n] as [kept, traced q], whose Gram matrix is `traced` times the view.
Values factor(const Axes& axes, const Values& columns) {
  const int64_t size = axes.kept() * axes.traced(), q = static_cast<int64_t>(columns.size()) / size;
  Values result(columns.size());
  for_each(axes, [&](int64_t row, int64_t kept, int64_t traced) {
    for (int64_t j = 0; j < q; ++j) {
      result[static_cast<size_t>((kept * axes.traced() + traced) * q + j)] =
          columns[static_cast<size_t>(j * size + row)];
    }
  });
  return result;
}

Values transposed(const Values& x, int64_t rows) {
  const int64_t columns = static_cast<int64_t>(x.size()) / rows;
  Values result(x.size());
  for (int64_t i = 0; i < rows; ++i) {
    for (int64_t j = 0; j < columns; ++j)
      result[static_cast<size_t>(j * rows + i)] = x[static_cast<size_t>(i * columns + j)];
  }
  return result;
}

Values accumulate_gram(const Machine& machine, int32_t dtype, const Axes& axes, const Values& columns) {
  const int64_t d = axes.kept(), size = d * axes.traced();
  const Buffer x(machine, dtype, columns), out(machine, KPFLOW_F64, Values(static_cast<size_t>(d * d), 0.0));
  require(
      kpflow_accumulate_gram(machine.context(), dtype, x.count() / size, axes.sizes[0], axes.sizes[1], axes.sizes[2],
                             x.data(), axes.keep, 1.0 / static_cast<double>(axes.traced()), out.data(), nullptr),
      "accumulate_gram");
  return out.read();
}

// Units begin .. begin + count - 1 of [*, n].
Values restricted(const Values& x, int64_t n, int64_t begin, int64_t count) {
  Values result;
  for (size_t row = 0; row < x.size(); row += static_cast<size_t>(n)) {
    const auto first = x.begin() + static_cast<int64_t>(row) + begin;
    result.insert(result.end(), first, first + count);
  }
  return result;
}

Values negated(Values x) {
  for (double& value : x) value = -value;
  return x;
}

}  // namespace

Fixture::Fixture(const Machine& machine, std::string folder, const std::string& precision, Checks& checks)
    : machine_(machine),
      folder_(std::move(folder)),
      precision_(precision),
      dtype_(precision == "f64" ? KPFLOW_F64 : KPFLOW_F32),
      checks_(checks),
      json_(read_json(folder_ + "/case.json")),
      model_(case_model(json_, folder_)) {
  if (precision == "f32_given_state") model_.trajectory = array("h");
}

void Fixture::check() {
  linearization_ = std::make_unique<Linearization>(machine_, model_, dtype_);
  checks_.expect(linearization_->parameters() == json_.at("sizes").integer("p"), "p");
  checks_.expect(linearization_->units() == json_.at("sizes").integer("n"), "n");
  check_arrays();
  check_families();
  check_dense();
  check_error();
  if (linearization_->steps_through_time()) check_time();
  if (lists("att")) check_attention();
  check_eigsh();
  check_metrics();
  for (const auto& [name, description] : json_.at("arrays").fields) {
    const std::string what = description.at("what").string;
    const bool given = name == "x" || name == "h0" || name == "c0" || name == "W_out" || name == "targets" ||
                       name == "err" || name.find("probe") == 0 || name == "theta_probe" ||
                       name.rfind("core_probe_", 0) == 0 || what.rfind("weight or bias", 0) == 0;
    if (!given && compared_.count(name) == 0) {
      checks_.expect(false, name, "the case lists it and nothing was compared with it");
    }
  }
  for (const auto& [name, metric] : json_.at("metrics").fields) check_all_compared(name, metric);
}

void Fixture::check_all_compared(const std::string& name, const Json& metric) {
  for (const auto& [part, value] : metric.fields) check_all_compared(name + "." + part, value);
  const bool margin = name.size() > 7 && name.compare(name.size() - 7, 7, "_margin") == 0;
  const bool states = metric.kind != Json::kObject && metric.kind != Json::kNull && !margin;
  if (states && compared_.count("metrics." + name) == 0) {
    checks_.expect(false, name, "the case states it and nothing was compared with it");
  }
}

void Fixture::check_arrays() {
  const Linearization& l = *linearization_;
  compare("h", l.state());
  compare("P_probe", l.apply(KPFLOW_P, array("probe")));
  compare("Pt_probe", l.apply(KPFLOW_P, array("probe"), true));
  compare("K_probe", l.apply(KPFLOW_K, array("probe")));
  compare("NTK_probe", l.apply(KPFLOW_NTK, array("probe")));
  compare("Jt_probe", l.apply(KPFLOW_J, array("probe"), true));
  compare("Dt_probe", l.apply(KPFLOW_D_THETA, array("probe"), true));
  compare("J_theta_probe", l.apply(KPFLOW_J, array("theta_probe")));
  compare("Dtheta_probe", l.apply(KPFLOW_D_THETA, array("theta_probe")));
  // P^{-1} of P x, whose entries cancel down to those of x.
  for (const bool adjoint : {false, true}) {
    const Values& image = array(adjoint ? "Pt_probe" : "P_probe");
    checks_.close(adjoint ? "P^-* Pt_probe" : "P^-1 P_probe", l.apply(KPFLOW_P_INVERSE, image, adjoint), array("probe"),
                  relative("P") * (1 + norm(image) / norm(array("probe"))));
  }
}

void Fixture::check_families() {
  const Linearization& l = *linearization_;
  const int64_t k = l.rows();
  Values gram(static_cast<size_t>(k * k), 0.0), wide;
  for (const Json& layout : json_.at("theta_layout").items) {
    int64_t sizes[3];
    require(kpflow_linearization_family(l.handle(), family(layout.at("name").string), sizes), "family");
    checks_.expect(sizes[2] == layout.integer("offset") && sizes[0] * sizes[1] == layout.integer("size"),
                   "offset of " + layout.at("name").string);
  }
  for (const auto& entry : json_.at("arrays").fields) {
    if (entry.first.rfind("V_", 0) != 0) continue;
    const std::string name = entry.first.substr(2);
    const int32_t index = family(name);
    const Values sites = l.sites(index);
    compare(entry.first, sites);
    if (lists(("core_probe_" + name).c_str())) {
      compare("Pcore_probe_" + name, l.apply(KPFLOW_CORE, array(("core_probe_" + name).c_str()), false, index));
      compare("core_adj_" + name, l.apply(KPFLOW_CORE, array("err"), true, index));
      const Values gates = l.apply(KPFLOW_D_GATES, array(("core_probe_" + name).c_str()), false, index);
      compare("Pcore_probe_" + name, l.apply(KPFLOW_P, gates), "P of D_gates");
      compare("core_adj_" + name, l.apply(KPFLOW_D_GATES, array("adj"), true, index), "D_gates* of adj");
    }
    if (!json_.at("trainable").contains(name)) continue;
    const int64_t m = static_cast<int64_t>(sites.size()) / k;
    const Buffer v(machine_, dtype_, sites), out(machine_, KPFLOW_F64, gram);
    // V V^T as the temporal view of one sample [1, k, 1, m].
    require(kpflow_accumulate_gram(machine_.context(), dtype_, 1, k, 1, m, v.data(), 1, 1, out.data(), nullptr),
            "accumulate_gram");
    gram = out.read();
    const Values columns = transposed(sites, k);
    wide.insert(wide.end(), columns.begin(), columns.end());
  }
  compare("core_gram", gram);
  found_["core_gram"] = gram;
  found_["core_gram factor"] = transposed(wide, static_cast<int64_t>(wide.size()) / k);
}

void Fixture::check_dense() {
  const Linearization& l = *linearization_;
  const int64_t size = l.state_size();
  const Values propagator = l.columns(KPFLOW_P), dense = transposed(propagator, size);
  compare("P", dense);
  compare("P", l.columns(KPFLOW_P, true), "its adjoint");
  const Values jacobian = l.columns(KPFLOW_J);
  compare("J_theta", transposed(jacobian, l.parameters()));
  compare("J_theta", l.columns(KPFLOW_J, true), "its adjoint");
  const Values kernel = l.columns(KPFLOW_K), ntk = l.columns(KPFLOW_NTK);
  compare("K", kernel);
  compare("ntk", ntk);
  check_views("ntk", jacobian, ntk);
  check_views("K", l.columns(KPFLOW_D_THETA), kernel);
  check_views("PPt", propagator, {});
  if (lists("phi")) {
    Values phi;
    for (const Json& pair : json_.at("phi_pairs").items) {
      const auto t = static_cast<int64_t>(pair.items.at(0).number), s = static_cast<int64_t>(pair.items.at(1).number);
      for (int64_t b = 0; b < l.trials(); ++b) {
        for (int64_t i = 0; i < l.units(); ++i) {
          const auto first =
              dense.begin() + ((b * l.steps() + t) * l.units() + i) * size + (b * l.steps() + s) * l.units();
          phi.insert(phi.end(), first, first + l.units());
        }
      }
    }
    compare("phi", phi);
  }
  if (json_.find("blocks") != nullptr) check_blocks(jacobian, ntk);
}

void Fixture::check_views(const std::string& name, const Values& columns, const Values& dense) {
  const Linearization& l = *linearization_;
  const Axes all{{l.trials(), l.steps(), l.units()}, 7};
  found_[name] = accumulate_gram(machine_, dtype_, all, columns);
  found_[name + " factor"] = factor(all, columns);
  compare(name, found_[name], "its factor");
  for (const View& view : kViews) {
    if (!lists((name + view.name).c_str())) continue;
    const Axes axes{{l.trials(), l.steps(), l.units()}, view.keep};
    found_[name + view.name] = accumulate_gram(machine_, dtype_, axes, columns);
    found_[name + view.name + " factor"] = factor(axes, columns);
    compare(name + view.name, found_[name + view.name], "its factor");
    if (!dense.empty()) compare(name + view.name, partial_trace(axes, dense), "the dense matrix");
  }
}

void Fixture::check_blocks(const Values& jacobian, const Values& ntk) {
  const Linearization& l = *linearization_;
  for (const Json& block : json_.at("blocks").items) {
    const std::string name = "ntk_block_" + block.at("name").string;
    if (!lists(name.c_str())) continue;
    const int64_t n = l.units(), begin = block.integer("offset"), units = block.integer("size");
    const Values columns = restricted(jacobian, n, begin, units);
    const Values half = restricted(ntk, n, begin, units);  // [S, k units]
    compare(name, restricted(transposed(half, l.state_size()), n, begin, units), "the dense matrix");
    for (const View& view : {View{"", 7}, View{"_temp", 3}, View{"_space", 4}}) {
      const Axes axes{{l.trials(), l.steps(), units}, view.keep};
      found_[name + view.name] = accumulate_gram(machine_, dtype_, axes, columns);
      found_[name + view.name + " factor"] = factor(axes, columns);
      compare(name + view.name, found_[name + view.name], "its factor");
    }
  }
}

void Fixture::check_error() {
  const Linearization& l = *linearization_;
  const Values& err = array("err");
  compare("adj", l.apply(KPFLOW_P, err, true));
  compare("dtheta", negated(l.apply(KPFLOW_J, err, true)));
  compare("dtheta", negated(l.apply(KPFLOW_D_THETA, array("adj"), true)), "D_theta* of adj");
  compare("dh", negated(l.apply(KPFLOW_NTK, err)));
  if (!lists("W_out")) return;
  // The loss and its derivative with respect to the state, which the readout reads from the first H units.
  const int64_t outputs = static_cast<int64_t>(array("W_out").size()) / model_.units;
  const Buffer weight(machine_, dtype_, array("W_out")), targets(machine_, dtype_, array("targets"));
  const Buffer state(machine_, dtype_, array("h")), y(machine_, dtype_, l.rows() * outputs);
  const Buffer error(machine_, dtype_, l.state_size());
  const kpflow_readout readout{dtype_, 0, l.rows(), l.units(), 0, model_.units, outputs, weight.data(), nullptr};
  kpflow_context* context = machine_.context();
  double loss = NAN;
  require(kpflow_readout_apply(context, &readout, state.data(), y.data()), "readout_apply");
  require(kpflow_mean_squared_error(context, dtype_, l.rows(), outputs, y.data(), targets.data(), nullptr, &loss),
          "mean_squared_error");
  require(kpflow_readout_adjoint(context, &readout, y.data(), error.data()), "readout_adjoint");
  compare("err", error.read(), "readout and loss");
  check_scalar("loss", loss);
}

void Fixture::check_time() {
  const Linearization& l = *linearization_;
  compare("J_step", l.step_jacobians());
  Values exponents(static_cast<size_t>(l.trials() * l.units()), NAN);
  double smallest = NAN;
  require(kpflow_linearization_lyapunov(l.handle(), l.units(), exponents.data(), &smallest, nullptr), "lyapunov");
  compare("lyap", exponents);
  const Json* mean = json_.at("metrics").find("lyap_max_mean_over_batch");
  if (mean == nullptr || mean->kind != Json::kNumber) return;
  double sum = 0;
  for (int64_t b = 0; b < l.trials(); ++b) {
    sum += *std::max_element(exponents.begin() + b * l.units(), exponents.begin() + (b + 1) * l.units());
  }
  check_scalar("lyap_max_mean_over_batch", sum / static_cast<double>(l.trials()));
}

// The weight of step u in A at step t is minus the entry of I - D_h f there.
void Fixture::check_attention() {
  const Linearization& l = *linearization_;
  const int64_t steps = l.steps(), n = l.units(), units = model_.nodes[3].node.units;
  const int64_t heads = model_.nodes[3].node.heads, size = units / heads;
  Values weights;
  for (int64_t b = 0; b < l.trials(); ++b) {
    for (int64_t head = 0; head < heads; ++head) {
      Values by_key(static_cast<size_t>(steps * steps));
      for (int64_t u = 0; u < steps; ++u) {
        Values unit(static_cast<size_t>(l.state_size()), 0.0);
        unit[static_cast<size_t>((b * steps + u) * n + 2 * units + head * size)] = 1;
        const Values image = l.apply(KPFLOW_P_INVERSE, unit);
        for (int64_t t = 0; t < steps; ++t) {
          by_key[static_cast<size_t>(t * steps + u)] =
              -image[static_cast<size_t>((b * steps + t) * n + 3 * units + head * size)];
        }
      }
      weights.insert(weights.end(), by_key.begin(), by_key.end());
    }
  }
  compare("att", weights);
}

}  // namespace kpflow_test
