#include "graph/attention.cuh"
#include "graph/local.cuh"
#include "graph/rows.cuh"
#include "linalg/long_sums.cuh"

namespace kpflow::cuda {

namespace {

// Node j's part of a block.
template <class T>
Rows<const T> part(const Graph<T>& graph, const NodeLayout& node, const T* block) {
  return {block == nullptr ? nullptr : block + node.begin, graph.units};
}
template <class T>
Rows<T> part(const Graph<T>& graph, const NodeLayout& node, T* block) {
  return {block == nullptr ? nullptr : block + node.begin, graph.units};
}

// The parameters of a family at an offset of theta; none where it is frozen.
template <class T, class Call>
Parameters<T> family(const Graph<std::remove_const_t<T>>& graph, const Call& call, T* theta, int64_t offset) {
  return {theta == nullptr || offset < 0 ? nullptr : theta + offset, graph.parameters, call.group_rows};
}

// A product for every probe and every one of its `parts`, in as few calls as strides allow. Strides are those of a, b and c
// between probes and between parts.
struct Strides {
  int64_t a, b, c;
};
template <class T>
void multiply_parts(Context& context, const Product<T>& one, int64_t probes, const Strides& by_probe, int64_t parts,
                    const Strides& by_part) {
  const bool over_parts = parts > probes;
  const Strides &inner = over_parts ? by_part : by_probe, &outer = over_parts ? by_probe : by_part;
  Product<T> product = one;
  product.batch = over_parts ? parts : probes;
  product.stride_a = inner.a;
  product.stride_b = inner.b;
  product.stride_c = inner.c;
  for (int64_t i = 0; i < (over_parts ? probes : parts); ++i) {
    product.a = one.a + i * outer.a;
    product.b = one.b + i * outer.b;
    product.c = one.c + i * outer.c;
    multiply_long(context, product);
  }
}

template <class T>
bool is_live(const Tangent<T>& call, int64_t parent) {
  return parent >= 0 && call.live[static_cast<size_t>(parent)];
}

// phi' (W dv + dW v + db).
template <class T>
bool linear_tangent(Context& context, const Graph<T>& graph, const GraphNode<T>& node, const Tangent<T>& call) {
  const int64_t k = graph.rows(), n = graph.units, parent = node.input[0];
  const Parameters<const T> weight = family(graph, call, call.theta, node.weight_offset),
                            bias = family(graph, call, call.theta, node.bias_offset);
  const bool moved = is_live(call, parent), product = moved || weight.theta != nullptr;
  if (!product && bias.theta == nullptr) return false;
  const Rows<T> y = part(graph, node, call.out);
  if (moved) {
    multiply<T>(context, {false, true, call.s * k, node.units, node.width, T(1),
                          part(graph, graph.node(parent), call.source).data, n, node.weight.data(), node.width, T(0),
                          y.data, n});
  }
  if (weight.theta != nullptr) {
    const int64_t group = call.group_rows, parts = k / group, p = graph.parameters;
    multiply_parts<T>(context,
                      {false, true, group, node.units, node.width, T(1), graph.value(parent), node.width, weight.theta,
                       node.width, moved ? T(1) : T(0), y.data, n},
                      call.s, {0, parts * p, k * n}, parts, {group * node.width, p, group * n});
  }
  const T* slope = node.activation != KPFLOW_IDENTITY ? node.slope.data() : nullptr;
  if (slope != nullptr || bias.theta != nullptr || call.injected != nullptr) {
    scale_tangent<T>(context, call.s, k, node.units, part(graph, node, call.injected), call.sign, slope, bias, product,
                     y);
  }
  return true;
}

// The sums of g_r v_r^T over the rows of every group.
template <class T>
void weight_gradient(Context& context, const Graph<T>& graph, const GraphNode<T>& node, int64_t s,
                     const ProbeRows<const T>& g, const Parameters<T>& weight) {
  const int64_t k = graph.rows(), group = weight.group_rows, groups = k / group, p = weight.p;
  const T* v = graph.value(node.input[0]);
  if (s > 1 && g.probe == node.units &&
      g.stride == s * node.units) {  // the units of all probes side by side: one product
    T* sums = context.scratch<T>(Scratch::kSpare, s * node.weights);
    multiply_long<T>(context, {true, false, s * node.units, node.width, k, T(1), g.data, g.stride, v, node.width, T(0),
                               sums, node.width});
    const size_t bytes = static_cast<size_t>(node.weights) * sizeof(T);
    check(cudaMemcpy2DAsync(weight.theta, static_cast<size_t>(p) * sizeof(T), sums, bytes, bytes,
                            static_cast<size_t>(s), cudaMemcpyDeviceToDevice, context.stream),
          "copying gradients");
    return;
  }
  multiply_parts<T>(context,
                    {true, false, node.units, node.width, group, T(1), g.data, g.stride, v, node.width, T(0),
                     weight.theta, node.width},
                    s, {g.probe, 0, groups * p}, groups, {group * g.stride, group * node.width, p});
}

// One product for every probe would leave most of a card idle.
bool is_small(const NodeLayout& node, int64_t s) {
  constexpr int64_t kTile = 128, kMultiprocessors = 132;
  return s > 1 && 2 * s * pieces(node.units, kTile) * pieces(node.width, kTile) <= kMultiprocessors;
}

template <class T>
void linear_cotangent(Context& context, const Graph<T>& graph, const GraphNode<T>& node, const Cotangent<T>& call) {
  const int64_t s = call.s, k = graph.rows(), n = graph.units, units = node.units, parent = node.input[0];
  const Parameters<T> weight = family(graph, call, call.theta, node.weight_offset),
                      bias = family(graph, call, call.theta, node.bias_offset);
  const bool passes = call.target != nullptr && parent >= call.from;
  const bool product = passes || weight.theta != nullptr;
  const bool stacked = weight.theta != nullptr && call.group_rows == k && is_small(node, s);
  const Rows<const T> a = part(graph, node, call.source);
  const T* slope = node.activation != KPFLOW_IDENTITY ? node.slope.data() : nullptr;
  ProbeRows<T> scaled;  // slope a, where that is not a itself
  if (stacked) {        // [k, s, units]
    scaled = {{context.scratch<T>(Scratch::kSites, s * k * units), s * units}, units};
  } else if (slope != nullptr && product && call.overwritten != nullptr) {
    scaled = {part(graph, node, call.overwritten), k * n};
  } else if (slope != nullptr && product) {
    scaled = {{context.scratch<T>(Scratch::kSites, s * k * units), units}, k * units};
  }
  if (scaled.data != nullptr || bias.theta != nullptr) {
    scale_cotangent<T>(context, s, k, units, slope, nullptr, a, scaled, {nullptr, 0, 0}, bias);
  }
  ProbeRows<const T> g{a, k * n};
  if (scaled.data != nullptr) g = {{scaled.data, scaled.stride}, scaled.probe};
  if (weight.theta != nullptr) weight_gradient(context, graph, node, s, g, weight);
  if (!passes) return;
  T* target = part(graph, graph.node(parent), call.target).data;
  const int64_t calls = stacked ? s : 1, rows = s * k / calls;
  multiply<T>(context, {false, false, rows, node.width, units, call.sign, g.data, g.stride, node.weight.data(),
                        node.width, T(1), target, n, calls, g.probe, 0, k * n});
}

template <class T>
Norm<T> norm_of(const GraphNode<T>& node) {
  return {node.has_weight ? node.weight.data() : nullptr, node.xhat.data(), node.scale.data()};
}

// gamma dxhat + dgamma xhat + dbeta.
template <class T>
bool norm_node_tangent(Context& context, const Graph<T>& graph, const GraphNode<T>& node, const Tangent<T>& call) {
  const Parameters<const T> weight = family(graph, call, call.theta, node.weight_offset),
                            bias = family(graph, call, call.theta, node.bias_offset);
  const bool moved = is_live(call, node.input[0]);
  if (!moved && weight.theta == nullptr && bias.theta == nullptr) return false;
  Rows<const T> dv;
  if (moved) dv = part(graph, graph.node(node.input[0]), call.source);
  norm_tangent<T>(context, call.s, graph.rows(), node.units, norm_of(node), part(graph, node, call.injected), call.sign,
                  dv, weight, bias, part(graph, node, call.out));
  return true;
}

template <class T>
void norm_node_cotangent(Context& context, const Graph<T>& graph, const GraphNode<T>& node, const Cotangent<T>& call) {
  const Parameters<T> weight = family(graph, call, call.theta, node.weight_offset),
                      bias = family(graph, call, call.theta, node.bias_offset);
  const Rows<const T> a = part(graph, node, call.source);
  if (weight.theta != nullptr || bias.theta != nullptr) {
    scale_cotangent<T>(context, call.s, graph.rows(), node.units, nullptr, node.xhat.data(), a, {}, weight, bias);
  }
  if (call.target == nullptr || node.input[0] < call.from) return;
  norm_cotangent<T>(context, call.s, graph.rows(), node.units, norm_of(node), call.sign, a,
                    part(graph, graph.node(node.input[0]), call.target));
}

// Memory limits the sum of two inputs and its adjoint; both terms of one element are one thread's, as the inputs may be one node.
template <class T>
bool sum_tangent(Context& context, const Graph<T>& graph, const GraphNode<T>& node, const Tangent<T>& call) {
  const T* terms[2];
  for (int i = 0; i < 2; ++i) {
    terms[i] = is_live(call, node.input[i]) ? part(graph, graph.node(node.input[i]), call.source).data : nullptr;
  }
  if (terms[0] == nullptr && terms[1] == nullptr) return false;
  const T *left = terms[0], *right = terms[1], *injected = part(graph, node, call.injected).data, sign = call.sign;
  T* y = part(graph, node, call.out).data;
  const int64_t n = graph.units;
  for_rows(context.stream, 1, call.s * graph.rows(), node.units, [=] __device__(int64_t, int64_t r, int64_t c) {
    const int64_t at = r * n + c;
    const T sum = (left != nullptr ? left[at] : T(0)) + (right != nullptr ? right[at] : T(0));
    y[at] = injected != nullptr ? injected[at] + sign * sum : sign * sum;
  });
  return true;
}

template <class T>
void sum_cotangent(Context& context, const Graph<T>& graph, const GraphNode<T>& node, const Cotangent<T>& call) {
  if (call.target == nullptr) return;
  T* terms[2];
  for (int i = 0; i < 2; ++i) {
    terms[i] = node.input[i] >= call.from ? part(graph, graph.node(node.input[i]), call.target).data : nullptr;
  }
  if (terms[0] == nullptr && terms[1] == nullptr) return;
  T *left = terms[0], *right = terms[1];
  const T *a = part(graph, node, call.source).data, sign = call.sign;
  const int64_t n = graph.units;
  for_rows(context.stream, 1, call.s * graph.rows(), node.units, [=] __device__(int64_t, int64_t r, int64_t c) {
    const int64_t at = r * n + c;
    if (left != nullptr) left[at] += sign * a[at];
    if (right != nullptr) right[at] += sign * a[at];
  });
}

}  // namespace

template <class T>
bool local_tangent(Context& context, const Graph<T>& graph, int64_t j, const Tangent<T>& call) {
  const GraphNode<T>& node = graph.node(j);
  bool reached;
  switch (node.kind) {
    case KPFLOW_NODE_LINEAR:
      reached = linear_tangent(context, graph, node, call);
      break;
    case KPFLOW_NODE_LAYER_NORM:
      reached = norm_node_tangent(context, graph, node, call);
      break;
    case KPFLOW_NODE_ATTENTION:
      reached = attention_tangent(context, graph, node, call);
      break;
    default:
      reached = sum_tangent(context, graph, node, call);
  }
  if (reached) return true;
  const T* injected = part(graph, node, call.injected).data;
  T* y = part(graph, node, call.out).data;
  const int64_t n = graph.units;
  for_rows(context.stream, 1, call.s * graph.rows(), node.units, [=] __device__(int64_t, int64_t r, int64_t c) {
    y[r * n + c] = injected != nullptr ? injected[r * n + c] : T(0);
  });
  return injected != nullptr;
}

template <class T>
void local_cotangent(Context& context, const Graph<T>& graph, int64_t j, const Cotangent<T>& call) {
  const GraphNode<T>& node = graph.node(j);
  switch (node.kind) {
    case KPFLOW_NODE_LINEAR:
      return linear_cotangent(context, graph, node, call);
    case KPFLOW_NODE_LAYER_NORM:
      return norm_node_cotangent(context, graph, node, call);
    case KPFLOW_NODE_ATTENTION:
      if (call.target != nullptr) attention_cotangent(context, graph, node, call);
      return;
    default:
      return sum_cotangent(context, graph, node, call);
  }
}

#define KPFLOW_LOCAL(T)                                                                  \
  template bool local_tangent<T>(Context&, const Graph<T>&, int64_t, const Tangent<T>&); \
  template void local_cotangent<T>(Context&, const Graph<T>&, int64_t, const Cotangent<T>&);
KPFLOW_LOCAL(float)
KPFLOW_LOCAL(double)
#undef KPFLOW_LOCAL

}  // namespace kpflow::cuda
