// The operators of a recurrent model (kpflow.h's enum kpflow_operator), composed of the sweeps and the site kernels.
#pragma once

#include <memory>

#include "core/linearization.hpp"

namespace kpflow {

// Checks the description, predicts the memory, runs the forward pass.
std::unique_ptr<kpflow_linearization> linearize_recurrent(kpflow_context& context, const kpflow_recurrent& model,
                                                          const Progress& progress);

}  // namespace kpflow
