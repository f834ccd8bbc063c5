package org.kpflow.task;

import org.kpflow.base.DType;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** Uniform random numbers and angles in radians. */
final class Uniform {
  private Uniform() {}

  /** 2π j / count. */
  static double[] evenAngles(int count) {
    double[] angles = new double[count];
    for (int j = 0; j < count; j++) {
      angles[j] = 2 * Math.PI * j / count;
    }
    return angles;
  }

  /** Uniform on the circle. */
  static double[] angles(ExecutionContext context, int count, RngState rng) {
    double[] angles = draw(context, count, rng);
    for (int j = 0; j < count; j++) {
      angles[j] *= 2 * Math.PI;
    }
    return angles;
  }

  /** Uniform on (0, 1). */
  static double[] draw(ExecutionContext context, int count, RngState rng) {
    try (Tensor numbers = Tensor.zeros(DType.F64, count)) {
      rng.fill(context.host(), RngState.Distribution.UNIFORM, numbers);
      return numbers.toDoubles();
    }
  }
}
