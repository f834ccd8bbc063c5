// What the description of a feed-forward model says, read in one place for every device: sizes, and each node's place in the
// state and in theta.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/linearization.hpp"
#include "core/status.hpp"

namespace kpflow {

// What a sweep through the nodes is for.
enum class Sweep {
  kPropagate,  // P: every node adds what reaches it through its inputs
  kInverse,    // P^{-1}: in minus the local maps of in itself; out must not be in
  kLocal       // no node passes anything on
};

struct NodeLayout {
  int32_t kind, activation;
  bool causal, has_weight, has_bias;
  int64_t input[3];                    // earlier nodes, -1 for x
  int64_t width;                       // of the first input
  int64_t units, begin;                // place in the state
  int64_t heads, size;                 // attention: heads of `size` units
  double epsilon;                      // layer norm
  int64_t weights;                     // elements of its weight
  int64_t weight_offset, bias_offset;  // in theta, -1 where there is none or it is frozen

  // Its weight, or its bias.
  Family family(bool is_bias) const {
    if (is_bias) return {units, has_bias ? 1 : 0, bias_offset};
    return {units, has_weight ? width : 0, weight_offset};
  }
};

struct GraphSizes {
  int64_t trials, steps, inputs;
  int64_t units = 0;       // n
  int64_t parameters = 0;  // p
  int64_t widest = 0;      // the most units of a node

  int64_t rows() const { return trials * steps; }  // k
};

inline int64_t source_width(const kpflow_graph& model, int64_t source) {
  return source < 0 ? model.inputs : model.nodes[source].units;
}

// Reads node j of a checked description, whose earlier nodes are in sizes, and adds it to them.
inline NodeLayout lay_out(const kpflow_graph& model, int64_t j, GraphSizes& sizes) {
  const kpflow_node& given = model.nodes[j];
  const bool linear = given.kind == KPFLOW_NODE_LINEAR, parametric = linear || given.kind == KPFLOW_NODE_LAYER_NORM;
  NodeLayout node{};
  node.kind = given.kind;
  node.activation = linear ? given.activation : static_cast<int32_t>(KPFLOW_IDENTITY);
  node.causal = given.causal != 0;
  std::copy_n(given.inputs, 3, node.input);
  node.width = source_width(model, node.input[0]);
  node.units = given.units;
  node.begin = sizes.units;
  node.heads = given.kind == KPFLOW_NODE_ATTENTION ? given.heads : 1;
  node.size = node.units / node.heads;
  node.epsilon = given.epsilon;
  node.has_weight = parametric && given.weight != nullptr;
  node.has_bias = parametric && given.bias != nullptr;
  node.weights = node.has_weight ? node.units * (linear ? node.width : 1) : 0;
  node.weight_offset = node.bias_offset = -1;
  if ((given.trainable & 1) != 0) {
    node.weight_offset = sizes.parameters;
    sizes.parameters += node.weights;
  }
  if ((given.trainable & 2) != 0) {
    node.bias_offset = sizes.parameters;
    sizes.parameters += node.units;
  }
  sizes.units += node.units;
  sizes.widest = std::max(sizes.widest, node.units);
  return node;
}

// A sum of sizes that stays inside int64.
class TotalSize {
 public:
  void add(int64_t a, int64_t b) {
    const int64_t product = checked_product(a, b);
    KPFLOW_REQUIRE(product <= INT64_MAX / 64 - sum_, "model: its arrays overflow the address space");
    sum_ += product;
  }
  int64_t get() const { return sum_; }

 private:
  int64_t sum_ = 0;
};

// Refuses a state of which element `at` of a node's values [k, units] is not finite.
[[noreturn]] inline void refuse_value(const kpflow_graph& model, const kpflow_node& node, int64_t at) {
  const int64_t row = at / node.units;
  fail(KPFLOW_NUMERICAL, "forward pass: the state is not finite at trial %lld, step %lld, block %s, unit %lld%s",
       static_cast<long long>(row / model.steps), static_cast<long long>(row % model.steps),
       node.name != nullptr ? node.name : "without a name", static_cast<long long>(at % node.units),
       model.dtype == KPFLOW_F32 ? "; it overflows in f32, try f64" : "");
}

}  // namespace kpflow
