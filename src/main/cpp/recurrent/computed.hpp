// A cell computed by the caller: its derivatives come as records with every slot, of which those that are needed are kept.
#pragma once

#include <cstdint>

#include "kpflow.h"
#include "recurrent/rows.hpp"

namespace kpflow {

// The shape of a cell of which nothing is known: every slot is there.
CellShape general_shape(int gates, int components);

// The shape of a layer's cell, read off its derivatives: C_j is separate where it differs from A_j anywhere, there is a state
// path where D is not zero, and a nonlinear site where S is not (1, 0, ...).
template <class T>
CellShape computed_shape(const kpflow_recurrent& model, const kpflow_layer& layer);

// Copies the slots of one row that a shape keeps: general [k, all slots, H] -> kept [k, slots, H].
template <class T>
void take_record(const RowShape& shape, int64_t row, const T* general, T* kept);

}  // namespace kpflow
