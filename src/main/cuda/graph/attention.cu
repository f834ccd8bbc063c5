#include <cmath>

#include "graph/attention.cuh"
#include "graph/rows.cuh"
#include "linalg/gemm.cuh"

namespace kpflow::cuda {

namespace {

// The sizes of a node's packed arrays for a block of probes, and its products.
template <class T>
struct Heads {
  Heads(Context& of, const Graph<T>& graph, const GraphNode<T>& node, int64_t probes)
      : context(of),
        s(probes),
        trials(graph.trials),
        steps(graph.steps),
        heads(node.heads),
        size(node.size),
        units(node.units),
        batch(graph.trials * node.heads),
        matrix(graph.steps * node.size),
        factor(T(1) / std::sqrt(static_cast<T>(node.size))) {}

  // c_i = a_i b_i (+ c_i) for all trials and heads, the matrices one after the other.
  void multiply(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda,
                const T* b, int64_t ldb, bool accumulate, T* c, int64_t ldc) const {
    cuda::multiply<T>(context, {transpose_a, transpose_b, m, n, k, T(1), a, lda, b, ldb, accumulate ? T(1) : T(0), c,
                                ldc, batch, m * k, k * n, m * n});
  }

  Context& context;
  int64_t s, trials, steps, heads, size, units, batch, matrix;
  T factor;
};

// Up to three packed arrays: packed[i] belongs to the block's columns from begin[i] on; nullptr where there is none.
template <class T>
struct Packing {
  T* packed[3];
  int64_t begin[3];
  bool probes_first[3];
};

// body(packed element, row of the block, column of the node) for all packed arrays; one thread for all arrays of an element.
template <class T, class Body>
void for_packed(const Heads<T>& of, const Packing<T>& packing, const Body& body) {
  const int64_t s = of.s, trials = of.trials, steps = of.steps, heads = of.heads, size = of.size;
  for_rows(of.context.stream, s * trials, steps, of.units, [=] __device__(int64_t probe_trial, int64_t t, int64_t c) {
    const int64_t probe = probe_trial / trials, trial = probe_trial % trials;
    const int64_t head = (trial * heads + c / size) * steps * s, unit = c % size;
    const int64_t steps_first = (head + t * s + probe) * size + unit;
    const int64_t probes_first = (head + probe * steps + t) * size + unit;
    for (int i = 0; i < 3; ++i) {
      if (packing.packed[i] == nullptr) continue;
      body(packing.packed[i][packing.probes_first[i] ? probes_first : steps_first], packing.begin[i],
           probe_trial * steps + t, c);
    }
  });
}

template <class T>
void pack(const Heads<T>& of, const Packing<T>& packing, const T* source, int64_t stride) {
  for_packed(of, packing, [=] __device__(T & packed, int64_t begin, int64_t row, int64_t c) {
    packed = source[row * stride + begin + c];
  });
}

// S becomes factor A (S - sum(A S)), row by row.
template <class T>
void differentiate(const Heads<T>& of, const GraphNode<T>& node, T* scores) {
  softmax_tangent<T>(of.context, of.batch, of.steps, of.s, of.factor, node.attention.data(), scores);
}

}  // namespace

template <class T>
int64_t attention_scratch(const Graph<T>& graph, const GraphNode<T>& node) {
  return graph.rows() * (4 * node.units + node.heads * graph.steps);
}

template <class T>
void attend(Context& context, const Graph<T>& graph, GraphNode<T>& node) {
  const Heads<T> of(context, graph, node, 1);
  const int64_t steps = of.steps, size = of.size, units = of.units;
  T* const parts[3] = {node.queries.data(), node.keys.data(), node.contents.data()};
  for (int i = 0; i < 3; ++i) pack<T>(of, {{parts[i]}, {0}, {false}}, graph.value(node.input[i]), units);
  T* a = node.attention.data();
  multiply<T>(context, {false, true, steps, steps, size, of.factor, parts[0], size, parts[1], size, T(0), a, steps,
                        of.batch, of.matrix, of.matrix, steps * steps});
  softmax_values<T>(context, of.batch, steps, node.causal, a);
  T* out = context.scratch<T>(Scratch::kSites, graph.rows() * units);
  of.multiply(false, false, steps, size, steps, a, steps, parts[2], size, false, out, size);
  T* value = node.value.data();
  for_packed<T>(of, {{out}, {0}, {false}},
                [=] __device__(T & packed, int64_t, int64_t row, int64_t c) { value[row * units + c] = packed; });
}

// Small matrices of T and d limit the products, memory all else.
template <class T>
bool attention_tangent(Context& context, const Graph<T>& graph, const GraphNode<T>& node, const Tangent<T>& call) {
  const Heads<T> of(context, graph, node, call.s);
  const int64_t s = of.s, steps = of.steps, size = of.size, n = graph.units, block = s * graph.rows() * node.units;
  T* memory = context.scratch<T>(Scratch::kSites, 4 * block);
  T* out = memory + 3 * block;
  Packing<T> packing{};
  bool live[3];
  for (int i = 0; i < 3; ++i) {
    const int64_t parent = node.input[i];
    live[i] = parent >= 0 && call.live[static_cast<size_t>(parent)];
    if (!live[i]) continue;
    packing.packed[i] = memory + i * block;
    packing.begin[i] = graph.node(parent).begin;
    packing.probes_first[i] = i == 1;
  }
  if (!live[0] && !live[1] && !live[2]) return false;
  pack(of, packing, call.source, n);
  if (live[0] || live[1]) {
    T* scores = context.scratch<T>(Scratch::kGates, s * graph.rows() * node.heads * steps);
    if (live[0]) {  // dQ K^T
      of.multiply(false, true, steps * s, steps, size, packing.packed[0], size, node.keys.data(), size, false, scores,
                  steps);
    }
    if (live[1]) {  // Q dK^T
      of.multiply(false, true, steps, s * steps, size, node.queries.data(), size, packing.packed[1], size, live[0],
                  scores, s * steps);
    }
    differentiate(of, node, scores);
    of.multiply(false, false, steps * s, size, steps, scores, steps, node.contents.data(), size, false, out, size);
  }
  if (live[2]) {  // A dZ
    of.multiply(false, false, steps, s * size, steps, node.attention.data(), steps, packing.packed[2], s * size,
                live[0] || live[1], out, s * size);
  }
  T* target = call.out + node.begin;
  const T *injected = call.injected, sign = call.sign;
  const int64_t begin = node.begin;
  for_packed<T>(of, {{out}, {0}, {false}}, [=] __device__(T & packed, int64_t, int64_t row, int64_t c) {
    const T moved = sign * packed;
    target[row * n + c] = injected != nullptr ? injected[row * n + begin + c] + moved : moved;
  });
  return true;
}

template <class T>
void attention_cotangent(Context& context, const Graph<T>& graph, const GraphNode<T>& node, const Cotangent<T>& call) {
  const Heads<T> of(context, graph, node, call.s);
  const int64_t s = of.s, steps = of.steps, size = of.size, n = graph.units, block = s * graph.rows() * node.units;
  T* a = context.scratch<T>(Scratch::kSites, 4 * block);
  Packing<T> packing{};
  for (int i = 0; i < 3; ++i) {
    if (node.input[i] < call.from) continue;
    packing.packed[i] = a + (i + 1) * block;
    packing.begin[i] = graph.node(node.input[i]).begin;
    packing.probes_first[i] = i == 1;
  }
  T* const(&parts)[3] = packing.packed;
  if (parts[0] == nullptr && parts[1] == nullptr && parts[2] == nullptr) return;
  pack<T>(of, {{a}, {node.begin}, {false}}, call.source, n);
  if (parts[2] != nullptr) {  // A^T a
    of.multiply(true, false, steps, s * size, steps, node.attention.data(), steps, a, s * size, false, parts[2],
                s * size);
  }
  if (parts[0] != nullptr || parts[1] != nullptr) {
    T* scores = context.scratch<T>(Scratch::kGates, s * graph.rows() * node.heads * steps);
    of.multiply(false, true, steps * s, steps, size, a, size, node.contents.data(), size, false, scores, steps);
    differentiate(of, node, scores);  // of a Z^T
    if (parts[0] != nullptr) {        // dS K
      of.multiply(false, false, steps * s, size, steps, scores, steps, node.keys.data(), size, false, parts[0], size);
    }
    if (parts[1] != nullptr) {  // dS^T Q
      of.multiply(true, false, s * steps, size, steps, scores, s * steps, node.queries.data(), size, false, parts[1],
                  size);
    }
  }
  T* target = call.target;
  const T sign = call.sign;
  for_packed(of, packing, [=] __device__(T & packed, int64_t begin, int64_t row, int64_t c) {
    target[row * n + begin + c] += sign * packed;
  });
}

#define KPFLOW_ATTENTION(T)                                                                              \
  template int64_t attention_scratch<T>(const Graph<T>&, const GraphNode<T>&);                           \
  template void attend<T>(Context&, const Graph<T>&, GraphNode<T>&);                                     \
  template bool attention_tangent<T>(Context&, const Graph<T>&, const GraphNode<T>&, const Tangent<T>&); \
  template void attention_cotangent<T>(Context&, const Graph<T>&, const GraphNode<T>&, const Cotangent<T>&);
KPFLOW_ATTENTION(float)
KPFLOW_ATTENTION(double)
#undef KPFLOW_ATTENTION

}  // namespace kpflow::cuda
