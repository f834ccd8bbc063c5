#include "machine.hpp"

#include <cstring>
#include <stdexcept>

namespace kpflow_test {

namespace {

constexpr int kPattern = 0xA5;

std::vector<char> to_bytes(int32_t dtype, const Values& values) {
  std::vector<char> bytes(values.size() * static_cast<size_t>(dtype_size(dtype)));
  for (size_t i = 0; i < values.size(); ++i) {
    const float narrow = static_cast<float>(values[i]);
    if (dtype == KPFLOW_F32) {
      std::memcpy(bytes.data() + i * sizeof narrow, &narrow, sizeof narrow);
    } else {
      std::memcpy(bytes.data() + i * sizeof(double), &values[i], sizeof(double));
    }
  }
  return bytes;
}

}  // namespace

void require(int32_t status, const char* call) {
  if (status != KPFLOW_OK) throw std::runtime_error(text("%s: status %d, %s", call, status, kpflow_last_error()));
}

const char* dtype_name(int32_t dtype) { return dtype == KPFLOW_F32 ? "f32" : "f64"; }

Values rounded(int32_t dtype, Values values) {
  for (double& value : values) value = dtype == KPFLOW_F32 ? static_cast<float>(value) : value;
  return values;
}

Machine::Machine(int32_t device, int32_t threads) : device_(device) {
  const int32_t status = kpflow_context_create(device, threads, &context_);
  if (status != KPFLOW_OK) throw std::runtime_error(kpflow_last_error());
}

Buffer::Buffer(const Machine& machine, int32_t dtype, int64_t count, int64_t shift)
    : device_(machine.device()), dtype_(dtype), count_(count), shift_(shift) {
  const int64_t all = begin() + bytes() + kGuard;
  memory_ = static_cast<char*>(kpflow_buffer_allocate(device_, all));
  if (memory_ == nullptr) throw std::runtime_error(kpflow_last_error());
  std::vector<char> host(static_cast<size_t>(all), static_cast<char>(kPattern));
  std::memset(host.data() + begin(), 0xFF, static_cast<size_t>(bytes()));  // a NaN of either dtype
  require(kpflow_buffer_copy(device_, host.data(), memory_, all), "buffer_copy");
}

Buffer::Buffer(const Machine& machine, int32_t dtype, const Values& values, int64_t shift)
    : Buffer(machine, dtype, static_cast<int64_t>(values.size()), shift) {
  write(values);
}

void Buffer::write(const Values& values) {
  const std::vector<char> host = to_bytes(dtype_, values);
  require(kpflow_buffer_copy(device_, host.data(), data(), static_cast<int64_t>(host.size())), "buffer_copy");
}

Values Buffer::read() const {
  const int64_t all = begin() + bytes() + kGuard;
  std::vector<char> host(static_cast<size_t>(all));
  require(kpflow_buffer_copy(device_, memory_, host.data(), all), "buffer_copy");
  for (int64_t i = 0; i < all; ++i) {
    const bool guard = i < begin() || i >= begin() + bytes();
    if (guard && host[static_cast<size_t>(i)] != static_cast<char>(kPattern)) {
      throw std::runtime_error(text("byte %lld beside an array of %lld was written over",
                                    static_cast<long long>(i < begin() ? i - begin() : i - begin() - bytes()),
                                    static_cast<long long>(bytes())));
    }
  }
  Values values(static_cast<size_t>(count_));
  for (size_t i = 0; i < values.size(); ++i) {
    const char* at = host.data() + begin() + static_cast<int64_t>(i) * dtype_size(dtype_);
    if (dtype_ == KPFLOW_F32) {
      float narrow;
      std::memcpy(&narrow, at, sizeof narrow);
      values[i] = narrow;
    } else {
      std::memcpy(&values[i], at, sizeof(double));
    }
  }
  return values;
}

double Random::next() {  // xorshift64*
  state_ ^= state_ >> 12;
  state_ ^= state_ << 25;
  state_ ^= state_ >> 27;
  const uint64_t bits = state_ * 0x2545F4914F6CDD1Du >> 41;  // 23 bits
  return (static_cast<double>(static_cast<int64_t>(bits)) + 0.5) * 0x1p-22 - 1;
}

Values Random::values(int64_t count, double scale) {
  Values values(static_cast<size_t>(count));
  for (double& value : values) value = static_cast<float>(scale * next());
  return values;
}

}  // namespace kpflow_test
