#include "model.hpp"

#include <algorithm>
#include <cstring>
#include <functional>

namespace kpflow_test {

namespace {

// The C structures of a model, with its arrays in a dtype; alive for one call.
class Description {
 public:
  Description(const Machine& machine, const Model& model, int32_t dtype, bool on_device)
      : machine_(machine), dtype_(dtype), on_device_(on_device) {
    for (const LayerData& layer : model.layers) {
      layers_.push_back({layer.trainable, 0, array(layer.weight_ih), array(layer.weight_hh), array(layer.bias_ih),
                         array(layer.bias_hh), array(layer.sites), array(layer.states), array(layer.derivatives)});
    }
    for (const NodeData& data : model.nodes) {
      nodes_.push_back(data.node);
      nodes_.back().name = data.name.c_str();
      nodes_.back().weight = array(data.weight);
      nodes_.back().bias = array(data.bias);
    }
    recurrent = {model.cell.empty() ? nullptr : model.cell.c_str(),
                 model.cell_parameter,
                 dtype,
                 model.gates,
                 model.components,
                 0,
                 model.trials,
                 model.steps,
                 model.inputs,
                 model.units,
                 static_cast<int64_t>(layers_.size()),
                 layers_.data(),
                 array(model.input),
                 array(model.initial),
                 array(model.trajectory)};
    graph = {dtype,
             0,
             model.trials,
             model.steps,
             model.inputs,
             static_cast<int64_t>(nodes_.size()),
             nodes_.data(),
             array(model.input),
             array(model.trajectory)};
  }

  kpflow_recurrent recurrent;
  kpflow_graph graph;

 private:
  const void* array(const Values& values) {
    if (values.empty()) return nullptr;
    if (on_device_) {
      on_machine_.push_back(std::make_unique<Buffer>(machine_, dtype_, values));
      return on_machine_.back()->data();
    }
    if (dtype_ == KPFLOW_F64) return values.data();
    narrow_.push_back(std::vector<float>(values.begin(), values.end()));
    return narrow_.back().data();
  }

