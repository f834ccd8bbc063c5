package org.kpflow.linearize;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.model.Activation;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.Rnn;
import org.kpflow.tensor.Tensor;

class LyapunovSpectrumTest {
  private static final double NONE = Double.NEGATIVE_INFINITY;

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"RNN_RELU"},
      mode = EnumSource.Mode.EXCLUDE) // relu's Jacobians are singular: later exponents are rounding
  void leadingExponentsAreTheFirstOfAll(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, new Sizes(3, 8, 2, 7), 1)) {
      Linearization linearization = sample.linearize();
      double[][] all = linearization.lyapunov().exponents();
      for (int count : new int[] {1, 3, (int) linearization.units()}) {
        double[][] some = linearization.lyapunov(count).exponents();
        for (int b = 0; b < all.length; b++) {
          assertArrayEquals(Arrays.copyOf(all[b], count), some[b], 1e-9);
        }
      }
    }
  }

  /** A linear network h' = W h: the logarithms of the diagonal of W, whatever the trial. */
  private static LyapunovSpectrum ofDiagonal(double... diagonal) {
    int n = diagonal.length;
    double[] matrix = new double[n * n];
    for (int i = 0; i < n; i++) {
      matrix[i * n + i] = diagonal[i];
    }
    try (Tensor hidden = Tensor.of(Shape.of(n, n), matrix);
        Tensor input = Tensor.zeros(DType.F64, n, 1);
        Tensor x = Tensor.zeros(DType.F64, 2, 5, 1);
        Rnn model =
            new Rnn(
                Map.of("weight_hh_l0", hidden, "weight_ih_l0", input),
                Activation.LINEAR,
                ModelOptions.of(DType.F64));
        Linearization linearization = Linearization.of(model, x)) {
      return LyapunovSpectrum.of(linearization, n);
    }
  }

  @Test
  void theExponentsOfALinearNetworkAreTheLogarithmsOfItsMultipliersInOrder() {
    LyapunovSpectrum spectrum = ofDiagonal(0.5, 2, 0.25);
    double[] expected = {Math.log(2), Math.log(0.5), Math.log(0.25)};
    assertArrayEquals(expected, spectrum.exponents()[1], 1e-14);
    assertEquals(Math.log(2), spectrum.largest().value(), 1e-14);
    assertEquals(0, spectrum.largest().standardError(), 1e-14);
    assertEquals(2, spectrum.kaplanYorkeDimension().value(), 1e-12); // ln 2 - ln 2 = 0, then below
  }

  @Test
  void aSingularStepGivesMinusInfinityAndNoNaNMean() {
    LyapunovSpectrum spectrum = ofDiagonal(0.5, 0);
    assertEquals(2, spectrum.minusInfinities());
    assertEquals(0, spectrum.smallestDiagonal());
    assertEquals(NONE, spectrum.mean(1).value());
    assertTrue(Double.isNaN(spectrum.mean(1).standardError()));
    assertEquals(Math.log(0.5), spectrum.mean(0).value(), 1e-14);
    assertEquals(0, spectrum.kaplanYorkeDimension().value());
  }

  @Test
  void theKaplanYorkeDimensionInterpolatesWhereTheSumTurnsNegative() {
    assertEquals(2 + 0.5 / 2, LyapunovSpectrum.kaplanYorke(new double[] {1, -0.5, -2}, true));
    assertEquals(0, LyapunovSpectrum.kaplanYorke(new double[] {-1, -2}, true));
    assertEquals(2, LyapunovSpectrum.kaplanYorke(new double[] {1, 0}, true));
    assertEquals(1, LyapunovSpectrum.kaplanYorke(new double[] {1, NONE}, true));
    assertTrue(Double.isNaN(LyapunovSpectrum.kaplanYorke(new double[] {1, 0}, false)));
  }

  @Test
  void theMeanAndItsErrorAreOverTrials() {
    LyapunovSpectrum spectrum =
        new LyapunovSpectrum(new double[][] {{1, 0}, {2, -1}, {3, -2}}, 2, 1);
    assertEquals(2, spectrum.largest().value(), 1e-15);
    assertEquals(1 / Math.sqrt(3), spectrum.largest().standardError(), 1e-15);
  }
}
