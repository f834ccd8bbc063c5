package org.kpflow.experiment;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import org.junit.jupiter.api.Test;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Activation;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.Rnn;
import org.kpflow.task.StudentTeacher;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** What figures 5 and 8 measure. */
class DynamicsFiguresTest {
  private static final int B = 2;
  private static final int T = 4;
  private static final int N = 5;

  /** Participation ratios of the views, exact and sampled, against sums over the dense matrix. */
  @Test
  void ranksAreThoseOfTheDenseKernel() {
    ExecutionContext context = ExecutionContext.shared();
    long before = Tensor.liveCount();
    StudentTeacher task = new StudentTeacher(3, 3, N, 1, T, B, 5);
    Map<String, Tensor> weights = task.recurrentWeights(context);
    try (Trials trials = task.evaluation(context);
        Rnn model =
            new Rnn(weights, Activation.TANH, ModelOptions.of(DType.F64).freeze("weight_ih_l0"));
        Linearization linearization = Linearization.of(context, model, trials.inputs(), null);
        Tensor dense = new NeuralTangentKernel(linearization).toDense()) {
      double[] kernel = dense.toDoubles();
      Point exact = StudentTeacherFigure.ranks(linearization, 0, RngState.of(1));
      assertEquals(rank(kernel, true, false), exact.number("temporal"), 1e-5);
      assertEquals(rank(kernel, false, false), exact.number("spatial"), 1e-5);
      assertEquals(rank(kernel, true, true), exact.number("temporal_coherent"), 1e-9);
      assertEquals(rank(kernel, false, true), exact.number("spatial_coherent"), 1e-9);
      Point sampled = StudentTeacherFigure.ranks(linearization, 20000, RngState.of(1));
      for (String name : new String[] {"temporal", "spatial"}) {
        Estimate found = sampled.estimate(name);
        assertTrue(found.standardError() > 0 && found.standardError() < 0.1);
        assertEquals(exact.number(name), found.value(), 5 * found.standardError());
      }
    } finally {
      weights.values().forEach(Tensor::close);
    }
    assertEquals(before, Tensor.liveCount());
  }

  /** Of the partial trace, or of the sum of all blocks, from [B T, n, B T, n]. */
  private static double rank(double[] kernel, boolean temporal, boolean coherent) {
    int k = B * T;
    int size = temporal ? k : N;
    int traced = temporal ? N : k;
    double trace = 0;
    double square = 0;
    for (int i = 0; i < size; i++) {
      for (int j = 0; j < size; j++) {
        double sum = 0;
        for (int u = 0; u < traced; u++) {
          for (int v = coherent ? 0 : u; v < (coherent ? traced : u + 1); v++) {
            int row = temporal ? i * N + u : u * N + i;
            int column = temporal ? j * N + v : v * N + j;
            sum += kernel[row * k * N + column];
          }
        }
        trace += i == j ? sum : 0;
        square += sum * sum;
      }
    }
    return trace * trace / square;
  }

  @Test
  void clustersAreJoinedBySmallSteps() {
    double[][] states = {{0, 0}, {5, 0}, {0.8, 0}, {1.6, 0}, {5, 0.5}};
    assertArrayEquals(new int[] {0, 1, 0, 0, 1}, PlantedPointsFigure.clusters(states, 1));
    assertArrayEquals(new int[] {0, 1, 2, 3, 4}, PlantedPointsFigure.clusters(states, 0.1));
  }
}
