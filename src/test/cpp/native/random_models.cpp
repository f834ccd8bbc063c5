#include "random_models.hpp"

#include <cmath>

#include "cells.hpp"

namespace kpflow_test {

namespace {

enum { kNoBias = 0, kBias = 1 };

// Adds nodes one by one; each add returns the node's number.
class GraphBuilder {
 public:
  GraphBuilder(const std::string& name, uint64_t seed, int64_t trials = 3, int64_t steps = 7) : random_(seed) {
    model.name = name;
    model.trials = trials;
    model.steps = steps;
    model.inputs = 5;
    model.input = random_.values(model.trials * model.steps * model.inputs);
  }

  int64_t linear(int64_t input, int64_t units, int32_t activation, int bias = kBias, int32_t frozen = 0) {
    NodeData data = node(KPFLOW_NODE_LINEAR, units, {input});
    const int64_t width = input < 0 ? model.inputs : model.nodes[static_cast<size_t>(input)].node.units;
    data.node.activation = activation;
    data.weight = random_.values(units * width, 1.5 / std::sqrt(static_cast<double>(width)));
    if (bias == kBias) data.bias = random_.values(units, 0.3);
    data.node.trainable = (bias == kBias ? 3 : 1) & ~frozen;
    return add(data);
  }
  int64_t attention(int64_t query, int64_t key, int64_t value, int64_t units, int64_t heads, bool causal) {
    NodeData data = node(KPFLOW_NODE_ATTENTION, units, {query, key, value});
    data.node.heads = heads;
    data.node.causal = causal ? 1 : 0;
    return add(data);
  }
  int64_t layer_norm(int64_t input, int64_t units, bool weights) {
    NodeData data = node(KPFLOW_NODE_LAYER_NORM, units, {input});
    data.node.epsilon = 1e-5;
    if (weights) {
      data.weight = random_.values(units);
      data.bias = random_.values(units);
      data.node.trainable = 3;
    }
    return add(data);
  }
  int64_t sum(int64_t a, int64_t b, int64_t units) { return add(node(KPFLOW_NODE_ADD, units, {a, b})); }

  Model model;

