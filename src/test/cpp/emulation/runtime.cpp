// The host's side of the emulated device: memory, streams, events, capture.
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "emulation.hpp"

using Work = std::function<void()>;

struct CUgraph_st {
  std::vector<Work> work;
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
  std::thread::id thread = std::this_thread::get_id();
  bool invalid = false;
};
struct CUgraphExec_st : CUgraph_st {};
struct CUstream_st {
  CUgraph_st* graph = nullptr;  // that it is being captured into
  bool origin = false;          // the stream at which that capture began
};
struct CUevent_st {
  std::chrono::steady_clock::time_point time{};
  bool recorded = false, timing = true;
  CUgraph_st* graph = nullptr;  // of the capture in which it was recorded
};

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

struct Allocation {
  Memory memory;
  cudaMemoryType type;
};
struct Limits {
  int shared = 48 << 10;
  bool large_clusters = false;
};

// All there is of the device; one host thread at a time.
struct Device {
  std::recursive_mutex mutex;
  std::map<uintptr_t, Allocation> memory;  // by address
  std::map<const void*, Limits> limits;
  std::set<CUstream_st*> streams;
  CUstream_st standard;
  std::vector<Work> waiting;  // of all streams in the order of the calls, where lazy
  size_t used = 0;
  const size_t capacity = setting("MEMORY", 8ull << 30);
  const bool guarded = setting("GUARD", 0) != 0, lazy = setting("LAZY", 0) != 0;
  const int capability = static_cast<int>(setting("CAPABILITY", 90));
  const int shared_limit = (capability >= 90 ? 227 : 163) << 10;

  void protect_all(bool accessible) {
    if (!guarded) return;
    for (const auto& [address, allocation] : memory)
      if (allocation.type == cudaMemoryTypeDevice) protect(allocation.memory, accessible);
  }
  void perform(const std::vector<Work>& work) {
    protect_all(true);
    for (const Work& item : work) item();
    protect_all(false);
  }
  void flush() {
    const std::vector<Work> work = std::move(waiting);
    waiting.clear();
    if (!work.empty()) perform(work);
  }
  // The allocation that contains the address, or none.
  const Allocation* find(const void* pointer) const {
    const auto address = reinterpret_cast<uintptr_t>(pointer);
    auto after = memory.upper_bound(address);
    if (after == memory.begin()) return nullptr;
    const auto& [start, allocation] = *--after;
    return address - start < std::max<size_t>(allocation.memory.bytes, 1) ? &allocation : nullptr;
  }
  bool capturing() const {
    return std::any_of(streams.begin(), streams.end(), [](auto* stream) { return stream->graph; });
  }
  // Whether some capture forbids the calling thread what is not recorded, such as an allocation; that spoils it.
  bool forbidden() {
    bool found = false;
    for (CUstream_st* stream : streams) {
      CUgraph_st* graph = stream->graph;
      if (!graph || graph->mode == cudaStreamCaptureModeRelaxed) continue;
      if (graph->mode == cudaStreamCaptureModeThreadLocal && graph->thread != std::this_thread::get_id()) continue;
      graph->invalid = found = true;
    }
    return found;
  }
  CUstream_st* stream(cudaStream_t handle) {
    if (!handle) return &standard;
    return streams.count(handle) ? handle : nullptr;
  }
};
Device& device() {
  static Device& value = *new Device;
  return value;
}
#define KPFLOW_DEVICE   \
  Device& d = device(); \
  std::lock_guard<std::recursive_mutex> lock(d.mutex)

thread_local cudaError_t last = cudaSuccess;
cudaError_t result(cudaError_t error) {
  if (error != cudaSuccess) last = error;
  return error;
}

cudaError_t submit(Device& d, cudaStream_t handle, Work work, bool at_once = false) {
  CUstream_st* stream = d.stream(handle);
  if (!stream) return result(cudaErrorInvalidResourceHandle);
  if (stream->graph) {
    stream->graph->work.push_back(std::move(work));
    return cudaSuccess;
  }
  if (!handle && d.forbidden()) return result(cudaErrorStreamCaptureUnsupported);
  d.waiting.push_back(std::move(work));
  if (at_once || !d.lazy) d.flush();
  return cudaSuccess;
}

