// The CPU as a device.
#pragma once

#include "core/device.hpp"

namespace kpflow {

Device& cpu();

}  // namespace kpflow
