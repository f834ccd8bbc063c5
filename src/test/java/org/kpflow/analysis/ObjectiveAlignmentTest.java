package org.kpflow.analysis;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.RandomModels;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.StateRestriction;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Readout;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** Alignments of objectives against the dense NTK. */
class ObjectiveAlignmentTest {
  private static final Sizes SIZES = new Sizes(4, 3, 2, 5);

  /** e_aᵀ NTK e_b with the dense NTK. */
  private static double[][] expected(Linearization linearization, Tensor errors) {
    int m = (int) errors.shape().size(0);
    int size = (int) linearization.stateShape().count();
    double[][] inner = new double[m][m];
    try (Tensor dense = new NeuralTangentKernel(linearization).toDense()) {
      double[] kernel = dense.toDoubles();
      for (int a = 0; a < m; a++) {
        double[] left = errors.slice(a).toDoubles();
        for (int b = 0; b < m; b++) {
          double[] right = errors.slice(b).toDoubles();
          for (int i = 0; i < size; i++) {
            for (int j = 0; j < size; j++) {
              inner[a][b] += left[i] * kernel[i * size + j] * right[j];
            }
          }
        }
      }
    }
    return inner;
  }

  private static void close(double[][] expected, double[][] found) {
    double scale = 0;
    for (int a = 0; a < expected.length; a++) {
      scale = Math.max(scale, Math.abs(expected[a][a]));
    }
    assertEquals(expected.length, found.length);
    for (int a = 0; a < expected.length; a++) {
      for (int b = 0; b < expected.length; b++) {
        assertEquals(expected[a][b], found[a][b], 1e-12 * scale, a + ", " + b);
      }
    }
  }

  /** The error restricted to sets of trials, [sets, B, T, n]. */
  private static Tensor restricted(Tensor error, int[]... sets) {
    Tensor errors = Tensor.zeros(DType.F64, error.shape().block(sets.length));
    for (int a = 0; a < sets.length; a++) {
      for (int b : sets[a]) {
        errors.slice(a).slice(b).copyFrom(error.slice(b));
      }
    }
    return errors;
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theMatrixIsThatOfTheErrorsInTheDenseKernel(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 1)) {
      Linearization linearization = sample.linearize();
      StateRestriction whole = StateRestriction.whole(linearization);
      Shape state = linearization.stateShape();
      try (Tensor errors = RandomModels.gaussian(DType.F64, state.block(3), 2);
          Tensor trials = restricted(errors.slice(0), new int[][] {{0}, {1}, {2}, {3}});
          Tensor groups = restricted(errors.slice(0), new int[][] {{1}, {0, 3}, {2}})) {
        close(
            expected(linearization, errors),
            ObjectiveAlignment.ofErrors(whole, List.of("a", "b", "c"), errors).inner());
        close(
            expected(linearization, trials),
            ObjectiveAlignment.ofTrials(whole, errors.slice(0)).inner());
        ObjectiveAlignment found =
            ObjectiveAlignment.ofGroups(whole, errors.slice(0), Objectives.groups(5, -1, 7, 5));
        close(expected(linearization, groups), found.inner());
        assertEquals(List.of("group -1", "group 5", "group 7"), found.names());
      }
    }
  }

  @Test
  void outputsAddUpToTheLossAndOneWithoutAnErrorIsUndefined() {
    try (Sample sample = new Sample(Kind.GRU, DType.F64, SIZES, 3)) {
      Linearization linearization = sample.linearize();
      ExecutionContext context = linearization.context();
      try (Tensor weight = RandomModels.gaussian(DType.F64, Shape.of(3, 5), 4);
          Readout readout =
              new Readout(context, weight, null, sample.model.outputBlock(), DType.F64);
          Tensor state = linearization.state();
          Tensor targets = readout.apply(state)) {
        try (Tensor noise = RandomModels.gaussian(DType.F64, targets.shape(), 5)) {
          for (long b = 0; b < 4; b++) {
            for (long t = 0; t < 3; t++) {
              for (long a : new long[] {0, 2}) { // output 1 is without an error
                targets.set(targets.get(b, t, a) + noise.get(b, t, a), b, t, a);
              }
            }
          }
        }
        ObjectiveAlignment found =
            ObjectiveAlignment.ofOutputs(
                StateRestriction.whole(linearization), readout, targets, null);
        double sum = 0;
        for (double[] row : found.inner()) {
          for (double entry : row) {
            sum += entry;
          }
        }
        try (Readout.Loss loss = readout.meanSquaredError(state, targets);
            Tensor whole = restricted(loss.error(), new int[] {0, 1, 2, 3})) {
          double total = expected(linearization, whole)[0][0];
          assertEquals(total, sum, 1e-12 * total);
        }
        double[][] cosines = found.cosines();
        assertEquals(1, cosines[0][0], 1e-14);
        assertEquals(
            found.inner()[0][2] / Math.sqrt(found.inner()[0][0] * found.inner()[2][2]),
            cosines[0][2],
            1e-13);
        assertTrue(Double.isNaN(cosines[1][1]) && Double.isNaN(cosines[0][1]));
        ObjectiveReport report = ObjectiveReport.of(Objectives.Kind.OUTPUTS, found);
        assertEquals(cosines[0][2], report.meanCosine(), 1e-15);
        assertEquals(List.of("output 0", "output 2"), report.lowestPair());
        assertEquals(cosines[0][2] < 0 ? 1 : 0, report.opposedPairs());
      }
    }
  }

  @Test
  void aWrongNumberOfLabelsIsRefused() {
    try (Sample sample = new Sample(Kind.GRU, DType.F64, SIZES, 6)) {
      Linearization linearization = sample.linearize();
      try (Tensor error = Tensor.zeros(DType.F64, linearization.stateShape())) {
        String message =
            assertThrows(
                    IllegalArgumentException.class,
                    () ->
                        ObjectiveAlignment.ofGroups(
                            StateRestriction.whole(linearization), error, Objectives.groups(1, 2)))
                .getMessage();
        assertTrue(message.contains("one label for each of 4 trials, got 2"), message);
      }
    }
  }
}
