#include "linalg/own_kernels.cuh"

namespace kpflow::cuda {

// One block of eight warps per multiprocessor, each warp with 64 x 32 sums in registers; smaller tiles where those fill no card.
template <>
void run_own(cudaStream_t stream, const Product<double>& product, const Plan& plan, double* partial) {
  start<double, Tensor<64, 64, 32, 32, 3, 2, false>, Tensor<128, 128, 64, 32, 3, 1, true>>(stream, product, plan,
                                                                                           partial);
}

}  // namespace kpflow::cuda
