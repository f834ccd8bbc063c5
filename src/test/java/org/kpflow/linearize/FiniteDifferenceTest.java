package org.kpflow.linearize;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.FiniteDifferences;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.tensor.Tensor;

/** Derivatives of the state, of every cell in one to three layers, against running it again. */
class FiniteDifferenceTest {
  private static final Sizes[] SIZES = {
    new Sizes(3, 7, 2, 9),
    new Sizes(1, 4, 2, 3),
    new Sizes(3, 1, 2, 3),
    new Sizes(3, 4, 1, 3),
    new Sizes(3, 4, 2, 1),
    new Sizes(1, 1, 1, 1)
  };

  static Stream<Arguments> stacks() {
    return Stream.of(Kind.values())
        .filter(kind -> kind.layers == 1)
        .flatMap(
            kind -> IntStream.rangeClosed(1, 3).mapToObj(layers -> Arguments.of(kind, layers)));
  }

  @ParameterizedTest
  @MethodSource("stacks")
  void theJacobianIsTheCentralDifferenceOfTheForwardPass(Kind kind, int layers) {
    long live = Tensor.liveCount();
    for (Sizes sizes : SIZES) {
      try (Sample sample = new Sample(kind, layers, DType.F64, sizes, 1)) {
        double error = FiniteDifferences.jacobianError(sample);
        assertTrue(error < 1e-6, () -> sizes + ": relative error " + error);
      }
    }
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  @ParameterizedTest
  @MethodSource("stacks")
  void theStepJacobianIsTheCentralDifferenceOfAStep(Kind kind, int layers) {
    try (Sample sample = new Sample(kind, layers, DType.F64, new Sizes(2, 4, 2, 4), 3)) {
      double error = FiniteDifferences.transitionError(sample);
      assertTrue(error < 1e-6, () -> "relative error " + error);
    }
  }

  @ParameterizedTest
  @MethodSource("stacks")
  void thereAreAsManyExponentsAsEntriesOfTheState(Kind kind, int layers) {
    try (Sample sample = new Sample(kind, layers, DType.F64, new Sizes(2, 3, 2, 3), 4)) {
      Linearization linearization = sample.linearize();
      assertEquals(layers * kind.components * 3, linearization.units());
      assertEquals(linearization.units(), linearization.lyapunov().exponents()[1].length);
      assertEquals(layers, linearization.layers().size());
    }
  }
}
