// A device with a context on it, and arrays in its memory between guards.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "checks.hpp"
#include "kpflow.h"

namespace kpflow_test {

// Throws with the library's message unless a call went well.
void require(int32_t status, const char* call);

const char* dtype_name(int32_t dtype);
inline int64_t dtype_size(int32_t dtype) { return dtype == KPFLOW_F32 ? 4 : 8; }
// Rounding of a dtype: 2^-24 or 2^-53.
inline double rounding(int32_t dtype) { return dtype == KPFLOW_F32 ? 0x1p-24 : 0x1p-53; }
// Values as they are after rounding to the dtype.
Values rounded(int32_t dtype, Values values);

class Machine {
 public:
  // Throws with the reason where the device is not to be had.
  Machine(int32_t device, int32_t threads);
  ~Machine() { kpflow_context_destroy(context_); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  int32_t device() const { return device_; }
  kpflow_context* context() const { return context_; }
  const char* name() const { return device_ == KPFLOW_CPU ? "cpu" : "cuda"; }

 private:
  int32_t device_;
  kpflow_context* context_ = nullptr;
};

/*
 * An array of a dtype in a device's memory. It starts as NaN throughout, between guards of a pattern: read() throws where a
 * guard was written over. Elements begin `shift` elements after a 64-byte boundary, as slices of users' arrays do.
 */
class Buffer {
 public:
  Buffer(const Machine& machine, int32_t dtype, int64_t count, int64_t shift = 0);
  Buffer(const Machine& machine, int32_t dtype, const Values& values, int64_t shift = 0);
  ~Buffer() { kpflow_buffer_free(device_, memory_); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  void* data() const { return memory_ + begin(); }
  int64_t count() const { return count_; }
  int32_t dtype() const { return dtype_; }
  void write(const Values& values);
  Values read() const;

 private:
  static constexpr int64_t kGuard = 256;  // bytes before and after
  int64_t begin() const { return kGuard + shift_ * dtype_size(dtype_); }
  int64_t bytes() const { return count_ * dtype_size(dtype_); }
  int32_t device_, dtype_;
  int64_t count_, shift_;
  char* memory_ = nullptr;
};

// Numbers of a fixed sequence, the same everywhere: uniform on (-1, 1), of f32 precision so that both dtypes hold them.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15u + 1) {}
  double next();
  Values values(int64_t count, double scale = 1);
  int64_t below(int64_t limit) { return static_cast<int64_t>((next() + 1) / 2 * static_cast<double>(limit)) % limit; }

 private:
  uint64_t state_;
};

}  // namespace kpflow_test
