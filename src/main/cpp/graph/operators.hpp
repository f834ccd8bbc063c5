// The operators of a feed-forward graph (kpflow.h's enum kpflow_operator), composed of its sweeps.
#pragma once

#include <memory>

#include "core/linearization.hpp"

namespace kpflow {

// Checks the description, predicts the memory, runs the forward pass.
std::unique_ptr<kpflow_linearization> linearize_graph(kpflow_context& context, const kpflow_graph& model,
                                                      const Progress& progress);

}  // namespace kpflow
