// Memory of the card that only grows: scratch is sized by the first call and then reused.
#pragma once

#include <cstdint>

#include "core/runtime.cuh"

namespace kpflow::cuda {

// Refuses bytes that the card does not have, naming what needs them and what would make it fit.
void require_memory(int64_t bytes, const char* what, const char* remedy);

template <class T>
class DeviceArray {
 public:
  DeviceArray() = default;
  DeviceArray(DeviceArray&& other) noexcept { *this = std::move(other); }
  DeviceArray& operator=(DeviceArray&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(capacity_, other.capacity_);
    std::swap(count_, other.count_);
    return *this;
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() { cudaFree(data_); }

  // Room for at least so many elements; what it held is lost when it grows.
  T* resize(int64_t count) {
    count_ = 0;  // what stays true if the memory is refused
    if (count > capacity_) {
      check(cudaFree(data_), "freeing memory");  // waits for kernels that use it
      data_ = nullptr;
      capacity_ = 0;
      const int64_t bytes = checked_product(count, static_cast<int64_t>(sizeof(T)));
      require_memory(bytes, "an array", "use fewer probes at once, fewer trials or steps, or f32");
      void* memory = nullptr;
      check(cudaMalloc(&memory, static_cast<size_t>(bytes)), "allocating memory");
      data_ = static_cast<T*>(memory);
      capacity_ = count;
    }
    count_ = count;
    return data_;
  }
  T* data() const { return data_; }
  int64_t size() const { return count_; }

 private:
  T* data_ = nullptr;
  int64_t capacity_ = 0, count_ = 0;
};

}  // namespace kpflow::cuda
