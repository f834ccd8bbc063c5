#include "graph/operators.hpp"

#include <algorithm>

#include "core/system.hpp"
#include "graph/linearization.hpp"
#include "graph/rows.hpp"
#include "graph/sweeps.hpp"

namespace kpflow {

namespace {

template <class T>
class CpuGraph final : public GraphLinearization<T, Graph<T>> {
  using Base = GraphLinearization<T, Graph<T>>;
  using Base::context, Base::graph_, Base::held_, Base::state_count;

 public:
  explicit CpuGraph(kpflow_context& owner) : Base(owner), sweeps_(graph_, owner) {}

  void run(const kpflow_graph& model, const Progress& progress) override {
    const int64_t bytes = graph_bytes<T>(model);
    if (bytes > held_) require_memory(bytes - held_, "this linearization", "use fewer trials or steps, or f32");
    graph_.assign(model);
    run_graph(graph_, context, model, progress);
    held_ = std::max(held_, bytes);
  }

  void state(void* out) const override {
    for (const GraphNode<T>& node : graph_.nodes) {
      move_rows(graph_.rows(), node.units, node.value.data(), node.units, false, static_cast<T*>(out) + node.begin,
                graph_.units);
    }
  }

  void sites(int32_t family, void* out) const override {
    const GraphNode<T>& node = this->of_family(family);
    T* target = static_cast<T*>(out);
    if (this->is_bias(family)) {
      std::fill_n(target, graph_.rows(), T(1));
    } else {
      const T* source = node.kind == KPFLOW_NODE_LAYER_NORM ? node.xhat.data() : graph_.value(node.input[0]);
      std::copy_n(source, graph_.rows() * node.width, target);
    }
  }

  void apply(int32_t op, int32_t family, bool adjoint, int64_t s, const void* in, void* out,
             const Progress& progress) override {
    // Blocks of probes of which the scratch (packed weights, gradients or a state between the halves) stays below 512 MiB.
    constexpr int64_t kMostElements = (int64_t(512) << 20) / static_cast<int64_t>(sizeof(T));
    const int64_t most = kMostElements / std::max<int64_t>(scratch_per_probe(op), 1);
    this->compose(op, family, adjoint, s, most, static_cast<const T*>(in), static_cast<T*>(out), progress);
  }

 protected:
  void forward(Sweep sweep, int64_t s, const T* in, const T* theta, int64_t group_rows, T* out,
               const Progress& progress) override {
    sweeps_.forward(sweep, s, in, theta, group_rows, out, progress);
  }
  void reverse(Sweep sweep, int64_t s, const T* in, T* out, const Progress& progress) override {
    sweeps_.reverse(sweep, s, in, out, nullptr, graph_.rows(), progress);
  }
  void gradient(Sweep sweep, int64_t s, const T* in, T* theta, int64_t group_rows, const Progress& progress) override {
    sweeps_.reverse(sweep, s, in, nullptr, theta, group_rows, progress);
  }

  void core(int64_t j, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) override {
    const GraphNode<T>& node = graph_.node(j);
    if (adjoint) {
      T* a = reserve(between_, s * state_count());
      reverse(Sweep::kPropagate, s, in, a, progress);
      gates_pull(node, s, a, out);
    } else {
      gates_push(node, s, in, out);
      forward(Sweep::kPropagate, s, out, nullptr, graph_.rows(), out, progress);
    }
  }

  void gates_push(const GraphNode<T>& node, int64_t s, const T* y, T* out) override {
    const int64_t n = graph_.units;
    for_rows(s, [&](int64_t row, int64_t record) {
      T* target = out + row * n;
      std::fill_n(target, n, T(0));
      for (int64_t i = 0; i < node.units; ++i) {
        target[node.begin + i] = slope(node, record, i) * y[row * node.units + i];
      }
    });
  }
  void gates_pull(const GraphNode<T>& node, int64_t s, const T* a, T* y) override {
    for_rows(s, [&](int64_t row, int64_t record) {
      const T* source = a + row * graph_.units + node.begin;
      for (int64_t i = 0; i < node.units; ++i) y[row * node.units + i] = slope(node, record, i) * source[i];
    });
  }

  T* thetas(int64_t count) override { return reserve(between_, count); }

  void columns(const T* from, int64_t stride, int64_t count, double* out) const override {
    const int64_t k = graph_.rows();
    for_rows(1, [&](int64_t row, int64_t) {
      for (int64_t u = 0; u < count; ++u) out[u * k + row] = static_cast<double>(from[row * stride + u]);
    });
  }

 private:
  int64_t scratch_per_probe(int32_t op) const {
    switch (op) {
      case KPFLOW_TRIAL_JACOBIAN:
        return graph_.trials * graph_.packed_size;
      case KPFLOW_D_THETA:
      case KPFLOW_J:
        return graph_.packed_size;
      case KPFLOW_K:
      case KPFLOW_NTK:
        return graph_.parameters + graph_.packed_size;
      case KPFLOW_CORE:
        return state_count();
      default:
        return 0;
    }
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

  GraphSweeps<T> sweeps_;
  Array<T> between_;  // gradients or a state between the halves of an operator; it only grows
};

}  // namespace

std::unique_ptr<kpflow_linearization> new_graph(kpflow_context& context, int32_t dtype) {
  if (dtype == KPFLOW_F32) return std::make_unique<CpuGraph<float>>(context);
  return std::make_unique<CpuGraph<double>>(context);
}

}  // namespace kpflow