// Waits for a stream, which must not be in capture; that would spoil it.
cudaError_t synchronize(Device& d, CUstream_st* stream) {
  if (!stream) return result(cudaErrorInvalidResourceHandle);
  if (stream->graph) {
    stream->graph->invalid = true;
    return result(cudaErrorStreamCaptureUnsupported);
  }
  d.flush();
  return cudaSuccess;
}

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

cudaError_t cluster_of(const Device& d, const cudaLaunchConfig_t& config, const Limits& limits, dim3* cluster) {
  *cluster = dim3();
  for (unsigned i = 0; i < config.numAttrs; i++) {
    const cudaLaunchAttribute& attribute = config.attrs[i];
    if (attribute.id == cudaLaunchAttributeCooperative && attribute.val.cooperative) return cudaErrorNotSupported;
    if (attribute.id != cudaLaunchAttributeClusterDimension) continue;
    const auto& size = attribute.val.clusterDim;
    if (d.capability < 90) return cudaErrorNotSupported;
    if (!size.x || !size.y || !size.z || config.gridDim.x % size.x || config.gridDim.y % size.y ||
        config.gridDim.z % size.z || size.x * size.y * size.z > (limits.large_clusters ? 16u : 8u))
      return cudaErrorInvalidClusterSize;
    *cluster = dim3(size.x, size.y, size.z);
  }
  return cudaSuccess;
}

}  // namespace

cudaError_t launch(const cudaLaunchConfig_t& config, const void* kernel, std::function<void()> body) {
  KPFLOW_DEVICE;
  const Limits& limits = d.limits[kernel];
  const dim3 &g = config.gridDim, &b = config.blockDim;
  const bool blocks = g.x && g.y && g.z && g.x <= 0x7fffffff && g.y <= 65535 && g.z <= 65535;
  if (!blocks || !b.x || !b.y || !b.z || b.z > 64 || uint64_t{b.x} * b.y * b.z > 1024)
    return result(cudaErrorInvalidConfiguration);
  if (config.dynamicSmemBytes > static_cast<size_t>(limits.shared)) return result(cudaErrorInvalidValue);
  Launch launch{g, b, {}, config.dynamicSmemBytes, std::move(body)};
  if (const cudaError_t error = cluster_of(d, config, limits, &launch.cluster)) return result(error);
  return submit(d, config.stream, [launch = std::move(launch)] { run(launch); });
}

cudaError_t set_attribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  KPFLOW_DEVICE;
  if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize) {
    if (value < 0 || value > d.shared_limit) return result(cudaErrorInvalidValue);
    d.limits[kernel].shared = value;
  } else if (attribute == cudaFuncAttributeNonPortableClusterSizeAllowed) {
    d.limits[kernel].large_clusters = value != 0;
  }
  return cudaSuccess;
}

cudaError_t blocks_per_multiprocessor(int* blocks, const void* kernel, int threads, size_t shared) {
  KPFLOW_DEVICE;
  if (!blocks || threads <= 0) return result(cudaErrorInvalidValue);
  const bool fits = threads <= 1024 && shared <= static_cast<size_t>(d.limits[kernel].shared);
  const int by_shared = (d.shared_limit + 1024) / (static_cast<int>(shared) + 1024);  // 1 KiB a block is the system's
  *blocks = fits ? std::min({32, 2048 / ((threads + 31) / 32 * 32), by_shared}) : 0;
  return cudaSuccess;
}

cudaError_t active_clusters(int* clusters, const void* kernel, const cudaLaunchConfig_t& config) {
  KPFLOW_DEVICE;
  dim3 cluster;
  if (const cudaError_t error = cluster_of(d, config, d.limits[kernel], &cluster)) return result(error);
  const dim3& b = config.blockDim;
  int blocks = 0;
  const auto error =
      blocks_per_multiprocessor(&blocks, kernel, static_cast<int>(b.x * b.y * b.z), config.dynamicSmemBytes);
  *clusters = 8 * blocks / static_cast<int>(cluster.x * cluster.y * cluster.z);
  return error;
}

}  // namespace kpflow::emulated

