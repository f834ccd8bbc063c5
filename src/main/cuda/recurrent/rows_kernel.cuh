// Elementwise kernels on the rows of a layer: a thread has kWidth neighbouring units of one row, 16 bytes where the sizes allow
// it, and loops over gates and components that unroll for the shapes of this library's cells.
#pragma once

#include "recurrent/rows.cuh"

namespace kpflow::cuda {

// kWidth numbers that are read and written at once.
template <class T, int kWidth>
struct alignas(sizeof(T) * kWidth) Lanes {
  T v[kWidth];

  static __device__ Lanes of(T value) {
    Lanes lanes;
    KPFLOW_UNROLL
    for (int k = 0; k < kWidth; ++k) lanes.v[k] = value;
    return lanes;
  }
  static __device__ Lanes read(const T* p) { return *reinterpret_cast<const Lanes*>(p); }
  __device__ void write(T* p) const { *reinterpret_cast<Lanes*>(p) = *this; }
  // this += a b
  __device__ void add(const Lanes& a, const Lanes& b) {
    KPFLOW_UNROLL
    for (int k = 0; k < kWidth; ++k) v[k] += a.v[k] * b.v[k];
  }
  // this += a b with one a for all
  __device__ void add(T a, const Lanes& b) {
    KPFLOW_UNROLL
    for (int k = 0; k < kWidth; ++k) v[k] += a * b.v[k];
  }
};

// A shape known when compiling, so that the loops over gates and components unroll, and one read at run time.
template <int kGates, int kComponents, unsigned kSeparate, bool kPath, bool kSite>
struct FixedShape {
  static constexpr CellShape kCell{kGates, kComponents, kSeparate, kPath, kSite};
  static bool is(const CellShape& cell) {
    constexpr unsigned kMask = (1u << kGates) - 1;
    return cell.gates == kGates && cell.components == kComponents && (cell.separate_input & kMask) == kSeparate &&
           cell.state_path == kPath && cell.nonlinear_site == kSite;
  }
  explicit FixedShape(const RowShape& shape) : units(shape.units) {}
  __device__ constexpr CellShape cell() const { return {kGates, kComponents, kSeparate, kPath, kSite}; }
  __device__ constexpr Record record() const { return Record({kGates, kComponents, kSeparate, kPath, kSite}); }
  int64_t units;
};
struct AnyShape {
  explicit AnyShape(const RowShape& of) : shape(of), units(of.units) {}
  __device__ const CellShape& cell() const { return shape.cell; }
  __device__ const Record& record() const { return shape.record; }
  RowShape shape;
  int64_t units;
};

// A layer with its shape as one of the above.
template <class T, class Shape>
struct ShapedLayer {
  explicit ShapedLayer(const LayerView<T>& of)
      : shape(of.shape),
        derivatives(of.derivatives),
        steps(of.steps),
        rows(of.rows),
        stride(of.stride),
        slots(of.shape.derivatives()) {}
  __device__ const T* record_of(int64_t row) const { return derivatives + row % rows * slots; }

  Shape shape;
  const T* derivatives;
  int64_t steps, rows, stride, slots;
};

// Whether arrays may be read 16 bytes at a time at multiples of H from where they start.
template <class T, class... Arrays>
bool wide(int64_t units, const Arrays*... arrays) {
  return units % static_cast<int64_t>(16 / sizeof(T)) == 0 && ((reinterpret_cast<uintptr_t>(arrays) | ...) & 15) == 0;
}

using Rnn = FixedShape<1, 1, 0, false, false>;
using Leaky = FixedShape<1, 1, 0, true, true>;
using Gru = FixedShape<3, 1, 4, true, false>;
using Lstm = FixedShape<4, 2, 0, true, false>;

// Starts Body<T, shape, width>(layer, call) for the layer's shape, those of the cells of this library being known when compiling.
template <template <class, class, int> class Body, class T, class Call>
void start(Context& context, const LayerView<T>& layer, const Call& call, bool is_wide) {
  constexpr int kWide = 16 / sizeof(T);
  const auto go = [&](auto body) { launch_rows(context.stream, call.rows.count, layer.shape.units, body); };
  const auto of = [&](auto shape) {
    using Shape = decltype(shape);
    const ShapedLayer<T, Shape> shaped(layer);
    is_wide ? go(Body<T, Shape, kWide>{shaped, call}) : go(Body<T, Shape, 1>{shaped, call});
  };
  const CellShape& cell = layer.shape.cell;
  if (Gru::is(cell)) return of(Gru(layer.shape));
  if (Lstm::is(cell)) return of(Lstm(layer.shape));
  if (Rnn::is(cell)) return of(Rnn(layer.shape));
  if (Leaky::is(cell)) return of(Leaky(layer.shape));
  go(Body<T, AnyShape, 1>{ShapedLayer<T, AnyShape>(layer), call});
}

}  // namespace kpflow::cuda
