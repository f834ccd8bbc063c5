#include "graph/operators.hpp"

#include <algorithm>

#include "core/system.hpp"
#include "graph/rows.hpp"
#include "graph/sweeps.hpp"

namespace kpflow {

namespace {

template <class T>
class GraphLinearization final : public kpflow_linearization {
 public:
  explicit GraphLinearization(kpflow_context& owner) : kpflow_linearization(owner), sweeps_(graph_, owner) {}

  void run(const kpflow_graph& model, const Progress& progress) override {
    const int64_t bytes = graph_bytes<T>(model);
    if (bytes > held_) require_memory(bytes - held_, "this linearization", "use fewer trials or steps, or f32");
    graph_.assign(model);
    run_graph(graph_, context, model, progress);
    held_ = std::max(held_, bytes);
  }

  int32_t dtype() const override { return sizeof(T) == 4 ? KPFLOW_F32 : KPFLOW_F64; }
  int64_t trials() const override { return graph_.trials; }
  int64_t steps() const override { return graph_.steps; }
  int64_t units() const override { return graph_.units; }
  int64_t parameters() const override { return graph_.parameters; }
  int32_t families() const override { return static_cast<int32_t>(2 * graph_.count()); }
  Family family(int32_t family) const override { return of_family(family).family(is_bias(family)); }
  int64_t layers() const override { return graph_.count(); }
  Layer layer(int64_t j) const override {
    return {graph_.node(j).begin, graph_.node(j).units, graph_.node(j).begin, 1};
  }
  int64_t components() const override { return 1; }
  bool steps_through_time() const override { return false; }

  void state(void* out) const override {
    for (const GraphNode<T>& node : graph_.nodes) {
      move_rows(graph_.rows(), node.units, node.value.data(), node.units, false, static_cast<T*>(out) + node.begin,
                graph_.units);
    }
  }

  void sites(int32_t family, void* out) const override {
    const GraphNode<T>& node = of_family(family);
    T* target = static_cast<T*>(out);
    if (is_bias(family)) {
      std::fill_n(target, graph_.rows(), T(1));
    } else {
      const T* source = node.kind == KPFLOW_NODE_LAYER_NORM ? node.xhat.data() : graph_.value(node.input[0]);
      std::copy_n(source, graph_.rows() * node.width, target);
    }
  }

  void step_jacobians(int64_t, int64_t, void*) const override { refuse_steps(); }
  void host_jacobians(int64_t, int64_t, int64_t, int64_t, double*) const override { refuse_steps(); }

  // A weight W or a bias has slopes phi', gamma of a layer norm xhat and its beta 1.
  Slopes slopes(WeightSide side, int64_t first, int64_t count, double* out) const override {
    int64_t j = 0;
    while (first >= graph_.node(j).begin + graph_.node(j).units) ++j;
    const GraphNode<T>& node = graph_.node(j);
    const bool norm = node.kind == KPFLOW_NODE_LAYER_NORM;
    if (side == WeightSide::kSecond ? !norm : !norm && node.kind != KPFLOW_NODE_LINEAR) return Slopes::kNone;
    const Array<T>& from = side == WeightSide::kSecond ? node.xhat : node.slope;
    if (from.size() == 0) return Slopes::kOnes;
    const int64_t k = graph_.rows();
    for_rows(1, [&](int64_t row, int64_t) {
      for (int64_t u = 0; u < count; ++u) {
        out[u * k + row] = static_cast<double>(from[row * node.units + first - node.begin + u]);
      }
    });
    return Slopes::kGiven;
  }

  void apply(int32_t op, int32_t family, bool adjoint, int64_t s, const void* in, void* out,
             const Progress& progress) override {
    const T* source = static_cast<const T*>(in);
    T* target = static_cast<T*>(out);
    switch (op) {
      case KPFLOW_P:
        return propagate(Sweep::kPropagate, adjoint, s, source, target, progress);
      case KPFLOW_P_INVERSE:
        return propagate(Sweep::kInverse, adjoint, s, source, target, progress);
      case KPFLOW_D_THETA:
        return jacobian(Sweep::kLocal, graph_.rows(), adjoint, s, source, target, progress);
      case KPFLOW_J:
        return jacobian(Sweep::kPropagate, graph_.rows(), adjoint, s, source, target, progress);
      case KPFLOW_TRIAL_JACOBIAN:
        return jacobian(Sweep::kPropagate, graph_.steps, adjoint, s, source, target, progress);
      case KPFLOW_K:
        return kernel(Sweep::kLocal, s, source, target, progress);
      case KPFLOW_NTK:
        return kernel(Sweep::kPropagate, s, source, target, progress);
      case KPFLOW_D_GATES:
        return adjoint ? gates_pull(of_family(family), s, source, target)
                       : gates_push(of_family(family), s, source, target);
      case KPFLOW_CORE:
        return core(family, adjoint, s, source, target, progress);
      default:
        fail(KPFLOW_INVALID_ARGUMENT, "operator: expected 0 to %d, got %d", KPFLOW_OPERATORS - 1, op);
    }
  }

