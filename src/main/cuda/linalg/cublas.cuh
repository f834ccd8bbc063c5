// NVIDIA's cuBLAS, looked up when the program runs: none of it is needed to build or to load this library.
#pragma once

#include <memory>
#include <string>

#include "linalg/gemm.cuh"

namespace kpflow::cuda {

class Cublas {
 public:
  // A handle on a stream, with room of so many bytes on the card as its workspace; none, and why, where no library is found.
  static std::unique_ptr<Cublas> open(cudaStream_t stream, void* room, int64_t bytes, bool tf32, std::string& why);
  virtual ~Cublas() = default;

  // Starts a product; false where its sizes are not for cuBLAS. A failure of cuBLAS is an Error.
  virtual bool run(const Product<float>& product) = 0;
  virtual bool run(const Product<double>& product) = 0;
  virtual const std::string& describe() const = 0;
};

}  // namespace kpflow::cuda
