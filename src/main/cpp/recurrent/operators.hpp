// The operators of a recurrent model (kpflow.h's enum kpflow_operator), composed of the sweeps and the site kernels.
#pragma once

#include <memory>

#include "core/linearization.hpp"

namespace kpflow {

// A linearization of a dtype that has not run any model yet.
std::unique_ptr<kpflow_linearization> new_recurrent(kpflow_context& context, int32_t dtype);

}  // namespace kpflow
