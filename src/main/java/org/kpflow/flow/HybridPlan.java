package org.kpflow.flow;

import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.SampledViews;
import org.kpflow.spectral.View;
import org.kpflow.tensor.RngState;

/**
 * How many leading columns of the NTK's factor to take exactly and how many samples of the rest, so
 * that views reach a tolerance at the least work. The error of m samples of a rest is e/√m; e is
 * measured with a few samples of each of several rests.
 *
 * @param columns C
 * @param samples m
 * @param work multiplications and additions
 */
record HybridPlan(long columns, int samples, double work) {
  /** Samples that measure one rest: as many groups for the jackknife. */
  static final int PILOT = SampledViews.MOST_GROUPS;

  private static final double SAFETY = 1.25; // the measured error is itself uncertain
  private static final int[] PARTS = {64, 32, 16, 8, 4, 2, 1}; // of the modes
  private static final double LEAST_CUT = 1e-9;
  private static final double MOST_CUT = 1e-5;

  /** How deep the modes of K have to go: columns below it would be sampled anyway. */
  static double cut(double tolerance) {
    return Math.min(MOST_CUT, Math.max(LEAST_CUT, 1e-3 * tolerance));
  }

  /**
   * The cheapest plan; with a given number of samples, the fewest columns that they suffice for, or
   * else all.
   */
  static HybridPlan of(
      ParameterModes modes,
      StateRestriction selected,
      LinearizationViews.Options options,
      double tolerance) {
    Work work = new Work(selected, options.views());
    Map<View, Double> norms = new EnumMap<>(View.class);
    HybridPlan best = null;
    double least = Double.POSITIVE_INFINITY;
    for (int rung = 0; rung <= PARTS.length; rung++) {
      long columns = rung == 0 ? 0 : modes.count() / PARTS[rung - 1];
      if (best != null && work.columns(columns) >= least) {
        break; // more columns only cost more
      }
      double needed = measured(modes, selected, columns, options, rung, norms, tolerance);
      int samples = options.samples() > 0 ? options.samples() : rounded(needed);
      double cost = work.columns(columns) + work.samples(samples, columns);
      if (options.samples() > 0 && needed <= samples) {
        return new HybridPlan(columns, samples, cost);
      }
      if (options.samples() == 0 && cost < least) {
        best = new HybridPlan(columns, samples, cost);
        least = cost;
      }
    }
    if (best != null) {
      return best;
    }
    long all = modes.count();
    int samples = options.samples();
    return new HybridPlan(all, samples, work.columns(all) + work.samples(samples, all));
  }

  /** The work of a product of the NTK with every vector of the basis of a part of the state. */
  static double basisWork(StateRestriction selected) {
    return selected.range().count() * new Work(selected, List.of()).kernel();
  }

  private static double measured(
      ParameterModes modes,
      StateRestriction selected,
      long columns,
      LinearizationViews.Options options,
      int number,
      Map<View, Double> norms,
      double tolerance) {
    try (ResidualJacobian residual = new ResidualJacobian(modes, selected, columns);
        SampledViews pilot = pilot(residual, options, number)) {
      if (norms.isEmpty()) {
        options.views().forEach(v -> norms.put(v, Math.sqrt(pilot.squaredNorm(v).value())));
      }
      return needed(pilot, norms, tolerance);
    }
  }

  /** Samples of a factor itself that reach the tolerance. */
  static int samples(LinearOperator factor, LinearizationViews.Options options, double tolerance) {
    return samples(pilot(factor, options, 0), options, tolerance);
  }

  /** The same for a factor that does not mix trials. */
  static int trialwiseSamples(
      LinearOperator factor, LinearizationViews.Options options, double tolerance) {
    RngState rng = options.rng().split(3);
    return samples(
        SampledViews.ofTrialwiseFactor(factor, options.views(), PILOT, rng, done -> {}),
        options,
        tolerance);
  }

  private static int samples(
      SampledViews measured, LinearizationViews.Options options, double tolerance) {
    Map<View, Double> norms = new EnumMap<>(View.class);
    try (SampledViews pilot = measured) {
      options.views().forEach(v -> norms.put(v, Math.sqrt(pilot.squaredNorm(v).value())));
      return rounded(needed(pilot, norms, tolerance));
    }
  }

  private static SampledViews pilot(
      LinearOperator factor, LinearizationViews.Options options, int rung) {
    return SampledViews.of(
        factor, options.views(), PILOT, options.rng().split(3).split(rung), done -> {});
  }

  /** m with e/√m within the tolerance for every view. */
  private static double needed(SampledViews pilot, Map<View, Double> norms, double tolerance) {
    double most = 0;
    for (Map.Entry<View, Double> view : norms.entrySet()) {
      double error = pilot.error(view.getKey());
      double ratio = error == 0 ? 0 : error / (tolerance * view.getValue()); // norm may be NaN
      most = Math.max(most, Double.isNaN(ratio) ? Double.POSITIVE_INFINITY : ratio);
    }
    return SAFETY * PILOT * most * most;
  }

  private static int rounded(double samples) {
    double most = Math.min(samples, SampledViews.MOST_SAMPLES - PILOT);
    return Math.max(PILOT, (int) (Math.ceil(most / PILOT) * PILOT));
  }

  /** Multiplications and additions of the parts of the work. */
  private record Work(StateRestriction selected, List<View> views) {
    private Linearization linearization() {
      return selected.linearization();
    }

    /** One vector through P: every weight at every row. */
    private double propagation() {
      Linearization linearization = linearization();
      return 2.0
          * linearization.rows()
          * linearization.families().stream().mapToDouble(WeightFamily::size).sum();
    }

    /** The views of one vector: the lower triangles of their Gram matrices. */
    private double grams() {
      Shape state = selected.range();
      double work = 0;
      for (View view : views) {
        boolean derived = view == View.BATCH || view == View.TIME;
        work +=
            derived && views.contains(View.TEMP) ? 0 : (double) view.size(state) * state.count();
      }
      return work;
    }

    /** J J*. */
    double kernel() {
      return 2 * (push() + propagation());
    }

    /** D_θf of one vector of weights. */
    private double push() {
      return 2.0 * linearization().rows() * linearization().parameterCount();
    }

    double columns(long columns) {
      return columns * (propagation() + grams());
    }

    double samples(long samples, long columns) {
      Linearization linearization = linearization();
      double projection = 4.0 * columns * linearization.rows() * linearization.components();
      return samples * (push() + projection + propagation() + grams());
    }
  }
}
