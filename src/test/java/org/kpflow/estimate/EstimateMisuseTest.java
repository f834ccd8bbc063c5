package org.kpflow.estimate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.kpflow.Refusals.closed;
import static org.kpflow.Refusals.refused;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.base.DType;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

class EstimateMisuseTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final RngState RNG = RngState.of(1);

  private Tensor squareMatrix;
  private Tensor wideMatrix;
  private Tensor narrowMatrix;
  private LinearOperator square;
  private LinearOperator wide;
  private LinearOperator narrow;
  private long live;

  @BeforeEach
  void makeOperators() {
    CONTEXT.threads();
    live = Tensor.liveCount();
    squareMatrix = Tensor.zeros(DType.F64, 4, 4);
    wideMatrix = Tensor.zeros(DType.F64, 4, 6);
    narrowMatrix = Tensor.zeros(DType.F32, 4, 4);
    square = MatrixOperator.of(CONTEXT, squareMatrix);
    wide = MatrixOperator.of(CONTEXT, wideMatrix).named("W");
    narrow = MatrixOperator.of(CONTEXT, narrowMatrix);
  }

  @AfterEach
  void nothingLeaksFromARefusal() {
    squareMatrix.close();
    wideMatrix.close();
    narrowMatrix.close();
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  @ParameterizedTest
  @ValueSource(ints = {Integer.MIN_VALUE, -1, 0, 1})
  void tooFewSamplesAreRefused(int count) {
    String got = "got " + count;
    refused(() -> TraceEstimator.hutchinson(square, count, RNG), "matvecs", "2", got);
    refused(() -> TraceEstimator.hutchPlusPlus(square, count, RNG), "matvecs", "6", got);
    refused(() -> NormEstimator.frobenius(square, count, RNG), "samples", "2", got);
    refused(() -> NormEstimator.cosine(square, square, count, RNG), "samples", "2", got);
  }

  @Test
  void budgetsAndDeflationsOutOfRangeAreRefused() {
    Sampler sampler = Sampler.of(ProbeDistribution.GAUSSIAN, 1);
    for (double error : new double[] {0, -0.1, 1, 2, Double.NaN, Double.POSITIVE_INFINITY}) {
      refused(() -> Budget.until(error, 100), "relative error", "got " + error);
    }
    refused(() -> Budget.of(0), "matvecs", "1", "got 0");
    Budget fine = Budget.until(1e-8, 100);
    refused(
        () -> TraceEstimator.hutchinson(narrow, sampler, fine), "relative error", "f32", "1.0E-8");
    refused(() -> NormEstimator.cosine(narrow, narrow, sampler, fine), "relative error", "f32");
    refused(() -> TraceEstimator.xTrace(square, 3, RNG), "matvecs", "4", "got 3");
    refused(() -> RankEstimator.participationRatio(square, 2, RNG), "matvecs", "3", "got 2");
    refused(() -> DiagonalEstimator.diagonal(square, 1, RNG), "matvecs", "2", "got 1");
    refused(
        () -> DiagonalEstimator.diagonal(square, 5, Budget.of(100), RNG), "deflation", "4", "5");
    refused(
        () -> DiagonalEstimator.diagonal(square, 3, Budget.of(7), RNG), "matvecs", "8", "got 7");
    int[] axes = {0};
    int[] wrong = {1};
    refused(() -> PartialTraceEstimator.matrix(wide, axes, 0, Budget.of(9), RNG), "operator W");
    refused(() -> PartialTraceEstimator.matrix(square, wrong, 0, Budget.of(9), RNG), "got 1");
    refused(() -> PartialTraceEstimator.matrix(square, axes, 9, Budget.of(9), RNG), "deflation");
    refused(() -> PartialTraceEstimator.matrix(square, axes, 2, Budget.of(5), RNG), "matvecs", "6");
    refused(() -> PartialTraceEstimator.matrix(square, null, 0, Budget.of(9), RNG), "axes");
    refused(() -> PartialTraceEstimator.operator(square, axes, 0, 0, RNG), "probes", "got 0");
  }

  @Test
  void operatorsThatAreNotSquareOrNotAlikeAreRefused() {
    refused(() -> TraceEstimator.hutchinson(wide, 8, RNG), "operator W", "[6]", "[4]");
    refused(() -> TraceEstimator.hutchPlusPlus(wide, 8, RNG), "operator W", "[6]", "[4]");
    refused(() -> TraceEstimator.xTrace(wide, 8, RNG), "operator W", "[6]", "[4]");
    refused(() -> RankEstimator.participationRatio(wide, 8, RNG), "operator W", "[6]", "[4]");
    refused(() -> DiagonalEstimator.diagonal(wide, 8, RNG), "operator W", "[6]", "[4]");
    refused(() -> TraceEstimator.hutchPlusPlus(square, 5, RNG), "matvecs", "6", "5");
    refused(() -> NormEstimator.cosine(square, wide, 8, RNG), "second operator", "[4]", "[6]");
    refused(() -> NormEstimator.cosine(square, narrow, 8, RNG), "second operator", "f64", "f32");
    try (Tensor x = Tensor.zeros(DType.F64, 4);
        Tensor wrong = Tensor.zeros(DType.F64, 5)) {
      refused(() -> NormEstimator.rayleigh(wide, x), "operator W");
      refused(() -> NormEstimator.rayleigh(square, x), "x", "not zero");
      refused(() -> NormEstimator.rayleigh(square, wrong), "x", "[4]", "[5]");
      refused(() -> NormEstimator.rayleigh(square, null), "x", "null");
    }
  }

  @Test
  void nullsAreNamed() {
    refused(() -> TraceEstimator.hutchinson(null, 8, RNG), "operator", "null");
    refused(() -> TraceEstimator.hutchinson(square, 8, null), "rng", "null");
    refused(() -> TraceEstimator.hutchPlusPlus(null, 8, RNG), "operator", "null");
    refused(() -> TraceEstimator.hutchPlusPlus(square, 8, null), "rng", "null");
    refused(() -> NormEstimator.frobenius(null, 8, RNG), "operator", "null");
    refused(() -> NormEstimator.frobenius(square, 8, null), "rng", "null");
    refused(() -> NormEstimator.cosine(null, square, 8, RNG), "operator", "null");
    refused(() -> NormEstimator.cosine(square, null, 8, RNG), "second operator", "null");
    refused(() -> NormEstimator.cosine(square, square, 8, null), "rng", "null");
    refused(() -> TraceEstimator.xTrace(null, 8, RNG), "operator", "null");
    refused(() -> TraceEstimator.xTrace(square, 8, null), "rng", "null");
    refused(() -> TraceEstimator.xTrace(square, null, Budget.of(8)), "sampler", "null");
    Sampler sampler = Sampler.of(ProbeDistribution.GAUSSIAN, 1);
    refused(() -> TraceEstimator.xTrace(square, sampler, null), "budget", "null");
    refused(() -> RankEstimator.participationRatio(square, 8, null), "rng", "null");
    refused(() -> DiagonalEstimator.diagonal(square, 8, null), "rng", "null");
    refused(() -> PartialTraceEstimator.matrix(square, new int[0], 0, null, RNG), "budget", "null");
    refused(() -> NormEstimator.rayleigh(null, squareMatrix), "operator", "null");
    refused(() -> SpectrumMetrics.of(null), "eigenvalues", "null");
  }

  @Test
  void aClosedMatrixEndsAnEstimate() {
    squareMatrix.close();
    closed(() -> TraceEstimator.hutchinson(square, 8, RNG));
    closed(() -> TraceEstimator.hutchPlusPlus(square, 8, RNG));
    closed(() -> NormEstimator.frobenius(square, 8, RNG));
    closed(() -> TraceEstimator.xTrace(square, 8, RNG));
    closed(() -> RankEstimator.participationRatio(square, 8, RNG));
    closed(() -> DiagonalEstimator.diagonal(square, 8, RNG));
    closed(() -> PartialTraceEstimator.matrix(square, new int[] {0}, 1, Budget.of(8), RNG));
  }
}
