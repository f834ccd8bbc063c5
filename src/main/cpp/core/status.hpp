// Errors inside the engine are exceptions of one type; guarded() turns them into a status and a message at the C boundary.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <exception>
#include <new>
#include <string>

#include "kpflow.h"

namespace kpflow {

class Error : public std::exception {
 public:
  Error(int32_t status, std::string message) : status_(status), message_(std::move(message)) {}
  int32_t status() const { return status_; }
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  int32_t status_;
  std::string message_;
};

// printf-style message into an Error.
[[noreturn]] void fail(int32_t status, const char* format, ...) __attribute__((format(printf, 2, 3)));

// Throws KPFLOW_INVALID_ARGUMENT unless the condition holds.
#define KPFLOW_REQUIRE(condition, ...)                                      \
  do {                                                                      \
    if (!(condition)) ::kpflow::fail(KPFLOW_INVALID_ARGUMENT, __VA_ARGS__); \
  } while (false)

void set_last_error(const char* message) noexcept;

// Runs body; nothing is thrown past it.
template <class Body>
int32_t guarded(Body&& body) noexcept {
  try {
    body();
    return KPFLOW_OK;
  } catch (const Error& error) {
    set_last_error(error.what());
    return error.status();
  } catch (const std::bad_alloc&) {
    set_last_error("out of memory");
    return KPFLOW_OUT_OF_MEMORY;
  } catch (const std::exception& error) {
    set_last_error(error.what());
    return KPFLOW_INTERNAL;
  } catch (...) {
    set_last_error("unknown fault");
    return KPFLOW_INTERNAL;
  }
}

// a * b, or an Error when the product leaves int64.
int64_t checked_product(int64_t a, int64_t b);

}  // namespace kpflow
