// Arrays of the benchmark in a device's memory, filled and judged there: nothing large crosses to the host.
#pragma once

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

#include "kpflow.h"

namespace kpflow_bench {

inline void require(int32_t status, const char* call) {
  if (status != KPFLOW_OK) throw std::runtime_error(std::string(call) + ": " + kpflow_last_error());
}

class Array {
 public:
  Array(int32_t device, kpflow_context* context, int32_t dtype, int64_t count)
      : device_(device), context_(context), dtype_(dtype), count_(count) {
    data_ = static_cast<char*>(kpflow_buffer_allocate(device, count * element()));
    if (data_ == nullptr) throw std::runtime_error(kpflow_last_error());
  }
  ~Array() { kpflow_buffer_free(device_, data_); }
  Array(const Array&) = delete;
  Array& operator=(const Array&) = delete;

  void* data() const { return data_; }
  void* at(int64_t index) const { return data_ + index * element(); }
  int64_t count() const { return count_; }

  void fill(uint64_t seed, double scale) const {
    require(kpflow_fill_random(context_, dtype_, KPFLOW_GAUSSIAN, seed, 0, count_, data_), "fill_random");
    require(kpflow_axpby(context_, dtype_, count_, 0, data_, scale, data_), "axpby");
  }
  // NaN everywhere, so that what a call does not write shows. What is there must be finite.
  void poison() const { require(kpflow_axpby(context_, dtype_, count_, NAN, data_, 0, data_), "axpby"); }
  // Throws where an element is not finite.
  void require_finite(const char* name) const {
    double square = NAN;
    require(kpflow_dot(context_, dtype_, 1, count_, data_, data_, &square), "dot");
    if (!std::isfinite(square)) throw std::runtime_error(std::string(name) + ": its result is not finite");
  }
  std::vector<char> read(int64_t count) const {
    std::vector<char> host(static_cast<size_t>(count * element()));
    require(kpflow_buffer_copy(device_, data_, host.data(), count * element()), "buffer_copy");
    return host;
  }
  int64_t element() const { return dtype_ == KPFLOW_F32 ? 4 : 8; }
  int32_t dtype() const { return dtype_; }

 private:
  int32_t device_;
  kpflow_context* context_;
  int32_t dtype_;
  int64_t count_;
  char* data_ = nullptr;
};

}  // namespace kpflow_bench
