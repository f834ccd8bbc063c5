#include <algorithm>
#include <cmath>

#include "fixture.hpp"

namespace kpflow_test {

namespace {

// Eigenvalues, descending, of a symmetric matrix.
Values eigenvalues(Values matrix) {
  const auto n = static_cast<int64_t>(std::lround(std::sqrt(static_cast<double>(matrix.size()))));
  Values values(static_cast<size_t>(n), NAN);
  require(kpflow_symmetric_eigen(n, matrix.data(), values.data(), 0), "symmetric_eigen");
  std::reverse(values.begin(), values.end());
  return values;
}

Values singular_values(Values matrix, int64_t rows) {
  const int64_t columns = static_cast<int64_t>(matrix.size()) / rows;
  Values values(static_cast<size_t>(std::min(rows, columns)), NAN);
  require(kpflow_svd(rows, columns, matrix.data(), values.data(), nullptr, nullptr), "svd");
  return values;
}

double sum_of_powers(const Values& values, double power) {
  double sum = 0;
  for (double value : values) sum += std::pow(std::max(value, 0.0), power);
  return sum;
}

// Smallest m with l_1^q + ... + l_m^q of at least 0.95 of the whole.
double count95(const Values& values, double power) {
  const double whole = sum_of_powers(values, power);
  double sum = 0;
  for (size_t m = 0; m < values.size(); ++m) {
    sum += std::pow(std::max(values[m], 0.0), power);
    if (sum >= 0.95 * whole) return static_cast<double>(m + 1);
  }
  return static_cast<double>(values.size());
}

double entropy_rank(const Values& values) {
  const double whole = sum_of_powers(values, 1);
  double entropy = 0;
  for (double value : values) {
    if (value > 0) entropy -= value / whole * std::log(value / whole);
  }
  return std::exp(entropy);
}

// Eigenvalues above 1e-10 of the largest, from the singular values of a factor; NaN where 1e-9 or 1e-11 give another count.
double rank(const Values& singular) {
  const auto above = [&](double threshold) {
    return std::count_if(singular.begin(), singular.end(),
                         [&](double value) { return value * value > threshold * singular[0] * singular[0]; });
  };
  return above(1e-9) == above(1e-11) ? static_cast<double>(above(1e-10)) : NAN;
}

double trace(const Values& matrix) {
  const auto n = static_cast<size_t>(std::lround(std::sqrt(static_cast<double>(matrix.size()))));
  double sum = 0;
  for (size_t i = 0; i < n; ++i) sum += matrix[i * n + i];
  return sum;
}

double cosine(const Values& a, const Values& b) { return dot(a, b) / (norm(a) * norm(b)); }

}  // namespace

void Fixture::check_scalar(const std::string& name, double found) {
  // A metric of a matrix is "matrix.metric", with the tolerance of the matrix.
  const size_t point = name.find('.');
  const Json* truth = json_.at("metrics").find(name.substr(0, point).c_str());
  for (size_t at = point; truth != nullptr && at != std::string::npos;) {
    const size_t next = name.find('.', at + 1);
    truth = truth->find(name.substr(at + 1, next == std::string::npos ? next : next - at - 1).c_str());
    at = next;
  }
  if (truth == nullptr) return;
  compared_.insert("metrics." + name);
  const double r = relative(name.substr(0, point));
  if (truth->kind == Json::kNull) {
    checks_.expect(!std::isfinite(found), name, text("%.17g, expected none", found));
  } else {
    checks_.within(name, {found}, {truth->number}, 3 * r * std::fabs(truth->number) + 1e-13);
  }
}

void Fixture::check_spectrum(const std::string& name, const Values& matrix, const Values& factor) {
  const Json* truth = json_.at("metrics").find(name.c_str());
  if (truth == nullptr) return;
  const Values values = eigenvalues(matrix);
  compare(name + "_eig", values);
  if (name == "PPt") {
    Values roots;
    for (double value : values) roots.push_back(std::sqrt(std::max(value, 0.0)));
    check_scalar("P_fro", std::sqrt(trace(matrix)));
  }
  const double whole = trace(matrix), square = norm(matrix) * norm(matrix), second = sum_of_powers(values, 2);
  check_scalar(name + ".trace", whole);
  check_scalar(name + ".fro", norm(matrix));
  check_scalar(name + ".lambda_max", values[0] > 0 ? values[0] : NAN);
  check_scalar(name + ".pr", whole * whole / square);
  check_scalar(name + ".pr_gram", second * second / sum_of_powers(values, 4));
  check_scalar(name + ".entropy_rank", entropy_rank(values));
  const double r = relative(name);
  for (const auto& [metric, power] : {std::pair<const char*, double>{"n95", 1}, {"n95_sq", 2}}) {
    const Json &count = truth->at(metric), &margin = truth->at(text("%s_margin", metric).c_str());
    compared_.insert("metrics." + name + "." + metric);
    const bool decided = count.kind == Json::kNumber && margin.number > 10 * r;
    if (decided) {
      checks_.same(name + "." + metric, {count95(values, power)}, {count.number});
    } else {
      checks_.skip(name + "." + metric);
    }
  }
  const Json& ranked = truth->at("rank");
  compared_.insert("metrics." + name + ".rank");
  if (precision_ != "f64" || ranked.kind != Json::kNumber) return checks_.skip(name + ".rank");
  checks_.same(name + ".rank", {rank(singular_values(factor, static_cast<int64_t>(values.size())))}, {ranked.number});
}

void Fixture::check_metrics() {
  const Linearization& l = *linearization_;
  for (const auto& [name, matrix] : found_) {
    const auto factor = found_.find(name + " factor");
    if (factor != found_.end()) check_spectrum(name, matrix, factor->second);
  }
  compare("P_sv", singular_values(found_.at("PPt factor"), l.state_size()));

  // cos(A, G (x) I_n) = <A_temp, G> sqrt(n) / (||A|| ||G||), where A_temp is the average over the n units.
  const Values& gram = found_.at("core_gram");
  const auto lifted = [&](const std::string& name, int64_t units) {
    return dot(found_.at(name + "_temp"), gram) * std::sqrt(static_cast<double>(units)) /
           (norm(found_.at(name)) * norm(gram));
  };
  check_scalar("cos_ntk_core", lifted("ntk", l.units()));
  check_scalar("cos_K_core", lifted("K", l.units()));
  check_scalar("cos_temp_core", cosine(found_.at("ntk_temp"), gram));
  if (const Json* blocks = json_.find("blocks")) {
    for (const Json& block : blocks->items) {
      const std::string name = "ntk_block_" + block.at("name").string;
      if (found_.count(name) > 0) check_scalar(name + ".cos_core", lifted(name, block.integer("size")));
    }
  }

  const Values& err = array("err");
  const double inner = dot(l.apply(KPFLOW_NTK, err), err);
  check_scalar("corollary2.inner_ntk_err_err", inner);
  check_scalar("corollary2.rayleigh", inner / dot(err, err));
  const Values gradient = l.apply(KPFLOW_J, err, true);
  check_scalar("corollary2.sum_sq_norm_Vt_core_adj", dot(gradient, gradient));
  for (const Json& layout : json_.at("theta_layout").items) {
    const auto first = gradient.begin() + layout.integer("offset");
    const Values part(first, first + layout.integer("size"));
    check_scalar("corollary2.per_family." + layout.at("name").string, dot(part, part));
  }
  check_merged_core();
}

// What a GRU's NTK would be with the propagator C of one family for all, C (G (x) I) C^T.
void Fixture::check_merged_core() {
  const Json* truth = json_.at("metrics").find("merged_core_rel_fro_error");
  if (truth == nullptr || truth->kind != Json::kObject) return;
  const Linearization& l = *linearization_;
  const int64_t size = l.state_size(), k = l.rows(), gates = model_.gates * model_.units;
  const auto merged = [&](const char* name) {
    const Values columns = l.columns(KPFLOW_CORE, false, family(name));  // [k gates, S]
    Values mixed(columns.size());
    const Buffer c(machine_, KPFLOW_F64, columns), g(machine_, KPFLOW_F64, found_.at("core_gram"));
    const Buffer product(machine_, KPFLOW_F64, static_cast<int64_t>(columns.size()));
    const Buffer out(machine_, KPFLOW_F64, size * size);
    kpflow_context* context = machine_.context();
    require(kpflow_gemm(context, KPFLOW_F64, 0, 0, k, gates * size, k, 1, g.data(), c.data(), 0, product.data()),
            "gemm");
    require(kpflow_gemm(context, KPFLOW_F64, 1, 0, size, size, k * gates, 1, c.data(), product.data(), 0, out.data()),
            "gemm");
    return out.read();
  };
  const Values hidden = merged("weight_hh_l0"), input = merged("weight_ih_l0"), &ntk = found_.at("ntk");
  Values both = hidden;
  for (size_t i = 0; i < both.size(); ++i) both[i] += input[i];
  const std::pair<const char*, const Values*> all[] = {
      {"hidden_side_propagator", &hidden}, {"input_side_propagator", &input}, {"both_sides_stacked", &both}};
  for (const auto& [name, matrix] : all) {
    const std::string path = std::string("merged_core_rel_fro_error.") + name;
    Values difference = *matrix;
    for (size_t i = 0; i < ntk.size(); ++i) difference[i] -= ntk[i];
    check_scalar(path + ".rel_fro", norm(difference) / norm(ntk));
    check_scalar(path + ".cosine", cosine(*matrix, ntk));
    check_scalar(path + ".trace_ratio", trace(*matrix) / trace(ntk));
  }
}

void Fixture::check_eigsh() {
  const Linearization& l = *linearization_;
  const int64_t n = l.state_size(), modes = 3;
  const kpflow_eigsh_options options{modes, std::min<int64_t>(n, 20), 1000, precision_ == "f64" ? 0 : 1e-6, KPFLOW_LA,
                                     0};
  const Buffer start(machine_, dtype_, Values(static_cast<size_t>(n), 1.0)), vectors(machine_, dtype_, modes * n);
  Values values(modes, NAN), residuals(modes, NAN);
  kpflow_eigsh_info info{};
  require(kpflow_eigsh(machine_.context(), dtype_, n, l.handle(), KPFLOW_NTK, nullptr, nullptr, &options, start.data(),
                       values.data(), vectors.data(), residuals.data(), &info, nullptr),
          "eigsh");
  const Values& all = array("ntk_eig");
  const double r = relative("ntk");
  checks_.within("eigsh of the NTK", values, Values(all.begin(), all.begin() + modes), 3 * r * all[0] + 1e-13);
  checks_.within("eigsh residuals", residuals, Values(modes, 0.0), 3 * r * all[0] + 1e-13);
  const Values found = vectors.read();
  for (int64_t i = 0; i < modes; ++i) {
    const Values v(found.begin() + i * n, found.begin() + (i + 1) * n);
    checks_.within("eigsh vector", {norm(v)}, {1}, 1e3 * rounding(dtype_));
  }
}

}  // namespace kpflow_test
