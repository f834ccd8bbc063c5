package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.kpflow.base.DType;
import org.kpflow.base.Progress;
import org.kpflow.base.Shape;
import org.kpflow.io.Npy;
import org.kpflow.io.TensorMap;
import org.kpflow.io.WeightFile;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Gru;
import org.kpflow.model.ModelOptions;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Views of the NTK of the bundled GRU, of its real weights and inputs. */
class TrainedViewsTest {
  private static final Path EXAMPLE =
      Path.of("src", "main", "resources", "org", "kpflow", "examples", "memory_pro_gru");
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final List<View> TEMPORAL = List.of(View.TEMP);

  private static Linearization linearize(String step, int trials) {
    try (TensorMap weights = WeightFile.read(EXAMPLE.resolve(step + ".safetensors"), DType.F32);
        Gru model = new Gru(weights.asMap(), ModelOptions.of(DType.F32));
        Tensor inputs = Npy.read(EXAMPLE.resolve("inputs.npy"))) {
      return Linearization.of(model, inputs.slice(0, trials));
    }
  }

  private static LinearizationViews temporal(
      Linearization linearization,
      LinearizationViews.Method method,
      double tolerance,
      int samples,
      long seed) {
    return LinearizationViews.ofTangentKernel(
        linearization,
        new LinearizationViews.Options(TEMPORAL, method, tolerance, samples, RngState.of(seed)),
        Progress.NONE);
  }

  private static double difference(Tensor a, Tensor b) {
    try (Tensor difference = a.copy()) {
      TensorMath.axpby(CONTEXT, -1, b, 1, difference);
      return TensorMath.norm(CONTEXT, difference) / TensorMath.norm(CONTEXT, b);
    }
  }

  /**
   * After training, few spatial directions carry the NTK: plain samples are off by several percent,
   * leading columns and samples of the rest by less than they were asked for.
   */
  @Test
  void hybridIsExactWhereSamplingIsNot() {
    try (Linearization linearization = linearize("step_01818", 1);
        LinearizationViews exact =
            temporal(linearization, LinearizationViews.Method.FACTOR, 1e-3, 0, 1)) {
      Tensor truth = exact.matrix(View.TEMP);
      double square = 0;
      double claimed = 0;
      double sampling = 0;
      int runs = 4;
      for (int seed = 0; seed < runs; seed++) {
        try (LinearizationViews hybrid =
                temporal(linearization, LinearizationViews.Method.HYBRID, 5e-3, 0, seed);
            LinearizationViews sampled =
                temporal(linearization, LinearizationViews.Method.SAMPLED, 0, 256, seed)) {
          long work = hybrid.columns() + hybrid.samples();
          assertTrue(work < exact.columns() / 3, hybrid.columns() + " + " + hybrid.samples());
          square += Math.pow(difference(hybrid.matrix(View.TEMP), truth), 2) / runs;
          claimed += Math.pow(hybrid.relativeError(View.TEMP), 2) / runs;
          sampling += Math.pow(difference(sampled.matrix(View.TEMP), truth), 2) / runs;
        }
      }
      double error = Math.sqrt(square);
      assertTrue(error < 7.5e-3, "hybrid is off by " + error);
      assertTrue(error / Math.sqrt(claimed) < 1.6, "off by " + error + ", says " + claimed);
      assertTrue(Math.sqrt(sampling) > 0.02, "samples are off by " + Math.sqrt(sampling));
    }
  }

  /**
   * The coherent average over units, which kpflow's partial_avg computes, is not the partial trace.
   * Blocks between different units nearly cancel in the untrained network, where weights are
   * independent; in the trained one they do not, and the trace, the matrix and its rank all differ.
   */
  @Test
  void theCoherentAverageIsNotThePartialTrace() {
    Comparison untrained = compare("step_00000"); // measured: 1.06 %, 0.990, 1.300 and 1.298
    assertEquals(0.0106, untrained.difference(), 1e-3);
    assertEquals(0.990, untrained.traceRatio(), 1e-3);
    Comparison trained = compare("step_01818"); // measured: 63.2 %, 0.731, 3.03 and 3.30
    assertEquals(0.632, trained.difference(), 0.01);
    assertEquals(0.731, trained.traceRatio(), 0.01);
    assertEquals(-0.27, trained.rank() - trained.trueRank(), 0.03);
  }

  /** The coherent average against the partial trace: difference and ratios. */
  private record Comparison(double difference, double traceRatio, double rank, double trueRank) {}

  private static Comparison compare(String step) {
    try (Linearization linearization = linearize(step, 1);
        LinearizationViews exact =
            temporal(linearization, LinearizationViews.Method.FACTOR, 1e-3, 0, 1);
        Tensor average = new NeuralTangentKernel(linearization).coherentAverage(2).toDense();
        Tensor coherent =
            average.reshape(Shape.of(linearization.rows(), linearization.rows())).to(DType.F64)) {
      Tensor truth = exact.matrix(View.TEMP);
      return new Comparison(
          difference(coherent, truth), trace(coherent) / trace(truth), rank(coherent), rank(truth));
    }
  }

  private static double trace(Tensor matrix) {
    double trace = 0;
    for (long i = 0; i < matrix.shape().size(0); i++) {
      trace += matrix.get(i, i);
    }
    return trace;
  }

  private static double rank(Tensor matrix) {
    return Math.pow(trace(matrix), 2) / TensorMath.dot(CONTEXT, matrix, matrix);
  }
}
