package org.kpflow.experiment;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.estimate.SpectrumMetrics;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

class AttentionKernelTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

  @Test
  void theSampledRankIsThatOfTheViewFoundToAHighAccuracy() {
    long live = Tensor.liveCount();
    try (Tensor inputs = AttentionKernel.gaussian(CONTEXT, 3, 6, 5, RngState.of(1));
        AttentionKernel kernel = new AttentionKernel(CONTEXT, inputs, 8, 2, RngState.of(2));
        LinearizationViews exact = kernel.temporalView(1e-4, RngState.of(3))) {
      Estimate sampled = kernel.temporalRank(512, RngState.of(4));
      double rank =
          SpectrumMetrics.of(DenseEigen.values(exact.matrix(View.TEMP))).participationRatio();
      assertTrue(sampled.standardError() < 0.05 * rank, sampled.toString());
      assertEquals(rank, sampled.value(), 4 * sampled.standardError());
      Point point = new Point();
      kernel.ranks(point, 256, RngState.of(5));
      Estimate temporal = point.estimate("temporal");
      assertEquals(rank, temporal.value(), 4 * temporal.standardError());
      assertTrue(point.number("overall") > rank, "a partial trace mixes modes");
      assertTrue(point.number("spatial") > 1);
    }
    assertEquals(live, Tensor.liveCount());
  }

  @Test
  void theShareInAColumnSpaceIsThatOfTheProjection() {
    double r = Math.sqrt(0.5);
    try (Tensor x = Tensor.of(Shape.of(3, 2), 1, 2, 1, 2, 0, 0); // one direction, (1, 1, 0)
        Tensor a = Tensor.of(DType.F32, Shape.of(3, 1), 1, 0, 2)) {
      assertEquals(r * r / 5, ColumnSpace.share(ExecutionContext.shared(), x, a), 1e-7);
      assertEquals(1, ColumnSpace.share(ExecutionContext.shared(), x, x), 1e-12);
    }
  }

  @Test
  void slopesOfAPowerLawAreItsExponents() {
    double[] x = {1, 3, 10};
    double[] y = {2, 8};
    double[][] z = new double[2][3];
    double[][] errors = new double[2][3];
    for (int i = 0; i < 2; i++) {
      for (int j = 0; j < 3; j++) {
        z[i][j] = 5 * Math.pow(x[j], 0.7) * Math.pow(y[i], -0.2);
        errors[i][j] = 0.1 * z[i][j]; // of each logarithm: 0.1
      }
    }
    Estimate[] slopes = Sweep.logSlopes(x, y, z, errors);
    assertEquals(0.7, slopes[0].value(), 1e-12);
    assertEquals(-0.2, slopes[1].value(), 1e-12);
    // Between two points: the root of two errors of means of three, over the distance.
    assertEquals(0.1 * Math.sqrt(2 / 3.0) / Math.log(4), slopes[1].standardError(), 1e-12);
    double mean = Math.log(30) / 3;
    double square =
        mean * mean + Math.pow(Math.log(3) - mean, 2) + Math.pow(Math.log(10) - mean, 2);
    assertEquals(0.1 / Math.sqrt(2 * square), slopes[0].standardError(), 1e-12);
    assertEquals(1, Sweep.rankCorrelation(x, new double[] {0, 5, 6}));
    assertEquals(-1, Sweep.rankCorrelation(x, new double[] {6, 5, 0}));
    assertEquals(0.5, Sweep.rankCorrelation(x, new double[] {1, 3, 2}));
  }
}
