// The memory of the emulated device.
#include <sys/mman.h>

#include <cstdlib>
#include <string>

#include "runtime.hpp"

namespace kpflow::emulated {

unsigned long long setting(const char* name, unsigned long long standard) {
  const char* text = std::getenv((std::string("KPFLOW_EMULATION_") + name).c_str());
  return text && *text ? std::strtoull(text, nullptr, 10) : standard;
}

Memory acquire(size_t bytes, bool guarded) {
  Memory memory;
  memory.bytes = bytes;
  if (guarded) {
    const size_t page = 4096, rounded = (bytes + 15) / 16 * 16;
    memory.mapped = (rounded + page - 1) / page * page + page;
    memory.pages = mmap(nullptr, memory.mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory.pages == MAP_FAILED) return {};
    unsigned char* end = static_cast<unsigned char*>(memory.pages) + memory.mapped - page;
    mprotect(end, page, PROT_NONE);
    memory.data = end - rounded;
  } else {
    void* data = nullptr;
    if (posix_memalign(&data, 256, std::max<size_t>(bytes, 1)) != 0) return {};
    memory.data = static_cast<unsigned char*>(data);
  }
  std::memset(memory.data, 0xff, bytes);
  return memory;
}
void release(const Memory& memory) {
  if (memory.pages)
    munmap(memory.pages, memory.mapped);
  else
    std::free(memory.data);
}
void protect(const Memory& memory, bool accessible) {
  if (memory.pages) mprotect(memory.pages, memory.mapped - 4096, accessible ? PROT_READ | PROT_WRITE : PROT_NONE);
}

namespace {

// Whether all bytes lie on that side: in one device allocation, or not in device memory.
bool lies(const Device& d, const void* pointer, size_t bytes, bool on_device) {
  const Allocation* at = d.find(pointer);
  if (!on_device) return pointer && !(at && at->type == cudaMemoryTypeDevice);
  return at && at->type == cudaMemoryTypeDevice &&
         static_cast<const unsigned char*>(pointer) + bytes <= at->memory.data + at->memory.bytes;
}

cudaError_t copy(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width, size_t height,
                 cudaMemcpyKind kind, cudaStream_t stream, bool at_once) {
  KPFLOW_DEVICE;
  if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault) return result(cudaErrorInvalidMemcpyDirection);
  if (height > 1 && (to_pitch < width || from_pitch < width)) return result(cudaErrorInvalidValue);
  if (width == 0 || height == 0) return cudaSuccess;
  const Allocation *target = d.find(to), *source = d.find(from);
  const bool guess = kind == cudaMemcpyDefault;
  const bool to_device = guess ? target && target->type == cudaMemoryTypeDevice
                               : kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool from_device = guess ? source && source->type == cudaMemoryTypeDevice
                                 : kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (!lies(d, to, (height - 1) * to_pitch + width, to_device) ||
      !lies(d, from, (height - 1) * from_pitch + width, from_device))
    return result(cudaErrorInvalidValue);
  const auto *at = static_cast<const char*>(to), *source_at = static_cast<const char*>(from);
  if (to_device && from_device && height == 1 && at != source_at && at < source_at + width && source_at < at + width)
    return result(cudaErrorInvalidValue);
  // Pageable memory is read or written before the call returns.
  const bool pageable = (!to_device && !target) || (!from_device && !source);
  return submit(
      d, stream,
      [=] {
        for (size_t row = 0; row < height; row++)
          std::memmove(static_cast<char*>(to) + row * to_pitch, static_cast<const char*>(from) + row * from_pitch,
                       width);
      },
      at_once || pageable);
}

cudaError_t allocate(void** pointer, size_t bytes, cudaMemoryType type) {
  KPFLOW_DEVICE;
  if (!pointer) return result(cudaErrorInvalidValue);
  *pointer = nullptr;
  if (d.forbidden()) return result(cudaErrorStreamCaptureUnsupported);
  if (bytes == 0) return cudaSuccess;
  const bool on_device = type == cudaMemoryTypeDevice;
  if (on_device && bytes > d.capacity - d.used) return result(cudaErrorMemoryAllocation);
  const Memory memory = acquire(bytes, on_device && d.guarded);
  if (!memory.data) return result(cudaErrorMemoryAllocation);
  if (on_device) {
    d.used += bytes;
    protect(memory, false);
  }
  d.memory[reinterpret_cast<uintptr_t>(memory.data)] = {memory, type};
  *pointer = memory.data;
  return cudaSuccess;
}

cudaError_t deallocate(void* pointer, cudaMemoryType type) {
  KPFLOW_DEVICE;
  if (!pointer) return cudaSuccess;
  if (d.forbidden()) return result(cudaErrorStreamCaptureUnsupported);
  d.flush();
  const auto at = d.memory.find(reinterpret_cast<uintptr_t>(pointer));
  if (at == d.memory.end() || at->second.type != type) return result(cudaErrorInvalidValue);
  if (type == cudaMemoryTypeDevice) d.used -= at->second.memory.bytes;
  release(at->second.memory);
  d.memory.erase(at);
  return cudaSuccess;
}

}  // namespace
}  // namespace kpflow::emulated

using namespace kpflow::emulated;

cudaError_t cudaMalloc(void** pointer, size_t bytes) { return allocate(pointer, bytes, cudaMemoryTypeDevice); }
cudaError_t cudaFree(void* pointer) { return deallocate(pointer, cudaMemoryTypeDevice); }
cudaError_t cudaMallocHost(void** pointer, size_t bytes, unsigned) {
  return allocate(pointer, bytes, cudaMemoryTypeHost);
}
cudaError_t cudaFreeHost(void* pointer) { return deallocate(pointer, cudaMemoryTypeHost); }
cudaError_t cudaMallocAsync(void** pointer, size_t bytes, cudaStream_t) { return cudaMalloc(pointer, bytes); }
cudaError_t cudaFreeAsync(void* pointer, cudaStream_t) { return cudaFree(pointer); }
cudaError_t cudaMemGetInfo(size_t* available, size_t* total) {
  KPFLOW_DEVICE;
  *available = d.capacity - d.used;
  *total = d.capacity;
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
  KPFLOW_DEVICE;
  const Allocation* at = d.find(pointer);
  void* address = const_cast<void*>(pointer);
  if (!at)
    *attributes = {cudaMemoryTypeUnregistered, -2, nullptr, address};
  else
    *attributes = {at->type, 0, address, at->type == cudaMemoryTypeHost ? address : nullptr};
  return cudaSuccess;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  return copy(to, bytes, from, bytes, bytes, 1, kind, nullptr, true);
}
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream) {
  return copy(to, bytes, from, bytes, bytes, 1, kind, stream, false);
}
cudaError_t cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  return copy(to, to_pitch, from, from_pitch, width, height, kind, stream, false);
}
cudaError_t cudaMemset(void* pointer, int value, size_t bytes) { return cudaMemsetAsync(pointer, value, bytes); }
cudaError_t cudaMemsetAsync(void* pointer, int value, size_t bytes, cudaStream_t stream) {
  KPFLOW_DEVICE;
  if (bytes == 0) return cudaSuccess;
  if (!lies(d, pointer, bytes, true)) return result(cudaErrorInvalidValue);
  return submit(d, stream, [=] { std::memset(pointer, value, bytes); });
}
