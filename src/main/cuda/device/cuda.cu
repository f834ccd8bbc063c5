// The card as a device, and the one function that the main library looks up.
#include <cstdio>
#include <cstring>
#include <mutex>
#include <string>
#include <type_traits>

#include "core/cuda_library.hpp"
#include "core/linearization.hpp"
#include "graph/operators.cuh"
#include "linalg/arrays.cuh"
#include "linalg/gemm.cuh"
#include "linalg/random.cuh"
#include "linalg/unit_columns.cuh"
#include "recurrent/operators.cuh"
#include "train/training.cuh"

namespace kpflow::cuda {

namespace {

// Calls what follows with T as the element type, and waits for the kernels that it starts.
#define KPFLOW_TYPED(dtype, ...)         \
  context_.to_its_end([&] {              \
    if (dtype == KPFLOW_F32) {           \
      using T [[maybe_unused]] = float;  \
      __VA_ARGS__;                       \
    } else {                             \
      using T [[maybe_unused]] = double; \
      __VA_ARGS__;                       \
    }                                    \
  })

template <class T>
const T* in(const void* array) {
  return static_cast<const T*>(array);
}
template <class T>
T* to(void* array) {
  return static_cast<T*>(array);
}

class CudaKernels final : public Kernels {
 public:
  explicit CudaKernels(kpflow_context& owner) : owned_(new_context(owner)), context_(*owned_) {}

  const std::string& engine() const { return context_.products->describe(); }

  std::unique_ptr<kpflow_linearization> recurrent(int32_t dtype) override { return new_recurrent(context_, dtype); }
  std::unique_ptr<kpflow_linearization> graph(int32_t dtype) override { return new_graph(context_, dtype); }

  void axpby(int32_t dtype, int64_t count, double alpha, const void* x, double beta, void* y) override {
    KPFLOW_TYPED(dtype, cuda::axpby(context_, count, alpha, in<T>(x), beta, to<T>(y)));
  }
  void dot(int32_t dtype, int64_t rows, int64_t columns, const void* x, const void* y, double* out) override {
    KPFLOW_TYPED(dtype, cuda::dot(context_, rows, columns, in<T>(x), in<T>(y), out));
  }
  void gemm(int32_t dtype, bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const void* a,
            const void* b, double beta, void* c) override {
    KPFLOW_TYPED(dtype, multiply<T>(context_, {ta, tb, m, n, k, static_cast<T>(alpha), in<T>(a), ta ? m : k, in<T>(b),
                                               tb ? k : n, static_cast<T>(beta), to<T>(c), n}));
  }
  void row_products(int32_t dtype, int64_t m, int64_t s, int64_t n, const void* x, const void* y,
                    double* out) override {
    KPFLOW_TYPED(dtype, cuda::row_products(context_, m, s, n, in<T>(x), in<T>(y), out));
  }
  void combine_rows(int32_t dtype, int64_t k, int64_t m, int64_t n, const double* coefficients, void* x) override {
    KPFLOW_TYPED(dtype, cuda::combine_rows(context_, k, m, n, coefficients, to<T>(x)));
  }
  void strided_axpby(const StridedAxpby& call) override {
    context_.to_its_end([&] { cuda::strided_axpby(context_, call); });
  }
  void accumulate_gram(int32_t dtype, int64_t s, const int64_t (&sizes)[3], const void* x, int32_t keep, double alpha,
                       void* out, const Progress& progress) override {
    KPFLOW_TYPED(dtype, cuda::accumulate_gram(context_, s, sizes, in<T>(x), keep, alpha, to<double>(out), progress));
  }
  void unit_combine(int32_t dtype, const UnitColumnsArguments& u, int64_t s, double alpha, const void* z, double beta,
                    void* out, const Progress& progress) override {
    KPFLOW_TYPED(dtype, cuda::unit_combine(context_, u, s, alpha, in<T>(z), beta, to<T>(out), progress));
  }
  void unit_coefficients(int32_t dtype, const UnitColumnsArguments& u, int64_t s, const void* x, void* z,
                         const Progress& progress) override {
    KPFLOW_TYPED(dtype, cuda::unit_coefficients(context_, u, s, in<T>(x), to<T>(z), progress));
  }
  void fill_random(int32_t dtype, int32_t distribution, uint64_t seed, int64_t offset, int64_t count,
                   void* out) override {
    KPFLOW_TYPED(dtype, cuda::fill_random(context_, distribution, seed, offset, count, to<T>(out)));
  }
  void orthonormalize(int32_t dtype, int64_t m, int64_t n, void* a) override {
    KPFLOW_TYPED(dtype, cuda::orthonormalize(context_, m, n, to<T>(a)));
  }