 private:
  static NodeData node(int32_t kind, int64_t units, const std::vector<int64_t>& inputs) {
    NodeData data;
    data.node.kind = kind;
    data.node.units = units;
    for (size_t i = 0; i < inputs.size(); ++i) data.node.inputs[i] = inputs[i];
    return data;
  }
  int64_t add(NodeData data) {
    data.name = "node " + std::to_string(model.nodes.size());
    model.nodes.push_back(data);
    return static_cast<int64_t>(model.nodes.size()) - 1;
  }
  Random random_;
};

Model mlp(const std::string& name, int32_t activation, uint64_t seed) {
  GraphBuilder builder("mlp " + name, seed);
  const int64_t first = builder.linear(-1, 33, activation);
  const int64_t second = builder.linear(first, 17, activation, kNoBias);
  builder.linear(second, 1, KPFLOW_IDENTITY, kBias, 1);  // its weight is frozen
  return builder.model;
}

Model attention(bool causal, uint64_t seed) {
  GraphBuilder builder(causal ? "causal attention" : "attention", seed);
  const int64_t query = builder.linear(-1, 33, KPFLOW_IDENTITY, kNoBias);
  const int64_t key = builder.linear(-1, 33, KPFLOW_IDENTITY, kNoBias, causal ? 1 : 0);
  const int64_t value = builder.linear(-1, 33, KPFLOW_IDENTITY);
  const int64_t heads = builder.attention(query, key, value, 33, 3, causal);
  builder.linear(heads, 4, KPFLOW_IDENTITY);
  return builder.model;
}

// A block of a transformer with the norms before its parts.
Model transformer(uint64_t seed) {
  GraphBuilder builder("transformer", seed);
  const int64_t d = 12, embedded = builder.linear(-1, d, KPFLOW_IDENTITY);
  const int64_t normal = builder.layer_norm(embedded, d, true);
  const int64_t query = builder.linear(normal, d, KPFLOW_IDENTITY), key = builder.linear(normal, d, KPFLOW_IDENTITY);
  const int64_t value = builder.linear(normal, d, KPFLOW_IDENTITY);
  const int64_t heads = builder.attention(query, key, value, d, 2, true);
  const int64_t mixed = builder.sum(embedded, builder.linear(heads, d, KPFLOW_IDENTITY), d);
  const int64_t wide = builder.linear(builder.layer_norm(mixed, d, false), 33, KPFLOW_GELU);
  const int64_t last = builder.sum(mixed, builder.linear(wide, d, KPFLOW_IDENTITY), d);
  builder.linear(last, 2, KPFLOW_IDENTITY);
  return builder.model;
}

Model renamed(Model model, const std::string& name) {
  model.name = name;
  return model;
}

Model frozen(Model model, int32_t trainable, const std::string& what) {
  for (LayerData& layer : model.layers) layer.trainable = trainable;
  return renamed(model, model.name + ", " + what);
}

Model without_biases(Model model) {
  for (LayerData& layer : model.layers) {
    layer.bias_ih.clear();
    layer.bias_hh.clear();
    layer.trainable &= 3;
  }
  model.initial.clear();
  return renamed(model, model.name + " without biases and h0");
}

Model along_trajectory(Model model, uint64_t seed) {
  Random random(seed);
  model.trajectory = random.values(model.trials * model.steps * model.state_units());
  return renamed(model, model.name + " along a given state");
}

}  // namespace

Model random_recurrent(const std::string& cell, const RecurrentSizes& sizes, uint64_t seed) {
  Random random(seed);
  Model model;
  model.name = text("%s B=%lld T=%lld H=%lld n_in=%lld L=%lld", cell.c_str(), static_cast<long long>(sizes.trials),
                    static_cast<long long>(sizes.steps), static_cast<long long>(sizes.units),
                    static_cast<long long>(sizes.inputs), static_cast<long long>(sizes.layers));
  model.cell = cell;
  model.cell_parameter = 0.3;
  model.trials = sizes.trials;
  model.steps = sizes.steps;
  model.inputs = sizes.inputs;
  model.units = sizes.units;
  require(kpflow_cell_shape(cell.c_str(), &model.gates, &model.components), "cell_shape");
  const int64_t rows = model.gates * model.units;
  const double scale = 1.5 / std::sqrt(static_cast<double>(model.units));
  for (int64_t l = 0; l < sizes.layers; ++l) {
    LayerData layer;
    layer.weight_ih = random.values(rows * (l == 0 ? model.inputs : model.units), l == 0 ? 1 : scale);
    layer.weight_hh = random.values(rows * model.units, scale);
    layer.bias_ih = random.values(rows, 0.3);
    layer.bias_hh = random.values(rows, 0.3);
    model.layers.push_back(layer);
  }
  model.input = random.values(model.trials * model.steps * model.inputs);
  model.initial = random.values(model.trials * model.state_units());
  return model;
}

std::vector<Model> random_models(const Options& options) {
  const RecurrentSizes sizes;
  RecurrentSizes stack, single, one_step;
  stack.layers = 2;
  single.units = single.inputs = single.trials = 1;
  one_step.steps = 1;
  const Model gru = random_recurrent("gru", sizes, 1), lstm = random_recurrent("lstm", sizes, 2);
  const Model leaky = random_recurrent("leaky_rnn_tanh", sizes, 3);
  std::vector<Model> models = {
      gru, lstm, leaky, random_recurrent("gru", stack, 4), computed_model(lstm), attention(true, 5), transformer(6)};
  if (options.small) return models;
  for (const char* cell : {"rnn_tanh", "rnn_relu", "rnn_gelu", "rnn_linear", "leaky_rnn_relu", "leaky_rnn_gelu"}) {
    models.push_back(random_recurrent(cell, sizes, 7));
  }
  for (const char* cell : {"rnn_tanh", "leaky_rnn_tanh", "lstm"}) models.push_back(random_recurrent(cell, stack, 8));
  for (const char* cell : {"rnn_tanh", "leaky_rnn_tanh", "gru", "lstm"}) {
    models.push_back(random_recurrent(cell, single, 9));
    models.push_back(without_biases(random_recurrent(cell, sizes, 10)));
  }
  models.push_back(random_recurrent("gru", one_step, 11));
  models.push_back(frozen(gru, 5, "W_hh and b_hh frozen"));
  models.push_back(frozen(gru, 10, "W_ih and b_ih frozen"));
  models.push_back(frozen(lstm, 8, "all but b_hh frozen"));
  models.push_back(frozen(leaky, 2, "all but W_hh frozen"));
  Model stacked = frozen(random_recurrent("gru", stack, 12), 15, "the first layer frozen");
  stacked.layers[0].trainable = 0;
  models.push_back(stacked);
  models.push_back(along_trajectory(gru, 13));
  models.push_back(along_trajectory(random_recurrent("lstm", stack, 14), 15));
  models.push_back(computed_model(gru));
  models.push_back(computed_model(leaky));
  models.push_back(computed_model(random_recurrent("gru", stack, 16)));
  models.push_back(mlp("tanh", KPFLOW_TANH, 17));
  models.push_back(mlp("relu", KPFLOW_RELU, 18));
  models.push_back(mlp("gelu", KPFLOW_GELU, 19));
  models.push_back(mlp("identity", KPFLOW_IDENTITY, 20));
  models.push_back(attention(false, 21));
  models.push_back(along_trajectory(transformer(22), 23));
  return models;
}

std::vector<Model> large_models() {
  std::vector<Model> models;
  const auto add = [&](const char* cell, int64_t trials, int64_t steps, int64_t units, int64_t inputs, int64_t layers) {
    models.push_back(random_recurrent(cell, {trials, steps, units, inputs, layers}, 41));
  };
  add("gru", 5, 6, 64, 3, 1);
  add("gru", 70, 3, 32, 17, 1);
  add("gru", 3, 5, 256, 4, 1);
  add("gru", 2, 3, 300, 40, 1);
  add("gru", 2, 40, 96, 2, 2);
  add("lstm", 3, 4, 160, 3, 1);
  add("leaky_rnn_tanh", 2, 3, 520, 3, 1);
  add("rnn_tanh", 130, 2, 16, 1, 1);
  GraphBuilder wide("wide mlp", 42, 9, 31);
  wide.linear(wide.linear(-1, 300, KPFLOW_TANH), 130, KPFLOW_GELU);
  models.push_back(wide.model);
  GraphBuilder attention("long attention", 43, 2, 70);
  const int64_t query = attention.linear(-1, 80, KPFLOW_IDENTITY), key = attention.linear(-1, 80, KPFLOW_IDENTITY);
  const int64_t value = attention.linear(-1, 80, KPFLOW_IDENTITY);
  attention.layer_norm(attention.attention(query, key, value, 80, 2, true), 80, true);
  models.push_back(attention.model);
  return models;
}

}  // namespace kpflow_test
