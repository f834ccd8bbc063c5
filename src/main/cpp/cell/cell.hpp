// A recurrent cell in gate form: v = psi(previous) is the site of W_hh, q = W_hh v + b_hh and p = W_ih x + b_ih are its g gate blocks,
// next = phi(q, p, previous) elementwise in the unit. A cell supplies psi and phi with their partial derivatives and nothing else.
#pragma once

#include <cstdint>

namespace kpflow {

// What a cell's derivatives look like; a unit has `components` state entries (h and c of an LSTM: 2).
struct CellShape {
  int gates;
  int components;
  unsigned separate_input;  // bit j: d phi/d p_j differs from d phi/d q_j and is stored beside it
  bool state_path;          // d phi/d previous at fixed q is not zero
  bool nonlinear_site;      // psi is not "component 0"; its derivative is stored
};

// Derivatives of one row (b, t), as slots of H numbers in one record:
//   A_j[c] = d next_c/d q_j, C_j[c] = d next_c/d p_j, D[c][d] = d next_c/d previous_d, S[d] = d psi/d previous_d.
class Record {
 public:
  static constexpr int kMostGates = 32;
  explicit constexpr Record(const CellShape& shape) : shape_(shape), input_{}, state_(0), site_(0), slots_(0) {
    const int m = shape.components;
    int slot = shape.gates * m;
    for (int j = 0; j < shape.gates; ++j) {
      input_[j] = j * m;
      if (shape.separate_input >> j & 1u) {
        input_[j] = slot;
        slot += m;
      }
    }
    state_ = slot;
    if (shape.state_path) slot += m * m;
    site_ = slot;
    if (shape.nonlinear_site) slot += m;
    slots_ = slot;
  }
  constexpr int a(int gate, int component) const { return gate * shape_.components + component; }
  constexpr int c(int gate, int component) const { return input_[gate] + component; }
  constexpr int d(int component, int previous) const { return state_ + component * shape_.components + previous; }
  constexpr int s(int previous) const { return site_ + previous; }
  constexpr int slots() const { return slots_; }

 private:
  CellShape shape_;
  int input_[kMostGates];
  int state_, site_, slots_;
};

// One row of the step. Arrays of H (times gates or components, block by block).
template <class T>
struct CellRow {
  int64_t units;
  double parameter;
  const T* q;         // [g H]
  const T* p;         // [g H]
  const T* previous;  // [m H]
  T* next;            // [m H]
  T* derivatives;     // [slots H]; the slots of psi are filled by the site function
};

template <class T>
using StepFunction = void (*)(const CellRow<T>& row);
// v [H] = psi(previous [m H]); derivative [m H] only for a nonlinear site.
template <class T>
using SiteFunction = void (*)(int64_t units, const T* previous, T* v, T* derivative);

struct Cell {
  const char* name;
  CellShape shape;
  StepFunction<float> step_f32;
  StepFunction<double> step_f64;
  SiteFunction<float> site_f32;  // nullptr: component 0
  SiteFunction<double> site_f64;

  StepFunction<float> step(float) const { return step_f32; }
  StepFunction<double> step(double) const { return step_f64; }
  SiteFunction<float> site(float) const { return site_f32; }
  SiteFunction<double> site(double) const { return site_f64; }
};

// The cell of a name; throws KPFLOW_INVALID_ARGUMENT with the known names for any other.
const Cell& find_cell(const char* name);

// A file in cell/ makes its cells known with a static object of this type.
struct RegisterCell {
  explicit RegisterCell(const Cell& cell);
};

}  // namespace kpflow
