#include "linalg/own_kernels.cuh"

namespace kpflow::cuda {

// Two blocks of four warps per multiprocessor, each warp with 64 x 64 sums in registers; four blocks of smaller tiles where those
// fill no card.
template <>
void run_own(cudaStream_t stream, const Product<float>& product, const Plan& plan, float* partial) {
  start<float, Tensor<64, 64, 32, 32, 3, 4, false>, Tensor<128, 128, 64, 64, 3, 2, true>>(stream, product, plan,
                                                                                          partial);
}

}  // namespace kpflow::cuda
