#include "graph/attention.cuh"
#include "graph/local.cuh"
#include "graph/rows.cuh"
#include "linalg/gemm.cuh"

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
    multiply(context, product);
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

// The sums of g_r v_r^T over the rows of every group, g with rows g.stride apart.
template <class T>
void weight_gradient(Context& context, const Graph<T>& graph, const GraphNode<T>& node, int64_t s, Rows<const T> g,
                     const Parameters<T>& weight) {
  const int64_t k = graph.rows(), group = weight.group_rows, groups = k / group, p = weight.p;
  Product<T> product{
      true,       false, node.units,   node.width, group, T(1), g.data, g.stride, graph.value(node.input[0]),
      node.width, T(0),  weight.theta, node.width};
  // Few probes and small weights leave most of the card idle: the rows of each probe are then summed in parts.
  constexpr int64_t kTile = 128, kTiles = 132, kLeastRows = 256;
  const int64_t tiles = pieces(node.units, kTile) * pieces(node.width, kTile);
  const int64_t parts = std::min(pieces(kTiles, tiles), k / kLeastRows);
  if (groups > 1 || 2 * s * tiles > kTiles || parts < 2) {
    multiply_parts<T>(context, product, s, {k * g.stride, 0, groups * p}, groups,
                      {group * g.stride, group * node.width, p});
    return;
  }
  const int64_t size = k / parts, rest = k % parts;
  T* partial = context.scratch<T>(Scratch::kPartial, parts * node.weights);
  for (int64_t probe = 0; probe < s; ++probe) {
    const T* rows = g.data + probe * k * g.stride;
    product.a = rows;
    product.b = graph.value(node.input[0]);
    product.c = partial;
    product.k = size;
    product.beta = 0;
    product.batch = parts;
    product.stride_a = size * g.stride;
    product.stride_b = size * node.width;
    product.stride_c = node.weights;
    multiply(context, product);
    if (rest > 0) {
      product.a += parts * product.stride_a;
      product.b += parts * product.stride_b;
      product.k = rest;
      product.beta = 1;
      product.batch = 1;
      multiply(context, product);
    }
    sum_parts<T>(context, 1, parts, node.units, node.width, partial, weight.theta + probe * p, 0);
  }
}

template <class T>
void linear_cotangent(Context& context, const Graph<T>& graph, const GraphNode<T>& node, const Cotangent<T>& call) {
  const int64_t k = graph.rows(), n = graph.units, parent = node.input[0];
  const Parameters<T> weight = family(graph, call, call.theta, node.weight_offset),
                      bias = family(graph, call, call.theta, node.bias_offset);
  const bool passes = call.target != nullptr && parent >= call.from;
  const bool product = passes || weight.theta != nullptr;
  Rows<const T> g = part(graph, node, call.source);
  const T* slope = node.activation != KPFLOW_IDENTITY ? node.slope.data() : nullptr;
  Rows<T> scaled;
  if (slope != nullptr && product) {
    scaled = call.overwritten != nullptr
                 ? part(graph, node, call.overwritten)
                 : Rows<T>{context.scratch<T>(Scratch::kSites, call.s * k * node.units), node.units};
  }
  if (scaled.data != nullptr || bias.theta != nullptr) {
    scale_cotangent<T>(context, call.s, k, node.units, slope, nullptr, g, scaled, {nullptr, 0, 0}, bias);
  }
  if (scaled.data != nullptr) g = {scaled.data, scaled.stride};
  if (weight.theta != nullptr) weight_gradient(context, graph, node, call.s, g, weight);
  if (!passes) return;
  multiply<T>(context, {false, false, call.s * k, node.width, node.units, call.sign, g.data, g.stride,
                        node.weight.data(), node.width, T(1), part(graph, graph.node(parent), call.target).data, n});
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
