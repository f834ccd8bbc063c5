package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.Honesty;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Progress;
import org.kpflow.linearize.Linearization;
import org.kpflow.spectral.ReducedViews;
import org.kpflow.spectral.SampledViews;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** The ways to the views of the NTK against each other. */
class LinearizationViewsTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final List<View> ALL = List.of(View.values());
  private static final Sizes SIZES = new Sizes(3, 6, 2, 8);
  private static final int SEEDS = 400;

  private static LinearizationViews views(
      Sample sample,
      Linearization linearization,
      LinearizationViews.Method method,
      double tolerance) {
    LinearizationViews.Options options =
        new LinearizationViews.Options(ALL, method, tolerance, 0, RngState.of(7));
    return sample.keep(LinearizationViews.ofTangentKernel(linearization, options, Progress.NONE));
  }

  private static double difference(Tensor a, Tensor b) {
    try (Tensor difference = a.copy()) {
      TensorMath.axpby(CONTEXT, -1, b, 1, difference);
      return TensorMath.norm(CONTEXT, difference) / TensorMath.norm(CONTEXT, b);
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theFactorAgreesWithTheBasisAndStaysWithinItsBound(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 1)) {
      Linearization linearization = sample.linearize();
      LinearizationViews basis = views(sample, linearization, LinearizationViews.Method.BASIS, 0);
      LinearizationViews tight =
          views(sample, linearization, LinearizationViews.Method.FACTOR, 1e-10);
      LinearizationViews coarse =
          views(sample, linearization, LinearizationViews.Method.FACTOR, 0.1);
      assertEquals(LinearizationViews.Method.FACTOR, coarse.method());
      assertTrue(coarse.columns() <= tight.columns(), kind + ": more columns");
      for (View view : ALL) {
        Tensor truth = basis.matrix(view);
        assertTrue(difference(tight.matrix(view), truth) < 1e-9, () -> kind + ", " + view);
        double norm = ReducedViews.normBelow(CONTEXT, truth);
        assertTrue(coarse.truncation(view) <= 0.1 * norm, () -> kind + ", " + view + ": bound");
        try (Tensor rest = truth.copy()) {
          TensorMath.axpby(CONTEXT, -1, coarse.matrix(view), 1, rest);
          double left = ReducedViews.normBelow(CONTEXT, rest);
          assertTrue(left <= coarse.truncation(view), () -> kind + ", " + view + ": " + left);
        }
        assertEquals(0, basis.truncation(view));
        assertEquals(0, tight.relativeError(view));
      }
    }
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void hybridAndSampledReachTheToleranceTheyWereAskedFor(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, SIZES, 2)) {
      Linearization linearization = sample.linearize();
      LinearizationViews basis = views(sample, linearization, LinearizationViews.Method.BASIS, 0);
      LinearizationViews hybrid =
          views(sample, linearization, LinearizationViews.Method.HYBRID, 0.01);
      LinearizationViews sampled =
          views(sample, linearization, LinearizationViews.Method.SAMPLED, 0.05);
      assertTrue(hybrid.columns() > 0 && sampled.columns() == 0);
      for (View view : ALL) {
        assertTrue(hybrid.relativeError(view) < 0.015, () -> kind + ", " + view);
        assertTrue(sampled.relativeError(view) < 0.075, () -> kind + ", " + view);
        double error = difference(hybrid.matrix(view), basis.matrix(view));
        assertTrue(error < 0.04, kind + ", " + view + ": " + error);
        error = difference(sampled.matrix(view), basis.matrix(view));
        assertTrue(error < 0.2, kind + ", " + view + ": " + error);
      }
    }
  }

  @Test
  void propagationIsSampledToTheToleranceOrTakenFromItsBasis() {
    try (Sample sample = new Sample(Kind.LSTM, DType.F64, SIZES, 6)) {
      Linearization linearization = sample.linearize();
      LinearizationViews.Options sampling =
          new LinearizationViews.Options(
              ALL, LinearizationViews.Method.SAMPLED, 0.05, 0, RngState.of(1));
      LinearizationViews.Options whole =
          new LinearizationViews.Options(ALL, LinearizationViews.Method.AUTO, 0, 0, RngState.of(1));
      LinearizationViews basis =
          sample.keep(LinearizationViews.ofPropagation(linearization, whole, Progress.NONE));
      LinearizationViews sampled =
          sample.keep(LinearizationViews.ofPropagation(linearization, sampling, Progress.NONE));
      assertEquals(LinearizationViews.Method.BASIS, basis.method());
      assertEquals(LinearizationViews.Method.SAMPLED, sampled.method());
      for (View view : ALL) {
        assertTrue(sampled.relativeError(view) < 0.075, view::toString);
        assertTrue(difference(sampled.matrix(view), basis.matrix(view)) < 0.2, view::toString);
      }
    }
  }

  @Test
  void autoIsExactForSmallStatesAndSaysWhichWayItTook() {
    try (Sample sample = new Sample(Kind.GRU, DType.F64, SIZES, 3)) {
      Linearization linearization = sample.linearize();
      LinearizationViews auto = views(sample, linearization, LinearizationViews.Method.AUTO, 0);
      LinearizationViews basis = views(sample, linearization, LinearizationViews.Method.BASIS, 0);
      assertEquals(LinearizationViews.Method.FACTOR, auto.method());
      assertEquals("basis", basis.method().toString());
      assertTrue(difference(auto.matrix(View.TEMP), basis.matrix(View.TEMP)) < 1e-11);
    }
  }

  /** Numbers of hybrid views, and their errors, over many seeds. */
  @Test
  void hybridEstimatesAreHonestAndUnbiased() {
    try (Sample sample = new Sample(Kind.GRU, DType.F64, new Sizes(3, 4, 2, 5), 4)) {
      Linearization linearization = sample.linearize();
      LinearizationViews basis = views(sample, linearization, LinearizationViews.Method.BASIS, 0);
      ParameterModes modes = sample.keep(ParameterModes.of(linearization, 1e-10));
      KernelFactor factor = sample.keep(KernelFactor.ofTangentKernel(modes, 1));
      long leading = modes.count() / 5;
      ReducedViews exact =
          sample.keep(ReducedViews.ofLeadingColumns(factor, ALL, leading, done -> {}));
      ResidualJacobian residual = sample.keep(new ResidualJacobian(modes, leading));
      SampledViews[] runs = new SampledViews[SEEDS];
      for (int seed = 0; seed < SEEDS; seed++) {
        runs[seed] =
            sample.keep(SampledViews.of(residual, ALL, 160, RngState.of(seed), done -> {}));
        runs[seed].add(exact);
      }
      for (View view : ALL) {
        Tensor truth = basis.matrix(view);
        double square = TensorMath.dot(CONTEXT, truth, truth);
        honesty(view + " squared norm", square, runs, run -> run.squaredNorm(view))
            .assertUnbiased();
        honesty(view + " inner", square, runs, run -> run.inner(view, truth)).assertUnbiased();
        double trace = 0;
        for (long i = 0; i < truth.shape().size(0); i++) {
          trace += truth.get(i, i);
        }
        honesty(view + " trace", trace, runs, run -> run.trace(view)).assertUnbiased();
        double ratio = trace * trace / square;
        honesty(view + " participation ratio", ratio, runs, run -> run.participationRatio(view));
        double claimed = 0;
        double found = 0;
        for (SampledViews run : runs) {
          claimed += Math.pow(run.relativeError(view), 2) / SEEDS;
          found += Math.pow(difference(run.matrix(view), truth), 2) / SEEDS;
        }
        assertEquals(1, Math.sqrt(claimed / found), 0.1, view + ": claimed error over true one");
      }
    }
  }

  private static Honesty honesty(
      String what,
      double truth,
      SampledViews[] runs,
      java.util.function.Function<SampledViews, Estimate> estimator) {
    Honesty honesty = Honesty.of(what, truth, SEEDS, seed -> estimator.apply(runs[(int) seed]));
    honesty.assertHonest();
    return honesty;
  }

  @Test
  void theSameSeedGivesTheSameBitsForAnyNumberOfThreads() {
    double[] first = null;
    for (int threads = 1; threads <= 3; threads++) {
      try (ExecutionContext context = ExecutionContext.withThreads(threads);
          Sample sample = new Sample(Kind.GRU, DType.F32, SIZES, 5);
          Linearization linearization = sample.linearize(context);
          LinearizationViews found =
              LinearizationViews.ofTangentKernel(
                  linearization,
                  new LinearizationViews.Options(
                      ALL, LinearizationViews.Method.HYBRID, 0.02, 0, RngState.of(1)),
                  Progress.NONE)) {
        double[] matrix = found.matrix(View.TEMP).toDoubles();
        first = first == null ? matrix : first;
        assertArrayEquals(first, matrix);
      }
    }
  }

  @Test
  void wrongOptionsAreRefused() {
    RngState rng = RngState.of(0);
    LinearizationViews.Method auto = LinearizationViews.Method.AUTO;
    refused(
        () -> new LinearizationViews.Options(List.of(), auto, 0, 0, rng), "views", "at least one");
    refused(() -> new LinearizationViews.Options(ALL, auto, -1, 0, rng), "tolerance", "-1");
    refused(() -> new LinearizationViews.Options(ALL, auto, 1e-16, 0, rng), "tolerance", "1.0E-16");
    refused(
        () -> new LinearizationViews.Options(ALL, auto, Double.NaN, 0, rng), "tolerance", "NaN");
    refused(() -> new LinearizationViews.Options(ALL, auto, 1, 0, rng), "tolerance", "1.0");
    refused(() -> new LinearizationViews.Options(ALL, auto, 0, 3, rng), "samples", "3");
    refused(() -> new LinearizationViews.Options(ALL, null, 0, 0, rng), "method", "null");
  }
}
