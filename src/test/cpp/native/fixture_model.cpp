#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "fixture.hpp"

namespace kpflow_test {

namespace {

Values optional_array(const std::string& folder, const std::string& name) {
  std::vector<int64_t> shape;
  const std::string path = folder + "/" + name + ".npy";
  return exists(path) ? read_npy(path, shape) : Values();
}

// h_0, and for an LSTM c_0 behind it, trial by trial.
Values initial_state(const Model& model, const std::string& folder) {
  const Values h = optional_array(folder, "h0"), c = optional_array(folder, "c0");
  if (h.empty() || c.empty()) return h;
  Values both;
  for (int64_t b = 0; b < model.trials; ++b) {
    both.insert(both.end(), h.begin() + b * model.units, h.begin() + (b + 1) * model.units);
    both.insert(both.end(), c.begin() + b * model.units, c.begin() + (b + 1) * model.units);
  }
  return both;
}

void add_layer(const Json& json, const std::string& folder, Model& model) {
  const std::string kind = json.at("model").string;
  const Json* phi = json.at("flags").find("phi");
  model.cell = phi != nullptr ? kind + "_" + phi->string : kind;
  if (const Json* dt = json.at("flags").find("dt")) model.cell_parameter = dt->number;
  model.units = json.at("sizes").integer("H");
  require(kpflow_cell_shape(model.cell.c_str(), &model.gates, &model.components), "cell_shape");
  LayerData layer;
  Values* arrays[] = {&layer.weight_ih, &layer.weight_hh, &layer.bias_ih, &layer.bias_hh};
  const char* names[] = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"};
  layer.trainable = 0;
  for (int i = 0; i < 4; ++i) {
    *arrays[i] = optional_array(folder, names[i]);
    if (json.at("trainable").contains(names[i])) layer.trainable |= 1 << i;
  }
  model.layers.push_back(layer);
  model.initial = initial_state(model, folder);
}

void add_linear(const Json& json, const std::string& folder, const std::string& weight, const std::string& bias,
                int64_t input, int32_t activation, Model& model) {
  NodeData data;
  data.name = weight;
  data.weight = optional_array(folder, weight);
  data.bias = bias.empty() ? Values() : optional_array(folder, bias);
  data.node.kind = KPFLOW_NODE_LINEAR;
  data.node.activation = activation;
  data.node.trainable =
      (json.at("trainable").contains(weight) ? 1 : 0) | (!bias.empty() && json.at("trainable").contains(bias) ? 2 : 0);
  const int64_t width = input < 0 ? model.inputs : model.nodes[static_cast<size_t>(input)].node.units;
  data.node.units = static_cast<int64_t>(data.weight.size()) / width;
  data.node.inputs[0] = input;
  model.nodes.push_back(data);
}

// Q, K, Z, A, Yattn and the layers of the MLP, in the order of the case's blocks.
void add_attention(const Json& json, const std::string& folder, Model& model) {
  const Json& flags = json.at("flags");
  for (const char* weight : {"W_q", "W_k", "W_z"}) add_linear(json, folder, weight, "", -1, KPFLOW_IDENTITY, model);
  NodeData attention;
  attention.name = "A";
  attention.node.kind = KPFLOW_NODE_ATTENTION;
  attention.node.units = model.nodes[0].node.units;
  attention.node.heads = json.at("sizes").integer("n_heads");
  attention.node.causal = flags.at("causal").number != 0 ? 1 : 0;
  for (int i = 0; i < 3; ++i) attention.node.inputs[i] = i;
  model.nodes.push_back(attention);
  add_linear(json, folder, "W_o", "", 3, KPFLOW_IDENTITY, model);
  const int64_t layers = json.at("sizes").integer("L");
  const int32_t phi = flags.at("phi").string == "tanh" ? KPFLOW_TANH : KPFLOW_RELU;
  for (int64_t l = 1; l <= layers; ++l) {
    const std::string index = std::to_string(l);
    add_linear(json, folder, "mlp_W_" + index, "mlp_b_" + index, 3 + l, l < layers ? phi : KPFLOW_IDENTITY, model);
  }
}

}  // namespace

Model case_model(const Json& json, const std::string& folder) {
  const Json& sizes = json.at("sizes");
  Model model;
  model.name = json.at("name").string;
  model.trials = sizes.integer("B");
  model.steps = sizes.integer("T");
  model.inputs = sizes.integer("nin");
  model.input = optional_array(folder, "x");
  if (json.at("model").string == "attention") {
    add_attention(json, folder, model);
  } else {
    add_layer(json, folder, model);
  }
  return model;
}

int32_t Fixture::family(const std::string& name) const {
  const std::vector<std::string> kinds = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"};
  for (size_t i = 0; i < kinds.size(); ++i) {
    if (name == kinds[i]) return static_cast<int32_t>(i);
  }
  for (size_t j = 0; j < model_.nodes.size(); ++j) {
    std::string bias = model_.nodes[j].name;
    if (bias == name) return static_cast<int32_t>(2 * j);
    if (bias.compare(0, 6, "mlp_W_") == 0 && bias.replace(4, 1, "b") == name) return static_cast<int32_t>(2 * j + 1);
  }
  throw std::runtime_error("case.json: no family " + name);
}

double Fixture::relative(const std::string& name) const {
  const auto begins = [&](const char* prefix) { return name.rfind(prefix, 0) == 0; };
  const char* key = "NTK";
  if (name == "h" || name == "att" || begins("V_") || begins("core_gram") || name == "err" || name == "loss") {
    key = "h";
  } else if (begins("PPt") || begins("lyap") || name == "P" || name == "P_probe" || name == "Pt_probe" ||
             name == "P_sv" || name == "P_fro" || name == "adj" || name == "phi" || name == "J_step") {
    key = "P";
  } else if (name == "K" || begins("K_") || name == "Dt_probe" || name == "Dtheta_probe" || name == "cos_K_core") {
    key = "K";
  }
  const Json& tolerance = json_.at("tolerance").at(precision_.c_str()).at(key);
  return tolerance.kind == Json::kNumber ? tolerance.number : NAN;
}

const Values& Fixture::array(const char* name) {
  const auto found = arrays_.find(name);
  if (found != arrays_.end()) return found->second;
  std::vector<int64_t> shape, listed;
  Values values = read_npy(folder_ + "/" + name + ".npy", shape);
  for (const Json& size : json_.at("arrays").at(name).at("shape").items) {
    listed.push_back(static_cast<int64_t>(size.number));
  }
  if (shape != listed) throw std::runtime_error(folder_ + ": " + name + ".npy has not the shape that case.json says");
  return arrays_.emplace(name, std::move(values)).first->second;
}

void Fixture::compare(const std::string& name, const Values& found, const std::string& by) {
  if (!lists(name.c_str())) return;
  compared_.insert(name);
  const Values& truth = array(name.c_str());
  const std::string title = by.empty() ? name : name + " by " + by;
  const double r = relative(name);
  if (name == "lyap") {
    checks_.within(title, found, truth, precision_ == "f64" ? 1e-9 : 3 * r);
  } else if (name.size() > 4 && (name.compare(name.size() - 4, 4, "_eig") == 0 || name == "P_sv")) {
    checks_.within(title, found, truth, 3 * r * truth[0] + 1e-13);
  } else {
    checks_.close(title, found, truth, r);
  }
}

void test_fixtures(const Machine& machine, const Options& options, Checks& checks) {
  for (const std::string& name : case_names(options.cases)) {
    if (options.small && name != "gru_bias_h0" && name != "lstm_bias_s0" && name != "attn_2head_causal") continue;
    const std::string folder = options.cases + "/" + name;
    for (const char* precision : {"f64", "f32", "f32_given_state"}) {
      checks.group(std::string(machine.name()) + " case " + name + " " + precision, [&] {
        if (read_json(folder + "/case.json").at("tolerance").find(precision) == nullptr) {
          return checks.skip("the case states no tolerance");
        }
        Fixture(machine, folder, precision, checks).check();
      });
    }
  }
}

}  // namespace kpflow_test
