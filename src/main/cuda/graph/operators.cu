#include "graph/operators.cuh"
#include "graph/rows.cuh"
#include "graph/sweeps.cuh"

namespace kpflow::cuda {

namespace {

// D_Q f of a node's pre-activations y [s, k, units]: out [s, k, n] is phi' y in its part (y itself without slopes), 0 elsewhere.
template <class T>
void push_gates(Context& context, const Graph<T>& graph, const GraphNode<T>& node, int64_t s, const T* y, T* out) {
  const int64_t k = graph.rows(), n = graph.units, units = node.units, begin = node.begin;
  const T* slope = node.slope.size() > 0 ? node.slope.data() : nullptr;
  for_rows(context.stream, s, k, n, [=] __device__(int64_t p, int64_t r, int64_t c) {
    const int64_t row = p * k + r, i = c - begin;
    T value = 0;
    if (i >= 0 && i < units) value = slope != nullptr ? slope[r * units + i] * y[row * units + i] : y[row * units + i];
    out[row * n + c] = value;
  });
}

template <class T>
void pull_gates(Context& context, const Graph<T>& graph, const GraphNode<T>& node, int64_t s, const T* a, T* y) {
  const int64_t k = graph.rows(), n = graph.units, units = node.units, begin = node.begin;
  const T* slope = node.slope.size() > 0 ? node.slope.data() : nullptr;
  for_rows(context.stream, s, k, units, [=] __device__(int64_t p, int64_t r, int64_t i) {
    const int64_t row = p * k + r;
    const T value = a[row * n + begin + i];
    y[row * units + i] = slope != nullptr ? slope[r * units + i] * value : value;
  });
}

template <class T>
void fill_ones(Context& context, int64_t count, T* out) {
  for_each(context.stream, count, [=] __device__(int64_t i) { out[i] = T(1); });
}

// out [columns, rows] = the transpose of from.
template <class T>
void transpose(Context& context, int64_t rows, int64_t columns, Rows<const T> from, double* out) {
  for_rows(context.stream, 1, rows, columns, [=] __device__(int64_t, int64_t r, int64_t c) {
    out[c * rows + r] = static_cast<double>(from.data[r * from.stride + c]);
  });
}

template <class T>
class GraphLinearization final : public kpflow_linearization {
 public:
  explicit GraphLinearization(Context& of) : kpflow_linearization(of.owner), context_(of) {}

  using kpflow_linearization::run;
  void run(const kpflow_graph& model, const Progress& progress) override {
    const int64_t bytes = graph_bytes<T>(model);
    if (bytes > held_) require_memory(bytes - held_, "this linearization", "use fewer trials or steps, or f32");
    context_.to_its_end([&] {
      graph_.assign(context_, model);
      run_graph(graph_, context_, model, progress);
    });
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
    const auto bytes = [](int64_t count) { return static_cast<size_t>(count) * sizeof(T); };
    for (const GraphNode<T>& node : graph_.nodes) {
      check(cudaMemcpy2DAsync(static_cast<T*>(out) + node.begin, bytes(graph_.units), node.value.data(),
                              bytes(node.units), bytes(node.units), static_cast<size_t>(graph_.rows()),
                              cudaMemcpyDeviceToDevice, context_.stream),
            "copying the state");
    }
    context_.finish();
  }

  void sites(int32_t family, void* out) const override {
    const GraphNode<T>& node = of_family(family);
    T* target = static_cast<T*>(out);
    if (is_bias(family)) {
      fill_ones(context_, graph_.rows(), target);
    } else {
      const T* source = node.kind == KPFLOW_NODE_LAYER_NORM ? node.xhat.data() : graph_.value(node.input[0]);
      context_.copy_in(target, source, graph_.rows() * node.width);
    }
    context_.finish();
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
    const DeviceArray<T>& from = side == WeightSide::kSecond ? node.xhat : node.slope;
    if (from.size() == 0) return Slopes::kOnes;
    double* columns = context_.scratch<double>(Scratch::kSpare, count * graph_.rows());
    transpose<T>(context_, graph_.rows(), count, {from.data() + first - node.begin, node.units}, columns);
    context_.copy_out(out, columns, count * graph_.rows());
    return Slopes::kGiven;
  }

