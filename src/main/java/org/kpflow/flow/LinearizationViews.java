package org.kpflow.flow;

import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.kpflow.base.Checks;
import org.kpflow.base.Progress;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.ReducedViews;
import org.kpflow.spectral.SampledViews;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The reduced views of the NTK and of P P*, on the whole state or a part of it, by the method that
 * is demanded or that costs least for the accuracy wanted (docs/theory.md, section 4). Closing
 * frees them.
 */
public final class LinearizationViews implements AutoCloseable {
  /** How views are found. */
  public enum Method {
    /** Exact for small states; else basis, hybrid or sampled, whichever costs least. */
    AUTO,
    /** From the products with all basis vectors of the state: exact to rounding. */
    BASIS,
    /** From the columns of a factor of the NTK: exact but for a bounded truncation. */
    FACTOR,
    /** Leading columns of the factor, and samples of what they leave out. */
    HYBRID,
    /** From random weight perturbations. */
    SAMPLED;

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * What is asked for.
   *
   * @param views at least one
   * @param tolerance the relative accuracy wanted: of the Frobenius norm (one standard error) for
   *     hybrid and sampled, of the operator norm (a bound) for factor; 0 for 1e-2 and 1e-6. Basis
   *     does not read it
   * @param samples number of samples, at least 4; 0 for what the tolerance needs
   */
  public record Options(
      List<View> views, Method method, double tolerance, int samples, RngState rng) {
    public Options {
      views = Checks.notNull(views, "views").stream().distinct().toList();
      Checks.that(!views.isEmpty(), "views: expected at least one");
      Checks.notNull(method, "method");
      Checks.notNull(rng, "rng");
      Checks.that(
          tolerance == 0 || (tolerance >= LEAST_TOLERANCE && tolerance < 1),
          "tolerance: expected %s to 1, or 0 for the default, got %s",
          LEAST_TOLERANCE,
          tolerance);
      Checks.that(
          samples == 0 || (samples >= 4 && samples <= SampledViews.MOST_SAMPLES),
          "samples: expected 4 to %d, or 0 for as many as needed, got %d",
          SampledViews.MOST_SAMPLES,
          samples);
    }

    private Options withSamples(int count) {
      return new Options(views, method, tolerance, count, rng);
    }
  }

  /** The smallest tolerance that can be asked for. */
  public static final double LEAST_TOLERANCE = 1e-10;

  private static final double ROUNDING = 8; // tolerances are at least so many epsilon
  private static final long EXACT_SIZE = 4096; // states up to this size are done exactly
  private static final long FEW = 512; // so few numbers take no more products than a plan
  private static final double EXACT_CUT = 1e-14;
  private static final double FACTOR_TOLERANCE = 1e-6;
  private static final double SAMPLED_TOLERANCE = 1e-2;
  private static final double PROPAGATION_TOLERANCE = 5e-2; // P P* is a backdrop of many modes
  private static final int PILOT = HybridPlan.PILOT;
  private static final int MOST_ROUNDS = 4;
  private static final int MOST_UNASKED = 4096; // samples without a demanded tolerance
  private static final double MOST_MORE = 1 << 20;

  private final Method method;
  private final ReducedViews exact; // one of the two is null
  private final SampledViews sampled;
  private final long columns;

  private LinearizationViews(
      Method method, ReducedViews exact, SampledViews sampled, long columns) {
    this.method = method;
    this.exact = exact;
    this.sampled = sampled;
    this.columns = columns;
  }

  /**
   * The views of the NTK = P K P* of a linearization.
   *
   * @throws IllegalArgumentException if every weight is frozen
   * @throws org.kpflow.base.MemoryException if a view or what finds it does not fit
   */
  public static LinearizationViews ofTangentKernel(
      Linearization linearization, Options options, Progress progress) {
    return ofTangentKernel(StateRestriction.whole(linearization), options, progress);
  }

  /** The same of R NTK R*, on a part [B, T', n'] of the state. */
  public static LinearizationViews ofTangentKernel(
      StateRestriction selected, Options options, Progress progress) {
    Checks.notNull(progress, "progress");
    requireTolerance(options, Checks.notNull(selected, "selection").linearization());
    return switch (Checks.notNull(options, "options").method()) {
      case BASIS -> basis(selected, options, progress);
      case FACTOR -> factor(selected, options, progress);
      case HYBRID -> hybrid(selected, options, progress);
      case SAMPLED -> sampled(selected, options, progress);
      case AUTO -> cheapest(selected, options, progress);
    };
  }

