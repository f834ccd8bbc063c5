package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.Refusals;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.cases.CaseDirectory;
import org.kpflow.cases.CaseEvaluation;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.OperatorContract;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** Φ(t, s), dense and matrix-free, against products of step Jacobians and the reference cases. */
class StateTransitionTest {
  private static final Sizes SIZES = new Sizes(2, 6, 3, 4);
  private static final Path FIXTURES = Path.of("src", "test", "resources", "fixtures");

  /** J_t … J_{s+1} of a trial, by loops. */
  private static double[][] product(Linearization linearization, int b, int t, int s) {
    int n = (int) linearization.units();
    double[][] phi = new double[n][n];
    for (int i = 0; i < n; i++) {
      phi[i][i] = 1;
    }
    for (int step = s + 1; step <= t; step++) {
      double[][] next = new double[n][n];
      try (Tensor jacobian = linearization.stepJacobians(step, 1)) {
        for (int i = 0; i < n; i++) {
          for (int j = 0; j < n; j++) {
            for (int l = 0; l < n; l++) {
              next[i][j] += jacobian.get(b, 0, i, l) * phi[l][j];
            }
          }
        }
      }
      phi = next;
    }
    return phi;
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theDenseTransitionIsTheProductOfStepJacobians(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 1)) {
      Linearization linearization = sample.linearize();
      for (int[] pair : new int[][] {{3, 3}, {4, 3}, {5, 0}, {4, 1}}) {
        try (Tensor found = linearization.stateTransition(pair[0], pair[1])) {
          for (int b = 0; b < SIZES.trials(); b++) {
            double[][] expected = product(linearization, b, pair[0], pair[1]);
            for (int i = 0; i < expected.length; i++) {
              assertArrayEquals(expected[i], found.slice(b).slice(i).toDoubles(), 1e-13);
            }
          }
        }
      }
      try (Tensor before = linearization.stateTransition(1, 3)) {
        assertArrayEquals(new double[(int) before.count()], before.toDoubles());
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theOperatorIsTheDenseTransitionOfEveryTrial(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 2)) {
      Linearization linearization = sample.linearize();
      long n = linearization.units();
      for (int[] pair : new int[][] {{2, 2}, {5, 1}, {1, 4}}) {
        StateTransition operator = new StateTransition(linearization, pair[0], pair[1]);
        OperatorContract.check(operator, 3);
        try (Tensor dense = operator.toDense();
            Tensor phi = linearization.stateTransition(pair[0], pair[1])) {
          Tensor matrix = dense.reshape(Shape.of(SIZES.trials(), n, SIZES.trials(), n));
          for (long b = 0; b < SIZES.trials(); b++) {
            for (long c = 0; c < SIZES.trials(); c++) {
              for (long i = 0; i < n; i++) {
                for (long j = 0; j < n; j++) {
                  double expected = b == c ? phi.get(b, i, j) : 0;
                  assertEquals(expected, matrix.get(b, i, c, j), 1e-13);
                }
              }
            }
          }
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"gru_bias_h0", "lstm_bias_s0", "leaky_dt03"})
  void theTransitionsAreThoseOfTheReferenceCases(String name) {
    CaseDirectory directory = new CaseDirectory(FIXTURES.resolve(name));
    JsonNode pairs = directory.description().path("phi_pairs");
    assertTrue(pairs.size() > 0);
    try (CaseEvaluation evaluation =
            new CaseEvaluation(directory, DType.F64, ExecutionContext.shared());
        Tensor expected = directory.read("phi", DType.F64)) {
      for (int pair = 0; pair < pairs.size(); pair++) {
        try (Tensor found =
            evaluation
                .linearization()
                .stateTransition(
                    pairs.get(pair).get(0).asLong(), pairs.get(pair).get(1).asLong())) {
          assertArrayEquals(expected.slice(pair).toDoubles(), found.toDoubles(), 1e-11);
        }
      }
    }
  }

  @Test
  void theNormsAreTheLargestSingularValues() {
    try (Sample sample = new Sample(Kind.GRU, DType.F64, new Sizes(2, 9, 3, 40), 3)) {
      Linearization linearization = sample.linearize();
      TransitionNorms norms = TransitionNorms.of(linearization, 2, 0, 1, 3, 6, 7);
      assertArrayEquals(new long[] {0, 1, 3, 6}, norms.lags()); // 2 + 7 is no step
      for (int i = 0; i < norms.lags().length; i++) {
        try (Tensor phi = linearization.stateTransition(2 + norms.lags()[i], 2)) {
          for (int b = 0; b < 2; b++) {
            double expected = DenseEigen.singularValues(phi.slice(b))[0];
            assertEquals(expected, norms.norms()[i][b], 1e-5 * expected);
          }
        }
      }
    }
  }

  @Test
  void stepsAndLagsOutsideOfTheTrialAreRefused() {
    try (Sample sample = new Sample(Kind.GRU, DType.F64, SIZES, 4)) {
      Linearization linearization = sample.linearize();
      refused(() -> linearization.stateTransition(6, 0), "t: expected 0 to 5, got 6");
      refused(() -> linearization.stateTransition(0, -1), "s: expected 0 to 5, got -1");
      refused(() -> new StateTransition(linearization, 0, 6), "s: expected 0 to 5, got 6");
      refused(() -> TransitionNorms.of(linearization, 0, 2, 1), "ascending");
      refused(() -> linearization.lyapunov(0), "exponents: expected 1 to 4, got 0");
      refused(() -> linearization.lyapunov(5), "exponents: expected 1 to 4, got 5");
    }
  }

  private static void refused(org.junit.jupiter.api.function.Executable call, String fragment) {
    String message = assertThrows(IllegalArgumentException.class, call).getMessage();
    assertTrue(message.contains(fragment), message);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void aModelThatDoesNotStepThroughTimeSaysSo(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 9)) {
      Linearization linearization = sample.linearize();
      if (linearization.stepsThroughTime()) {
        assertEquals(1, linearization.lyapunov(1).exponents()[0].length);
        return;
      }
      String expected = "expected a model that steps through time";
      Refusals.refused(() -> linearization.stepJacobians(0, 1), "step Jacobians", expected);
      Refusals.refused(() -> linearization.lyapunov(1), "Lyapunov exponents", expected);
      Refusals.refused(() -> linearization.stateTransition(1, 0), "state transitions", expected);
      Refusals.refused(() -> linearization.stateTransition(0, 1), "state transitions", expected);
      Refusals.refused(
          () -> new StateTransition(linearization, 1, 0), "state transitions", expected);
      Refusals.refused(
          () -> TransitionNorms.of(linearization, 0, 1), "state transitions", expected);
    }
  }
}
