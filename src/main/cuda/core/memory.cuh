// Memory of the card that only grows: scratch is sized by the first call and then reused.
#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <unordered_map>

#include "core/runtime.cuh"

namespace kpflow::cuda {

// Refuses bytes that the card does not have, naming what needs them and what would make it fit.
void require_memory(int64_t bytes, const char* what, const char* remedy);

// Bytes that can be had, blocks that are kept for later included.
int64_t available_memory();

// Memory that callers take and give back often, as Java's tensors do: a block given back is kept for the next caller of the same
// size, since asking the driver for one takes as long as a small operator.
class BlockCache {
 public:
  void* take(int64_t bytes);  // nullptr where the card refuses it
  void give_back(void* block);
  void release();  // to the driver, what is kept
  int64_t kept();

 private:
  std::mutex mutex_;
  std::multimap<int64_t, void*> kept_;        // by size
  std::unordered_map<void*, int64_t> taken_;  // sizes of blocks in use
  int64_t kept_bytes_ = 0;
};

// That of the process. It outlives every caller: at exit the driver may go first.
BlockCache& blocks();

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
  int64_t capacity() const { return capacity_; }

 private:
  T* data_ = nullptr;
  int64_t capacity_ = 0, count_ = 0;
};

}  // namespace kpflow::cuda