  void readout_apply(const kpflow_readout& readout, const void* state, void* y) override {
    KPFLOW_TYPED(readout.dtype, cuda::readout_apply(context_, readout, in<T>(state), to<T>(y)));
  }
  void readout_adjoint(const kpflow_readout& readout, const void* y, void* state) override {
    KPFLOW_TYPED(readout.dtype, cuda::readout_adjoint(context_, readout, in<T>(y), to<T>(state)));
  }
  void readout_gradient(const kpflow_readout& readout, const void* state, const void* y, void* weight,
                        void* bias) override {
    KPFLOW_TYPED(readout.dtype,
                 cuda::readout_gradient(context_, readout, in<T>(state), in<T>(y), to<T>(weight), to<T>(bias)));
  }
  double mean_squared_error(int32_t dtype, int64_t rows, int64_t outputs, void* y, const void* targets,
                            const void* mask) override {
    double loss = 0;
    KPFLOW_TYPED(dtype,
                 loss = cuda::mean_squared_error(context_, rows, outputs, to<T>(y), in<T>(targets), in<T>(mask)));
    return loss;
  }
  void clamp(int32_t dtype, int64_t count, double limit, void* x) override {
    KPFLOW_TYPED(dtype, cuda::clamp(context_, count, limit, to<T>(x)));
  }
  void adam_step(int32_t dtype, int64_t count, int64_t step, double rate, double beta1, double beta2, double epsilon,
                 const void* gradient, void* m, void* v, void* theta) override {
    KPFLOW_TYPED(dtype, cuda::adam_step(context_, count, step, rate, beta1, beta2, epsilon, in<T>(gradient), to<T>(m),
                                        to<T>(v), to<T>(theta)));
  }
  void shampoo_accumulate(int32_t dtype, int64_t m, int64_t n, const void* gradient, void* left, void* right) override {
    KPFLOW_TYPED(dtype, cuda::shampoo_accumulate(context_, m, n, in<T>(gradient), to<double>(left), to<double>(right)));
  }
  void shampoo_step(int32_t dtype, int64_t m, int64_t n, double rate, const void* left, const void* gradient,
                    const void* right, void* theta) override {
    KPFLOW_TYPED(dtype, cuda::shampoo_step(context_, m, n, rate, in<double>(left), in<T>(gradient), in<double>(right),
                                           to<T>(theta)));
  }

