// The CPU as a device: every kernel of core/device.hpp by the templates of linalg/, train/, recurrent/ and graph/.
#include "device/cpu.hpp"

#include <cstdlib>
#include <cstring>
#include <type_traits>

#include "core/linearization.hpp"
#include "core/system.hpp"
#include "graph/operators.hpp"
#include "linalg/arrays.hpp"
#include "linalg/dense.hpp"
#include "linalg/random.hpp"
#include "linalg/unit_columns.hpp"
#include "recurrent/operators.hpp"
#include "train/optimizers.hpp"
#include "train/readout.hpp"

namespace kpflow {

namespace {

// Calls body with a null pointer of the element type.
template <class Body>
void with_dtype(int32_t dtype, Body&& body) {
  if (dtype == KPFLOW_F32) {
    body(static_cast<float*>(nullptr));
  } else {
    body(static_cast<double*>(nullptr));
  }
}

#define KPFLOW_TYPED(dtype, ...)                                      \
  with_dtype(dtype, [&](auto* type) {                                 \
    using T [[maybe_unused]] = std::remove_pointer_t<decltype(type)>; \
    __VA_ARGS__;                                                      \
  })

template <class T>
const T* in(const void* array) {
  return static_cast<const T*>(array);
}
template <class T>
T* to(void* array) {
  return static_cast<T*>(array);
}

template <class T>
UnitColumns<T> typed(const UnitColumnsArguments& u) {
  return {u.rows, u.layers, u.components, u.units, u.total, u.first, u.count, in<T>(u.columns)};
}

class CpuKernels final : public Kernels {
 public:
  explicit CpuKernels(kpflow_context& context) : context_(context), pool_(context.pool) {}

  std::unique_ptr<kpflow_linearization> recurrent(int32_t dtype) override { return new_recurrent(context_, dtype); }
  std::unique_ptr<kpflow_linearization> graph(int32_t dtype) override { return new_graph(context_, dtype); }

  void axpby(int32_t dtype, int64_t count, double alpha, const void* x, double beta, void* y) override {
    KPFLOW_TYPED(dtype, kpflow::axpby(pool_, count, alpha, in<T>(x), beta, to<T>(y)));
  }
  void dot(int32_t dtype, int64_t rows, int64_t columns, const void* x, const void* y, double* out) override {
    KPFLOW_TYPED(dtype, kpflow::dot(pool_, rows, columns, in<T>(x), in<T>(y), out));
  }
  void gemm(int32_t dtype, bool ta, bool tb, int64_t m, int64_t n, int64_t k, double alpha, const void* a,
            const void* b, double beta, void* c) override {
    KPFLOW_TYPED(dtype, parallel_gemm(pool_, ta, tb, m, n, k, alpha, in<T>(a), in<T>(b), beta, to<T>(c)));
  }
  void row_products(int32_t dtype, int64_t m, int64_t s, int64_t n, const void* x, const void* y,
                    double* out) override {
    KPFLOW_TYPED(dtype, kpflow::row_products(pool_, m, s, n, in<T>(x), in<T>(y), out));
  }
  void combine_rows(int32_t dtype, int64_t k, int64_t m, int64_t n, const double* coefficients, void* x) override {
    KPFLOW_TYPED(dtype, kpflow::combine_rows(context_, k, m, n, coefficients, to<T>(x)));
  }
  void strided_axpby(const StridedAxpby& call) override {
    KPFLOW_TYPED(call.x_dtype, with_dtype(call.y_dtype, [&](auto* y) {
                   kpflow::strided_axpby(call.axes, call.shape, call.alpha, in<T>(call.x), call.x_strides, call.beta,
                                         static_cast<decltype(y)>(call.y), call.y_strides);
                 }));
  }
  void accumulate_gram(int32_t dtype, int64_t s, const int64_t (&sizes)[3], const void* x, int32_t keep, double alpha,
                       void* out, const Progress& progress) override {
    KPFLOW_TYPED(dtype, kpflow::accumulate_gram(context_, s, sizes, in<T>(x), keep, alpha, to<double>(out), progress));
  }
  void unit_combine(int32_t dtype, const UnitColumnsArguments& u, int64_t s, double alpha, const void* z, double beta,
                    void* out, const Progress& progress) override {
    KPFLOW_TYPED(dtype, kpflow::unit_combine(context_, typed<T>(u), s, static_cast<T>(alpha), in<T>(z),
                                             static_cast<T>(beta), to<T>(out), progress));
  }
  void unit_coefficients(int32_t dtype, const UnitColumnsArguments& u, int64_t s, const void* x, void* z,
                         const Progress& progress) override {
    KPFLOW_TYPED(dtype, kpflow::unit_coefficients(context_, typed<T>(u), s, in<T>(x), to<T>(z), progress));
  }
  void fill_random(int32_t dtype, int32_t distribution, uint64_t seed, int64_t offset, int64_t count,
                   void* out) override {
    KPFLOW_TYPED(dtype, kpflow::fill_random(pool_, distribution, seed, offset, count, to<T>(out)));
  }
  void orthonormalize(int32_t dtype, int64_t m, int64_t n, void* a) override {
    KPFLOW_TYPED(dtype, kpflow::orthonormalize(m, n, to<T>(a), static_cast<T*>(nullptr)));
  }

