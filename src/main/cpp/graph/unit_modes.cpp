#include "graph/unit_modes.hpp"

namespace kpflow {

template <class T>
void unit_modes(const Graph<T>& graph, kpflow_context& context, const double* gram_input, const double* gram_hidden,
                int64_t first, int64_t count, double tolerance, double cut, const UnitModes& out,
                const Progress& progress) {
  int64_t j = 0;
  while (first >= graph.node(j).begin + graph.node(j).units) ++j;
  const GraphNode<T>& node = graph.node(j);
  const bool norm = node.kind == KPFLOW_NODE_LAYER_NORM;
  context.pool.run(count, [&](int64_t u, int) {
    UnitBlock block(graph.rows(), 1, 1);
    const int64_t unit = first + u - node.begin;
    const auto of_unit = [&](const Array<T>& array, int64_t row) {
      return static_cast<double>(array[row * node.units + unit]);
    };
    if (norm && gram_hidden != nullptr) {
      block.add_side(gram_hidden, [&](int64_t, int64_t, int64_t row) { return of_unit(node.xhat, row); });
    }
    if ((norm || node.kind == KPFLOW_NODE_LINEAR) && gram_input != nullptr) {
      block.add_side(gram_input, [&](int64_t, int64_t, int64_t row) {
        return node.slope.size() > 0 ? of_unit(node.slope, row) : 1.0;
      });
    }
    unit_modes(block, tolerance, cut, out.of(u, block.size()), progress);
  });
}

template void unit_modes<float>(const Graph<float>&, kpflow_context&, const double*, const double*, int64_t, int64_t,
                                double, double, const UnitModes&, const Progress&);
template void unit_modes<double>(const Graph<double>&, kpflow_context&, const double*, const double*, int64_t, int64_t,
                                 double, double, const UnitModes&, const Progress&);

}  // namespace kpflow
