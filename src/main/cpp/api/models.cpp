// Checks of a model's description.
#include "api/models.hpp"

#include <cmath>

#include "cell/cell.hpp"
#include "core/status.hpp"

namespace kpflow {

namespace {

void require_positive(const char* name, int64_t value) {
  KPFLOW_REQUIRE(value >= 1 && value <= INT32_MAX, "%s: expected 1 to 2^31-1, got %lld", name,
                 static_cast<long long>(value));
}

void check_node(const kpflow_graph& model, int64_t j) {
  const kpflow_node& node = model.nodes[j];
  const auto at = static_cast<long long>(j);
  KPFLOW_REQUIRE(node.kind >= 0 && node.kind < KPFLOW_NODE_KINDS, "node %lld, kind: expected 0 to %d, got %d", at,
                 KPFLOW_NODE_KINDS - 1, node.kind);
  KPFLOW_REQUIRE(node.units >= 1 && node.units <= INT32_MAX, "node %lld, units: expected 1 to 2^31-1, got %lld", at,
                 static_cast<long long>(node.units));
  const bool linear = node.kind == KPFLOW_NODE_LINEAR, norm = node.kind == KPFLOW_NODE_LAYER_NORM;
  for (int i = 0; i < (node.kind == KPFLOW_NODE_ATTENTION ? 3 : node.kind == KPFLOW_NODE_ADD ? 2 : 1); ++i) {
    KPFLOW_REQUIRE(node.inputs[i] >= -1 && node.inputs[i] < j,
                   "node %lld, input %d: expected -1 (x) or an earlier node, got %lld", at, i,
                   static_cast<long long>(node.inputs[i]));
    const int64_t source = node.inputs[i], width = source < 0 ? model.inputs : model.nodes[source].units;
    KPFLOW_REQUIRE(linear || width == node.units, "node %lld, input %d: expected %lld units, got %lld", at, i,
                   static_cast<long long>(node.units), static_cast<long long>(width));
  }
  KPFLOW_REQUIRE(!linear || (node.activation >= 0 && node.activation < KPFLOW_ACTIVATIONS),
                 "node %lld, activation: expected 0 to %d, got %d", at, KPFLOW_ACTIVATIONS - 1, node.activation);
  KPFLOW_REQUIRE(!linear || node.weight != nullptr, "node %lld, weight: got NULL", at);
  KPFLOW_REQUIRE(node.kind != KPFLOW_NODE_ATTENTION || (node.heads >= 1 && node.units % node.heads == 0),
                 "node %lld, heads: expected a divisor of %lld units, got %lld", at, static_cast<long long>(node.units),
                 static_cast<long long>(node.heads));
  KPFLOW_REQUIRE(!norm || (node.epsilon > 0 && std::isfinite(node.epsilon)),
                 "node %lld, epsilon: expected above 0, got %g", at, node.epsilon);
  const int may_train = linear || norm ? (node.weight != nullptr ? 1 : 0) | (node.bias != nullptr ? 2 : 0) : 0;
  KPFLOW_REQUIRE(node.trainable >= 0 && (node.trainable & ~may_train) == 0,
                 "node %lld, trainable: expected a part of mask %d, the weights it has, got %d", at, may_train,
                 node.trainable);
}

}  // namespace

void check(const kpflow_recurrent& model) {
  constexpr int kMostGates = Record::kMostGates, kMostComponents = 32;
  KPFLOW_REQUIRE(model.cell != nullptr || (model.gates >= 1 && model.gates <= kMostGates),
                 "gates: expected 1 to %d, got %d", kMostGates, model.gates);
  KPFLOW_REQUIRE(model.cell != nullptr || (model.components >= 1 && model.components <= kMostComponents),
                 "components: expected 1 to %d, got %d", kMostComponents, model.components);
  const int gates = model.cell != nullptr ? find_cell(model.cell).shape.gates : model.gates;
  const int components = model.cell != nullptr ? find_cell(model.cell).shape.components : model.components;
  require_positive("trials", model.trials);
  require_positive("steps", model.steps);
  require_positive("inputs", model.inputs);
  require_positive("units", model.units);
  require_positive("gate units", checked_product(gates, model.units));
  require_positive("layers", model.layer_count);
  require_positive("state units", checked_product(model.layer_count, components * model.units));
  require_positive("weight families", checked_product(model.layer_count, KPFLOW_FAMILIES));
  KPFLOW_REQUIRE(model.dtype == KPFLOW_F32 || model.dtype == KPFLOW_F64, "dtype: expected 1 (f32) or 2 (f64), got %d",
                 model.dtype);
  KPFLOW_REQUIRE(model.layers != nullptr, "layers: got NULL");
  for (int64_t l = 0; l < model.layer_count; ++l) {
    const kpflow_layer& layer = model.layers[l];
    KPFLOW_REQUIRE(layer.trainable >= 0 && layer.trainable < 1 << KPFLOW_FAMILIES,
                   "trainable: expected a mask of 0 to %d", (1 << KPFLOW_FAMILIES) - 1);
    KPFLOW_REQUIRE(!(layer.trainable >> KPFLOW_BIAS_IH & 1) || layer.bias_ih != nullptr,
                   "bias_ih: trainable but absent");
    KPFLOW_REQUIRE(!(layer.trainable >> KPFLOW_BIAS_HH & 1) || layer.bias_hh != nullptr,
                   "bias_hh: trainable but absent");
    KPFLOW_REQUIRE(layer.weight_ih != nullptr && layer.weight_hh != nullptr, "weights: got NULL");
    KPFLOW_REQUIRE(
        model.cell != nullptr || (layer.sites != nullptr && layer.states != nullptr && layer.derivatives != nullptr),
        "cell: got NULL, and a layer has no sites, states or derivatives");
  }
  KPFLOW_REQUIRE(model.input != nullptr, "input: got NULL");
}

void check(const kpflow_graph& model) {
  KPFLOW_REQUIRE(model.dtype == KPFLOW_F32 || model.dtype == KPFLOW_F64, "dtype: expected 1 (f32) or 2 (f64), got %d",
                 model.dtype);
  require_positive("trials", model.trials);
  require_positive("steps", model.steps);
  require_positive("inputs", model.inputs);
  KPFLOW_REQUIRE(model.count >= 1 && model.count <= INT32_MAX / 2, "nodes: expected 1 to 2^30, got %lld",
                 static_cast<long long>(model.count));
  KPFLOW_REQUIRE(model.nodes != nullptr, "nodes: got NULL");
  KPFLOW_REQUIRE(model.input != nullptr, "input: got NULL");
  for (int64_t j = 0; j < model.count; ++j) check_node(model, j);
}

}  // namespace kpflow
