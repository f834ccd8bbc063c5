// What limits these kernels is device memory: every number is read and written once, next to a few multiply-adds. The records of
// one step are read by every probe, mostly from the L2 cache, as the rows of a step lie near each other in time.
#include "recurrent/rows_kernel.cuh"

namespace kpflow::cuda {

namespace {

template <class T, class Shape, int kLanes>
struct StepBody {
  static constexpr int kWidth = kLanes;
  using V = Lanes<T, kLanes>;
  ShapedLayer<T, Shape> layer;
  StepCall<T> call;

  __device__ void operator()(int64_t i, int64_t unit) const {
    const auto& cell = layer.shape.cell();
    const auto& record = layer.shape.record();
    const int64_t units = layer.shape.units, row = call.rows.first + i * call.rows.step, at = row * layer.stride + unit;
    const int64_t t = row % layer.steps;
    const T* slots = layer.record_of(row) + unit;
    const bool next = cell.nonlinear_site && call.site != nullptr && t + 1 < layer.steps;
    V site = V::of(0);
    KPFLOW_UNROLL
    for (int c = 0; c < cell.components; ++c) {
      V sum = V::of(0);
      if (t > 0 && cell.state_path) {
        KPFLOW_UNROLL
        for (int d = 0; d < cell.components; ++d) {
          sum.add(V::read(slots + record.d(c, d) * units), V::read(call.from + at - layer.stride + d * units));
        }
      }
      if (t > 0) {
        KPFLOW_UNROLL
        for (int j = 0; j < cell.gates; ++j) {
          sum.add(V::read(slots + record.a(j, c) * units), V::read(call.y + (i * cell.gates + j) * units + unit));
        }
      }
      V out = V::read(call.u + at + c * units);
      out.add(call.sign, sum);
      out.write(call.out + at + c * units);
      if (next) site.add(V::read(layer.record_of(row + 1) + unit + record.s(c) * units), out);
    }
    if (next) site.write(call.site + i * units + unit);
  }
};

template <class T>
struct SiteCall {
  Rows rows;
  const T* delta;
  T* site;
};

template <class T, class Shape, int kLanes>
struct SiteBody {
  static constexpr int kWidth = kLanes;
  using V = Lanes<T, kLanes>;
  ShapedLayer<T, Shape> layer;
  SiteCall<T> call;

  __device__ void operator()(int64_t i, int64_t unit) const {
    const auto& cell = layer.shape.cell();
    const auto& record = layer.shape.record();
    const int64_t units = layer.shape.units, row = call.rows.first + i * call.rows.step;
    V site = V::of(0);
    if (row % layer.steps + 1 < layer.steps) {
      const T* slots = layer.record_of(row + 1) + unit;
      KPFLOW_UNROLL
      for (int d = 0; d < cell.components; ++d) {
        site.add(V::read(slots + record.s(d) * units), V::read(call.delta + row * layer.stride + d * units + unit));
      }
    }
    site.write(call.site + i * units + unit);
  }
};

template <class T, class Shape, int kLanes>
struct AdjointBody {
  static constexpr int kWidth = kLanes;
  using V = Lanes<T, kLanes>;
  ShapedLayer<T, Shape> layer;
  AdjointCall<T> call;

  __device__ void operator()(int64_t i, int64_t unit) const {
    const auto& cell = layer.shape.cell();
    const auto& record = layer.shape.record();
    const int64_t units = layer.shape.units, row = call.rows.first + i * call.rows.step, at = row * layer.stride + unit;
    if (row % layer.steps + 1 < layer.steps) {
      const T* slots = layer.record_of(row + 1) + unit;
      const V x = V::read(call.x + i * units + unit);
      KPFLOW_UNROLL
      for (int d = 0; d < cell.components; ++d) {
        V sum = V::of(0);
        if (cell.nonlinear_site) {
          sum.add(V::read(slots + record.s(d) * units), x);
        } else if (d == 0) {
          sum = x;
        }
        if (cell.state_path) {
          KPFLOW_UNROLL
          for (int c = 0; c < cell.components; ++c) {
            sum.add(V::read(slots + record.d(c, d) * units), V::read(call.from + at + layer.stride + c * units));
          }
        }
        V out = V::read(call.e + at + d * units);
        out.add(call.sign, sum);
        out.write(call.out + at + d * units);
      }
    } else if (call.out != call.e) {
      KPFLOW_UNROLL
      for (int d = 0; d < cell.components; ++d) V::read(call.e + at + d * units).write(call.out + at + d * units);
    }
    if (call.y == nullptr) return;
    const T* slots = layer.record_of(row) + unit;
    KPFLOW_UNROLL
    for (int j = 0; j < cell.gates; ++j) {
      V y = V::of(0);
      KPFLOW_UNROLL
      for (int c = 0; c < cell.components; ++c) {
        y.add(V::read(slots + record.a(j, c) * units), V::read(call.out + at + c * units));
      }
      y.write(call.y + (i * cell.gates + j) * units + unit);
    }
  }
};

template <class T>
struct PullCall {
  Rows rows;
  Sides sides;
  const T* a;
  T* y;
  int64_t length;  // of a row of y
};

template <class T, class Shape, int kLanes>
struct PullBody {
  static constexpr int kWidth = kLanes;
  using V = Lanes<T, kLanes>;
  ShapedLayer<T, Shape> layer;
  PullCall<T> call;

