// The devices by their numbers.
#include "core/status.hpp"
#include "device/cpu.hpp"
#include "device/cuda.hpp"

namespace kpflow {

Device& find_device(int32_t device) {
  if (device == KPFLOW_CPU) return cpu();
  KPFLOW_REQUIRE(device == KPFLOW_CUDA, "device: expected 0 (cpu) or 1 (cuda), got %d", device);
  return cuda();
}

}  // namespace kpflow
