package org.kpflow.estimate;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.Honesty;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/**
 * The estimators on small random positive semidefinite matrices, over fixed seeds. The standard
 * error comes from the samples, so a deviation of three of them is as rare as Student's t makes it:
 * 0.5 % with 30 samples, 1 % with 15. The counts here leave at least 30.
 */
class EstimatorTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final int SIZE = 60;
  private static final int SEEDS = 300;

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

  /** G diag(decay) Gᵀ with Gaussian G [n, n], row-major. */
  private static double[] semidefinite(int n, long seed) {
    Random random = new Random(seed);
    double[] g = IntStream.range(0, n * n).mapToDouble(i -> random.nextGaussian()).toArray();
    double[] a = new double[n * n];
    for (int i = 0; i < n; i++) {
      for (int j = 0; j <= i; j++) {
        double sum = 0;
        for (int m = 0; m < n; m++) {
          sum += g[i * n + m] * g[j * n + m] / (1 + m);
        }
        a[i * n + j] = sum;
        a[j * n + i] = sum;
      }
    }
    return a;
  }

  private static double inner(double[] a, double[] b) {
    return IntStream.range(0, a.length).mapToDouble(i -> a[i] * b[i]).sum();
  }

  private static double trace(double[] a, int n) {
    return IntStream.range(0, n).mapToDouble(i -> a[i * (n + 1)]).sum();
  }

  private static Tensor matrix(double[] a, int n) {
    return Tensor.of(Shape.of(n, n), a);
  }

  @Test
  void hutchinsonIsUnbiasedAndItsErrorHonest() {
    double[] a = semidefinite(SIZE, 1);
    try (Tensor matrix = matrix(a, SIZE)) {
      LinearOperator operator = Samples.opaque(MatrixOperator.of(CONTEXT, matrix));
      Honesty.of(
              "Hutchinson",
              trace(a, SIZE),
              SEEDS,
              seed -> TraceEstimator.hutchinson(operator, 60, RngState.of(seed)))
          .assertHonest()
          .assertUnbiased();
    }
  }

  /** 90 to 92 products: 30 for the sketch, 30 on its span, 30 to 32 for the rest. */
  @ParameterizedTest
  @ValueSource(ints = {90, 91, 92})
  void hutchPlusPlusIsUnbiasedAndItsErrorHonest(int products) {
    double[] a = semidefinite(SIZE, 2);
    try (Tensor matrix = matrix(a, SIZE)) {
      LinearOperator operator = Samples.opaque(MatrixOperator.of(CONTEXT, matrix));
      assertEquals(
          products, TraceEstimator.hutchPlusPlus(operator, products, RngState.of(0)).matvecs());
      Honesty.of(
              "Hutch++ " + products,
              trace(a, SIZE),
              SEEDS,
              seed -> TraceEstimator.hutchPlusPlus(operator, products, RngState.of(seed)))
          .assertHonest()
          .assertUnbiased();
    }
  }

  @Test
  void hutchPlusPlusBeatsHutchinsonOnADecayingSpectrum() {
    double[] a = semidefinite(SIZE, 3);
    try (Tensor matrix = matrix(a, SIZE)) {
      LinearOperator operator = Samples.opaque(MatrixOperator.of(CONTEXT, matrix));
      double plain = TraceEstimator.hutchinson(operator, 90, RngState.of(1)).standardError();
      double sketched = TraceEstimator.hutchPlusPlus(operator, 90, RngState.of(1)).standardError();
      assertTrue(sketched < plain / 3, sketched + " and " + plain);
    }
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void hutchPlusPlusIsExactOnceTheSketchSpansTheSpace(DType dtype) {
    double[] a = semidefinite(8, 4);
    try (Tensor matrix = Tensor.of(dtype, Shape.of(8, 8), a)) {
      LinearOperator operator = Samples.opaque(MatrixOperator.of(CONTEXT, matrix));
      for (int products : new int[] {24, 25, 100}) {
        Estimate estimate = TraceEstimator.hutchPlusPlus(operator, products, RngState.of(5));
        double truth = trace(a, 8);
        assertEquals(truth, estimate.value(), 100 * dtype.epsilon() * truth);
        assertEquals(0, estimate.standardError());
        assertEquals(16, estimate.matvecs());
      }
    }
  }

  /** A matrix of rank 3 lies in the span of a sketch of 4, so nothing is left to sample. */
  @Test
  void hutchPlusPlusIsExactOnAMatrixOfLowRank() {
    double[] a = new double[SIZE * SIZE];
    for (int i = 0; i < 3; i++) {
      a[i * (SIZE + 1)] = i + 1;
    }
    try (Tensor matrix = matrix(a, SIZE)) {
      LinearOperator operator = Samples.opaque(MatrixOperator.of(CONTEXT, matrix));
      Estimate estimate = TraceEstimator.hutchPlusPlus(operator, 12, RngState.of(1));
      assertEquals(6, estimate.value(), 1e-12);
      assertTrue(estimate.standardError() < 1e-12);
    }
  }

  @Test
  void theFrobeniusNormIsHonest() {
    double[] a = semidefinite(SIZE, 6);
    try (Tensor matrix = matrix(a, SIZE)) {
      LinearOperator operator = Samples.opaque(MatrixOperator.of(CONTEXT, matrix));
      double truth = Math.sqrt(inner(a, a));
      Honesty.of(
              "Frobenius",
              truth,
              SEEDS,
              seed -> NormEstimator.frobenius(operator, 100, RngState.of(seed)))
          .assertHonest();
      Honesty.of("Frobenius squared", truth * truth, SEEDS, seed -> squared(operator, seed))
          .assertUnbiased();
    }
  }

  /** The square is what is unbiased; its root is low by half its relative variance. */
  private static Estimate squared(LinearOperator operator, long seed) {
    double norm = NormEstimator.frobenius(operator, 100, RngState.of(seed)).value();
    return Estimate.exact(norm * norm);
  }

  @Test
  void theCosineIsHonestAndItsBiasSmall() {
    double[] a = semidefinite(SIZE, 7);
    double[] b = semidefinite(SIZE, 8);
    try (Tensor left = matrix(a, SIZE);
        Tensor right = matrix(b, SIZE)) {
      LinearOperator first = Samples.opaque(MatrixOperator.of(CONTEXT, left));
      LinearOperator second = Samples.opaque(MatrixOperator.of(CONTEXT, right));
      double truth = inner(a, b) / Math.sqrt(inner(a, a) * inner(b, b));
      Honesty.of(
              "cosine",
              truth,
              SEEDS,
              seed -> NormEstimator.cosine(first, second, 200, RngState.of(seed)))
          .assertHonest()
          .assertUnbiased();
      Estimate own = NormEstimator.cosine(first, first, 20, RngState.of(1));
      assertEquals(1, own.value(), 1e-14);
      assertEquals(0, own.standardError(), 1e-14);
    }
  }

  @Test
  void theRayleighQuotientOfAnEigenvectorIsItsEigenvalue() {
    double[] a = {2, 1, 1, 2};
    try (Tensor matrix = matrix(a, 2);
        Tensor x = Tensor.of(Shape.of(2), 3.0, 3.0);
        Tensor zero = Tensor.of(Shape.of(2), 0.0, 0.0)) {
      LinearOperator operator = Samples.opaque(MatrixOperator.of(CONTEXT, matrix));
      assertEquals(3, NormEstimator.rayleigh(operator, x), 1e-15);
      assertThrows(IllegalArgumentException.class, () -> NormEstimator.rayleigh(operator, zero));
    }
  }

  @Test
  void theSameSeedGivesTheSameEstimate() {
    double[] a = semidefinite(SIZE, 9);
    try (Tensor matrix = matrix(a, SIZE)) {
      LinearOperator operator = Samples.opaque(MatrixOperator.of(CONTEXT, matrix));
      Estimate[] twice = new Estimate[2];
      Arrays.setAll(twice, i -> TraceEstimator.hutchPlusPlus(operator, 31, RngState.of(5)));
      assertEquals(twice[0], twice[1]);
    }
  }

  @Test
  void theZeroOperatorHasTraceAndNormZero() {
    try (Tensor zero = Tensor.zeros(DType.F64, 20, 20)) {
      LinearOperator operator = Samples.opaque(MatrixOperator.of(CONTEXT, zero));
      assertEquals(
          new Estimate(0, 0, 12, 1), TraceEstimator.hutchPlusPlus(operator, 12, RngState.of(1)));
      assertEquals(0, NormEstimator.frobenius(operator, 4, RngState.of(1)).value());
      assertTrue(Double.isNaN(NormEstimator.cosine(operator, operator, 4, RngState.of(1)).value()));
    }
  }

  /** With leading eigenvectors the norm is far more exact, and what it claims stays true. */
  @Test
  void deflationTakesMostOfTheErrorOfANormAway() {
    ExecutionContext context = ExecutionContext.shared();
    double[] values = IntStream.range(0, 40).mapToDouble(i -> Math.pow(0.6, i)).toArray();
    double truth = Arrays.stream(values).map(v -> v * v).sum();
    try (Tensor dense = Samples.withSpectrum(40, 3, i -> values[i]);
        DenseEigen eigen = DenseEigen.of(dense)) {
      LinearOperator operator =
          Samples.opaque(MatrixOperator.symmetric(context, Shape.of(40), dense));
      Tensor leading = eigen.vectors().slice(0, 5);
      double plain = 0;
      double deflated = 0;
      int covered = 0;
      for (int seed = 0; seed < 400; seed++) {
        Sampler sampler = Sampler.of(ProbeDistribution.GAUSSIAN, seed);
        double error =
            NormEstimator.squaredFrobenius(operator, sampler, Budget.of(20)).value() - truth;
        plain += error * error;
        Estimate estimate =
            NormEstimator.squaredFrobenius(operator, leading, sampler, Budget.of(20));
        error = estimate.value() - truth;
        deflated += error * error;
        covered += Math.abs(error) <= 3 * estimate.standardError() ? 1 : 0;
        assertEquals(25, estimate.matvecs());
      }
      assertTrue(deflated < 1e-3 * plain, deflated + " against " + plain);
      assertTrue(covered >= 0.95 * 400, "covered " + covered);
    }
  }
}