 private:
  std::unique_ptr<Context> owned_;
  Context& context_;
};

#undef KPFLOW_TYPED

class Card final : public Device {
 public:
  void* allocate(int64_t bytes) override {
    const int64_t rounded = pieces(std::max<int64_t>(bytes, 1), kAlignment) * kAlignment;
    void* memory = take(rounded);
    if (memory == nullptr) return nullptr;
    check(cudaMemset(memory, 0, static_cast<size_t>(rounded)), "zeroing memory");
    check(cudaStreamSynchronize(nullptr), "zeroing memory");  // the streams of contexts do not wait for it
    return memory;
  }
  void free(void* memory) noexcept override { blocks().give_back(memory); }
  void copy(const void* source, void* target, int64_t bytes) override {
    const auto from = reinterpret_cast<uintptr_t>(source), to = reinterpret_cast<uintptr_t>(target);
    const auto apart = static_cast<uint64_t>(from < to ? to - from : from - to);
    if (apart == 0 || bytes == 0) return;
    if (apart >= static_cast<uint64_t>(bytes)) return copy_apart(source, target, bytes);
    if (!owns(target)) return static_cast<void>(std::memmove(target, source, static_cast<size_t>(bytes)));
    // The runtime copies parts in any order: ranges that overlap go through memory of their own.
    void* between = take(pieces(bytes, kAlignment) * kAlignment);
    if (between == nullptr) fail(KPFLOW_OUT_OF_MEMORY, "copying within an array: the card has no memory for it");
    try {
      copy_apart(source, between, bytes);
      copy_apart(between, target, bytes);
    } catch (...) {
      blocks().give_back(between);
      throw;
    }
    blocks().give_back(between);
  }
  int64_t available_memory() override { return cuda::available_memory(); }
  bool owns(const void* array) override {
    cudaPointerAttributes attributes{};
    const cudaError_t status = cudaPointerGetAttributes(&attributes, array);
    if (status != cudaSuccess) (void)cudaGetLastError();
    return status == cudaSuccess && attributes.type == cudaMemoryTypeDevice;
  }
  std::string describe() override {
    cudaDeviceProp card{};
    check(cudaGetDeviceProperties(&card, 0), "asking for the card");
    int driver = 0, runtime = 0;
    check(cudaDriverGetVersion(&driver), "asking for the driver");
    check(cudaRuntimeGetVersion(&runtime), "asking for the runtime");
    char text[512];
    std::snprintf(
        text, sizeof text,
        "%s, compute capability %d.%d, %d multiprocessors, %.1f of %.1f GiB free, CUDA driver %d.%d, runtime %d.%d",
        card.name, card.major, card.minor, card.multiProcessorCount, static_cast<double>(available_memory()) / 0x1p30,
        static_cast<double>(card.totalGlobalMem) / 0x1p30, driver / 1000, driver % 1000 / 10, runtime / 1000,
        runtime % 1000 / 10);
    return std::string(text) + ", matrix products by " + engine();
  }
  std::unique_ptr<Kernels> kernels(kpflow_context& context) override {
    auto kernels = std::make_unique<CudaKernels>(context);
    std::lock_guard<std::mutex> lock(mutex_);
    engine_ = kernels->engine();
    return kernels;
  }

 private:
  // A block, throwing where the card has too little memory for it; nullptr where it refuses it in spite of that.
  static void* take(int64_t bytes) {
    if (void* memory = blocks().take(bytes)) return memory;
    blocks().release();
    require_memory(bytes, "an array", "use smaller blocks, fewer trials or steps, or f32");
    return blocks().take(bytes);
  }
  static void copy_apart(const void* source, void* target, int64_t bytes) {
    check(cudaMemcpy(target, source, static_cast<size_t>(bytes), cudaMemcpyDefault), "copying memory");
    check(cudaStreamSynchronize(nullptr), "copying memory");  // between two arrays of the card the call does not wait
  }

  // What multiplies matrices, as the last context found it; the first one to ask makes a context.
  std::string engine() {
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!engine_.empty()) return engine_;
    }
    try {
      kpflow_context owner(1);
      return new_context(owner)->products->describe();
    } catch (const Error& error) {
      return std::string("nothing (") + error.what() + ")";
    }
  }

  std::mutex mutex_;
  std::string engine_;
};

// The card in use, the first that the system shows; throws where there is none that these kernels run on.
Device& card() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  if (status != cudaSuccess) {
    (void)cudaGetLastError();
    fail(KPFLOW_UNAVAILABLE, "%s",
         status == cudaErrorInsufficientDriver ? "no NVIDIA driver, or one older than this build's CUDA runtime"
                                               : cudaGetErrorString(status));
  }
  if (count == 0) fail(KPFLOW_UNAVAILABLE, "the driver shows no card");
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, 0), "asking for the card");
  if (properties.major < 8) {
    fail(KPFLOW_UNAVAILABLE, "expected compute capability 8.0 or more, %s has %d.%d", properties.name, properties.major,
         properties.minor);
  }
  check(cudaSetDevice(0), "choosing the card");
  static Card device;
  return device;
}

}  // namespace

}  // namespace kpflow::cuda

extern "C" __attribute__((visibility("default"))) kpflow::Device* kpflow_open_cuda(int32_t interface, char* why,
                                                                                   size_t room) {
  try {
    if (interface == kpflow::kCudaInterface) return &kpflow::cuda::card();
    std::snprintf(why, room, "its library is of another version of kpflow");
  } catch (const std::exception& error) {
    std::snprintf(why, room, "%s", error.what());
  }
  return nullptr;
}
