package org.kpflow.estimate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Locale;
import java.util.Random;
import java.util.function.LongFunction;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

class XTraceTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final int SIZE = 100;
  private static final int SEEDS = 400;

  /** Root of the mean squared error, and of the mean squared standard error. */
  private static double[] errors(double truth, LongFunction<Estimate> estimator) {
    double squares = 0;
    double claimed = 0;
    for (int seed = 0; seed < SEEDS; seed++) {
      Estimate estimate = estimator.apply(seed);
      squares += (estimate.value() - truth) * (estimate.value() - truth);
      claimed += estimate.standardError() * estimate.standardError();
    }
    return new double[] {Math.sqrt(squares / SEEDS), Math.sqrt(claimed / SEEDS)};
  }

  @Test
  void beatsHutchinsonTenfoldOnAGeometricSpectrum() {
    try (Tensor matrix = Samples.withSpectrum(SIZE, 5, i -> Math.pow(0.7, i))) {
      LinearOperator operator = Samples.opaque(MatrixOperator.of(CONTEXT, matrix));
      double truth = IntStream.range(0, SIZE).mapToDouble(i -> Math.pow(0.7, i)).sum();
      for (int matvecs : new int[] {30, 40, 60}) {
        double plain =
            errors(truth, s -> TraceEstimator.hutchinson(operator, matvecs, RngState.of(s)))[0];
        double hutch =
            errors(truth, s -> TraceEstimator.hutchPlusPlus(operator, matvecs, RngState.of(s)))[0];
        double exchanged =
            errors(truth, s -> TraceEstimator.xTrace(operator, matvecs, RngState.of(s)))[0];
        System.out.printf(
            Locale.ROOT,
            "0.7^i, %d products: RMS error %.3g by Hutchinson, %.3g by Hutch++, %.3g by XTrace: %.1f times less%n",
            matvecs,
            plain,
            hutch,
            exchanged,
            plain / exchanged);
        assertTrue(exchanged < plain / 10, plain / exchanged + " times");
        assertTrue(exchanged < hutch, hutch + " by Hutch++");
      }
    }
  }

  /**
   * The spread of the leave-one-out estimates alone would be low by a third here, and by half with
   * 40.
   */
  @ParameterizedTest
  @ValueSource(ints = {30, 80})
  void theStandardErrorCountsWhatTheLeaveOneOutEstimatesShare(int matvecs) {
    try (Tensor matrix = Samples.withSpectrum(60, 6, i -> 1.0 / (1 + i))) {
      LinearOperator operator = Samples.opaque(MatrixOperator.of(CONTEXT, matrix));
      double truth = IntStream.range(0, 60).mapToDouble(i -> 1.0 / (1 + i)).sum();
      double[] errors =
          errors(truth, s -> TraceEstimator.xTrace(operator, matvecs, RngState.of(s)));
      assertEquals(1, errors[0] / errors[1], 0.15);
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void anOperatorOfLowRankIsExact(DType dtype) {
    try (Tensor wide = Samples.withSpectrum(SIZE, 7, i -> i < 5 ? 5 - i : 0);
        Tensor matrix = wide.to(dtype)) {
      LinearOperator operator =
          Samples.opaque(MatrixOperator.symmetric(CONTEXT, Shape.of(SIZE), matrix));
      for (int matvecs : new int[] {16, 17, 60, 180}) {
        Estimate estimate = TraceEstimator.xTrace(operator, matvecs, RngState.of(3));
        assertEquals(15, estimate.value(), 1e3 * dtype.epsilon());
        assertTrue(estimate.standardError() < 1e3 * dtype.epsilon(), estimate::toString);
        assertEquals(matvecs / 2 * 2, estimate.matvecs());
      }
    }
  }

  @Test
  void aSketchOfTheWholeSpaceIsExact() {
    try (Tensor matrix = Samples.withSpectrum(9, 8, i -> 1 + i)) {
      LinearOperator operator = Samples.opaque(MatrixOperator.of(CONTEXT, matrix));
      Estimate estimate = TraceEstimator.xTrace(operator, 50, RngState.of(3));
      assertEquals(45, estimate.value(), 1e-12);
      assertEquals(0, estimate.standardError());
      assertEquals(18, estimate.matvecs());
    }
  }

  /** Neither symmetric nor definite. */
  @ParameterizedTest
  @EnumSource(ProbeDistribution.class)
  void itIsUnbiasedForAnySquareOperator(ProbeDistribution distribution) {
    int n = 20;
    double[] a = new Random(9).doubles((long) n * n, -1, 1).toArray();
    double truth = IntStream.range(0, n).mapToDouble(i -> a[i * (n + 1)]).sum();
    try (Tensor matrix = Tensor.of(Shape.of(n, n), a)) {
      LinearOperator operator = Samples.opaque(MatrixOperator.of(CONTEXT, matrix));
      org.kpflow.Honesty.of(
              "XTrace",
              truth,
              SEEDS,
              s -> TraceEstimator.xTrace(operator, Sampler.of(distribution, s), Budget.of(24)))
          .assertHonest()
          .assertUnbiased();
    }
  }

  /**
   * Rows of the lower triangular matrix {2, .; 1, 3}: s_0 is orthogonal to (1, 3), s_1 to (2, 0).
   */
  @Test
  void theLeftOutDirectionsAreOrthogonalToTheOtherRows() {
    double[] s = XTrace.orthogonalToOthers(new double[] {2, 0, 1, 3}, 2);
    assertEquals(0, s[0] + 3 * s[1], 1e-15);
    assertEquals(1, Math.hypot(s[0], s[1]), 1e-15);
    assertEquals(0, s[2]);
    assertEquals(1, Math.abs(s[3]));
  }
}
