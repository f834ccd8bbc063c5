package org.kpflow.benchmarks;

import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Random arrays of the benchmarks. */
final class Gaussian {
  private Gaussian() {}

  /** Gaussian numbers times a scale. */
  static Tensor tensor(
      ExecutionContext context, DType dtype, RngState rng, double scale, long... sizes) {
    Tensor scaled = Tensor.zeros(dtype, Shape.of(sizes));
    try (Tensor raw = Tensor.zeros(dtype, Shape.of(sizes))) {
      rng.fill(context, RngState.Distribution.GAUSSIAN, raw);
      TensorMath.axpby(context, scale, raw, 0, scaled);
    }
    return scaled;
  }
}
