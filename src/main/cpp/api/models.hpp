// Checks of a model's description at the C boundary.
#pragma once

#include "kpflow.h"

namespace kpflow {

// Refuse sizes, arrays, names and options that make no model; memory is not looked at.
void check(const kpflow_recurrent& model);
void check(const kpflow_graph& model);

}  // namespace kpflow
