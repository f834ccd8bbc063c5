// Checks that the functions of the C boundary share.
#pragma once

#include <mutex>
#include <type_traits>

#include "core/context.hpp"

namespace kpflow {

inline void require_context(const kpflow_context* context) { KPFLOW_REQUIRE(context != nullptr, "context: got NULL"); }

// Non-negative sizes; pointers may be NULL only where there is nothing to read or write.
inline void require_array(const char* name, const void* array, int64_t count) {
  KPFLOW_REQUIRE(count >= 0, "%s: expected at least 0 elements, got %lld", name, static_cast<long long>(count));
  KPFLOW_REQUIRE(array != nullptr || count == 0, "%s: got NULL", name);
}

// Calls body with a null pointer of the element type, for a switch over dtypes.
template <class Body>
void with_dtype(int32_t dtype, Body&& body) {
  if (dtype == KPFLOW_F32) {
    body(static_cast<float*>(nullptr));
  } else if (dtype == KPFLOW_F64) {
    body(static_cast<double*>(nullptr));
  } else {
    fail(KPFLOW_INVALID_ARGUMENT, "dtype: expected 1 (f32) or 2 (f64), got %d", dtype);
  }
}

template <class Body>
int32_t on_context(kpflow_context* context, Body&& body) {
  return guarded([&] {
    require_context(context);
    std::lock_guard<std::mutex> lock(context->mutex);
    body();
  });
}

}  // namespace kpflow
