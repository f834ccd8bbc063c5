// The operators of a feed-forward graph (kpflow.h's enum kpflow_operator), composed of its sweeps.
#pragma once

#include <memory>

#include "core/linearization.hpp"

namespace kpflow {

// A linearization of a dtype that has not run any model yet.
std::unique_ptr<kpflow_linearization> new_graph(kpflow_context& context, int32_t dtype);

}  // namespace kpflow
