#include "core/status.hpp"

#include <cstdio>
#include <cstring>

namespace kpflow {

namespace {
thread_local char last_error[1024] = "";
}

void set_last_error(const char* message) noexcept {
  std::strncpy(last_error, message, sizeof last_error - 1);
  last_error[sizeof last_error - 1] = '\0';
}

const char* get_last_error() noexcept { return last_error; }

void fail(int32_t status, const char* format, ...) {
  char message[1024];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(message, sizeof message, format, arguments);
  va_end(arguments);
  throw Error(status, message);
}

int64_t checked_product(int64_t a, int64_t b) {
  int64_t product;
  if (a < 0 || b < 0 || __builtin_mul_overflow(a, b, &product)) {
    fail(KPFLOW_INVALID_ARGUMENT, "size: the product of %lld and %lld is negative or overflows",
         static_cast<long long>(a), static_cast<long long>(b));
  }
  return product;
}

}  // namespace kpflow

extern "C" const char* kpflow_last_error(void) { return kpflow::get_last_error(); }
