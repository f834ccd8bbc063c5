// 64-byte aligned memory that only grows: scratch is sized by the first call and then reused.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

namespace kpflow {

constexpr int64_t kAlignment = 64;

class AlignedMemory {
 public:
  AlignedMemory() = default;
  explicit AlignedMemory(int64_t bytes) { reserve(bytes); }
  AlignedMemory(AlignedMemory&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), bytes_(std::exchange(other.bytes_, 0)) {}
  AlignedMemory& operator=(AlignedMemory&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(bytes_, other.bytes_);
    return *this;
  }
  AlignedMemory(const AlignedMemory&) = delete;
  AlignedMemory& operator=(const AlignedMemory&) = delete;
  ~AlignedMemory() { std::free(data_); }

  // Memory of at least so many bytes; what it held is lost when it grows.
  void* reserve(int64_t bytes) {
    if (bytes > bytes_) {
      std::free(data_);
      bytes_ = 0;
      const int64_t rounded = (bytes + kAlignment - 1) / kAlignment * kAlignment;
      data_ = std::aligned_alloc(static_cast<size_t>(kAlignment), static_cast<size_t>(rounded));
      if (data_ == nullptr) throw std::bad_alloc();
      bytes_ = rounded;
    }
    return data_;
  }
  void* data() const { return data_; }
  int64_t bytes() const { return bytes_; }

 private:
  void* data_ = nullptr;
  int64_t bytes_ = 0;
};

// An AlignedMemory of count elements of T.
template <class T>
class Array {
 public:
  Array() = default;
  explicit Array(int64_t count) { resize(count); }
  void resize(int64_t count) {
    count_ = 0;  // what stays true if the memory is refused
    memory_.reserve(count * static_cast<int64_t>(sizeof(T)));
    count_ = count;
  }
  T* data() const { return static_cast<T*>(memory_.data()); }
  int64_t size() const { return count_; }
  T& operator[](int64_t i) const { return data()[i]; }

 private:
  AlignedMemory memory_;
  int64_t count_ = 0;
};

}  // namespace kpflow
