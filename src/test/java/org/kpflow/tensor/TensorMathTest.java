package org.kpflow.tensor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

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

  /** Sizes on both sides of the pieces that the columns are cut into. */
  @Test
  void rowProductsAndCombinationsAgreeWithGemm() {
    for (DType dtype : DType.values()) {
      for (int[] sizes : new int[][] {{1, 1, 1}, {3, 2, 31}, {5, 7, 1000}, {4, 6, 70_001}}) {
        int m = sizes[0];
        int s = sizes[1];
        int n = sizes[2];
        try (Tensor x = random(dtype, 1, m, n);
            Tensor y = random(dtype, 2, s, n);
            Tensor products = TensorMath.rowProducts(context, x, y)) {
          assertEquals(DType.F64, products.dtype());
          double tolerance = 30 * dtype.epsilon() * Math.sqrt(n);
          try (Tensor left = x.to(DType.F64);
              Tensor right = y.to(DType.F64);
              Tensor expected = Tensor.zeros(DType.F64, m, s)) {
            TensorMath.gemm(context, false, true, 1, left, right, 0, expected);
            assertArrayEquals(expected.toDoubles(), products.toDoubles(), tolerance);
            int kept = Math.max(1, m - 1);
            try (Tensor coefficients = random(DType.F64, 3, kept, m);
                Tensor combined = Tensor.zeros(DType.F64, kept, n)) {
              TensorMath.gemm(context, false, false, 1, coefficients, left, 0, combined);
              TensorMath.combineRows(context, coefficients, x);
              double close = 30 * dtype.epsilon();
              assertArrayEquals(combined.toDoubles(), x.slice(0, kept).toDoubles(), close);
              for (int row = kept; row < m; row++) {
                assertArrayEquals(
                    left.slice(row).toDoubles(), x.slice(row).toDoubles(), 0, "the others stay");
              }
            }
          }
        }
      }
    }
  }

  private Tensor random(DType dtype, long seed, long... sizes) {
    Tensor tensor = Tensor.zeros(dtype, sizes);
    RngState.of(seed).fill(context, RngState.Distribution.GAUSSIAN, tensor);
    return tensor;
  }

  /** A sum of f32 over many columns is one of f64: 2^24 + 1 is not an f32. */
  @Test
  void rowProductsAreSummedInDoublePrecision() {
    int n = (1 << 24) + 1;
    try (Tensor ones = Tensor.zeros(DType.F32, 1, n)) {
      float[] values = new float[n];
      java.util.Arrays.fill(values, 1);
      ones.copyFrom(values);
      try (Tensor products = TensorMath.rowProducts(context, ones, ones)) {
        assertEquals(n, products.get(0, 0));
      }
    }
  }

  @Test
  void rowProductsAndCombinationsAreChecked() {
    try (Tensor x = Tensor.zeros(DType.F32, 2, 5);
        Tensor y = Tensor.zeros(DType.F32, 3, 4);
        Tensor wide = Tensor.zeros(DType.F64, 2, 5);
        Tensor square = Tensor.zeros(DType.F64, 3, 2);
        Tensor single = Tensor.zeros(DType.F32, 2, 2)) {
      refused(() -> TensorMath.rowProducts(context, x, y), "y", "[3, 5]", "[3, 4]");
      refused(() -> TensorMath.rowProducts(context, x, wide), "y", "f32", "f64");
      refused(() -> TensorMath.rowProducts(context, null, x), "x", "null");
      refused(() -> TensorMath.rowProducts(null, x, x), "context", "null");
      refused(() -> TensorMath.combineRows(context, square, x), "coefficients", "at most 2", "3");
      refused(() -> TensorMath.combineRows(context, wide, x), "coefficients", "[2, 2]", "[2, 5]");
      refused(() -> TensorMath.combineRows(context, single, x), "coefficients", "f64", "f32");
      refused(() -> TensorMath.combineRows(context, x.slice(0), x), "coefficients", "[5]");
    }
  }
}
