// Models as the C ABI takes them, in f64 on this side, and linearizations of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "machine.hpp"

namespace kpflow_test {

// An empty array stands for NULL.
struct LayerData {
  int32_t trainable = 15;
  Values weight_ih, weight_hh, bias_ih, bias_hh;
  Values sites, states, derivatives;  // of a computed cell
};

struct NodeData {
  std::string name;
  kpflow_node node{};  // all but its name and arrays
  Values weight, bias;
};

struct Model {
  std::string name;
  std::string cell;  // empty: computed by the caller, or a graph
  double cell_parameter = 0;
  int32_t gates = 0, components = 1;
  int64_t trials = 0, steps = 0, inputs = 0, units = 0;  // units: of a recurrent layer
  std::vector<LayerData> layers;
  std::vector<NodeData> nodes;  // of a graph; no layers then
  Values input, initial, trajectory;

  bool is_graph() const { return !nodes.empty(); }
  int64_t state_units() const;
  // Weights of theta in its order, each with whether it is trained.
  std::vector<std::pair<Values*, bool>> weights();
};

struct Family {
  int32_t index;
  int64_t outputs, sites, offset;  // offset -1: frozen
};

class Linearization {
 public:
  // on_device: the arrays of the description lie in the device's memory, not in the caller's.
  Linearization(const Machine& machine, const Model& model, int32_t dtype, bool on_device = false);
  ~Linearization() { kpflow_linearization_destroy(handle_); }
  Linearization(const Linearization&) = delete;
  Linearization& operator=(const Linearization&) = delete;

  // The status of linearizing a model that is expected to fail.
  static int32_t refusal(const Machine& machine, const Model& model, int32_t dtype);

  void run_again(const Model& model);
  kpflow_linearization* handle() const { return handle_; }
  const Machine& machine() const { return machine_; }
  int32_t dtype() const { return dtype_; }
  int64_t trials() const { return sizes_[0]; }
  int64_t steps() const { return sizes_[1]; }
  int64_t units() const { return sizes_[2]; }
  int64_t parameters() const { return sizes_[3]; }
  int64_t layers() const { return sizes_[5]; }
  int64_t components() const { return sizes_[6]; }
  bool steps_through_time() const { return sizes_[7] != 0; }
  int64_t rows() const { return trials() * steps(); }
  int64_t state_size() const { return rows() * units(); }
  const std::vector<Family>& families() const { return families_; }  // that the model has

  Values state() const;
  Values sites(int32_t family) const;
  Values step_jacobians() const;
  // Numbers of one vector that an operator reads.
  int64_t domain(int32_t op, int32_t family, bool adjoint) const;
  Values apply(int32_t op, const Values& in, bool adjoint = false, int32_t family = 0, int64_t shift = 0) const;
  // Row j is A e_j (A* e_j): the transpose of the dense matrix.
  Values columns(int32_t op, bool adjoint = false, int32_t family = 0) const;

 private:
  void read_sizes();
  const Machine& machine_;
  int32_t dtype_;
  kpflow_linearization* handle_ = nullptr;
  int64_t sizes_[8] = {};
  std::vector<Family> families_;
};

// Operators whose result does not depend on a family, by name.
struct OperatorName {
  int32_t op;
  const char* name;
};
const std::vector<OperatorName>& operators();

}  // namespace kpflow_test
