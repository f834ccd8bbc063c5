// A linearized feed-forward model on any device: its sizes, and its operators composed of the sweeps that a device has.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/reduction.hpp"
#include "graph/layout.hpp"

namespace kpflow {

// Net is a device's Graph<T>: GraphSizes and nodes, which are NodeLayouts, with their arrays.
template <class T, class Net>
class GraphLinearization : public kpflow_linearization {
 public:
  int32_t dtype() const final { return sizeof(T) == 4 ? KPFLOW_F32 : KPFLOW_F64; }
  int64_t trials() const final { return graph_.trials; }
  int64_t steps() const final { return graph_.steps; }
  int64_t units() const final { return graph_.units; }
  int64_t parameters() const final { return graph_.parameters; }
  int32_t families() const final { return static_cast<int32_t>(2 * graph_.count()); }
  Family family(int32_t family) const final { return of_family(family).family(is_bias(family)); }
  int64_t layers() const final { return graph_.count(); }
  Layer layer(int64_t j) const final { return {graph_.node(j).begin, graph_.node(j).units, graph_.node(j).begin, 1}; }
  int64_t components() const final { return 1; }
  bool steps_through_time() const final { return false; }
  void step_jacobians(int64_t, int64_t, void*) const final { refuse_steps(); }
  void host_jacobians(int64_t, int64_t, int64_t, int64_t, double*) const final { refuse_steps(); }

  // A weight W or a bias has slopes phi', gamma of a layer norm xhat and its beta 1.
  Slopes slopes(WeightSide side, int64_t first, int64_t count, double* out) const final {
    int64_t j = 0;
    while (first >= graph_.node(j).begin + graph_.node(j).units) ++j;
    const auto& node = graph_.node(j);
    const bool norm = node.kind == KPFLOW_NODE_LAYER_NORM;
    if (side == WeightSide::kSecond ? !norm : !norm && node.kind != KPFLOW_NODE_LINEAR) return Slopes::kNone;
    const auto& from = side == WeightSide::kSecond ? node.xhat : node.slope;
    if (from.size() == 0) return Slopes::kOnes;
    columns(from.data() + first - node.begin, node.units, count, out);
    return Slopes::kGiven;
  }

 protected:
  using Node = typename Net::Node;
  using kpflow_linearization::kpflow_linearization;

  // The parts, on blocks of s states [s, k, n]. out = P (in + D_theta f theta), its inverse on in, or D_theta f theta; in or theta
  // may be nullptr. theta is [s k / group_rows, p] with group_rows k or T.
  virtual void forward(Sweep sweep, int64_t s, const T* in, const T* theta, int64_t group_rows, T* out,
                       const Progress& progress) = 0;
  // out = P* in or its inverse.
  virtual void reverse(Sweep sweep, int64_t s, const T* in, T* out, const Progress& progress) = 0;
  // theta [s k / group_rows, p] = (D_theta f)* P* in or (D_theta f)* in.
  virtual void gradient(Sweep sweep, int64_t s, const T* in, T* theta, int64_t group_rows,
                        const Progress& progress) = 0;
  // P_core = P D_Q f of a family of node j, y [s, k, units], and its adjoint.
  virtual void core(int64_t j, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) = 0;
  // D_Q f of a family of a node, y [s, k, units]: phi' of a linear node, the identity of a layer norm; and its adjoint.
  virtual void gates_push(const Node& node, int64_t s, const T* y, T* out) = 0;
  virtual void gates_pull(const Node& node, int64_t s, const T* a, T* y) = 0;
  // An array of thetas, which lasts until the next one.
  virtual T* thetas(int64_t count) = 0;
  // out [count, k] on the host: the first `count` columns of rows `stride` apart.
  virtual void columns(const T* from, int64_t stride, int64_t count, double* out) const = 0;

