package org.kpflow.spectral;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.kpflow.Honesty;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.flow.KroneckerCore;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.ParameterJacobian;
import org.kpflow.flow.ParameterOperator;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Sampled partial traces of the NTK of a small GRU against the exact ones, over 300 seeds. 160
 * samples are 16 groups of 10, so errors have 15 degrees of freedom: a t-distribution leaves 0.9 %
 * beyond three standard errors.
 */
class SampledViewsTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final List<View> ALL = List.of(View.values());
  private static final int SEEDS = 300;
  private static final int SAMPLES = 160;

  private static final List<SampledViews> runs = new ArrayList<>();
  private static Sample sample;
  private static LinearOperator factor;
  private static LinearOperator kernel;
  private static ReducedViews exact;
  private static ReducedViews other; // of K: neither parallel to those of the NTK nor far from them
  private static Tensor gram;
  private static long live;

  @BeforeAll
  static void sampleAGru() {
    CONTEXT.threads();
    live = Tensor.liveCount();
    sample = new Sample(Kind.GRU, DType.F64, new Sizes(3, 4, 2, 5), 1);
    Linearization linearization = sample.linearize();
    factor = new ParameterJacobian(linearization);
    kernel = new NeuralTangentKernel(linearization);
    exact = sample.keep(ReducedViews.ofOperator(kernel, ALL, done -> {}));
    LinearOperator parameters = new ParameterOperator(linearization);
    other = sample.keep(ReducedViews.ofOperator(parameters, ALL, done -> {}));
    gram = sample.keep(KroneckerCore.gram(linearization));
    for (int seed = 0; seed < SEEDS; seed++) {
      runs.add(SampledViews.of(factor, ALL, SAMPLES, RngState.of(seed), done -> {}));
    }
  }

  @AfterAll
  static void nothingLeaks() {
    runs.forEach(SampledViews::close);
    sample.close();
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  private static Honesty honesty(
      String what, double truth, Function<SampledViews, Estimate> estimator) {
    return Honesty.of(what, truth, SEEDS, seed -> estimator.apply(runs.get((int) seed)));
  }

  private static double trace(Tensor matrix) {
    int d = (int) matrix.shape().size(0);
    double[] values = matrix.toDoubles();
    double sum = 0;
    for (int i = 0; i < d; i++) {
      sum += values[i * (d + 1)];
    }
    return sum;
  }

  private static double cosine(Tensor a, Tensor b) {
    return TensorMath.dot(CONTEXT, a, b)
        / TensorMath.norm(CONTEXT, a)
        / TensorMath.norm(CONTEXT, b);
  }

  @Test
  void everyEstimateIsHonestAndUnbiasedOrNearlySo() {
    for (View view : ALL) {
      Tensor matrix = exact.matrix(view);
      double trace = trace(matrix);
      double square = TensorMath.dot(CONTEXT, matrix, matrix);
      honesty(view + " trace", trace, run -> run.trace(view)).assertHonest().assertUnbiased();
      honesty(view + " squared norm", square, run -> run.squaredNorm(view))
          .assertHonest()
          .assertUnbiased();
      honesty(view + " inner", square, run -> run.inner(view, matrix))
          .assertHonest()
          .assertUnbiased();
      honesty(
              view + " participation ratio",
              trace * trace / square,
              run -> run.participationRatio(view))
          .assertHonest();
      Tensor fixed = other.matrix(view);
      double cosine = cosine(matrix, fixed);
      if (cosine < 0.9) { // near 1 its errors are one-sided, which a jackknife does not see
        honesty(view + " cosine", cosine, run -> run.cosine(view, fixed)).assertHonest();
      }
    }
  }

  /** With four samples the square of the mean is far above the norm's; pairs of them are not. */
  @Test
  void theSquaredNormIsUnbiasedWithFewSamples() {
    List<View> large = List.of(View.BATCH_UNIT, View.TIME_UNIT);
    for (View view : large) {
      Tensor matrix = exact.matrix(view);
      double square = TensorMath.dot(CONTEXT, matrix, matrix);
      Honesty.of(
              view + " from four samples",
              square,
              3 * SEEDS,
              seed -> {
                try (SampledViews run =
                    SampledViews.of(factor, List.of(view), 4, RngState.of(seed), done -> {})) {
                  return run.squaredNorm(view);
                }
              })
          .assertUnbiased();
    }
  }

  /** The mean of all runs is 48 000 samples; its error is seventeen times that of one run. */
  @Test
  void theMatricesAreUnbiased() {
    Map<View, Double> errors = new EnumMap<>(View.class);
    for (View view : ALL) {
      Tensor matrix = exact.matrix(view);
      try (Tensor mean = Tensor.zeros(DType.F64, matrix.shape())) {
        double claimed = 0;
        for (SampledViews run : runs) {
          TensorMath.axpby(CONTEXT, 1.0 / SEEDS, run.matrix(view), 1, mean);
          claimed += run.relativeError(view) / SEEDS;
        }
        TensorMath.axpby(CONTEXT, -1, matrix, 1, mean);
        double error = TensorMath.norm(CONTEXT, mean) / TensorMath.norm(CONTEXT, matrix);
        errors.put(view, error * Math.sqrt(SEEDS) / claimed);
      }
    }
    // the norm of the whole error over its root mean square, a sum of many independent parts
    errors.forEach((view, ratio) -> assertTrue(ratio > 0.3 && ratio < 2.5, errors::toString));
  }

  @Test
  void theHalvesAverageToTheWholeAndSamplesAreRoundedUpToTheGroups() {
    try (SampledViews views = SampledViews.of(factor, ALL, 33, RngState.of(1), done -> {});
        SampledViews again = SampledViews.of(factor, ALL, 33, RngState.of(1), done -> {});
        Tensor even = views.half(View.TEMP, 0);
        Tensor odd = views.half(View.TEMP, 1)) {
      assertEquals(48, views.samples()); // 16 groups of 3
      TensorMath.axpby(CONTEXT, 0.5, even, 0.5, odd);
      double[] whole = views.matrix(View.TEMP).toDoubles();
      assertArrayEquals(whole, odd.toDoubles(), 1e-12 * Arrays.stream(whole).max().orElse(1));
      assertArrayEquals(whole, again.matrix(View.TEMP).toDoubles());
    }
  }

  @Test
  void progressCountsTheSamples() {
    List<Long> done = new ArrayList<>();
    try (SampledViews views =
        SampledViews.of(factor, List.of(View.SPACE), 4, RngState.of(2), done::add)) {
      assertEquals(List.of(4L), done);
      assertEquals(4, views.samples());
      assertTrue(views.trace(View.SPACE).standardError() > 0);
    }
  }
}
