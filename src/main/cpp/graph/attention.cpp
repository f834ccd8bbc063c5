#include "graph/attention.hpp"

#include <algorithm>
#include <cmath>

#include "graph/rows.hpp"
#include "linalg/blas.hpp"

namespace kpflow {

namespace {

// One head of a trial: where its parts lie. Queries, keys and values have row stride `stride`.
template <class T>
struct Head {
  Head(const Graph<T>& graph, const GraphNode<T>& node, int64_t trial, int64_t head)
      : steps(graph.steps), size(node.size), stride(node.units), column(head * node.size) {
    const int64_t at = (trial * node.heads + head) * steps;
    attention = node.attention.data() + at * steps;
    keys = node.keys.data() + at * size;
    values = node.values.data() + at * size;
    factor = T(1) / std::sqrt(static_cast<T>(size));
  }
  // Rows of a source of this trial, from this head's first unit on.
  const T* of(const T* source, int64_t trial) const { return source + trial * steps * stride + column; }

  int64_t steps, size, stride, column;
  T factor;
  const T *attention, *keys, *values;
};

// c [T, columns] (+)= a b, b [depth, columns] of row stride b_stride (or its transpose), packed on the way.
template <class T>
void product(const PackedProduct<T>& left, bool transpose_b, int64_t depth, int64_t columns, const T* b,
             int64_t b_stride, T* packed) {
  pack(transpose_b, depth, columns, b, b_stride, packed);
  multiply_packed(left, depth, columns, packed, 0, depth);
}

template <class T>
int64_t packed_scratch(const Graph<T>& graph, const GraphNode<T>& node) {
  return std::max(packed_size<T>(node.size, graph.steps), packed_size<T>(graph.steps, node.size));
}

}  // namespace

template <class T>
int64_t attention_scratch(const Graph<T>& graph, const GraphNode<T>& node) {
  return graph.steps * graph.steps + packed_scratch(graph, node);
}

template <class T>
void attend(const Graph<T>& graph, GraphNode<T>& node, int64_t trial) {
  const int64_t steps = graph.steps, units = node.units;
  for (int64_t h = 0; h < node.heads; ++h) {
    const Head<T> head(graph, node, trial, h);
    const int64_t at = (trial * node.heads + h) * steps;
    const T* q = head.of(graph.value(node.input[0]), trial);
    const T* k = head.of(graph.value(node.input[1]), trial);
    const T* z = head.of(graph.value(node.input[2]), trial);
    T* a = node.attention.data() + at * steps;
    gemm(false, true, steps, steps, node.size, head.factor, q, units, k, units, T(0), a, steps);
    for (int64_t t = 0; t < steps; ++t) {
      T* row = a + t * steps;
      const int64_t seen = node.causal ? t + 1 : steps;
      const T most = *std::max_element(row, row + seen);
      T sum = 0;
      for (int64_t u = 0; u < seen; ++u) sum += row[u] = std::exp(row[u] - most);
      for (int64_t u = 0; u < seen; ++u) row[u] /= sum;
      std::fill(row + seen, row + steps, T(0));
    }
    gemm(false, false, steps, node.size, steps, T(1), a, steps, z, units, T(0),
         node.value.data() + trial * steps * units + head.column, units);
    for (int64_t i = 0; i < node.size; ++i) {
      for (int64_t t = 0; t < steps; ++t) {
        node.keys[(at * node.size) + i * steps + t] = k[t * units + i];
        node.values[(at * node.size) + i * steps + t] = z[t * units + i];
      }
    }
  }
}

template <class T>
void attention_tangent(const Graph<T>& graph, const GraphNode<T>& node, int64_t trial, const T* const (&inputs)[3],
                       T* out, T* scratch) {
  const int64_t steps = graph.steps, units = node.units;
  T *s = scratch, *packed = scratch + steps * steps;
  for (int64_t h = 0; h < node.heads; ++h) {
    const Head<T> head(graph, node, trial, h);
    T* target = out + head.column;
    bool written = false;
    if (inputs[0] != nullptr) {  // dQ K^T
      product<T>({false, false, steps, inputs[0] + head.column, units, s, steps}, false, node.size, steps, head.keys,
                 steps, packed);
      written = true;
    }
    if (inputs[1] != nullptr) {  // Q dK^T
      const T* q = head.of(graph.value(node.input[0]), trial);
      product<T>({false, written, steps, q, units, s, steps}, true, node.size, steps, inputs[1] + head.column, units,
                 packed);
      written = true;
    }
    if (written) {  // dA Z
      softmax_tangent(steps, head.factor, head.attention, s);
      product<T>({false, false, steps, s, steps, target, units}, false, steps, node.size,
                 head.of(graph.value(node.input[2]), trial), units, packed);
    }
    if (inputs[2] != nullptr) {  // A dZ
      product<T>({false, written, steps, head.attention, steps, target, units}, false, steps, node.size,
                 inputs[2] + head.column, units, packed);
    }
  }
}

template <class T>
void attention_cotangent(const Graph<T>& graph, const GraphNode<T>& node, int64_t trial, const T* a,
                         T* const (&inputs)[3], T* scratch) {
  const int64_t steps = graph.steps, units = node.units;
  T *s = scratch, *packed = scratch + steps * steps;
  for (int64_t h = 0; h < node.heads; ++h) {
    const Head<T> head(graph, node, trial, h);
    const T* source = a + head.column;
    if (inputs[2] != nullptr) {  // dZ += A^T a
      product<T>({true, true, steps, head.attention, steps, inputs[2] + head.column, units}, false, steps, node.size,
                 source, units, packed);
    }
    if (inputs[0] == nullptr && inputs[1] == nullptr) continue;
    product<T>({false, false, steps, source, units, s, steps}, false, node.size, steps, head.values, steps, packed);
    softmax_tangent(steps, head.factor, head.attention, s);  // of a Z^T
    if (inputs[0] != nullptr) {                              // dQ += dS K
      product<T>({false, true, steps, s, steps, inputs[0] + head.column, units}, false, steps, node.size,
                 head.of(graph.value(node.input[1]), trial), units, packed);
    }
    if (inputs[1] != nullptr) {  // dK += dS^T Q
      product<T>({true, true, steps, s, steps, inputs[1] + head.column, units}, false, steps, node.size,
                 head.of(graph.value(node.input[0]), trial), units, packed);
    }
  }
}

#define KPFLOW_ATTENTION(T)                                                                                        \
  template int64_t attention_scratch<T>(const Graph<T>&, const GraphNode<T>&);                                     \
  template void attend<T>(const Graph<T>&, GraphNode<T>&, int64_t);                                                \
  template void attention_tangent<T>(const Graph<T>&, const GraphNode<T>&, int64_t, const T* const(&)[3], T*, T*); \
  template void attention_cotangent<T>(const Graph<T>&, const GraphNode<T>&, int64_t, const T*, T* const(&)[3], T*);
KPFLOW_ATTENTION(float)
KPFLOW_ATTENTION(double)
#undef KPFLOW_ATTENTION

}  // namespace kpflow
