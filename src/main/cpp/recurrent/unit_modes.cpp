#include "recurrent/unit_modes.hpp"

namespace kpflow {

template <class T>
void unit_modes(const Snapshot<T>& net, kpflow_context& context, const double* gram_first, const double* gram_second,
                int64_t first, int64_t count, double tolerance, double cut, const UnitModes& out,
                const Progress& progress) {
  const RowShape& shape = net.shape;
  context.pool.run(count, [&](int64_t u, int) {
    UnitBlock block(net.rows(), shape.cell.components, shape.cell.gates);
    const auto slope = [&](int slot, int64_t row) {
      return static_cast<double>(net.record(row)[slot * shape.units + first + u]);
    };
    if (gram_second != nullptr) {
      block.add_side(gram_second, [&](int64_t j, int64_t c, int64_t row) {
        return slope(shape.record.a(static_cast<int>(j), static_cast<int>(c)), row);
      });
    }
    if (gram_first != nullptr) {
      block.add_side(gram_first, [&](int64_t j, int64_t c, int64_t row) {
        return slope(shape.record.c(static_cast<int>(j), static_cast<int>(c)), row);
      });
    }
    unit_modes(block, tolerance, cut, out.of(u, block.size()), progress);
  });
}

template void unit_modes<float>(const Snapshot<float>&, kpflow_context&, const double*, const double*, int64_t, int64_t,
                                double, double, const UnitModes&, const Progress&);
template void unit_modes<double>(const Snapshot<double>&, kpflow_context&, const double*, const double*, int64_t,
                                 int64_t, double, double, const UnitModes&, const Progress&);

}  // namespace kpflow
