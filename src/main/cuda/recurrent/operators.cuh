// The linearization of a recurrent model on the card.
#pragma once

#include <cstdint>
#include <memory>

#include "core/context.cuh"
#include "core/linearization.hpp"

namespace kpflow::cuda {

std::unique_ptr<kpflow_linearization> new_recurrent(Context& context, int32_t dtype);

}  // namespace kpflow::cuda
