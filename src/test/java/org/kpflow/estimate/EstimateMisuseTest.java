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
  void operatorsThatAreNotSquareOrNotAlikeAreRefused() {
    refused(() -> TraceEstimator.hutchinson(wide, 8, RNG), "operator W", "[6]", "[4]");
    refused(() -> TraceEstimator.hutchPlusPlus(wide, 8, RNG), "operator W", "[6]", "[4]");
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
    refused(() -> NormEstimator.rayleigh(null, squareMatrix), "operator", "null");
    refused(() -> SpectrumMetrics.of(null), "eigenvalues", "null");
  }

  @Test
  void aClosedMatrixEndsAnEstimate() {
    squareMatrix.close();
    closed(() -> TraceEstimator.hutchinson(square, 8, RNG));
    closed(() -> TraceEstimator.hutchPlusPlus(square, 8, RNG));
    closed(() -> NormEstimator.frobenius(square, 8, RNG));
  }
}