  __device__ V gate(const T* slots, int slot, int64_t at) const {
    V y = V::of(0);
    KPFLOW_UNROLL
    for (int c = 0; c < layer.shape.cell().components; ++c) {
      y.add(V::read(slots + (slot + c) * layer.shape.units), V::read(call.a + at + c * layer.shape.units));
    }
    return y;
  }

  __device__ void operator()(int64_t i, int64_t unit) const {
    const auto& cell = layer.shape.cell();
    const auto& record = layer.shape.record();
    const int64_t units = layer.shape.units, row = call.rows.first + i * call.rows.step, at = row * layer.stride + unit;
    const T* slots = layer.record_of(row) + unit;
    T* y = call.y + i * call.length + unit;
    int separate = cell.gates;
    KPFLOW_UNROLL
    for (int j = 0; j < cell.gates; ++j) {
      gate(slots, call.sides == Sides::kInput ? record.c(j, 0) : record.a(j, 0), at).write(y + j * units);
      if (call.sides == Sides::kBoth && cell.separate_input >> j & 1u) {
        gate(slots, record.c(j, 0), at).write(y + separate++ * units);
      }
    }
  }
};

template <class T, class Shape, int kLanes>
struct PushBody {
  static constexpr int kWidth = kLanes;
  using V = Lanes<T, kLanes>;
  ShapedLayer<T, Shape> layer;
  PushCall<T> call;

  __device__ V gate(const T* y, const T* bias, int64_t i, int j, int64_t unit) const {
    const auto& cell = layer.shape.cell();
    const int64_t units = layer.shape.units;
    V value = y != nullptr ? V::read(y + (i * cell.gates + j) * units + unit) : V::of(0);
    if (bias != nullptr) {
      KPFLOW_UNROLL
      for (int k = 0; k < kLanes; ++k) value.v[k] += bias[i / call.group * call.bias_stride + j * units + unit + k];
    }
    return value;
  }

  __device__ void operator()(int64_t i, int64_t unit) const {
    const auto& cell = layer.shape.cell();
    const auto& record = layer.shape.record();
    const int64_t units = layer.shape.units, row = call.rows.first + i * call.rows.step, at = row * layer.stride + unit;
    const T* slots = layer.record_of(row) + unit;
    KPFLOW_UNROLL
    for (int c = 0; c < cell.components; ++c) {
      V out = call.base != nullptr ? V::read(call.base + at + c * units) : V::of(0);
      if (call.y != nullptr || call.b != nullptr) {
        KPFLOW_UNROLL
        for (int j = 0; j < cell.gates; ++j) {
          out.add(V::read(slots + record.a(j, c) * units), gate(call.y, call.b, i, j, unit));
        }
      }
      if (call.z != nullptr || call.d != nullptr) {
        KPFLOW_UNROLL
        for (int j = 0; j < cell.gates; ++j) {
          out.add(V::read(slots + record.c(j, c) * units), gate(call.z, call.d, i, j, unit));
        }
      }
      out.write(call.out + at + c * units);
    }
  }
};

}  // namespace

template <class T>
void step_rows(Context& context, const LayerView<T>& layer, const StepCall<T>& call) {
  start<StepBody>(context, layer, call,
                  wide<T>(layer.shape.units, layer.derivatives, call.u, call.from, call.y, call.out, call.site));
}

template <class T>
void site_rows(Context& context, const LayerView<T>& layer, Rows rows, const T* delta, T* site) {
  start<SiteBody>(context, layer, SiteCall<T>{rows, delta, site},
                  wide<T>(layer.shape.units, layer.derivatives, delta, site));
}

template <class T>
void adjoint_rows(Context& context, const LayerView<T>& layer, const AdjointCall<T>& call) {
  start<AdjointBody>(context, layer, call,
                     wide<T>(layer.shape.units, layer.derivatives, call.e, call.from, call.x, call.out, call.y));
}

template <class T>
void pull_rows(Context& context, const LayerView<T>& layer, Rows rows, Sides sides, const T* a, T* y) {
  int64_t gates = layer.shape.cell.gates;
  for (int j = 0; sides == Sides::kBoth && j < layer.shape.cell.gates; ++j) {
    gates += layer.shape.cell.separate_input >> j & 1u;
  }
  start<PullBody>(context, layer, PullCall<T>{rows, sides, a, y, gates * layer.shape.units},
                  wide<T>(layer.shape.units, layer.derivatives, a, y));
}

template <class T>
void push_rows(Context& context, const LayerView<T>& layer, const PushCall<T>& call) {
  start<PushBody>(context, layer, call,
                  wide<T>(layer.shape.units, layer.derivatives, call.base, call.y, call.z, call.out));
}

#define KPFLOW_ROWS(T)                                                                  \
  template void step_rows<T>(Context&, const LayerView<T>&, const StepCall<T>&);        \
  template void site_rows<T>(Context&, const LayerView<T>&, Rows, const T*, T*);        \
  template void adjoint_rows<T>(Context&, const LayerView<T>&, const AdjointCall<T>&);  \
  template void pull_rows<T>(Context&, const LayerView<T>&, Rows, Sides, const T*, T*); \
  template void push_rows<T>(Context&, const LayerView<T>&, const PushCall<T>&);
KPFLOW_ROWS(float)
KPFLOW_ROWS(double)
#undef KPFLOW_ROWS

}  // namespace kpflow::cuda
