// Recurrent cells on the card: for every cell of cpp/cell its step and its site as kernels over the units of rows, by name. A file
// in cell/ supplies the step of one unit with its derivatives and nothing else.
#pragma once

#include <cstdint>

#include "cell/cell.hpp"
#include "core/context.cuh"
#include "core/rows.cuh"

namespace kpflow::cuda {

// Rows of the forward pass; row f = first + i step is (b, t) with t = f % T.
template <class T>
struct ForwardCall {
  explicit ForwardCall(const Record& of) : record(of) {}

  Record record;  // of the cell's shape
  int64_t units = 0;
  double parameter = 0;
  int64_t trials = 0, steps = 0;
  Rows rows{0, 1, 0};
  const T *q = nullptr, *p = nullptr;  // W_hh v of row (b, t) at q + (b q_steps + t) g H; W_ih x likewise
  int64_t q_steps = 0, p_steps = 0;
  const T *bias_hh = nullptr, *bias_ih = nullptr;  // [g H]
  const T* initial = nullptr;                      // of trial 0, or nullptr (zero)
  int64_t initial_stride = 0;
  T* state = nullptr;        // [k, m H]
  T* site = nullptr;         // [k, H]
  T* derivatives = nullptr;  // [k, record]
  bool given = false;        // the state is there and is not written
  // The least (t B + b) m H + entry of what is not finite in the state.
  unsigned long long* bad = nullptr;
};

// The step of rows: state and derivatives, and the sites of the rows after them, unless the state is given.
template <class T>
using StepFunction = void (*)(Context& context, const ForwardCall<T>& call);
// The sites of rows, from the state before them.
template <class T>
using SiteFunction = void (*)(Context& context, const ForwardCall<T>& call);

struct Cell {
  const char* name;
  StepFunction<float> step_f32;
  StepFunction<double> step_f64;
  SiteFunction<float> site_f32;
  SiteFunction<double> site_f64;

  StepFunction<float> step(float) const { return step_f32; }
  StepFunction<double> step(double) const { return step_f64; }
  SiteFunction<float> site(float) const { return site_f32; }
  SiteFunction<double> site(double) const { return site_f64; }
};

// The kernels of a cell that the library knows.
const Cell& find_kernels(const char* name);

// A file in cell/ makes its cells known with a static object of this type.
struct RegisterCell {
  explicit RegisterCell(const Cell& cell);
};

}  // namespace kpflow::cuda
