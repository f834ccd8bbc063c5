package org.kpflow.spectral;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import java.util.Arrays;
import java.util.function.DoubleUnaryOperator;
import java.util.stream.IntStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.Honesty;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.operator.FunctionOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.MatrixOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** Densities and traces of functions against the eigenvalues of dense matrices. */
class SpectralDensityTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final RngState RNG = RngState.of(1);
  private static final int SIZE = 90;

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

  private static double[] spectrum() {
    return IntStream.range(0, SIZE).mapToDouble(i -> Math.cos(i) + (i < 5 ? 2 : 0)).toArray();
  }

  private static double sum(double[] values, DoubleUnaryOperator f) {
    return Arrays.stream(values).map(f).sum();
  }

  private static void near(double expected, Estimate estimate, double slack, String what) {
    double allowed = 5 * estimate.standardError() + slack;
    assertEquals(expected, estimate.value(), allowed, () -> what + ": " + estimate);
  }

  @ParameterizedTest
  @EnumSource(DType.class)
  void tracesOfFunctionsAgreeWithTheEigenvalues(DType dtype) {
    double[] values = spectrum();
    try (Tensor matrix = EigshTest.withSpectrum(dtype, 1, values)) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      SpectralDensity density = SpectralDensity.of(operator, 40, 30, RNG);
      double rounding = dtype == DType.F32 ? 1e-3 : 1e-9;
      Estimate one = density.trace(x -> 1);
      assertEquals(SIZE, one.value(), rounding);
      assertEquals(0, one.standardError(), rounding);
      near(sum(values, x -> x), density.trace(x -> x), rounding, "trace");
      near(sum(values, x -> x * x), density.trace(x -> x * x), rounding, "square");
      near(sum(values, Math::exp), density.trace(Math::exp), rounding, "exp");
      assertEquals(40 * 30 + 2, density.matvecs());
      assertEquals(density.matvecs(), one.matvecs());
      for (int p = 0; p < density.probes(); p++) {
        double[] nodes = density.nodes(p);
        assertTrue(IntStream.range(1, nodes.length).allMatch(i -> nodes[i - 1] >= nodes[i]));
        assertEquals(SIZE, Arrays.stream(density.weights(p)).sum(), rounding);
      }
    }
  }

  /** With as many steps as there are numbers, the nodes of every probe are the eigenvalues. */
  @Test
  void aFullRunOfLanczosFindsEveryEigenvalue() {
    double[] values = IntStream.range(0, 24).mapToDouble(i -> i * i / 100.0).toArray();
    try (Tensor matrix = EigshTest.withSpectrum(DType.F64, 2, values)) {
      SpectralDensity density = SpectralDensity.of(MatrixOperator.of(CONTEXT, matrix), 3, 24, RNG);
      for (int p = 0; p < 3; p++) {
        double[] ascending = Arrays.stream(density.nodes(p)).sorted().toArray();
        assertArrayEquals(values, ascending, 1e-10);
      }
    }
  }

  /** Three distinct eigenvalues are an invariant subspace after three steps. */
  @ParameterizedTest
  @EnumSource(DType.class)
  void repeatedEigenvaluesEndTheRunEarly(DType dtype) {
    double[] values = IntStream.range(0, SIZE).mapToDouble(i -> i % 3).toArray();
    try (Tensor matrix = EigshTest.withSpectrum(dtype, 3, values);
        Tensor zero = Tensor.zeros(dtype, SIZE, SIZE)) {
      SpectralDensity density = SpectralDensity.of(MatrixOperator.of(CONTEXT, matrix), 20, 30, RNG);
      near(30, density.trace(x -> Math.abs(x - 2) < 0.01 ? 1 : 0), 0, "copies of 2");
      if (dtype == DType.F64) {
        assertArrayEquals(new double[] {2, 1, 0}, density.nodes(0), 1e-12);
        assertEquals(3 * 20 + 2, density.matvecs());
      }
      SpectralDensity nothing = SpectralDensity.of(MatrixOperator.of(CONTEXT, zero), 4, 9, RNG);
      assertArrayEquals(new double[1], nothing.nodes(2));
      assertEquals(SIZE, nothing.cumulative(new double[] {0})[0].value(), 1e-3);
    }
  }

  @Test
  void theDensityIsThatOfBlurredEigenvalues() {
    double[] values = spectrum();
    double width = 0.15;
    try (Tensor matrix = EigshTest.withSpectrum(DType.F64, 4, values)) {
      SpectralDensity density = SpectralDensity.of(MatrixOperator.of(CONTEXT, matrix), 60, 45, RNG);
      double step = 0.05;
      double[] grid = IntStream.range(0, 140).mapToDouble(i -> -2.5 + step * i).toArray();
      Estimate[] smooth = density.density(grid, width);
      double integral = 0;
      for (int i = 0; i < grid.length; i++) {
        double x = grid[i];
        double exact =
            sum(values, l -> Math.exp(-(x - l) * (x - l) / 2 / width / width))
                / width
                / Math.sqrt(2 * Math.PI);
        near(exact, smooth[i], 0.5, "density at " + x);
        integral += step * smooth[i].value();
      }
      assertEquals(SIZE, integral, 0.01);
    }
  }

  @Test
  void theCountingFunctionCountsEigenvalues() {
    double[] values = IntStream.range(0, SIZE).mapToDouble(i -> i / 30 + 0.001 * i).toArray();
    try (Tensor matrix = EigshTest.withSpectrum(DType.F64, 5, values)) {
      SpectralDensity density =
          SpectralDensity.of(MatrixOperator.of(CONTEXT, matrix), 100, 30, RNG);
      double[] grid = {-1, 0.5, 1.5, 3}; // between the groups, where no node can stray
      Estimate[] counts = density.cumulative(grid);
      for (int i = 0; i < grid.length; i++) {
        double x = grid[i];
        near(sum(values, l -> l <= x ? 1 : 0), counts[i], 0.05, "count at " + x);
      }
      assertEquals(0, counts[0].value());
      assertEquals(SIZE, counts[3].value(), 1e-9);
      assertTrue(counts[1].standardError() > 0);
    }
  }

  @Test
  void standardErrorsAreHonest() {
    double[] values = spectrum();
    try (Tensor matrix = EigshTest.withSpectrum(DType.F64, 6, values)) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      Honesty.of(
              "trace of exp",
              sum(values, Math::exp),
              150,
              seed -> SpectralDensity.of(operator, 20, 12, RngState.of(seed)).trace(Math::exp))
          .assertHonest()
          .assertUnbiased();
    }
  }

  @Test
  void theNtkOfAGruHasItsTrace() {
    try (Sample sample = new Sample(Kind.GRU, DType.F32, new Sizes(3, 6, 2, 5), 1)) {
      LinearOperator ntk = new NeuralTangentKernel(sample.linearize());
      double[] all = EigshTest.dense(ntk);
      SpectralDensity density = SpectralDensity.of(ntk, 50, 20, RNG);
      near(sum(all, x -> x), density.trace(x -> x), 1e-4 * all[0], "trace");
      near(sum(all, Math::abs), density.trace(Math::abs), 1e-3 * all[0], "nuclear norm");
    }
  }

  @Test
  void theSameSeedGivesTheSameNodes() {
    try (Tensor matrix = EigshTest.withSpectrum(DType.F64, 7, spectrum())) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      SpectralDensity first = SpectralDensity.of(operator, 3, 9, RNG);
      SpectralDensity again = SpectralDensity.of(operator, 3, 9, RNG);
      assertArrayEquals(first.nodes(2), again.nodes(2));
      assertArrayEquals(first.weights(2), again.weights(2));
    }
  }

  @Test
  void misuseIsRefused() {
    try (Tensor matrix = EigshTest.withSpectrum(DType.F64, 8, spectrum())) {
      LinearOperator operator = MatrixOperator.of(CONTEXT, matrix);
      refused(() -> SpectralDensity.of(null, 4, 4, RNG), "operator", "null");
      refused(() -> SpectralDensity.of(operator, 1, 4, RNG), "probes", "at least 2", "1");
      refused(() -> SpectralDensity.of(operator, 4, 0, RNG), "steps", "1 to 90", "0");
      refused(() -> SpectralDensity.of(operator, 4, 91, RNG), "steps", "91");
      refused(() -> SpectralDensity.of(operator, 4, 4, null), "rng", "null");
      SpectralDensity density = SpectralDensity.of(operator, 4, 4, RNG);
      refused(() -> density.trace(null), "f", "null");
      refused(() -> density.density(null, 1), "grid", "null");
      refused(() -> density.density(new double[1], 0), "width", "0");
      refused(() -> density.density(new double[1], Double.NaN), "width", "NaN");
      refused(() -> density.cumulative(new double[] {Double.NaN}), "grid", "NaN");
      LinearOperator growing =
          FunctionOperator.selfAdjoint(
              CONTEXT, Shape.of(SIZE), DType.F64, (in, out) -> out.set(Double.NaN, 0, 1));
      refused(
          NumericalException.class,
          () -> SpectralDensity.of(growing, 4, 4, RNG),
          "spectral density on A");
      FunctionOperator.BlockFunction shift =
          (in, out) -> {
            double[] values = in.toDoubles();
            double[] moved = new double[values.length];
            System.arraycopy(values, 0, moved, 1, values.length - 1);
            out.copyFrom(moved);
          };
      LinearOperator skew = FunctionOperator.selfAdjoint(CONTEXT, Shape.of(SIZE), DType.F64, shift);
      refused(() -> SpectralDensity.of(skew, 4, 4, RNG), "spectral density on A", "self-adjoint");
    }
  }
}