  /**
   * The views of P P*: from the basis of one trial for basis and factor and for small states, else
   * from samples P z, z ~ N(0, I), by default to 5e-2.
   *
   * @throws org.kpflow.base.MemoryException if a view does not fit
   */
  public static LinearizationViews ofPropagation(
      Linearization linearization, Options options, Progress progress) {
    return ofPropagation(StateRestriction.whole(linearization), options, progress);
  }

  /**
   * The same of (R P R*)(R P R*)*, which is P P* of the model whose other variables are eliminated
   * (docs/theory.md, section 1).
   */
  public static LinearizationViews ofPropagation(
      StateRestriction selected, Options options, Progress progress) {
    LinearOperator propagation = Checks.notNull(selected, "selection").propagation();
    boolean exact =
        switch (options.method()) {
          case BASIS, FACTOR -> true;
          case HYBRID, SAMPLED -> false;
          case AUTO -> selected.range().count() <= EXACT_SIZE;
        };
    if (exact) {
      progress.stage(
          "views of P P* from its basis", selected.range().count() / selected.range().size(0));
      ReducedViews views =
          selected.linearization().stepsThroughTime()
              ? ReducedViews.ofCausalFactor(propagation, options.views(), progress::done)
              : ReducedViews.ofTrialwiseFactor(propagation, options.views(), progress::done);
      return new LinearizationViews(Method.BASIS, views, null, 0);
    }
    double tolerance = options.tolerance() == 0 ? PROPAGATION_TOLERANCE : options.tolerance();
    int samples = options.samples();
    if (samples == 0) {
      progress.stage("planning", 0);
      samples = HybridPlan.trialwiseSamples(propagation, options, tolerance);
    }
    progress.stage("samples of P P*", samples);
    SampledViews views =
        SampledViews.ofTrialwiseFactor(
            propagation, options.views(), samples, options.rng().split(2), progress::done);
    refined(views, "P P*", options, tolerance, null, progress);
    return new LinearizationViews(Method.SAMPLED, null, views, 0);
  }

  /**
   * Refuses a tolerance that the rounding of the type does not allow, so that a caller can do so
   * before other work.
   *
   * @throws IllegalArgumentException for less than 8 epsilon, unless the method is basis
   */
  public static void requireTolerance(Options options, Linearization linearization) {
    double least = ROUNDING * linearization.dtype().epsilon();
    Checks.that(
        Checks.notNull(options, "options").tolerance() == 0
            || options.method() == Method.BASIS
            || options.tolerance() >= least,
        "tolerance: expected at least %s in %s, got %s",
        least,
        linearization.dtype(),
        options.tolerance());
  }

  private static LinearizationViews cheapest(
      StateRestriction selected, Options options, Progress progress) {
    Linearization linearization = selected.linearization();
    if (linearization.stateShape().count() > EXACT_SIZE) {
      if (selected.range().count() <= FEW) {
        return basis(selected, options, progress);
      }
      try {
        return linearization.rows() <= ParameterModes.MOST_ROWS
            ? hybrid(selected, options, progress)
            : sampled(selected, options, progress);
      } catch (ParameterModes.TooLarge modes) {
        return sampled(selected, options, progress);
      }
    }
    progress.stage("modes of K", 0);
    try (ParameterModes modes = ParameterModes.forTangentKernel(selected, EXACT_CUT);
        KernelFactor factor = KernelFactor.ofTangentKernel(modes)) {
      return columns(factor, options, 0, progress);
    }
  }

  private static LinearizationViews basis(
      StateRestriction selected, Options options, Progress progress) {
    progress.stage("views of the NTK from its basis", selected.range().count());
    ReducedViews views =
        ReducedViews.ofOperator(selected.tangentKernel(), options.views(), progress::done);
    return new LinearizationViews(Method.BASIS, views, null, 0);
  }