  void apply(int32_t op, int32_t family, bool adjoint, int64_t s, const void* in, void* out,
             const Progress& progress) override {
    // Blocks of probes of which the scratch stays below 1 GiB, one probe at least.
    const int64_t per_probe = sweep_scratch(graph_) + graph_.parameters;
    const int64_t in_size = size_of(op, family, !adjoint), out_size = size_of(op, family, adjoint);
    const int64_t most = (int64_t(1) << 30) / static_cast<int64_t>(sizeof(T)) / per_probe;
    const int64_t block = std::clamp<int64_t>(most, 1, s);
    context_.to_its_end([&] {
      for (int64_t first = 0; first < s; first += block) {
        apply_block(op, family, adjoint, std::min(block, s - first), static_cast<const T*>(in) + first * in_size,
                    static_cast<T*>(out) + first * out_size, progress);
      }
    });
  }

 private:
  static bool is_bias(int32_t family) { return family % 2 != 0; }
  const GraphNode<T>& of_family(int32_t family) const { return graph_.node(family / 2); }
  [[noreturn]] static void refuse_steps() {
    fail(KPFLOW_INVALID_ARGUMENT, "model: expected one that steps through time");
  }

  void apply_block(int32_t op, int32_t family, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) {
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
        if (adjoint) return pull_gates(context_, graph_, of_family(family), s, in, out);
        return push_gates(context_, graph_, of_family(family), s, in, out);
      default:
        return core(family, adjoint, s, in, out, progress);
    }
  }

  // Elements of one vector of an operator's domain, or of its range.
  int64_t size_of(int32_t op, int32_t family, bool domain) const {
    if (domain && (op == KPFLOW_D_THETA || op == KPFLOW_J)) return graph_.parameters;
    if (domain && op == KPFLOW_TRIAL_JACOBIAN) return graph_.trials * graph_.parameters;
    if (domain && (op == KPFLOW_D_GATES || op == KPFLOW_CORE)) return graph_.rows() * of_family(family).units;
    return graph_.rows() * graph_.units;
  }

  void propagate(Sweep sweep, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) {
    if (adjoint) {
      reverse<T>(context_, graph_, sweep, -1, s, in, out, progress);
    } else {
      forward<T>(context_, graph_, sweep, s, in, nullptr, graph_.rows(), out, progress);
    }
  }

  // J = P D_theta f or D_theta f, with weights of their own for every group_rows rows.
  void jacobian(Sweep sweep, int64_t group_rows, bool adjoint, int64_t s, const T* in, T* out,
                const Progress& progress) {
    if (adjoint) {
      gradient<T>(context_, graph_, sweep, s, in, out, group_rows, progress);
    } else {
      forward<T>(context_, graph_, sweep, s, nullptr, in, group_rows, out, progress);
    }
  }

  // NTK = J J* or K = D_theta f (D_theta f)*.
  void kernel(Sweep sweep, int64_t s, const T* in, T* out, const Progress& progress) {
    T* theta = context_.scratch<T>(Scratch::kTheta, s * graph_.parameters);
    gradient<T>(context_, graph_, sweep, s, in, theta, graph_.rows(), progress);
    forward<T>(context_, graph_, sweep, s, nullptr, theta, graph_.rows(), out, progress);
  }

  // P_core = P D_Q f of one family.
  void core(int32_t family, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) {
    const GraphNode<T>& node = of_family(family);
    if (adjoint) {
      T* a = context_.scratch<T>(Scratch::kState, s * graph_.rows() * graph_.units);
      reverse<T>(context_, graph_, Sweep::kPropagate, family / 2, s, in, a, progress);
      pull_gates<T>(context_, graph_, node, s, a, out);
    } else {
      push_gates<T>(context_, graph_, node, s, in, out);
      forward_from<T>(context_, graph_, family / 2, s, out, progress);
    }
  }

  Context& context_;
  Graph<T> graph_;
  int64_t held_ = 0;  // the most bytes that were predicted for a run
};

}  // namespace

std::unique_ptr<kpflow_linearization> new_graph(Context& context, int32_t dtype) {
  if (dtype == KPFLOW_F32) return std::make_unique<GraphLinearization<float>>(context);
  return std::make_unique<GraphLinearization<double>>(context);
}

}  // namespace kpflow::cuda