 private:
  static bool is_bias(int32_t family) { return family % 2 != 0; }
  const GraphNode<T>& of_family(int32_t family) const { return graph_.node(family / 2); }
  [[noreturn]] static void refuse_steps() {
    fail(KPFLOW_INVALID_ARGUMENT, "model: expected one that steps through time");
  }

  void propagate(Sweep sweep, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) {
    if (adjoint) {
      sweeps_.reverse(sweep, s, in, out, nullptr, graph_.rows(), progress);
    } else {
      sweeps_.forward(sweep, s, in, nullptr, graph_.rows(), out, progress);
    }
  }

  // J = P D_theta f or D_theta f, with weights of their own for every group_rows rows.
  void jacobian(Sweep sweep, int64_t group_rows, bool adjoint, int64_t s, const T* in, T* out,
                const Progress& progress) {
    const int64_t groups = graph_.rows() / group_rows, theta = groups * graph_.parameters;
    in_blocks(s, groups * graph_.packed_size, [&](int64_t first, int64_t count) {
      if (adjoint) {
        sweeps_.reverse(sweep, count, in + first * state_count(), nullptr, out + first * theta, group_rows, progress);
      } else {
        sweeps_.forward(sweep, count, nullptr, in + first * theta, group_rows, out + first * state_count(), progress);
      }
    });
  }

  // NTK = J J* or K = D_theta f (D_theta f)*.
  void kernel(Sweep sweep, int64_t s, const T* in, T* out, const Progress& progress) {
    in_blocks(s, graph_.parameters + graph_.packed_size, [&](int64_t first, int64_t count) {
      T* theta = reserve(between_, count * graph_.parameters);
      const int64_t at = first * state_count(), rows = graph_.rows();
      sweeps_.reverse(sweep, count, in + at, nullptr, theta, rows, progress);
      sweeps_.forward(sweep, count, nullptr, theta, rows, out + at, progress);
    });
  }

  // P_core = P D_Q f of one family.
  void core(int32_t family, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) {
    const GraphNode<T>& node = of_family(family);
    if (!adjoint) {
      gates_push(node, s, in, out);
      return propagate(Sweep::kPropagate, false, s, out, out, progress);
    }
    in_blocks(s, state_count(), [&](int64_t first, int64_t count) {
      T* a = reserve(between_, count * state_count());
      propagate(Sweep::kPropagate, true, count, in + first * state_count(), a, progress);
      gates_pull(node, count, a, out + first * graph_.rows() * node.units);
    });
  }

  // D_Q f of a family of the node: phi' of a linear node, the identity of a layer norm.
  void gates_push(const GraphNode<T>& node, int64_t s, const T* y, T* out) {
    const int64_t n = graph_.units;
    for_rows(s, [&](int64_t row, int64_t record) {
      T* target = out + row * n;
      std::fill_n(target, n, T(0));
      for (int64_t i = 0; i < node.units; ++i) {
        target[node.begin + i] = slope(node, record, i) * y[row * node.units + i];
      }
    });
  }
  void gates_pull(const GraphNode<T>& node, int64_t s, const T* a, T* y) {
    for_rows(s, [&](int64_t row, int64_t record) {
      const T* source = a + row * graph_.units + node.begin;
      for (int64_t i = 0; i < node.units; ++i) y[row * node.units + i] = slope(node, record, i) * source[i];
    });
  }
  // body(row of a block of s vectors, row of the node's arrays).
  template <class Body>
  void for_rows(int64_t s, const Body& body) const {
    constexpr int64_t kChunk = 256;
    const int64_t k = graph_.rows();
    context.pool.run(pieces(s * k, kChunk), [&](int64_t task, int) {
      for (int64_t row = task * kChunk; row < std::min(s * k, (task + 1) * kChunk); ++row) body(row, row % k);
    });
  }
  T slope(const GraphNode<T>& node, int64_t row, int64_t unit) const {
    return node.slope.size() > 0 ? node.slope[row * node.units + unit] : T(1);
  }

  // Cuts a block of probes so that its scratch (gradients or a state between the halves of an operator, packed weights) stays
  // bounded, at one probe at least: body(first, count).
  template <class Body>
  void in_blocks(int64_t s, int64_t scratch_per_probe, const Body& body) {
    constexpr int64_t kMostElements = (int64_t(512) << 20) / static_cast<int64_t>(sizeof(T));
    const int64_t most = std::clamp<int64_t>(kMostElements / std::max<int64_t>(scratch_per_probe, 1), 1, s);
    for (int64_t first = 0; first < s; first += most) body(first, std::min(most, s - first));
  }

  int64_t state_count() const { return graph_.rows() * graph_.units; }

  Graph<T> graph_;
  GraphSweeps<T> sweeps_;
  int64_t held_ = 0;  // the most bytes that were predicted for a run
  Array<T> between_;  // scratch between the halves of an operator; it only grows
};

}  // namespace

std::unique_ptr<kpflow_linearization> new_graph(kpflow_context& context, int32_t dtype) {
  if (dtype == KPFLOW_F32) return std::make_unique<GraphLinearization<float>>(context);
  return std::make_unique<GraphLinearization<double>>(context);
}

}  // namespace kpflow