  /**
   * The factor of the NTK with modes of K that go deep enough for the tolerance, judged by views
   * from a few samples.
   */
  private static LinearizationViews factor(
      StateRestriction selected, Options options, Progress progress) {
    double tolerance = options.tolerance() == 0 ? FACTOR_TOLERANCE : options.tolerance();
    progress.stage("modes of K", 0);
    Map<View, Double> norms = new EnumMap<>(View.class);
    LinearOperator jacobian = selected.jacobian();
    List<View> small = List.of(View.SPACE, View.BATCH, View.TIME);
    try (SampledViews pilot =
        SampledViews.of(jacobian, small, PILOT, options.rng().split(1), done -> {})) {
      for (View view : options.views()) {
        norms.put(view, normBelow(pilot, view));
      }
    }
    LayerGains gains = LayerGains.of(selected);
    double cut = Math.min(1e-4, tolerance * 1e-1);
    while (true) {
      try (ParameterModes modes = ParameterModes.forTangentKernel(selected, gains, cut);
          KernelFactor factor = KernelFactor.ofTangentKernel(modes)) {
        double excess = excess(factor, norms, tolerance);
        if (cut <= EXACT_CUT || excess <= 1) {
          return columns(factor, options, tolerance, progress);
        }
        cut = Math.max(EXACT_CUT, cut * Math.min(0.5, 0.5 / excess)); // bounds go down with it
      }
    }
  }

  /**
   * Half of an estimate that is below λ_1 of a view: Σλ² / Σλ or Σλ over the rows, of the view or
   * of one that averages it further, which has a smaller norm. The sampled matrix itself is too
   * noisy.
   */
  private static double normBelow(SampledViews pilot, View view) {
    double most = 0;
    for (View coarser : List.of(View.SPACE, View.BATCH, View.TIME)) {
      if ((coarser.keep() & ~view.keep()) == 0) {
        double trace = pilot.trace(coarser).value();
        double square = pilot.squaredNorm(coarser).value();
        double mean = trace / pilot.matrix(coarser).shape().size(0);
        most = trace > 0 ? Math.max(most, Math.max(square / trace, mean) / 2) : most;
      }
    }
    return most;
  }

  /** The largest bound on what all columns leave out of a view, over what is allowed. */
  private static double excess(KernelFactor factor, Map<View, Double> norms, double tolerance) {
    return norms.entrySet().stream()
        .mapToDouble(
            norm -> {
              double bound = factor.bound(norm.getKey(), factor.count());
              return bound == 0 ? 0 : bound / (tolerance * norm.getValue());
            })
        .max()
        .orElse(0);
  }

  private static LinearizationViews columns(
      KernelFactor factor, Options options, double tolerance, Progress progress) {
    progress.stage("views of the NTK from its factor", factor.count());
    ReducedViews views = ReducedViews.ofColumns(factor, options.views(), tolerance, progress::done);
    return new LinearizationViews(Method.FACTOR, views, null, views.products());
  }

  private static LinearizationViews hybrid(
      StateRestriction selected, Options options, Progress progress) {
    double tolerance = options.tolerance() == 0 ? SAMPLED_TOLERANCE : options.tolerance();
    progress.stage("modes of K", 0);
    try (ParameterModes modes =
            ParameterModes.forTangentKernel(selected, HybridPlan.cut(tolerance));
        KernelFactor factor = KernelFactor.ofTangentKernel(modes)) {
      progress.stage("planning", 0);
      HybridPlan plan = HybridPlan.of(modes, selected, options, tolerance);
      if (options.method() == Method.AUTO && plan.work() > HybridPlan.basisWork(selected)) {
        return basis(selected, options, progress);
      }
      if (plan.columns() == 0 && options.method() == Method.AUTO) {
        LinearOperator jacobian = selected.jacobian();
        return new LinearizationViews(
            Method.SAMPLED,
            null,
            samples("the NTK", jacobian, options, plan.samples(), tolerance, null, progress),
            0);
      }
      progress.stage("leading columns of the NTK's factor", plan.columns());
      try (ReducedViews leading =
              ReducedViews.ofLeadingColumns(
                  factor, options.views(), plan.columns(), progress::done);
          ResidualJacobian residual = new ResidualJacobian(modes, selected, plan.columns())) {
        SampledViews views =
            samples("the rest", residual, options, plan.samples(), tolerance, leading, progress);
        try {
          views.add(leading);
        } catch (RuntimeException failure) {
          views.close();
          throw failure;
        }
        return new LinearizationViews(Method.HYBRID, null, views, plan.columns());
      }
    }
  }

