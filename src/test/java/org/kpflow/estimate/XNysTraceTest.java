package org.kpflow.estimate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import java.util.Locale;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

class XNysTraceTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();

  @Test
  void itBeatsXTraceOnAPositiveOperator() {
    try (Tensor matrix = Samples.withSpectrum(100, 5, i -> Math.pow(0.7, i))) {
      LinearOperator operator = Samples.opaque(MatrixOperator.of(CONTEXT, matrix));
      double truth = IntStream.range(0, 100).mapToDouble(i -> Math.pow(0.7, i)).sum();
      for (int matvecs : new int[] {20, 30, 40}) {
        double[] squares = new double[3];
        for (int seed = 0; seed < 400; seed++) {
          RngState rng = RngState.of(seed);
          Estimate projected = TraceEstimator.xTrace(operator, matvecs, rng);
          Estimate nystrom = TraceEstimator.xNysTrace(operator, matvecs, rng);
          assertEquals(matvecs, nystrom.matvecs());
          squares[0] += Math.pow(projected.value() - truth, 2);
          squares[1] += Math.pow(nystrom.value() - truth, 2);
          squares[2] += Math.pow(nystrom.standardError(), 2);
        }
        double gain = Math.sqrt(squares[0] / squares[1]);
        System.out.printf(
            Locale.ROOT,
            "0.7^i, %d products: XNysTrace off by %.3g, %.1f times less than XTrace; claims %.3g%n",
            matvecs,
            Math.sqrt(squares[1] / 400),
            gain,
            Math.sqrt(squares[2] / 400));
        assertTrue(gain > 3, "gains " + gain);
        assertTrue(squares[1] < 1.2 * squares[2], "claims too little");
      }
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void anOperatorOfLowRankIsExact(DType dtype) {
    try (Tensor wide = Samples.withSpectrum(100, 7, i -> i < 5 ? 5 - i : 0);
        Tensor matrix = wide.to(dtype)) {
      LinearOperator operator =
          Samples.opaque(MatrixOperator.symmetric(CONTEXT, Shape.of(100), matrix));
      for (int matvecs : new int[] {10, 60, 99, 100, 500}) {
        Estimate estimate = TraceEstimator.xNysTrace(operator, matvecs, RngState.of(3));
        assertEquals(15, estimate.value(), 2e3 * dtype.epsilon(), matvecs + " products");
        assertTrue(estimate.standardError() < 2e3 * dtype.epsilon(), estimate::toString);
        assertEquals(Math.min(matvecs, 100), estimate.matvecs());
      }
    }
  }

  @Test
  void whatIsNotPositiveIsRefused() {
    try (Tensor matrix = Samples.withSpectrum(30, 8, i -> i % 2 == 0 ? 1 : -1)) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      LinearOperator opaque = Samples.opaque(operator);
      refused(
          NumericalException.class,
          () -> TraceEstimator.xNysTrace(opaque, 10, RngState.of(1)),
          "positive semidefinite");
    }
    try (Tensor matrix = Tensor.of(Shape.of(2, 2), 1, 2, 3, 4)) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      refused(() -> TraceEstimator.xNysTrace(operator, 10, RngState.of(1)), "M", "self-adjoint");
      refused(
          () -> TraceEstimator.xNysTrace(operator.gram(), 1, RngState.of(1)), "matvecs", "2", "1");
    }
  }
}
