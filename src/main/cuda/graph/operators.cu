#include "graph/linearization.hpp"
#include "graph/operators.cuh"
#include "graph/rows.cuh"
#include "graph/sweeps.cuh"

namespace kpflow::cuda {

namespace {

// D_Q f of a node's pre-activations y [s, k, units]: out [s, k, n] is phi' y in its part (y itself without slopes), 0 elsewhere.
template <class T>
void gates_push(Context& context, const Graph<T>& graph, const GraphNode<T>& node, int64_t s, const T* y, T* out) {
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
void gates_pull(Context& context, const Graph<T>& graph, const GraphNode<T>& node, int64_t s, const T* a, T* y) {
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
class CudaGraph final : public GraphLinearization<T, Graph<T>> {
  using Base = GraphLinearization<T, Graph<T>>;
  using Base::graph_, Base::held_, Base::state_count;

 public:
  explicit CudaGraph(Context& of) : Base(of.owner), context_(of) {}

  using kpflow_linearization::run;  // refuses any other model
  void run(const kpflow_graph& model, const Progress& progress) override {
    const int64_t bytes = graph_bytes<T>(model);
    if (bytes > held_) require_memory(bytes - held_, "this linearization", "use fewer trials or steps, or f32");
    context_.to_its_end([&] {
      graph_.assign(context_, model);
      run_graph(graph_, context_, model, progress);
    });
    held_ = std::max(held_, bytes);
  }

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
    const GraphNode<T>& node = this->of_family(family);
    T* target = static_cast<T*>(out);
    if (this->is_bias(family)) {
      fill_ones(context_, graph_.rows(), target);
    } else {
      const T* source = node.kind == KPFLOW_NODE_LAYER_NORM ? node.xhat.data() : graph_.value(node.input[0]);
      context_.copy_in(target, source, graph_.rows() * node.width);
    }
    context_.finish();
  }

  void apply(int32_t op, int32_t family, bool adjoint, int64_t s, const void* in, void* out,
             const Progress& progress) override {
    // Blocks of probes of which the scratch stays below 1 GiB.
    const int64_t per_probe = sweep_scratch(graph_) + graph_.parameters;
    const int64_t most = (int64_t(1) << 30) / static_cast<int64_t>(sizeof(T)) / per_probe;
    context_.to_its_end([&] {
      this->compose(op, family, adjoint, s, most, static_cast<const T*>(in), static_cast<T*>(out), progress);
    });
  }

 protected:
  void forward(Sweep sweep, int64_t s, const T* in, const T* theta, int64_t group_rows, T* out,
               const Progress& progress) override {
    cuda::forward<T>(context_, graph_, sweep, s, in, theta, group_rows, out, progress);
  }
  void reverse(Sweep sweep, int64_t s, const T* in, T* out, const Progress& progress) override {
    cuda::reverse<T>(context_, graph_, sweep, -1, s, in, out, progress);
  }
  void gradient(Sweep sweep, int64_t s, const T* in, T* theta, int64_t group_rows, const Progress& progress) override {
    cuda::gradient<T>(context_, graph_, sweep, s, in, theta, group_rows, progress);
  }

  void core(int64_t j, bool adjoint, int64_t s, const T* in, T* out, const Progress& progress) override {
    if (adjoint) {
      T* a = context_.template scratch<T>(Scratch::kState, s * state_count());
      cuda::reverse<T>(context_, graph_, Sweep::kPropagate, j, s, in, a, progress);
      gates_pull(graph_.node(j), s, a, out);
    } else {
      gates_push(graph_.node(j), s, in, out);
      forward_from<T>(context_, graph_, j, s, out, progress);
    }
  }

  void gates_push(const GraphNode<T>& node, int64_t s, const T* y, T* out) override {
    cuda::gates_push(context_, graph_, node, s, y, out);
  }
  void gates_pull(const GraphNode<T>& node, int64_t s, const T* a, T* y) override {
    cuda::gates_pull(context_, graph_, node, s, a, y);
  }

  T* thetas(int64_t count) override { return context_.template scratch<T>(Scratch::kTheta, count); }

  void columns(const T* from, int64_t stride, int64_t count, double* out) const override {
    double* part = context_.template scratch<double>(Scratch::kSpare, count * graph_.rows());
    transpose<T>(context_, graph_.rows(), count, {from, stride}, part);
    context_.copy_out(out, part, count * graph_.rows());
  }

 private:
  Context& context_;
};

}  // namespace

std::unique_ptr<kpflow_linearization> new_graph(Context& context, int32_t dtype) {
  if (dtype == KPFLOW_F32) return std::make_unique<CudaGraph<float>>(context);
  return std::make_unique<CudaGraph<double>>(context);
}

}  // namespace kpflow::cuda
