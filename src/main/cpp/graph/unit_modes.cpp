#include "graph/unit_modes.hpp"

#include <algorithm>

namespace kpflow {

template <class T>
void unit_modes(const Graph<T>& graph, kpflow_context& context, const double* gram_first, const double* gram_second,
                int64_t first, int64_t count, double tolerance, double cut, const UnitModes& out,
                const Progress& progress) {
  int64_t j = 0;
  while (first >= graph.node(j).begin + graph.node(j).units) ++j;
  const GraphNode<T>& node = graph.node(j);
  const bool norm = node.kind == KPFLOW_NODE_LAYER_NORM;
  // Without slopes of their own all units have the same block.
  const bool alike = node.slope.size() == 0 && !(norm && gram_second != nullptr);
  context.pool.run(alike ? std::min<int64_t>(count, 1) : count, [&](int64_t u, int) {
    UnitBlock block(graph.rows(), 1, 1);
    const int64_t unit = first + u - node.begin;
    const auto of_unit = [&](const Array<T>& array, int64_t row) {
      return static_cast<double>(array[row * node.units + unit]);
    };
    if (norm && gram_second != nullptr) {
      block.add_side(gram_second, [&](int64_t, int64_t, int64_t row) { return of_unit(node.xhat, row); });
    }
    if ((norm || node.kind == KPFLOW_NODE_LINEAR) && gram_first != nullptr) {
      block.add_side(gram_first, [&](int64_t, int64_t, int64_t row) {
        return node.slope.size() > 0 ? of_unit(node.slope, row) : 1.0;
      });
    }
    unit_modes(block, tolerance, cut, out.of(u, block.size()), progress);
  });
  for (int64_t u = 1; alike && u < count; ++u) copy_modes(graph.rows(), out, out.of(u, graph.rows()));
}

template void unit_modes<float>(const Graph<float>&, kpflow_context&, const double*, const double*, int64_t, int64_t,
                                double, double, const UnitModes&, const Progress&);
template void unit_modes<double>(const Graph<double>&, kpflow_context&, const double*, const double*, int64_t, int64_t,
                                 double, double, const UnitModes&, const Progress&);

}  // namespace kpflow
