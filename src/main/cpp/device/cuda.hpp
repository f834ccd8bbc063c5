// The GPU as a device, by a library of its own that is loaded when it is first asked for.
#pragma once

#include "core/device.hpp"

namespace kpflow {

// Throws KPFLOW_UNAVAILABLE, saying why, where the library, a driver or a card is missing.
Device& cuda();

}  // namespace kpflow