using namespace kpflow::emulated;

#define KPFLOW_ERRORS(of)                                                                                              \
  of(Success, "no error") of(InvalidValue, "invalid argument") of(MemoryAllocation, "out of memory")                   \
      of(InitializationError, "initialization error") of(CudartUnloading, "driver shutting down")                      \
          of(InvalidConfiguration, "invalid configuration argument") of(InvalidMemcpyDirection,                        \
                                                                        "invalid copy direction for memcpy")           \
              of(InsufficientDriver, "CUDA driver version is insufficient for CUDA runtime version") of(               \
                  InvalidDeviceFunction, "invalid device function") of(NoDevice, "no CUDA-capable device is detected") \
                  of(InvalidDevice, "invalid device ordinal") of(                                                      \
                      NoKernelImageForDevice, "no kernel image is available for execution on the device")              \
                      of(InvalidResourceHandle, "invalid resource handle") of(NotReady, "device not ready") of(        \
                          IllegalAddress, "an illegal memory access was encountered")                                  \
                          of(LaunchOutOfResources, "too many resources requested for launch") of(                      \
                              LaunchFailure, "unspecified launch failure") of(NotSupported, "operation not supported") \
                              of(StreamCaptureUnsupported, "operation not permitted when stream is capturing") of(     \
                                  StreamCaptureInvalidated, "operation failed due to a previous error during capture") \
                                  of(StreamCaptureUnmatched, "capture was not initiated in this stream")               \
                                      of(InvalidClusterSize, "invalid cluster size") of(Unknown, "unknown error")

const char* cudaGetErrorString(cudaError_t error) {
#define KPFLOW_CASE(name, text) \
  case cudaError##name:         \
    return text;
#define cudaErrorSuccess cudaSuccess
  switch (error) { KPFLOW_ERRORS(KPFLOW_CASE) }
  return "unrecognized error code";
}
const char* cudaGetErrorName(cudaError_t error) {
#undef KPFLOW_CASE
#define KPFLOW_CASE(name, text) \
  case cudaError##name:         \
    return error == cudaSuccess ? "cudaSuccess" : "cudaError" #name;
  switch (error) { KPFLOW_ERRORS(KPFLOW_CASE) }
  return "unrecognized error code";
}
cudaError_t cudaGetLastError() { return std::exchange(last, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last; }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = 1;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) { return result(device == 0 ? cudaSuccess : cudaErrorInvalidDevice); }
cudaError_t cudaGetDevice(int* device) {
  *device = 0;
  return cudaSuccess;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  if (device != 0) return result(cudaErrorInvalidDevice);
  const auto& d = kpflow::emulated::device();
  *properties = {"emulated on the CPU",
                 d.capacity,
                 48 << 10,
                 size_t(d.shared_limit),
                 size_t(d.shared_limit) + 1024,
                 d.capability / 10,
                 d.capability % 10,
                 8,
                 50 << 20,
                 32,
                 1024,
                 2048};
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  cudaDeviceProp p;
  if (const cudaError_t error = cudaGetDeviceProperties(&p, device)) return error;
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
      *value = p.maxThreadsPerBlock;
      break;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      *value = static_cast<int>(p.sharedMemPerBlock);
      break;
    case cudaDevAttrWarpSize:
      *value = p.warpSize;
      break;
    case cudaDevAttrMultiProcessorCount:
      *value = p.multiProcessorCount;
      break;
    case cudaDevAttrL2CacheSize:
      *value = p.l2CacheSize;
      break;
    case cudaDevAttrComputeCapabilityMajor:
      *value = p.major;
      break;
    case cudaDevAttrComputeCapabilityMinor:
      *value = p.minor;
      break;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      *value = static_cast<int>(p.sharedMemPerMultiprocessor);
      break;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      *value = static_cast<int>(p.sharedMemPerBlockOptin);
      break;
    case cudaDevAttrMemoryPoolsSupported:
      *value = 1;
      break;
    case cudaDevAttrCooperativeLaunch:
      *value = 0;
      break;
    case cudaDevAttrClusterLaunch:
      *value = p.major >= 9;
      break;
    default:
      return result(cudaErrorInvalidValue);
  }
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  KPFLOW_DEVICE;
  if (d.capturing()) return result(cudaErrorStreamCaptureUnsupported);
  d.flush();
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) { return cudaDriverGetVersion(version); }

cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  KPFLOW_DEVICE;
  if (!stream || flags > cudaStreamNonBlocking) return result(cudaErrorInvalidValue);
  *stream = *d.streams.insert(new CUstream_st).first;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  KPFLOW_DEVICE;
  if (!d.streams.erase(stream)) return result(cudaErrorInvalidResourceHandle);
  delete stream;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  KPFLOW_DEVICE;
  return synchronize(d, d.stream(stream));
}
cudaError_t cudaStreamQuery(cudaStream_t stream) { return cudaStreamSynchronize(stream); }
cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
  KPFLOW_DEVICE;
  CUstream_st* stream = d.stream(handle);
  if (!stream || !event) return result(cudaErrorInvalidResourceHandle);
  if (event->graph) stream->graph = event->graph;  // joins the capture; work is recorded in the order of the calls
  return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  if (!event) return result(cudaErrorInvalidValue);
  *event = new CUevent_st;
  (*event)->timing = !(flags & cudaEventDisableTiming);
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle) {
  KPFLOW_DEVICE;
  CUstream_st* stream = d.stream(handle);
  if (!stream || !event) return result(cudaErrorInvalidResourceHandle);
  event->graph = stream->graph;
  if (stream->graph) return cudaSuccess;
  return submit(d, handle, [event] {
    event->time = std::chrono::steady_clock::now();
    event->recorded = true;
  });
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  KPFLOW_DEVICE;
  if (!event) return result(cudaErrorInvalidResourceHandle);
  if (event->graph) return result(cudaErrorStreamCaptureUnsupported);
  d.flush();
  return cudaSuccess;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  KPFLOW_DEVICE;
  if (!start || !end || !start->timing || !end->timing) return result(cudaErrorInvalidResourceHandle);
  if (!d.waiting.empty()) return result(cudaErrorNotReady);
  if (!start->recorded || !end->recorded) return result(cudaErrorInvalidResourceHandle);
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  KPFLOW_DEVICE;
  if (!event) return result(cudaErrorInvalidResourceHandle);
  d.flush();  // which may record it
  delete event;
  return cudaSuccess;
}

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

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  KPFLOW_DEVICE;
  CUstream_st* stream = d.stream(handle);
  if (!handle || !stream || stream->graph) return result(cudaErrorStreamCaptureUnsupported);
  stream->graph = new CUgraph_st;
  stream->graph->mode = mode;
  stream->origin = true;
  return cudaSuccess;
}
cudaError_t cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
  KPFLOW_DEVICE;
  CUstream_st* stream = d.stream(handle);
  if (!stream || !stream->graph || !stream->origin) return result(cudaErrorStreamCaptureUnmatched);
  *graph = stream->graph;
  stream->origin = false;
  for (CUstream_st* each : d.streams)
    if (each->graph == *graph) each->graph = nullptr;
  if (!(*graph)->invalid) return cudaSuccess;
  delete std::exchange(*graph, nullptr);
  return result(cudaErrorStreamCaptureInvalidated);
}
cudaError_t cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
  KPFLOW_DEVICE;
  CUstream_st* stream = d.stream(handle);
  if (!stream) return result(cudaErrorInvalidResourceHandle);
  *status = !stream->graph           ? cudaStreamCaptureStatusNone
            : stream->graph->invalid ? cudaStreamCaptureStatusInvalidated
                                     : cudaStreamCaptureStatusActive;
  return cudaSuccess;
}
cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  if (!executable || !graph) return result(cudaErrorInvalidValue);
  *executable = new CUgraphExec_st{*graph};
  return cudaSuccess;
}
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  KPFLOW_DEVICE;
  if (!executable) return result(cudaErrorInvalidValue);
  return submit(d, stream, [work = executable->work] {
    for (const Work& item : work) item();
  });
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