  void readout_apply(const kpflow_readout& readout, const void* state, void* y) override {
    KPFLOW_TYPED(readout.dtype, kpflow::readout_apply(context_, readout, in<T>(state), to<T>(y)));
  }
  void readout_adjoint(const kpflow_readout& readout, const void* y, void* state) override {
    KPFLOW_TYPED(readout.dtype, kpflow::readout_adjoint(context_, readout, in<T>(y), to<T>(state)));
  }
  void readout_gradient(const kpflow_readout& readout, const void* state, const void* y, void* weight,
                        void* bias) override {
    KPFLOW_TYPED(readout.dtype,
                 kpflow::readout_gradient(context_, readout, in<T>(state), in<T>(y), to<T>(weight), to<T>(bias)));
  }
  double mean_squared_error(int32_t dtype, int64_t rows, int64_t outputs, void* y, const void* targets,
                            const void* mask) override {
    double loss = 0;
    KPFLOW_TYPED(dtype,
                 loss = kpflow::mean_squared_error(context_, rows, outputs, to<T>(y), in<T>(targets), in<T>(mask)));
    return loss;
  }
  void clamp(int32_t dtype, int64_t count, double limit, void* x) override {
    KPFLOW_TYPED(dtype, kpflow::clamp(pool_, count, limit, to<T>(x)));
  }
  void adam_step(int32_t dtype, int64_t count, int64_t step, double rate, double beta1, double beta2, double epsilon,
                 const void* gradient, void* m, void* v, void* theta) override {
    KPFLOW_TYPED(dtype, kpflow::adam_step(pool_, count, AdamStep(step, rate, beta1, beta2, epsilon), in<T>(gradient),
                                          to<T>(m), to<T>(v), to<T>(theta)));
  }
  void shampoo_accumulate(int32_t dtype, int64_t m, int64_t n, const void* gradient, void* left, void* right) override {
    KPFLOW_TYPED(dtype,
                 kpflow::shampoo_accumulate(context_, m, n, in<T>(gradient), to<double>(left), to<double>(right)));
  }
  void shampoo_step(int32_t dtype, int64_t m, int64_t n, double rate, const void* left, const void* gradient,
                    const void* right, void* theta) override {
    KPFLOW_TYPED(dtype, kpflow::shampoo_step(context_, m, n, rate, in<double>(left), in<T>(gradient), in<double>(right),
                                             to<T>(theta)));
  }

 private:
  kpflow_context& context_;
  ThreadPool& pool_;
};

#undef KPFLOW_TYPED

class Cpu final : public Device {
 public:
  void* allocate(int64_t bytes) override {
    const int64_t rounded = (bytes / kAlignment + 1) * kAlignment;
    void* memory = std::aligned_alloc(kAlignment, static_cast<size_t>(rounded));
    if (memory != nullptr) std::memset(memory, 0, static_cast<size_t>(rounded));
    return memory;
  }
  void free(void* memory) noexcept override { std::free(memory); }
  void copy(const void* source, void* target, int64_t bytes) override {
    std::memmove(target, source, static_cast<size_t>(bytes));
  }
  int64_t available_memory() override { return kpflow::available_memory(); }
  bool owns(const void*) override { return true; }
  std::string describe() override { return "cpu"; }
  std::unique_ptr<Kernels> kernels(kpflow_context& context) override { return std::make_unique<CpuKernels>(context); }
};

}  // namespace

Device& cpu() {
  static Cpu device;
  return device;
}

}  // namespace kpflow
