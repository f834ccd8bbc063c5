#include "core/context.cuh"

namespace kpflow::cuda {

void require_memory(int64_t bytes, const char* what, const char* remedy) {
  size_t available = 0, total = 0;
  check(cudaMemGetInfo(&available, &total), "asking for the free memory");
  if (bytes < 0 || static_cast<size_t>(bytes) > available) {
    fail(KPFLOW_OUT_OF_MEMORY, "%s needs %.2f GiB and the card has %.2f GiB of %.2f free; %s", what,
         static_cast<double>(bytes) / 0x1p30, static_cast<double>(available) / 0x1p30,
         static_cast<double>(total) / 0x1p30, remedy);
  }
}

Context::Context(kpflow_context& of) : owner(of) {
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "creating a stream");
}

Context::~Context() {
  products.reset();
  cudaStreamDestroy(stream);
}

}  // namespace kpflow::cuda
