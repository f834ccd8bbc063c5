package org.kpflow.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.nativelib.Engine;

class TensorMathTest {
  private final ExecutionContext context = ExecutionContext.shared();

  @Test
  void aProductOverAnEmptyInnerAxisIsZero() {
    try (Tensor a = Tensor.zeros(DType.F64, 2, 0);
        Tensor b = Tensor.zeros(DType.F64, 0, 3);
        Tensor c = Tensor.of(Shape.of(2, 3), 1, 2, 3, 4, 5, 6)) {
      TensorMath.gemm(context, false, false, 1, a, b, 2, c);
      assertArrayEquals(new double[] {2, 4, 6, 8, 10, 12}, c.toDoubles());
      TensorMath.gemm(context, false, false, 1, a, b, 0, c);
      assertArrayEquals(new double[6], c.toDoubles());
    }
  }

  @Test
  void aProductIntoItsOwnFactorIsRefused() {
    try (Tensor a = Tensor.zeros(DType.F64, 2, 2)) {
      assertTrue(
          assertThrows(
                  IllegalArgumentException.class,
                  () -> TensorMath.gemm(context, false, false, 1, a, a, 0, a))
              .getMessage()
              .contains("shares memory"));
    }
  }

  /** Products of f32 are formed in f32, but neither their squares nor their magnitudes are lost. */
  @Test
  void gramMatricesOfHugeAndTinyNumbersNeitherOverflowNorVanish() {
    for (double size : new double[] {1e30, 1, 1e-25}) {
      try (Tensor x = Tensor.of(DType.F32, Shape.of(1, 2, 1, 2), size, 2 * size, -size, size);
          Tensor gram = Tensor.zeros(DType.F64, 2, 2)) {
        Engine.accumulateGram(
            context.handle(), DType.F32, 1, 2, 1, 2, x.memory(), 1, 1, gram.memory());
        double[] expected = {5, 1, 1, 2};
        for (int i = 0; i < 4; i++) {
          assertEquals(expected[i], gram.toDoubles()[i] / size / size, 1e-5);
        }
      }
    }
  }
}
