package org.kpflow.estimate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.operator.OperatorContract;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

class PartialTraceEstimatorTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final Shape STATE = Shape.of(3, 4, 5);
  private static final int SIZE = 60;
  private static final int[][] AXES = {{0}, {1}, {2}, {0, 1}, {0, 2}, {1, 2}, {0, 1, 2}, {}};

  private long live;

  @BeforeEach
  void count() {
    CONTEXT.threads();
    live = Tensor.liveCount();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  /** Four large eigenvalues over a floor of small ones. */
  private static Tensor lowRankPlusNoise() {
    return Samples.withSpectrum(SIZE, 1, i -> i < 4 ? 4 - 0.5 * i : 0.02);
  }

  private static LinearOperator general(Tensor matrix) {
    return Samples.opaque(MatrixOperator.of(CONTEXT, STATE, STATE, matrix));
  }

  private static Tensor random(long seed) {
    double[] values = new Random(seed).doubles((long) SIZE * SIZE, -1, 1).toArray();
    return Tensor.of(Shape.of(SIZE, SIZE), values);
  }

  /** With P = I nothing is left to probes, whatever the axes, symmetric or not. */
  @Test
  void aSketchOfTheWholeSpaceIsExact() {
    try (Tensor symmetric = lowRankPlusNoise();
        Tensor any = random(2)) {
      for (Tensor matrix : new Tensor[] {symmetric, any}) {
        LinearOperator operator = general(matrix);
        for (int[] axes : AXES) {
          LinearOperator view = operator.partialTrace(axes);
          int kept = (int) view.domain().count();
          int sketch = (operator.isSelfAdjoint() ? 2 : 3) * SIZE;
          try (Tensor truth = view.toDense();
              MatrixEstimate estimate =
                  PartialTraceEstimator.matrix(
                      operator, axes, SIZE, Budget.of(sketch + 2 * kept), RngState.of(3))) {
            assertEquals(
                0, Samples.distance(truth, estimate.value()), 1e-11, Arrays.toString(axes));
            assertTrue(estimate.relativeError() < 1e-11);
            assertEquals(sketch + 2 * kept, estimate.norm().matvecs());
            assertEquals(3, estimate.norm().seed());
          }
        }
      }
    }
  }

  /** The same number of products: 24 for the sketch are 24 fewer for the probes. */
  @Test
  void deflationPaysOnLowRankPlusNoise() {
    int[] axes = {2};
    int seeds = 100;
    try (Tensor matrix = lowRankPlusNoise();
        Tensor truth = general(matrix).partialTrace(axes).toDense()) {
      LinearOperator operator = general(matrix);
      double[] squares = new double[2];
      for (int seed = 0; seed < seeds; seed++) {
        for (int i = 0; i < 2; i++) {
          try (MatrixEstimate estimate =
              PartialTraceEstimator.matrix(
                  operator, axes, 12 * i, Budget.of(120), RngState.of(seed))) {
            double error = Samples.distance(estimate.value(), truth);
            squares[i] += error * error / seeds;
          }
        }
      }
      double gain = Math.sqrt(squares[0] / squares[1]);
      System.out.println("partial trace of low rank plus noise: deflation gains " + gain);
      assertTrue(gain > 10, "gains " + gain);
    }
  }

  /** Symmetric and not, deflated and not: a fixed linear map whose matrix is the estimate's. */
  @ParameterizedTest
  @ValueSource(ints = {0, 6})
  void theOperatorIsLinearAndHasTheMatrixOfTheEstimate(int deflation) {
    try (Tensor symmetric = lowRankPlusNoise();
        Tensor any = random(4)) {
      for (Tensor matrix : new Tensor[] {symmetric, any}) {
        LinearOperator operator = general(matrix);
        for (int[] axes : AXES) {
          int kept = (int) operator.partialTrace(axes).domain().count();
          int spent = (operator.isSelfAdjoint() ? 2 : 3) * deflation;
          try (SampledPartialTrace view =
                  PartialTraceEstimator.operator(operator, axes, deflation, 7, RngState.of(5));
              Tensor dense = view.toDense();
              MatrixEstimate estimate =
                  PartialTraceEstimator.matrix(
                      operator, axes, deflation, Budget.of(spent + 7 * kept), RngState.of(5))) {
            OperatorContract.check(view, 6, 16);
            assertEquals(operator.partialTrace(axes).domain(), view.domain());
            assertEquals(0, Samples.distance(dense, estimate.value()), 1e-11, view.toString());
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void aTargetIsReachedInEitherType(DType dtype) {
    try (Tensor wide = lowRankPlusNoise();
        Tensor matrix = wide.to(dtype)) {
      LinearOperator operator = Samples.opaque(MatrixOperator.symmetric(CONTEXT, STATE, matrix));
      int[] axes = {2};
      try (Tensor truth = operator.partialTrace(axes).toDense();
          MatrixEstimate estimate =
              PartialTraceEstimator.matrix(
                  operator, axes, 8, Budget.until(0.005, 100000), RngState.of(7))) {
        assertTrue(estimate.relativeError() <= 0.005);
        assertTrue(estimate.norm().matvecs() < 10000);
        double error = Samples.distance(truth, estimate.value());
        assertTrue(error <= 3 * estimate.standardError(), error + " and " + estimate.norm());
      }
    }
  }

  @Test
  void theZeroOperatorHasZeroViews() {
    try (Tensor zero = Tensor.zeros(DType.F64, SIZE, SIZE)) {
      for (int deflation : new int[] {0, 3}) {
        try (MatrixEstimate estimate =
            PartialTraceEstimator.matrix(
                general(zero), new int[] {2}, deflation, Budget.of(100), RngState.of(8))) {
          assertArrayEquals(new double[144], estimate.value().toDoubles());
          assertEquals(0, estimate.standardError());
          assertEquals(0, estimate.relativeError());
        }
      }
    }
  }
}
