#include "core/context.cuh"

namespace kpflow::cuda {

Context::Context(kpflow_context& of) : owner(of) {
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a stream");
}

Context::~Context() {
  products.reset();
  cudaStreamDestroy(stream);
}

}  // namespace kpflow::cuda
