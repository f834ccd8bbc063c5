package org.kpflow.benchmarks;

import org.kpflow.base.DType;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** The limit that matrix kernels are held against: GEMM at 2048³. */
final class GemmPeer {
  private static final int SIZE = 2048;
  private static final int RUNS = 5;

  private GemmPeer() {}

  /** GFLOP/s of the fastest of some products. */
  static double rate(ExecutionContext context, DType dtype) {
    double seconds = Double.POSITIVE_INFINITY;
    try (Tensor a = Gaussian.tensor(context, dtype, RngState.of(15), 1, SIZE, SIZE);
        Tensor b = Gaussian.tensor(context, dtype, RngState.of(16), 1, SIZE, SIZE);
        Tensor c = Tensor.zeros(dtype, SIZE, SIZE)) {
      for (int i = 0; i < RUNS; i++) {
        long start = System.nanoTime();
        TensorMath.gemm(context, false, false, 1, a, b, 0, c);
        seconds = Math.min(seconds, 1e-9 * (System.nanoTime() - start));
      }
    }
    return 2e-9 * SIZE * SIZE * SIZE / seconds;
  }
}
