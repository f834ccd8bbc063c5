// Recurrent cells in plain loops over scalars, with derivatives by dual numbers: the truth about forward passes, and the arrays
// that a cell computed by the caller is described by.
#pragma once

#include "model.hpp"

namespace kpflow_test {

// The model's layers with sites, states and derivatives instead of a cell.
Model computed_model(const Model& model);

// The state [B, T, n] that the model runs through.
Values forward_state(const Model& model);

}  // namespace kpflow_test
