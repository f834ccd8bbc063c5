// What the C boundary asks of a device: memory, and for every context the kernels that work in it. The CPU's are part of this
// library; those of a GPU come from a library of their own, so nothing here may depend on how a device is programmed.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kpflow.h"

namespace kpflow {

class Progress;

// y[index . y_strides] = alpha x[index . x_strides] + beta y[...] over a shape; see kpflow_strided_axpby.
struct StridedAxpby {
  int axes;
  const int64_t* shape;
  double alpha;
  int32_t x_dtype;
  const void* x;
  const int64_t* x_strides;
  double beta;
  int32_t y_dtype;
  void* y;
  const int64_t* y_strides;
};

// A matrix of columns that live on one unit each; see kpflow_unit_combine.
struct UnitColumnsArguments {
  int64_t rows, layers, components, units, total;
  const int64_t* first;  // host
  const int64_t* count;  // host
  const void* columns;
};

// The kernels of one context. Arguments have been checked; arrays are of the dtype named first and in the device's memory, but
// for double* and int64_t*, which are the caller's. A call returns when its results are there.
class Kernels {
 public:
  virtual ~Kernels() = default;

  virtual std::unique_ptr<kpflow_linearization> recurrent(int32_t dtype) = 0;
  virtual std::unique_ptr<kpflow_linearization> graph(int32_t dtype) = 0;

  virtual void axpby(int32_t dtype, int64_t count, double alpha, const void* x, double beta, void* y) = 0;
  virtual void dot(int32_t dtype, int64_t rows, int64_t columns, const void* x, const void* y, double* out) = 0;
  virtual void gemm(int32_t dtype, bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
                    const void* a, const void* b, double beta, void* c) = 0;
  virtual void row_products(int32_t dtype, int64_t m, int64_t s, int64_t n, const void* x, const void* y,
                            double* out) = 0;
  virtual void combine_rows(int32_t dtype, int64_t k, int64_t m, int64_t n, const double* coefficients, void* x) = 0;
  virtual void strided_axpby(const StridedAxpby& call) = 0;
  // sizes: B, T, n; out [d, d] f64 in the device's memory.
  virtual void accumulate_gram(int32_t dtype, int64_t s, const int64_t (&sizes)[3], const void* x, int32_t keep,
                               double alpha, void* out, const Progress& progress) = 0;
  virtual void unit_combine(int32_t dtype, const UnitColumnsArguments& u, int64_t s, double alpha, const void* z,
                            double beta, void* out, const Progress& progress) = 0;
  virtual void unit_coefficients(int32_t dtype, const UnitColumnsArguments& u, int64_t s, const void* x, void* z,
                                 const Progress& progress) = 0;
  virtual void fill_random(int32_t dtype, int32_t distribution, uint64_t seed, int64_t offset, int64_t count,
                           void* out) = 0;
  virtual void orthonormalize(int32_t dtype, int64_t m, int64_t n, void* a) = 0;

  virtual void readout_apply(const kpflow_readout& readout, const void* state, void* y) = 0;
  virtual void readout_adjoint(const kpflow_readout& readout, const void* y, void* state) = 0;
  virtual void readout_gradient(const kpflow_readout& readout, const void* state, const void* y, void* weight,
                                void* bias) = 0;
  virtual double mean_squared_error(int32_t dtype, int64_t rows, int64_t outputs, void* y, const void* targets,
                                    const void* mask) = 0;
  virtual void clamp(int32_t dtype, int64_t count, double limit, void* x) = 0;
  virtual void adam_step(int32_t dtype, int64_t count, int64_t step, double rate, double beta1, double beta2,
                         double epsilon, const void* gradient, void* m, void* v, void* theta) = 0;
  // left and right are f64 in the device's memory.
  virtual void shampoo_accumulate(int32_t dtype, int64_t m, int64_t n, const void* gradient, void* left,
                                  void* right) = 0;
  virtual void shampoo_step(int32_t dtype, int64_t m, int64_t n, double rate, const void* left, const void* gradient,
                            const void* right, void* theta) = 0;
};

// A device of this process.
class Device {
 public:
  virtual ~Device() = default;

  // Zero-filled memory, aligned to at least 64 bytes; nullptr where it is refused.
  virtual void* allocate(int64_t bytes) = 0;
  virtual void free(void* memory) noexcept = 0;  // what a device says against it is of no use to anyone
  // Between this device and itself or the host, in any direction; returns when it is done. The ranges may overlap.
  virtual void copy(const void* source, void* target, int64_t bytes) = 0;
  virtual int64_t available_memory() = 0;  // bytes, -1 where the device does not say
  // Whether an array may be handed to the device's kernels. What the CPU is given cannot be told and is taken as good.
  virtual bool owns(const void* array) = 0;
  virtual std::string describe() = 0;  // one line
  virtual std::unique_ptr<Kernels> kernels(kpflow_context& context) = 0;
};

// The device of a number, KPFLOW_CPU or KPFLOW_CUDA; throws KPFLOW_UNAVAILABLE with the reason where it is not to be had.
Device& find_device(int32_t device);

// Names the library in which find_device looks for CUDA, before it has looked; a NULL or empty path is the default.
void set_cuda_library(const char* path);

}  // namespace kpflow