  private static LinearizationViews sampled(
      StateRestriction selected, Options options, Progress progress) {
    LinearOperator jacobian = selected.jacobian();
    double tolerance = options.tolerance() == 0 ? SAMPLED_TOLERANCE : options.tolerance();
    Options chosen = options;
    int count = options.samples();
    if (count == 0) {
      progress.stage("planning", 0);
      count = HybridPlan.samples(jacobian, options, tolerance);
      if (options.tolerance() == 0 && count > MOST_UNASKED) { // a view of many even directions
        count = MOST_UNASKED;
        chosen = options.withSamples(count);
      }
    }
    SampledViews views = samples("the NTK", jacobian, chosen, count, tolerance, null, progress);
    return new LinearizationViews(Method.SAMPLED, null, views, 0);
  }

  private static SampledViews samples(
      String what,
      LinearOperator factor,
      Options options,
      int count,
      double tolerance,
      ReducedViews exact,
      Progress progress) {
    progress.stage("samples of " + what, count);
    SampledViews views =
        SampledViews.of(factor, options.views(), count, options.rng().split(2), progress::done);
    return refined(views, what, options, tolerance, exact, progress);
  }

  /**
   * Unless the number of samples was given, takes more of them while a view misses the tolerance.
   *
   * @param exact what the samples are a rest of, or null
   */
  private static SampledViews refined(
      SampledViews views,
      String what,
      Options options,
      double tolerance,
      ReducedViews exact,
      Progress progress) {
    double before = Double.POSITIVE_INFINITY;
    try {
      for (int round = 0; options.samples() == 0 && round < MOST_ROUNDS; round++) {
        double excess = excess(views, options, exact) / tolerance;
        if (!(excess > 1)) {
          break;
        }
        long room = SampledViews.MOST_SAMPLES - SampledViews.MOST_GROUPS - views.samples();
        double wanted = Math.min(views.samples() * (excess * excess - 1), MOST_MORE);
        int more = (int) Math.min(room, Math.max(PILOT, wanted));
        if (more <= 0 || excess >= before) { // nothing left to take, or rounding that none removes
          break;
        }
        before = excess;
        progress.stage("more samples of " + what, views.samples() + more);
        views.extend(more, progress::done);
      }
      return views;
    } catch (RuntimeException failure) {
      views.close();
      throw failure;
    }
  }

  /** The largest error of a view over its norm: ||E + R||² = ||E||² + 2 <E, R> + ||R||². */
  private static double excess(SampledViews views, Options options, ReducedViews exact) {
    ExecutionContext context = views.context();
    double most = 0;
    for (View view : options.views()) {
      double square = Math.max(views.squaredNorm(view).value(), 0);
      if (exact != null) {
        Tensor leading = exact.matrix(view);
        square +=
            Math.pow(TensorMath.norm(context, leading), 2) + 2 * views.inner(view, leading).value();
      }
      double error = views.error(view);
      most = error == 0 ? most : Math.max(most, error / Math.sqrt(square));
    }
    return most;
  }

  /** The method that was taken; never AUTO. */
  public Method method() {
    return method;
  }

  /** Columns of the factor that were streamed. */
  public long columns() {
    return columns;
  }

  /** Samples taken, 0 for exact views. */
  public long samples() {
    return sampled == null ? 0 : sampled.samples();
  }

  /** Vectors that went through P or the whole NTK. */
  public long products() {
    return sampled == null ? exact.products() : columns + sampled.samples();
  }

  /** The views of basis or factor; null for the others. Freed with this object. */
  public ReducedViews exact() {
    return exact;
  }

  /** The views of hybrid or sampled with their errors; null for the others. Freed with this. */
  public SampledViews sampled() {
    return sampled;
  }

  /** The matrix of a view, [d, d] in f64; freed with this object. */
  public Tensor matrix(View view) {
    return exact == null ? sampled.matrix(view) : exact.matrix(view);
  }

  /** Standard error of the matrix of a view over its Frobenius norm; 0 for exact views. */
  public double relativeError(View view) {
    return sampled == null ? 0 : sampled.relativeError(view);
  }

  /** A bound on the norm of what the matrix of a view leaves out; 0 for all but factor. */
  public double truncation(View view) {
    return exact == null ? 0 : exact.truncation(view);
  }

  @Override
  public void close() {
    if (exact != null) {
      exact.close();
    } else {
      sampled.close();
    }
  }
}