  // One of the operators of kpflow.h on blocks of probes of at most so many.
  void compose(int32_t op, int32_t family, bool adjoint, int64_t s, int64_t most, const T* in, T* out,
               const Progress& progress) {
    const int64_t block = std::clamp<int64_t>(most, 1, s);
    const int64_t in_size = size_of(op, family, !adjoint), out_size = size_of(op, family, adjoint);
    for (int64_t first = 0; first < s; first += block) {
      compose_block(op, family, adjoint, std::min(block, s - first), in + first * in_size, out + first * out_size,
                    progress);
    }
  }

  const Node& of_family(int32_t family) const { return graph_.node(family / 2); }
  static bool is_bias(int32_t family) { return family % 2 != 0; }
  int64_t state_count() const { return graph_.rows() * graph_.units; }

  Net graph_;
  int64_t held_ = 0;  // the most bytes that were predicted for a run

 private:
  [[noreturn]] static void refuse_steps() {
    fail(KPFLOW_INVALID_ARGUMENT, "model: expected one that steps through time");
  }

  void compose_block(int32_t op, int32_t family, bool adjoint, int64_t s, const T* in, T* out,
                     const Progress& progress) {
    const int64_t k = graph_.rows();
    switch (op) {
      case KPFLOW_P:
        return propagate(Sweep::kPropagate, adjoint, s, in, out, progress);
      case KPFLOW_P_INVERSE:
        return propagate(Sweep::kInverse, adjoint, s, in, out, progress);
      case KPFLOW_D_THETA:
        return jacobian(Sweep::kLocal, k, adjoint, s, in, out, progress);
      case KPFLOW_J:
        return jacobian(Sweep::kPropagate, k, adjoint, s, in, out, progress);
      case KPFLOW_TRIAL_JACOBIAN:
        return jacobian(Sweep::kPropagate, graph_.steps, adjoint, s, in, out, progress);
      case KPFLOW_K:
        return kernel(Sweep::kLocal, s, in, out, progress);
      case KPFLOW_NTK:
        return kernel(Sweep::kPropagate, s, in, out, progress);
      case KPFLOW_D_GATES:
        return adjoint ? gates_pull(of_family(family), s, in, out) : gates_push(of_family(family), s, in, out);
      case KPFLOW_CORE:
        return core(family / 2, adjoint, s, in, out, progress);
      default:
        fail(KPFLOW_INVALID_ARGUMENT, "operator: expected 0 to %d, got %d", KPFLOW_OPERATORS - 1, op);
    }
  }

  void propagate(Sweep sweep, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) {
    if (adjoint) {
      reverse(sweep, s, in, out, progress);
    } else {
      forward(sweep, s, in, nullptr, graph_.rows(), out, progress);
    }
  }

  // J = P D_theta f or D_theta f, with weights of their own for every group_rows rows.
  void jacobian(Sweep sweep, int64_t group_rows, bool adjoint, int64_t s, const T* in, T* out,
                const Progress& progress) {
    if (adjoint) {
      gradient(sweep, s, in, out, group_rows, progress);
      if (group_rows == graph_.rows()) reduce_over_trials(out, s * graph_.parameters);
    } else {
      forward(sweep, s, nullptr, in, group_rows, out, progress);
    }
  }

  // NTK = J J* or K = D_theta f (D_theta f)*.
  void kernel(Sweep sweep, int64_t s, const T* in, T* out, const Progress& progress) {
    T* theta = thetas(s * graph_.parameters);
    gradient(sweep, s, in, theta, graph_.rows(), progress);
    reduce_over_trials(theta, s * graph_.parameters);
    forward(sweep, s, nullptr, theta, graph_.rows(), out, progress);
  }

  // Elements of one vector of an operator's domain, or of its range.
  int64_t size_of(int32_t op, int32_t family, bool domain) const {
    if (domain && (op == KPFLOW_D_THETA || op == KPFLOW_J)) return graph_.parameters;
    if (domain && op == KPFLOW_TRIAL_JACOBIAN) return graph_.trials * graph_.parameters;
    if (domain && (op == KPFLOW_D_GATES || op == KPFLOW_CORE)) return graph_.rows() * of_family(family).units;
    return state_count();
  }
};

}  // namespace kpflow
