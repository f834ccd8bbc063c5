// The leading modes of one unit's block of K = D_theta f (D_theta f)*, which does not mix units.
#pragma once

#include <cstdint>
#include <vector>

#include "core/context.hpp"
#include "kpflow.h"

namespace kpflow {

// The block of one unit, over pairs (c, i) of a component and a row, as a sum over sides of weights:
//   K_u[(c,i),(d,l)] = sum_side G_side[i,l] sum_j a_j[c](i) a_j[d](l),   G_side [k, k], slopes a.
class UnitBlock {
 public:
  UnitBlock(int64_t rows, int64_t components, int64_t gates) : rows_(rows), size_(rows * components), gates_(gates) {}

  // A side with its Gram matrix and slopes [gate, component, row], which outlive the block.
  void add_side(const double* gram, const double* slopes) {
    grams_.push_back(gram);
    slopes_.push_back(slopes);
  }

  int64_t size() const { return size_; }
  void diagonal(double* out) const;
  void column(int64_t p, double* out) const;

 private:
  double weight(size_t side, int64_t p, int64_t q) const;

  int64_t rows_, size_, gates_;
  std::vector<const double*> grams_, slopes_;
};

// Where the modes of one unit go: at most `most` of them, row r of modes [most, m k] being a unit eigenvector and values[r]
// its eigenvalue, descending. rank tells how many there are; if it is above most, none is written. rest receives bounds
// on what the modes leave out of the block: its norm and its trace.
struct UnitModes {
  int64_t most;
  int64_t* rank;
  double* modes;
  double* values;
  double* rest;

  // The place of unit u where these are the arrays of many units with blocks of the given size.
  UnitModes of(int64_t u, int64_t size) const {
    return {most, rank + u, modes + u * most * size, values + u * most, rest + 2 * u};
  }
};

// The modes of units first..first+count-1 of one layer with eigenvalues above cut, from factorizations that leave out a trace of at
// most tolerance each. gram_first and gram_second [k, k] are the sums of V V^T over the trainable families of a side of weights,
// nullptr where there is none.
void unit_modes(const kpflow_linearization& model, const double* gram_first, const double* gram_second, int64_t first,
                int64_t count, double tolerance, double cut, const UnitModes& out, const Progress& progress);

}  // namespace kpflow
