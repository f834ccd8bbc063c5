package org.kpflow.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.kpflow.Refusals.refused;

import org.junit.jupiter.api.Test;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;

class FourierFeaturesTest {
  @Test
  void channelsBecomeCosinesAndSines() {
    long before = Tensor.liveCount();
    try (Tensor x = Tensor.of(DType.F32, Shape.of(1, 2, 2), 0, 0.25, 0.5, 0.125);
        Tensor y = FourierFeatures.harmonics(2).apply(x)) {
      double r = Math.sqrt(0.5);
      double[] wanted = {1, 1, 0, 0, 0, -1, 1, 0, -1, 1, 0, 0, r, 0, r, 1};
      assertEquals(Shape.of(1, 2, 8), y.shape());
      assertEquals(DType.F32, y.dtype());
      assertArrayEquals(wanted, y.toDoubles(), 1e-7);
      refused(() -> FourierFeatures.harmonics(0), "frequencies: expected 1");
      refused(() -> new FourierFeatures(Double.NaN), "frequency: expected a finite number");
      refused(() -> FourierFeatures.harmonics(1).apply(y.slice(0)), "inputs: expected shape [B,");
    }
    assertEquals(before, Tensor.liveCount());
  }
}