  const Machine& machine_;
  int32_t dtype_;
  bool on_device_;
  std::vector<kpflow_layer> layers_;
  std::vector<kpflow_node> nodes_;
  std::vector<std::vector<float>> narrow_;
  std::vector<std::unique_ptr<Buffer>> on_machine_;
};

int32_t linearize(const Machine& machine, const Model& model, int32_t dtype, bool on_device,
                  kpflow_linearization** handle) {
  const Description description(machine, model, dtype, on_device);
  return model.is_graph() ? kpflow_graph_linearize(machine.context(), &description.graph, nullptr, handle)
                          : kpflow_recurrent_linearize(machine.context(), &description.recurrent, nullptr, handle);
}

}  // namespace

int64_t Model::state_units() const {
  if (!is_graph()) return static_cast<int64_t>(layers.size()) * components * units;
  int64_t sum = 0;
  for (const NodeData& node : nodes) sum += node.node.units;
  return sum;
}

std::vector<std::pair<Values*, bool>> Model::weights() {
  std::vector<std::pair<Values*, bool>> found;
  for (LayerData& layer : layers) {
    Values* kinds[] = {&layer.weight_ih, &layer.weight_hh, &layer.bias_ih, &layer.bias_hh};
    for (int kind = 0; kind < 4; ++kind) found.emplace_back(kinds[kind], (layer.trainable >> kind & 1) != 0);
  }
  for (NodeData& node : nodes) {
    found.emplace_back(&node.weight, (node.node.trainable & 1) != 0);
    found.emplace_back(&node.bias, (node.node.trainable & 2) != 0);
  }
  return found;
}

Linearization::Linearization(const Machine& machine, const Model& model, int32_t dtype, bool on_device)
    : machine_(machine), dtype_(dtype) {
  require(linearize(machine, model, dtype, on_device, &handle_), "linearize");
  read_sizes();
}

int32_t Linearization::refusal(const Machine& machine, const Model& model, int32_t dtype) {
  kpflow_linearization* handle = nullptr;
  const int32_t status = linearize(machine, model, dtype, false, &handle);
  kpflow_linearization_destroy(handle);
  return status;
}

void Linearization::run_again(const Model& model) {
  const Description description(machine_, model, dtype_, false);
  if (model.is_graph()) {
    require(kpflow_graph_relinearize(handle_, &description.graph, nullptr), "graph_relinearize");
  } else {
    require(kpflow_recurrent_relinearize(handle_, &description.recurrent, nullptr), "recurrent_relinearize");
  }
  read_sizes();
}

void Linearization::read_sizes() {
  require(kpflow_linearization_sizes(handle_, sizes_), "sizes");
  families_.clear();
  for (int32_t family = 0; family < sizes_[4]; ++family) {
    int64_t out[3];
    require(kpflow_linearization_family(handle_, family, out), "family");
    if (out[1] > 0) families_.push_back({family, out[0], out[1], out[2]});
  }
}

Values Linearization::state() const {
  const Buffer out(machine_, dtype_, state_size());
  require(kpflow_linearization_state(handle_, out.data()), "state");
  return out.read();
}

Values Linearization::sites(int32_t family) const {
  int64_t sizes[3];
  require(kpflow_linearization_family(handle_, family, sizes), "family");
  const Buffer out(machine_, dtype_, rows() * sizes[1]);
  require(kpflow_linearization_sites(handle_, family, out.data()), "sites");
  return out.read();
}

Values Linearization::step_jacobians() const {
  const Buffer out(machine_, dtype_, state_size() * units());
  require(kpflow_linearization_step_jacobians(handle_, 0, steps(), out.data()), "step_jacobians");
  return out.read();
}

int64_t Linearization::domain(int32_t op, int32_t family, bool adjoint) const {
  if (adjoint) return state_size();
  switch (op) {
    case KPFLOW_D_THETA:
    case KPFLOW_J:
      return parameters();
    case KPFLOW_TRIAL_JACOBIAN:
      return trials() * parameters();
    case KPFLOW_CORE:
    case KPFLOW_D_GATES:
      for (const Family& f : families_) {
        if (f.index == family) return rows() * f.outputs;
      }
      return 0;
    default:
      return state_size();
  }
}

Values Linearization::apply(int32_t op, const Values& in, bool adjoint, int32_t family, int64_t shift) const {
  const int64_t s = static_cast<int64_t>(in.size()) / domain(op, family, adjoint);
  const Buffer x(machine_, dtype_, in, shift), y(machine_, dtype_, s * domain(op, family, !adjoint), shift);
  require(kpflow_linearization_apply(handle_, op, family, adjoint ? 1 : 0, s, x.data(), y.data(), nullptr), "apply");
  return y.read();
}

Values Linearization::columns(int32_t op, bool adjoint, int32_t family) const {
  const int64_t size = domain(op, family, adjoint), range = domain(op, family, !adjoint);
  constexpr int64_t kBlock = 256;
  Values all;
  all.reserve(static_cast<size_t>(size * range));
  for (int64_t first = 0; first < size; first += kBlock) {
    const int64_t count = std::min(kBlock, size - first);
    Values unit(static_cast<size_t>(count * size), 0.0);
    for (int64_t j = 0; j < count; ++j) unit[static_cast<size_t>(j * size + first + j)] = 1;
    const Values block = apply(op, unit, adjoint, family);
    all.insert(all.end(), block.begin(), block.end());
  }
  return all;
}

const std::vector<OperatorName>& operators() {
  static const std::vector<OperatorName> all = {{KPFLOW_P, "P"},
                                                {KPFLOW_P_INVERSE, "P^-1"},
                                                {KPFLOW_D_THETA, "D_theta"},
                                                {KPFLOW_J, "J"},
                                                {KPFLOW_K, "K"},
                                                {KPFLOW_NTK, "NTK"},
                                                {KPFLOW_TRIAL_JACOBIAN, "trial Jacobian"}};
  return all;
}

}  // namespace kpflow_test
