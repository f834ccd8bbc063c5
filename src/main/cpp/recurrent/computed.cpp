#include "recurrent/computed.hpp"

#include <algorithm>

namespace kpflow {

namespace {

template <class T>
bool all_equal(const T* x, int64_t count, T value) {
  return std::all_of(x, x + count, [value](T entry) { return entry == value; });
}

}  // namespace

CellShape general_shape(int gates, int components) { return {gates, components, ~0u, true, true}; }

template <class T>
CellShape computed_shape(const kpflow_recurrent& model, const kpflow_layer& layer) {
  const int g = model.gates, m = model.components;
  const int64_t units = model.units, rows = model.trials * model.steps;
  const Record all(general_shape(g, m));
  CellShape shape{g, m, 0, false, false};
  for (int64_t row = 0; row < rows; ++row) {
    const T* record = static_cast<const T*>(layer.derivatives) + row * all.slots() * units;
    const auto slot = [&](int index) { return record + index * units; };
    for (int j = 0; j < g; ++j) {
      for (int c = 0; c < m; ++c) {
        const T *a = slot(all.a(j, c)), *input = slot(all.c(j, c));
        if (!std::equal(a, a + units, input)) shape.separate_input |= 1u << j;
      }
    }
    shape.state_path = shape.state_path || !all_equal(slot(all.d(0, 0)), m * m * units, T(0));
    shape.nonlinear_site = shape.nonlinear_site || !all_equal(slot(all.s(0)), units, T(1)) ||
                           !all_equal(slot(all.s(0)) + units, (m - 1) * units, T(0));
  }
  return shape;
}

template <class T>
void take_record(const RowShape& shape, int64_t row, const T* general, T* kept) {
  const int g = shape.cell.gates, m = shape.cell.components;
  const Record all(general_shape(g, m));
  const T* source = general + row * all.slots() * shape.units;
  T* target = kept + row * shape.derivatives();
  const auto take = [&](int from, int to, int count) {
    std::copy_n(source + from * shape.units, count * shape.units, target + to * shape.units);
  };
  for (int j = 0; j < g; ++j) {
    take(all.a(j, 0), shape.record.a(j, 0), m);
    if (shape.cell.separate_input >> j & 1u) take(all.c(j, 0), shape.record.c(j, 0), m);
  }
  if (shape.cell.state_path) take(all.d(0, 0), shape.record.d(0, 0), m * m);
  if (shape.cell.nonlinear_site) take(all.s(0), shape.record.s(0), m);
}

template CellShape computed_shape<float>(const kpflow_recurrent&, const kpflow_layer&);
template CellShape computed_shape<double>(const kpflow_recurrent&, const kpflow_layer&);
template void take_record<float>(const RowShape&, int64_t, const float*, float*);
template void take_record<double>(const RowShape&, int64_t, const double*, double*);

}  // namespace kpflow
