// Kernels of a cell out of the step of one unit. A cell is a type with
//   kGates, kComponents, kSite (whether psi is not "component 0"),
//   step(parameter, record, q, p, previous, next, out): one unit's next [m] and its derivatives, out[slot], from q, p [g],
//   site(previous, v, slope): psi and its derivative, where kSite.
#pragma once

#include "cell/cell.cuh"
#include "core/rows.cuh"

namespace kpflow::cuda {

// The derivatives of one unit of one row.
template <class T>
struct Slots {
  __device__ T& operator[](int slot) const { return first[slot * units]; }
  T* first;
  int64_t units;
};

template <class CellType, class T>
__device__ void write_site(const ForwardCall<T>& call, int64_t row, int64_t unit, const T* state) {
  const int64_t units = call.units;
  T v = state[0];
  if constexpr (CellType::kSite) {
    T slope;
    CellType::site(state[0], v, slope);
    call.derivatives[row * call.record.slots() * call.units + call.record.s(0) * units + unit] = slope;
  }
  call.site[row * units + unit] = v;
}

// The state [m] of a unit before row (b, t).
template <int kComponents, class T>
__device__ void read_previous(const ForwardCall<T>& call, int64_t row, int64_t unit, T* previous) {
  const int64_t units = call.units, t = row % call.steps;
  KPFLOW_UNROLL
  for (int c = 0; c < kComponents; ++c) {
    const int64_t entry = c * units + unit;
    previous[c] = t > 0                     ? call.state[(row - 1) * kComponents * units + entry]
                  : call.initial != nullptr ? call.initial[row / call.steps * call.initial_stride + entry]
                                            : T(0);
  }
}

template <class CellType, class T>
struct CellStep {
  static constexpr int kWidth = 1;
  ForwardCall<T> call;

  __device__ void operator()(int64_t i, int64_t unit) const {
    constexpr int g = CellType::kGates, m = CellType::kComponents;
    const int64_t units = call.units, row = call.rows.first + i * call.rows.step;
    const int64_t b = row / call.steps, t = row % call.steps;
    const T* q_row = call.q + (b * call.q_steps + t) * g * units;
    const T* p_row = call.p + (b * call.p_steps + t) * g * units;
    T q[g], p[g], previous[m], next[m];
    KPFLOW_UNROLL
    for (int j = 0; j < g; ++j) {
      q[j] = q_row[j * units + unit] + call.bias_hh[j * units + unit];
      p[j] = p_row[j * units + unit] + call.bias_ih[j * units + unit];
    }
    read_previous<m>(call, row, unit, previous);
    const Slots<T> out{call.derivatives + row * call.record.slots() * call.units + unit, units};
    CellType::step(static_cast<T>(call.parameter), call.record, q, p, previous, next, out);
    KPFLOW_UNROLL
    for (int c = 0; c < m; ++c) {
      T& state = call.state[row * m * units + c * units + unit];
      if (call.given) next[c] = state;
      state = next[c];
      if (!isfinite(next[c])) {
        atomicMin(call.bad, static_cast<unsigned long long>((t * call.trials + b) * m * units + c * units + unit));
      }
    }
    if (!call.given && t + 1 < call.steps) write_site<CellType>(call, row + 1, unit, next);
  }
};

template <class CellType, class T>
struct CellSite {
  static constexpr int kWidth = 1;
  ForwardCall<T> call;

  __device__ void operator()(int64_t i, int64_t unit) const {
    const int64_t row = call.rows.first + i * call.rows.step;
    T previous[CellType::kComponents];
    read_previous<CellType::kComponents>(call, row, unit, previous);
    write_site<CellType>(call, row, unit, previous);
  }
};

template <template <class, class> class Body, class CellType, class T>
void run_cell(Context& context, const ForwardCall<T>& call) {
  launch_rows(context.stream, call.rows.count, call.units, Body<CellType, T>{call});
}

template <class CellType>
Cell cell_of(const char* name) {
  return {name, run_cell<CellStep, CellType, float>, run_cell<CellStep, CellType, double>,
          run_cell<CellSite, CellType, float>, run_cell<CellSite, CellType, double>};
}

}  // namespace kpflow::cuda
