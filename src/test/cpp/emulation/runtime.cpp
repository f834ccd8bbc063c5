// The host's side of the emulated device: errors, properties, launches, streams, events, capture.
#include "runtime.hpp"

namespace kpflow::emulated {

namespace {
thread_local cudaError_t last = cudaSuccess;
}
cudaError_t result(cudaError_t error) {
  if (error != cudaSuccess) last = error;
  return error;
}

Device& device() {
  static Device& value = *new Device;
  return value;
}

cudaError_t submit(Device& d, cudaStream_t handle, Work work, bool at_once) {
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

namespace {

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
  Launch whole{g, b, {}, config.dynamicSmemBytes, std::move(body)};
  if (const cudaError_t error = cluster_of(d, config, limits, &whole.cluster)) return result(error);
  // A card would start it, and every block would take itself for a cluster.
  if (whole.cluster.x * whole.cluster.y * whole.cluster.z > 1 && d.ptx < 90) return result(cudaErrorNotSupported);
  return submit(d, config.stream, [whole = std::move(whole)] { run(whole); });
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

cudaError_t get_attributes(cudaFuncAttributes* attributes) {
  KPFLOW_DEVICE;
  if (!attributes) return result(cudaErrorInvalidValue);
  *attributes = {d.ptx, std::min(d.capability, d.ptx)};
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
  const std::map<cudaDeviceAttr, size_t> values = {
      {cudaDevAttrMaxThreadsPerBlock, p.maxThreadsPerBlock},
      {cudaDevAttrMaxSharedMemoryPerBlock, p.sharedMemPerBlock},
      {cudaDevAttrWarpSize, p.warpSize},
      {cudaDevAttrMultiProcessorCount, p.multiProcessorCount},
      {cudaDevAttrL2CacheSize, p.l2CacheSize},
      {cudaDevAttrComputeCapabilityMajor, p.major},
      {cudaDevAttrComputeCapabilityMinor, p.minor},
      {cudaDevAttrMaxSharedMemoryPerMultiprocessor, p.sharedMemPerMultiprocessor},
      {cudaDevAttrMaxSharedMemoryPerBlockOptin, p.sharedMemPerBlockOptin},
      {cudaDevAttrMemoryPoolsSupported, 1},
      {cudaDevAttrCooperativeLaunch, 0},
      {cudaDevAttrClusterLaunch, p.major >= 9}};
  const auto found = values.find(attribute);
  if (!value || found == values.end()) return result(cudaErrorInvalidValue);
  *value = static_cast<int>(found->second);
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

cudaError_t cudaStreamBeginCapture(cudaStream_t handle, cudaStreamCaptureMode mode) {
  KPFLOW_DEVICE;
  CUstream_st* stream = d.stream(handle);
  if (!handle || !stream || stream->graph) return result(cudaErrorStreamCaptureUnsupported);
  stream->graph = new CUgraph_st;
  stream->graph->mode = mode;
  stream->graph->invalid = setting("CAPTURE", 1) == 0;
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
