// What the kernels of one context share: a stream, the engine of matrix products and scratch memory.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "core/context.hpp"
#include "core/memory.cuh"
#include "core/runtime.cuh"

namespace kpflow::cuda {

class Products;  // linalg/gemm.cuh

// What scratch memory is for, so that no two uses at a time share it.
enum class Scratch {
  kGates,     // gate values of rows, between a product and the derivatives
  kSites,     // perturbations of sites
  kTheta,     // gradients between the halves of an operator
  kState,     // states between the halves of an operator
  kPartial,   // sums over parts of an array
  kProducts,  // of the engine of matrix products
  kSmall,     // small arrays of the host's
  kSpare,     // of one function, which calls no other that uses it
  kCount
};

struct Context {
  explicit Context(kpflow_context& owner);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  template <class T>
  T* scratch(Scratch what, int64_t count) {
    const int64_t bytes = checked_product(count, static_cast<int64_t>(sizeof(T)));
    DeviceArray<char>& memory = scratch_[static_cast<int>(what)];
    if (bytes > memory.capacity()) ++scratch_moved_;  // first: the old memory is gone even if the new one is refused
    return reinterpret_cast<T*>(memory.resize(bytes));
  }
  // How often scratch memory has moved: what was recorded with other addresses is stale.
  int64_t scratch_moved() const { return scratch_moved_; }

  // From host or device memory to the device.
  template <class T>
  void copy_in(T* device, const void* source, int64_t count) {
    if (count > 0) {
      check(cudaMemcpyAsync(device, source, static_cast<size_t>(count) * sizeof(T), cudaMemcpyDefault, stream),
            "copying in");
    }
  }
  // From memory of the host that may be gone once this returns.
  template <class T>
  void copy_in_now(T* device, const std::vector<T>& source) {
    copy_in(device, source.data(), static_cast<int64_t>(source.size()));
    finish();
  }
  // To the host; it is there on return.
  template <class T>
  void copy_out(T* host, const T* device, int64_t count) {
    if (count > 0) {
      check(cudaMemcpyAsync(host, device, static_cast<size_t>(count) * sizeof(T), cudaMemcpyDefault, stream),
            "copying out");
    }
    finish();
  }
  template <class T>
  void zero(T* device, int64_t count) {
    if (count > 0) check(cudaMemsetAsync(device, 0, static_cast<size_t>(count) * sizeof(T), stream), "zeroing");
  }

  // Waits for all that has been started, and reports what went wrong in it.
  void finish() { check(cudaStreamSynchronize(stream), "running kernels"); }

  // Runs body and waits for what it has started, also where it fails: the caller's arrays are the caller's again.
  template <class Body>
  void to_its_end(const Body& body) {
    try {
      body();
    } catch (...) {
      (void)cudaStreamSynchronize(stream);
      throw;
    }
    finish();
  }

  kpflow_context& owner;
  cudaStream_t stream = nullptr;
  std::shared_ptr<Products> products;  // made by whoever makes the context: what core is knows no products

 private:
  int64_t scratch_moved_ = 0;
  DeviceArray<char> scratch_[static_cast<int>(Scratch::kCount)];
};

}  // namespace kpflow::cuda
