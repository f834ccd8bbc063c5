// Checks that the functions of the C boundary share.
#pragma once

#include <mutex>

#include "core/context.hpp"

namespace kpflow {

inline void require_context(const kpflow_context* context) { KPFLOW_REQUIRE(context != nullptr, "context: got NULL"); }

// Non-negative sizes; pointers may be NULL only where there is nothing to read or write.
inline void require_array(const char* name, const void* array, int64_t count) {
  KPFLOW_REQUIRE(count >= 0, "%s: expected at least 0 elements, got %lld", name, static_cast<long long>(count));
  KPFLOW_REQUIRE(array != nullptr || count == 0, "%s: got NULL", name);
}

// The same for an array in the memory of a context's device.
inline void require_array(const kpflow_context& context, const char* name, const void* array, int64_t count) {
  require_array(name, array, count);
  KPFLOW_REQUIRE(count == 0 || find_device(context.device).owns(array),
                 "%s: expected an array in the memory of the context's device", name);
}

inline void require_dtype(int32_t dtype) {
  KPFLOW_REQUIRE(dtype == KPFLOW_F32 || dtype == KPFLOW_F64, "dtype: expected 1 (f32) or 2 (f64), got %d", dtype);
}

template <class Body>
int32_t on_context(kpflow_context* context, Body&& body) {
  return guarded([&] {
    require_context(context);
    std::lock_guard<std::mutex> lock(context->mutex);
    body();
  });
}

// The same for work that needs no memory of its own on the CPU, where it need not wait for its turn.
template <class Body>
int32_t on_device(kpflow_context* context, Body&& body) {
  return guarded([&] {
    require_context(context);
    std::unique_lock<std::mutex> lock(context->mutex, std::defer_lock);
    if (context->device != KPFLOW_CPU) lock.lock();
    body();
  });
}

}  // namespace kpflow
