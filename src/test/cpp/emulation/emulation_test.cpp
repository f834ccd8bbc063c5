// Tests of the emulated device against plain loops. With an argument, one scenario whose environment the test sets.
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#include "cuda_runtime.h"

namespace {

int failures = 0;
#define CHECK(condition)                                                  \
  do {                                                                    \
    if (!(condition)) {                                                   \
      std::printf("%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
      failures++;                                                         \
    }                                                                     \
  } while (false)
#define RUN(call) CHECK((call) == cudaSuccess)

template <class... E, class... A>
cudaError_t start(void (*kernel)(E...), dim3 grid, dim3 block, size_t shared, cudaStream_t stream, A&&... arguments) {
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.dynamicSmemBytes = shared;
  config.stream = stream;
  return cudaLaunchKernelEx(&config, kernel, std::forward<A>(arguments)...);
}

// Device memory that mirrors a vector.
template <class T>
struct Buffer {
  T* data = nullptr;
  size_t size;
  explicit Buffer(size_t n) : size(n) { RUN(cudaMalloc(&data, n * sizeof(T))); }
  explicit Buffer(const std::vector<T>& values) : Buffer(values.size()) {
    RUN(cudaMemcpy(data, values.data(), size * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~Buffer() { RUN(cudaFree(data)); }
  std::vector<T> host() const {
    std::vector<T> values(size);
    RUN(cudaMemcpy(values.data(), data, size * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }
};

template <class T>
std::vector<T> numbers(size_t n, int seed) {
  std::vector<T> values(n);
  for (size_t i = 0; i < n; i++) values[i] = static_cast<T>(static_cast<int>((i * 37 + seed * 11) % 23) - 11) / 8;
  return values;
}

// The sum of x by shuffles, shared memory and one atomic per block.
__global__ void __launch_bounds__(160) sum(const float* __restrict__ x, int n, double* total) {
  __shared__ double parts[5];
  double s = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) s += __ldg(x + i);
  for (int d = 16; d > 0; d /= 2) s += __shfl_down_sync(0xffffffffu, s, d);
  if (threadIdx.x % 32 == 0) parts[threadIdx.x / 32] = s;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int w = 1; w < 5; w++) s += parts[w];
    atomicAdd(total, s);
  }
}

void test_sum() {
  const auto x = numbers<float>(10007, 1);
  double expected = 0;
  for (float value : x) expected += value;
  Buffer<float> on_device(x);
  Buffer<double> total(std::vector<double>{0});
  RUN(start(sum, 7, 160, 0, nullptr, on_device.data, 10007, total.data));
  CHECK(total.host()[0] == expected);
}

// C = A B in tiles of 8 x 8 through dynamic shared memory.
template <class T>
__global__ void multiply(const T* a, const T* b, T* c, int n) {
  T* tile_a = reinterpret_cast<T*>(emulated_shared_bytes());
  T* tile_b = tile_a + 64;
  const int i = blockIdx.y * 8 + threadIdx.y, j = blockIdx.x * 8 + threadIdx.x;
  T s = 0;
  for (int k = 0; k < n; k += 8) {
    tile_a[threadIdx.y * 8 + threadIdx.x] = i < n && k + int(threadIdx.x) < n ? a[i * n + k + threadIdx.x] : T(0);
    tile_b[threadIdx.y * 8 + threadIdx.x] = j < n && k + int(threadIdx.y) < n ? b[(k + threadIdx.y) * n + j] : T(0);
    __syncthreads();
    for (int l = 0; l < 8; l++) s += tile_a[threadIdx.y * 8 + l] * tile_b[l * 8 + threadIdx.x];
    __syncthreads();
  }
  if (i < n && j < n) c[i * n + j] = s;
}

template <class T>
void test_multiply() {
  const int n = 45;
  const auto a = numbers<T>(n * n, 2), b = numbers<T>(n * n, 3);
  Buffer<T> da(a), db(b), dc(n * n);
  RUN(start(multiply<T>, dim3(6, 6), dim3(8, 8), 128 * sizeof(T), nullptr, da.data, db.data, dc.data, n));
  const auto c = dc.host();
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      T s = 0;
      for (int k = 0; k < n; k++) s += a[i * n + k] * b[k * n + j];
      CHECK(c[i * n + j] == s);
    }
}

// One product of each shape; fragments loaded from row-major A [m, k], B [k, 8].
__global__ void products(const float* a, const float* b, float* c, const double* x, const double* y, double* z,
                         double* z8) {
  const int g = threadIdx.x / 4, t = threadIdx.x % 4;
  const auto u = [](float v) { return __float_as_uint(v) | 0x1fffu; };  // noise that TF32 must drop
  const uint32_t fa[4] = {u(a[g * 8 + t]), u(a[(g + 8) * 8 + t]), u(a[g * 8 + t + 4]), u(a[(g + 8) * 8 + t + 4])};
  const uint32_t fb[2] = {u(b[t * 8 + g]), u(b[(t + 4) * 8 + g])};
  float fc[4] = {1, 1, 1, 1};
  kpflow::emulated::mma_m16n8k8_tf32(fc, fa, fb);
  const double xa[4] = {x[g * 8 + t], x[(g + 8) * 8 + t], x[g * 8 + t + 4], x[(g + 8) * 8 + t + 4]};
  const double xb[2] = {y[t * 8 + g], y[(t + 4) * 8 + g]};
  double xc[4] = {1, 1, 1, 1}, x8[2] = {1, 1};
  kpflow::emulated::mma_m16n8k8_f64(xc, xa, xb);
  kpflow::emulated::mma_m8n8k4_f64(x8, xa[0], xb[0]);
  for (int i = 0; i < 4; i++) {
    const int at = (g + i / 2 * 8) * 8 + 2 * t + i % 2;
    c[at] = fc[i];
    z[at] = xc[i];
    if (i < 2) z8[at] = x8[i];
  }
}

void test_products() {
  const auto a = numbers<float>(128, 4), b = numbers<float>(64, 5);
  const auto x = numbers<double>(128, 6), y = numbers<double>(64, 7);
  Buffer<float> da(a), db(b), dc(128);
  Buffer<double> dx(x), dy(y), dz(128), dz8(64);
  RUN(start(products, 1, 32, 0, nullptr, da.data, db.data, dc.data, dx.data, dy.data, dz.data, dz8.data));
  const auto c = dc.host();
  const auto z = dz.host(), z8 = dz8.host();
  for (int i = 0; i < 16; i++)
    for (int j = 0; j < 8; j++) {
      float s = 1;
      double r = 1, r4 = 1;
      for (int k = 0; k < 8; k++) {
        s += a[i * 8 + k] * b[k * 8 + j];
        r += x[i * 8 + k] * y[k * 8 + j];
        if (k < 4) r4 += x[i * 8 + k] * y[k * 8 + j];
      }
      CHECK(c[i * 8 + j] == s);
      CHECK(z[i * 8 + j] == r);
      if (i < 8) CHECK(z8[i * 8 + j] == r4);
    }
}

// Shuffles of every kind and type in full and divided warps, votes, and exits.
__global__ void warp_operations(int* wrong) {
  const int lane = threadIdx.x % 32, n = blockDim.x - threadIdx.x / 32 * 32 < 32 ? blockDim.x % 32 : 32;
  const unsigned all = n == 32 ? 0xffffffffu : (1u << n) - 1;
  const auto expect = [&](bool right) {
    if (!right) atomicAdd(wrong, 1);
  };
  expect(__shfl_sync(all, lane * 10, 3) == 30);
  expect(__shfl_sync(all, 1.5f * float(lane), 5, 8) == 1.5f * float((lane & ~7) + 5) || (lane & ~7) + 5 >= n);
  expect(__shfl_up_sync(all, double(lane), 2) == (lane < 2 ? lane : lane - 2));
  expect(__shfl_down_sync(all, 7ll * lane, 4, 16) == 7ll * ((lane & 15) + 4 < 16 ? lane + 4 : lane) || lane + 4 >= n);
  expect(__shfl_xor_sync(all, unsigned(lane), 1) == unsigned(lane ^ 1) || (lane ^ 1) >= n);
  expect(__ballot_sync(all, lane & 1) == (0xaaaaaaaau & all));
  expect(__any_sync(all, lane == 2) == 1 && __any_sync(all, 0) == 0);
  expect(__all_sync(all, 1) == 1 && __all_sync(all, lane != 2) == 0);
  __syncwarp(all);
  const unsigned half = lane < 5 ? 0x1fu : all & ~0x1fu;  // two groups that meet at their own pace
  int s = 0;
  for (int i = 0; i < (lane < 5 ? 3 : 7); i++) s += __shfl_sync(half, lane, lane < 5 ? 4 : 6);
  expect(s == (lane < 5 ? 12 : 42));
  if (lane == 0) return;
  __syncwarp();  // those that have ended are not waited for
  const float gone = __shfl_sync(0xffffffffu, 1.0f, 0);
  expect(gone != gone);
  expect((__activemask() >> lane & 1) == 1 && (__activemask() & ~all) == 0 && (__activemask() & 1) == 0);
}

__global__ void arithmetic(int* wrong) {
  const auto expect = [&](bool right) {
    if (!right) atomicAdd(wrong, 1);
  };
  expect(__umulhi(0xffffffffu, 0xfffffffeu) == 0xfffffffdu);
  expect(__umul64hi(~0ull, ~1ull) == ~2ull);
  expect(__uint_as_float(__float_as_uint(-1.5f)) == -1.5f && __longlong_as_double(__double_as_longlong(0.1)) == 0.1);
  expect(__fmaf_rn(3, 4, 5) == 17 && __fma_rn(3, 4, 5) == 17 && __dmul_rn(3, 4) == 12 && __dadd_rn(3, 4) == 7);
  expect(__fmul_rn(3, 4) == 12 && __fadd_rn(3, 4) == 7 && rsqrtf(4) == 0.5f && rsqrt(16.0) == 0.25);
  expect(min(-1, 2u) == 2u && max(3, -4) == 3 && min(2.5f, 1.0) == 1.0 && max(5ll, 6ull) == 6);
  double s, c;
  for (double x = -5; x < 5; x += 0.125) {
    sincospi(x, &s, &c);
    expect(fabs(s - sin(3.14159265358979323846 * x)) < 4e-15 && fabs(c - cos(3.14159265358979323846 * x)) < 4e-15);
  }
  float sf, cf;
  sincospif(0.5f, &sf, &cf);
  expect(sf == 1 && cf == 0 && fabsf(__expf(1) - expf(1)) < 1e-6f && tanh(0.0) == 0 && erf(0.0) == 0 && log(1.0) == 0);
  const float4 v = make_float4(1, 2, 3, 4);
  expect(sizeof(float4) == 16 && alignof(double2) == 16 && v.w == 4 && make_int2(1, 2).y == 2 && warpSize == 32);
}

__global__ void atomics(unsigned* counts, float* f, double* d, unsigned long long* u, int* i, int* lock) {
  atomicAdd(counts + blockIdx.x % 2, 1u);
  atomicAdd(f, 0.5f);
  atomicAdd(d, 0.25);
  atomicAdd(u, 1ull << 33);
  atomicMax(i, static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x));
  atomicMin(i + 1, -static_cast<int>(blockIdx.x));
  if (atomicCAS(lock, 0, 1) == 0) atomicExch(i + 2, 77);
  __threadfence();
}

void test_small_things() {
  Buffer<int> wrong(std::vector<int>{0});
  RUN(start(warp_operations, 3, 75, 0, nullptr, wrong.data));
  CHECK(wrong.host()[0] == 0);
  RUN(start(arithmetic, 1, 1, 0, nullptr, wrong.data));
  CHECK(wrong.host()[0] == 0);
  Buffer<unsigned> counts(std::vector<unsigned>{0, 0});
  Buffer<float> f(std::vector<float>{0});
  Buffer<double> d(std::vector<double>{0});
  Buffer<unsigned long long> u(std::vector<unsigned long long>{0});
  Buffer<int> i(std::vector<int>{0, 0, 0}), lock(std::vector<int>{0});
  RUN(start(atomics, 100, 64, 0, nullptr, counts.data, f.data, d.data, u.data, i.data, lock.data));
  CHECK((counts.host() == std::vector<unsigned>{3200, 3200}));
  CHECK(f.host()[0] == 3200 && d.host()[0] == 1600 && u.host()[0] == 6400ull << 33);
  CHECK((i.host() == std::vector<int>{6399, -99, 77}));
}

// y = what a two-stage pipeline of asynchronous copies sees of x; with too few waits, NaN.
__global__ void pipeline(const float* x, float* y, int stages, bool waits) {
  float* shared = reinterpret_cast<float*>(emulated_shared_bytes());
  const int t = threadIdx.x, n = blockDim.x;
  const auto load = [&](int s) {
    if (s < stages)
      kpflow::emulated::copy_async(shared + (s % 2 * n + t) * 4, x + (s * n + t) * 4, 16, t == 3 ? 8 : 16);
    kpflow::emulated::commit();
  };
  load(0);
  for (int s = 0; s < stages; s++) {
    load(s + 1);
    if (waits) kpflow::emulated::wait<1>();
    __syncthreads();
    for (int i = 0; i < 4; i++) y[(s * n + t) * 4 + i] = shared[(s % 2 * n + n - 1 - t) * 4 + i];
    __syncthreads();
  }
}

void test_pipeline() {
  const int n = 40, stages = 5;
  const auto x = numbers<float>(4 * n * stages, 8);
  Buffer<float> dx(x), dy(x.size());
  RUN(start(pipeline, 1, n, 2 * n * 16, nullptr, dx.data, dy.data, stages, true));
  const auto y = dy.host();
  for (int s = 0; s < stages; s++)
    for (int t = 0; t < n; t++)
      for (int i = 0; i < 4; i++)
        CHECK(y[(s * n + t) * 4 + i] == (n - 1 - t == 3 && i >= 2 ? 0 : x[(s * n + n - 1 - t) * 4 + i]));
  RUN(start(pipeline, 1, n, 2 * n * 16, nullptr, dx.data, dy.data, stages, false));
  CHECK(std::isnan(dy.host()[0]));
}

// Each block of a cluster writes into the memory of the next one.
__global__ void ring(int* out, int rounds) {
  namespace e = kpflow::emulated;
  int* mine = reinterpret_cast<int*>(emulated_shared_bytes());
  int* next = e::cluster_map(mine, (e::cluster_rank() + 1) % e::cluster_size());
  int value = 1000 * blockIdx.x + threadIdx.x;
  for (int i = 0; i < rounds; i++) {
    next[threadIdx.x] = value;
    e::cluster_sync();
    value = mine[threadIdx.x];
    e::cluster_sync();
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = value;
}

cudaError_t start_ring(int* out, unsigned size) {
  cudaLaunchAttribute attribute{};
  attribute.id = cudaLaunchAttributeClusterDimension;
  attribute.val.clusterDim = {size, 1, 1};
  cudaLaunchConfig_t config{};
  config.gridDim = 12;
  config.blockDim = 70;
  config.dynamicSmemBytes = 70 * sizeof(int);
  config.attrs = &attribute;
  config.numAttrs = 1;
  int clusters = 0;
  if (cudaOccupancyMaxActiveClusters(&clusters, ring, &config) == cudaSuccess) CHECK(clusters >= 1);
  return cudaLaunchKernelEx(&config, ring, out, 3);
}

void test_clusters() {
  Buffer<int> out(12 * 70);
  RUN(start_ring(out.data, 4));
  const auto values = out.host();
  for (int b = 0; b < 12; b++)
    for (int t = 0; t < 70; t++) CHECK(values[b * 70 + t] == 1000 * (b / 4 * 4 + (b + 1) % 4) + t);
  CHECK(start_ring(out.data, 5) == cudaErrorInvalidClusterSize);
  CHECK(start_ring(out.data, 12) == cudaErrorInvalidClusterSize);
  RUN(cudaFuncSetAttribute(ring, cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  RUN(start_ring(out.data, 12));
  CHECK(cudaGetLastError() == cudaErrorInvalidClusterSize && cudaGetLastError() == cudaSuccess);
}

__global__ void scale(float* x, int n, float by, float plus) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) x[i] = x[i] * by + plus;
}

void test_graph() {
  const int n = 100;
  cudaStream_t stream, other;
  cudaEvent_t fork, join, end;
  RUN(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  RUN(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
  RUN(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
  RUN(cudaEventCreate(&join));
  RUN(cudaEventCreate(&end));
  Buffer<float> x(n), y(n);
  float by = 2;
  cudaStreamCaptureStatus status;
  RUN(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  RUN(cudaStreamIsCapturing(stream, &status));
  CHECK(status == cudaStreamCaptureStatusActive);
  RUN(cudaMemsetAsync(x.data, 0, n * sizeof(float), stream));
  RUN(cudaEventRecord(fork, stream));
  RUN(cudaStreamWaitEvent(other, fork));
  for (int i = 0; i < 3; i++) RUN(start(scale, 4, 32, 0, other, x.data, n, by, 1.0f));
  RUN(cudaEventRecord(join, other));
  RUN(cudaStreamWaitEvent(stream, join));
  RUN(cudaMemcpyAsync(y.data, x.data, n * sizeof(float), cudaMemcpyDeviceToDevice, stream));
  by = 100;  // too late
  cudaGraph_t graph;
  cudaGraphExec_t executable;
  RUN(cudaStreamEndCapture(stream, &graph));
  RUN(cudaGraphInstantiate(&executable, graph));
  RUN(cudaGraphDestroy(graph));
  CHECK(std::isnan(y.host()[n - 1]));
  for (int i = 0; i < 2; i++) RUN(cudaGraphLaunch(executable, stream));
  RUN(cudaEventRecord(join, stream));
  RUN(start(scale, 4, 32, 0, stream, x.data, n, 1.0f, 1.0f));
  RUN(cudaEventRecord(end, stream));
  RUN(cudaEventSynchronize(end));
  float milliseconds = -1;
  RUN(cudaEventElapsedTime(&milliseconds, join, end));
  CHECK(milliseconds >= 0);
  RUN(cudaStreamSynchronize(stream));
  CHECK(y.host() == std::vector<float>(n, 7) && x.host() == std::vector<float>(n, 8));
  RUN(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  CHECK(cudaStreamSynchronize(stream) == cudaErrorStreamCaptureUnsupported);
  CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated);
  CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureUnmatched);
  float* forbidden;
  RUN(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  RUN(cudaStreamSynchronize(other));
  std::thread([&] {
    RUN(cudaMalloc(&forbidden, 4));
    RUN(cudaFree(forbidden));
  }).join();
  RUN(cudaStreamIsCapturing(stream, &status));
  CHECK(status == cudaStreamCaptureStatusActive);
  CHECK(cudaMalloc(&forbidden, 4) == cudaErrorStreamCaptureUnsupported);
  CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated);
  RUN(cudaGraphExecDestroy(executable));
  for (cudaEvent_t event : {fork, join, end}) RUN(cudaEventDestroy(event));
  RUN(cudaStreamDestroy(other));
  RUN(cudaStreamDestroy(stream));
  CHECK(cudaStreamSynchronize(stream) == cudaErrorInvalidResourceHandle);
}

void test_runtime() {
  Buffer<float> x(10);
  CHECK(std::isnan(x.host()[9]));
  std::vector<float> v(20, 3);
  CHECK(cudaMemcpy(x.data, v.data(), 44, cudaMemcpyDefault) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(x.data, v.data(), 40, cudaMemcpyDeviceToDevice) == cudaErrorInvalidValue);
  CHECK(cudaMemcpy(x.data, v.data(), 40, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  RUN(cudaMemcpy(x.data + 1, v.data(), 36, cudaMemcpyDefault));
  CHECK(x.host()[9] == 3);
  RUN(cudaMemcpy2DAsync(v.data(), 8, x.data + 1, 12, 4, 3, cudaMemcpyDeviceToHost));
  RUN(cudaMemset(x.data, 0, 40));
  CHECK(x.host()[5] == 0 && cudaMemset(v.data(), 0, 40) == cudaErrorInvalidValue);
  CHECK(cudaFree(x.data + 1) == cudaErrorInvalidValue && cudaFree(v.data()) == cudaErrorInvalidValue);
  CHECK(cudaFree(nullptr) == cudaSuccess);
  cudaPointerAttributes at;
  RUN(cudaPointerGetAttributes(&at, x.data + 9));
  CHECK(at.type == cudaMemoryTypeDevice && at.devicePointer == x.data + 9);
  RUN(cudaPointerGetAttributes(&at, v.data()));
  CHECK(at.type == cudaMemoryTypeUnregistered);
  int* pinned;
  RUN(cudaMallocHost(&pinned, 64));
  RUN(cudaPointerGetAttributes(&at, pinned + 3));
  CHECK(at.type == cudaMemoryTypeHost);
  RUN(cudaFreeHost(pinned));
  size_t before, now, total;
  RUN(cudaMemGetInfo(&before, &total));
  RUN(cudaMallocAsync(&pinned, 1 << 20, nullptr));
  RUN(cudaMemGetInfo(&now, &total));
  CHECK(before - now == 1 << 20);
  RUN(cudaFreeAsync(pinned, nullptr));
  CHECK(cudaMemcpy(x.data + 1, x.data, 2 * sizeof(*x.data), cudaMemcpyDefault) == cudaErrorInvalidValue);
  RUN(cudaMemcpy(x.data + 2, x.data, 2 * sizeof(*x.data), cudaMemcpyDefault));
  cudaDeviceProp p;
  int count, optin, sms, blocks;
  RUN(cudaGetDeviceCount(&count));
  RUN(cudaGetDeviceProperties(&p, 0));
  RUN(cudaDeviceGetAttribute(&optin, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
  RUN(cudaDeviceGetAttribute(&sms, cudaDevAttrMultiProcessorCount, 0));
  CHECK(count == 1 && p.major == 9 && p.minor == 0 && optin == 227 << 10 && sms == 8);
  CHECK(std::string(p.name) == "emulated on the CPU" && p.totalGlobalMem == total);
  CHECK(cudaSetDevice(1) == cudaErrorInvalidDevice);
  CHECK(start(scale, 1, 1025, 0, nullptr, x.data, 10, 1.0f, 0.0f) == cudaErrorInvalidConfiguration);
  CHECK(start(scale, 0, 32, 0, nullptr, x.data, 10, 1.0f, 0.0f) == cudaErrorInvalidConfiguration);
  CHECK(start(scale, 1, 32, 50000, nullptr, x.data, 10, 1.0f, 0.0f) == cudaErrorInvalidValue);
  RUN(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, scale, 256, 50000));
  CHECK(blocks == 0);
  RUN(cudaFuncSetAttribute(scale, cudaFuncAttributeMaxDynamicSharedMemorySize, 50000));
  RUN(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, scale, 256, 50000));
  CHECK(blocks == 4);
  RUN(start(scale, 1, 32, 50000, nullptr, x.data, 10, 1.0f, 0.0f));
  CHECK(cudaFuncSetAttribute(scale, cudaFuncAttributeMaxDynamicSharedMemorySize, 1 << 20) == cudaErrorInvalidValue);
  CHECK(std::string(cudaGetErrorString(cudaErrorMemoryAllocation)) == "out of memory");
  CHECK(std::string(cudaGetErrorName(cudaErrorMemoryAllocation)) == "cudaErrorMemoryAllocation");
  CHECK(std::string(cudaGetErrorName(cudaSuccess)) == "cudaSuccess");
  CHECK(cudaPeekAtLastError() == cudaErrorInvalidValue && cudaGetLastError() == cudaErrorInvalidValue);
}

// A race: the barrier between writing and reading is missing.
__global__ void reverse_without_barrier(float* x, int n) {
  float* shared = reinterpret_cast<float*>(emulated_shared_bytes());
  const int i = threadIdx.x;
  shared[i] = x[i];
  x[i] = i >= n / 2 ? shared[n - 1 - i] : shared[i];
}
int race(int n) {
  std::vector<float> x(n);
  for (int i = 0; i < n; i++) x[i] = static_cast<float>(i);
  Buffer<float> d(x);
  RUN(start(reverse_without_barrier, 1, n, n * sizeof(float), nullptr, d.data, n));
  const auto y = d.host();
  for (int i = 0; i < n; i++)
    if (y[i] != static_cast<float>(i >= n / 2 ? n - 1 - i : i)) return 3;
  return 0;
}

__global__ void half_waits() {
  if (threadIdx.x < 32) return;
  __syncthreads();
}
__global__ void leaves_itself_out() { __syncwarp(~(1u << 5)); }
__global__ void mixes() {
  if (threadIdx.x % 2)
    __ballot_sync(0xffffffffu, 1);
  else
    __syncwarp();
}
__global__ void half_multiplies() {
  double c[2] = {0, 0};
  if (threadIdx.x < 16) kpflow::emulated::mma_m8n8k4_f64(c, 1, 1);
}
__global__ void maps_beyond() { kpflow::emulated::cluster_map(emulated_shared_bytes() + 64, 0); }
__global__ void touch(float* x, int i) { x[i] = 1; }
__global__ void touch_shared(int i) { emulated_shared_bytes()[i] = 1; }

int scenario(const std::string& name) {
  if (name == "race") return race(64);
  if (name == "race-in-warp") return race(32);
  if (name == "deadlock") RUN(start(half_waits, 2, 64, 0, nullptr));
  if (name == "mask") RUN(start(leaves_itself_out, 1, 32, 0, nullptr));
  if (name == "mixed") RUN(start(mixes, 1, 32, 0, nullptr));
  if (name == "half-product") RUN(start(half_multiplies, 1, 32, 0, nullptr));
  if (name == "map") RUN(start(maps_beyond, 1, 32, 64, nullptr));
  if (name == "overrun" || name == "inside") {
    Buffer<float> x(100);
    RUN(start(touch, 1, 1, 0, nullptr, x.data, name == "inside" ? 99 : 100));
  }
  if (name == "overrun-shared") RUN(start(touch_shared, 1, 1, 64, nullptr, 64));
  if (name == "host-reads") {
    Buffer<float> x(100);
    RUN(start(touch, 1, 1, 0, nullptr, x.data, 0));
    RUN(cudaDeviceSynchronize());
    std::printf("%g\n", static_cast<double>(*static_cast<volatile float*>(x.data)));
  }
  if (name == "capacity") {
    float *a, *b;
    RUN(cudaMalloc(&a, 600));
    CHECK(cudaMalloc(&b, 500) == cudaErrorMemoryAllocation && b == nullptr);
    RUN(cudaMalloc(&b, 400));
    RUN(cudaFree(a));
    RUN(cudaFree(b));
  }
  if (name == "no-clusters") {
    Buffer<int> out(12 * 70);
    CHECK(start_ring(out.data, 4) == cudaErrorNotSupported);
    cudaFuncAttributes code;
    RUN(cudaFuncGetAttributes(&code, scale));
    CHECK(code.ptxVersion == 80 && code.binaryVersion == 80);
  }
  if (name == "no-capture") {
    cudaStream_t stream;
    cudaGraph_t graph;
    Buffer<float> x(std::vector<float>{1});
    RUN(cudaStreamCreate(&stream));
    RUN(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    RUN(start(scale, 1, 1, 0, stream, x.data, 1, 2.0f, 0.0f));
    CHECK(cudaStreamEndCapture(stream, &graph) == cudaErrorStreamCaptureInvalidated);
    RUN(cudaStreamDestroy(stream));
  }
  if (name == "lazy") {
    Buffer<float> x(std::vector<float>{1});
    float* pinned;
    RUN(cudaMallocHost(&pinned, 4));
    *pinned = 0;
    RUN(start(scale, 1, 1, 0, nullptr, x.data, 1, 2.0f, 0.0f));
    RUN(cudaMemcpyAsync(pinned, x.data, 4, cudaMemcpyDeviceToHost, nullptr));
    CHECK(*pinned == 0);
    RUN(cudaStreamSynchronize(nullptr));
    CHECK(*pinned == 2);
    RUN(cudaFreeHost(pinned));
  }
  RUN(cudaDeviceSynchronize());
  return failures;
}

// What a scenario in its own process came to: its exit code, or minus the signal that ended it.
int outcome(const char* name, const std::vector<const char*>& settings) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    for (const char* each : settings) putenv(const_cast<char*>(each));
    std::fprintf(stderr, "%s: ", name);
    execl("/proc/self/exe", "emulation_test", name, nullptr);
    _exit(127);
  }
  int status;
  waitpid(child, &status, 0);
  std::fprintf(stderr, "\n");
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

__global__ void steps(float* out, int n) {
  float s = 0;
  for (int i = 0; i < n; i++) {
    s += static_cast<float>(threadIdx.x);
    __syncthreads();
  }
  out[blockIdx.x * blockDim.x + threadIdx.x] = s;
}

__global__ void many_products(double* out, int n) {
  double c[4] = {0, 0, 0, 0}, s = threadIdx.x;
  const double a[4] = {1, 2, 3, 4}, b[2] = {1, 2};
  for (int i = 0; i < n; i++) kpflow::emulated::mma_m16n8k8_f64(c, a, b);
  for (int i = 0; i < 10 * n; i++) s += __shfl_xor_sync(0xffffffffu, s, 16);
  out[blockIdx.x * blockDim.x + threadIdx.x] = c[0] + s;
}

template <class F>
void timed(const char* what, F work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  std::printf("%s: %.2f s\n", what, seconds.count());
}

}  // namespace

int main(int arguments, char** values) {
  if (arguments > 1 && std::string(values[1]) == "speed") {
    Buffer<float> x(1 << 24);
    timed("1e7 barriers of a thread", [&] { RUN(start(steps, 40, 256, 0, nullptr, x.data, 1000)); });
    timed("1.7e7 threads without barriers",
          [&] { RUN(start(scale, 1 << 16, 256, 0, nullptr, x.data, 1 << 24, 2.f, 1.f)); });
    Buffer<double> y(1 << 14);
    timed("1.6e6 products and 1.6e7 shuffles of a thread",
          [&] { RUN(start(many_products, 64, 256, 0, nullptr, y.data, 100)); });
    return 0;
  }
  if (arguments > 1) return scenario(values[1]);
  test_sum();
  test_multiply<float>();
  test_multiply<double>();
  test_products();
  test_small_things();
  test_pipeline();
  test_clusters();
  test_graph();
  test_runtime();
  const bool sanitized = std::getenv("ASAN_OPTIONS") != nullptr;
  for (const char* name : {"race", "race-in-warp"}) {
    CHECK(outcome(name, {"KPFLOW_EMULATION_ORDER=forward"}) == 0);
    CHECK(outcome(name, {"KPFLOW_EMULATION_ORDER=reverse"}) == 3);
    CHECK(outcome(name, {"KPFLOW_EMULATION_ORDER=random:7"}) == 3);
  }
  CHECK(outcome("race", {"KPFLOW_EMULATION_ORDER=sideways"}) == -SIGABRT);
  for (const char* name : {"deadlock", "mask", "mixed", "half-product", "map"}) CHECK(outcome(name, {}) == -SIGABRT);
  CHECK(outcome("inside", {"KPFLOW_EMULATION_GUARD=1"}) == 0);
  for (const char* name : {"overrun", "overrun-shared", "host-reads"})
    CHECK(outcome(name, {"KPFLOW_EMULATION_GUARD=1"}) == (sanitized ? 1 : -SIGSEGV));
  if (sanitized) CHECK(outcome("overrun", {"KPFLOW_EMULATION_GUARD=0"}) == 1);
  CHECK(outcome("capacity", {"KPFLOW_EMULATION_MEMORY=1000"}) == 0);
  CHECK(outcome("no-clusters", {"KPFLOW_EMULATION_CAPABILITY=80"}) == 0);
  CHECK(outcome("no-clusters", {"KPFLOW_EMULATION_PTX=80"}) == 0);
  CHECK(outcome("no-capture", {"KPFLOW_EMULATION_CAPTURE=0"}) == 0);
  CHECK(outcome("lazy", {"KPFLOW_EMULATION_LAZY=1"}) == 0);
  std::printf(failures ? "%d failures\n" : "the emulated device is as it should be\n", failures);
  return failures != 0;
}
