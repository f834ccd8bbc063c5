#include "device/cuda.hpp"

#include <dlfcn.h>

#include <cstdlib>
#include <mutex>

#include "core/cuda_library.hpp"
#include "core/status.hpp"

namespace kpflow {

namespace {

std::mutex mutex;
std::string chosen;  // by set_cuda_library
bool looked = false;
Device* found = nullptr;
std::string reason;  // why there is none

// Beside the library that this code is part of.
std::string default_path() {
  Dl_info info;
  if (dladdr(reinterpret_cast<const void*>(&kpflow_last_error), &info) == 0) return kCudaLibrary;
  const std::string own = info.dli_fname;
  return own.substr(0, own.rfind('/') + 1) + kCudaLibrary;
}

std::string path() {
  const char* environment = std::getenv("KPFLOW_CUDA_LIBRARY");
  if (environment != nullptr && *environment != '\0') return environment;
  return chosen.empty() ? default_path() : chosen;
}

void look() {
  const std::string file = path();
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    reason = "its library cannot be loaded (" + std::string(dlerror()) + "); was it built, with nvcc?";
    return;
  }
  const auto open = reinterpret_cast<OpenCuda>(dlsym(library, kOpenCuda));
  if (open == nullptr) {
    reason = file + " has no " + kOpenCuda;
    return;
  }
  char why[512] = "";
  found = open(kCudaInterface, why, sizeof why);
  if (found == nullptr) reason = why;
}

}  // namespace

Device& cuda() {
  std::lock_guard<std::mutex> lock(mutex);
  if (!looked) look();
  looked = true;
  if (found == nullptr) fail(KPFLOW_UNAVAILABLE, "device cuda: %s", reason.c_str());
  return *found;
}

void set_cuda_library(const char* library) {
  std::lock_guard<std::mutex> lock(mutex);
  chosen = library != nullptr ? library : "";
}

}  // namespace kpflow
