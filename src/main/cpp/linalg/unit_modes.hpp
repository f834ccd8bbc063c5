// The leading modes of one unit's block of K = D_theta f (D_theta f)*, which does not mix units.
#pragma once

#include <cstdint>
#include <vector>

#include "core/context.hpp"

namespace kpflow {

// The block of one unit, over pairs (c, i) of a component and a row, as a sum over sides of weights:
//   K_u[(c,i),(d,l)] = sum_side G_side[i,l] sum_j a_j[c](i) a_j[d](l),   G_side [k, k], slopes a.
class UnitBlock {
 public:
  UnitBlock(int64_t rows, int64_t components, int64_t gates) : rows_(rows), size_(rows * components), gates_(gates) {}

  // A side with its Gram matrix; slope(gate, component, row) is a_j[c](i).
  template <class Slope>
  void add_side(const double* gram, const Slope& slope) {
    grams_.push_back(gram);
    for (int64_t j = 0; j < gates_; ++j) {
      for (int64_t at = 0; at < size_; ++at) slopes_.push_back(slope(j, at / rows_, at % rows_));
    }
  }

  int64_t size() const { return size_; }
  void diagonal(double* out) const;
  void column(int64_t p, double* out) const;

 private:
  double weight(size_t side, int64_t p, int64_t q) const;

  int64_t rows_, size_, gates_;
  std::vector<const double*> grams_;
  std::vector<double> slopes_;  // [side, gate, component, row]
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

// Writes the modes of one unit for another with the same block.
void copy_modes(int64_t size, const UnitModes& from, const UnitModes& to);

// The modes of a block with eigenvalues above cut, from a factorization that leaves out a trace of at most tolerance.
void unit_modes(const UnitBlock& block, double tolerance, double cut, const UnitModes& out, const Progress& progress);

}  // namespace kpflow
