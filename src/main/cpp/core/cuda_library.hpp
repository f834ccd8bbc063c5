// How this library finds the one of the GPU: one function, called once. Both are built from the same sources; the number tells
// them apart from those of another version.
#pragma once

#include "core/device.hpp"

namespace kpflow {

constexpr char kCudaLibrary[] = "libkpflow_cuda.so";
constexpr char kOpenCuda[] = "kpflow_open_cuda";
constexpr int32_t kCudaInterface = 1;  // changes with core/*.hpp

// The device, for the life of the process; nullptr, with one line of at most `room` bytes in why, where there is none.
using OpenCuda = Device* (*)(int32_t interface, char* why, size_t room);

}  // namespace kpflow
