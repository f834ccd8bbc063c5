package org.kpflow.spectral;

import java.util.Collection;
import java.util.EnumMap;
import java.util.Map;
import java.util.function.IntToDoubleFunction;
import java.util.function.LongConsumer;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.MemoryException;
import org.kpflow.base.Shape;
import org.kpflow.nativelib.Engine;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Partial traces of A = F F* from samples x = F g, g ~ N(0, I), whose covariance is A: every view
 * is the mean of the samples' own views, all from the same m products with F. The views are
 * unbiased; what is read off a noisy matrix is not, so norms and ranks come from pairs of different
 * groups of samples, whose noise is independent. Errors are jackknife errors over the groups.
 */
public final class SampledViews implements AutoCloseable {
  /** Groups of samples at most; the jackknife has one degree of freedom less. */
  public static final int MOST_GROUPS = 16;

  /** Samples at most. */
  public static final int MOST_SAMPLES = 1 << 24;

  private static final int LEAST_GROUPS = 4;
  private static final long GROUP_BYTES = 1L << 30;
  private static final long BLOCK_BYTES = 512L << 20;
  private static final int MOST_BLOCK = 64;

  private final LinearOperator factor;
  private final Shape state;
  private final boolean
      trialwise; // A does not mix trials: blocks between trials are zero, not noise
  private final int groups;
  private int perGroup; // samples in each
  private RngState next;
  private final Map<View, Tensor[]> sums =
      new EnumMap<>(View.class); // per group: Σ of the samples' views
  private final Map<View, Tensor> totals = new EnumMap<>(View.class);
  private final long seed;
  private long products;
  private boolean complete; // with an exact part

  private SampledViews(
      LinearOperator factor, Collection<View> views, int samples, boolean trialwise, long seed) {
    this.seed = seed;
    this.factor = factor;
    this.trialwise = trialwise;
    this.state = ReducedViews.stateShape(factor.range());
    long bytes = 8;
    for (View view : views) {
      bytes += view.size(state) * view.size(state) * Double.BYTES;
    }
    int fitting = (int) Math.max(LEAST_GROUPS, Math.min(MOST_GROUPS, GROUP_BYTES / bytes));
    this.groups = Math.min(fitting, samples);
    long available = Engine.availableMemory(factor.device());
    if (available >= 0 && (groups + 1) * bytes > available) {
      throw new MemoryException(
          "samples of views "
              + views
              + " of "
              + state
              + ": the groups that give the errors take "
              + ((groups + 1) * bytes >> 30)
              + " GiB; leave views out, use fewer trials or steps, or the method factor");
    }
  }

  /**
   * Samples the views.
   *
   * @param factor F with A = F F*, any domain to [B, T, n]; J for the NTK
   * @param samples at least {@value #LEAST_GROUPS}; rounded up to a multiple of the number of
   *     groups
   * @param progress told the number of samples done, after each block
   */
  public static SampledViews of(
      LinearOperator factor,
      Collection<View> views,
      int samples,
      RngState rng,
      LongConsumer progress) {
    return of(factor, views, samples, false, rng, progress);
  }

  /**
   * The same for a factor on [B, T, n] that does not mix trials, such as P: what the samples say
   * about pairs of trials is noise about zero and is left out.
   */
  public static SampledViews ofTrialwiseFactor(
      LinearOperator factor,
      Collection<View> views,
      int samples,
      RngState rng,
      LongConsumer progress) {
    Checks.shape("factor " + factor + ": domain", factor.range(), factor.domain());
    return of(factor, views, samples, true, rng, progress);
  }

  private static SampledViews of(
      LinearOperator factor,
      Collection<View> views,
      int samples,
      boolean trialwise,
      RngState rng,
      LongConsumer progress) {
    Checks.that(
        samples >= LEAST_GROUPS && samples <= MOST_SAMPLES,
        "samples: expected at least %d and at most %d, got %d",
        LEAST_GROUPS,
        MOST_SAMPLES,
        samples);
    Checks.notNull(factor, "factor");
    Checks.notNull(views, "views");
    Checks.notNull(rng, "rng");
    Checks.notNull(progress, "progress");
    SampledViews result = new SampledViews(factor, views, samples, trialwise, rng.seed());
    try {
      result.totals.putAll(ReducedViews.allocate(factor.context(), result.state, views));
      for (View view : views) {
        result.sums.put(view, new Tensor[result.groups]);
      }
      result.next = rng;
      result.draw((samples + result.groups - 1) / result.groups, progress);
      return result;
    } catch (RuntimeException failure) {
      result.close();
      throw failure;
    }
  }

  /**
   * Takes at least so many samples more, the next of the same stream, as many in each group.
   * Looking at the errors to decide whether to do so biases them a little towards an early end.
   *
   * @param progress told the number of samples done in all, after each block
   */
  public void extend(int samples, LongConsumer progress) {
    Checks.notNull(progress, "progress");
    Checks.that(
        samples >= 1 && samples <= MOST_SAMPLES - products,
        "samples: expected 1 to %d more, got %d",
        MOST_SAMPLES - products,
        samples);
    Checks.that(!complete, "samples: what is exact has been added; expected to extend before");
    draw((samples + groups - 1) / groups, progress);
  }

  /** Draws samples for every group, one group after the other. */
  private void draw(int each, LongConsumer progress) {
    long bytes = (factor.domain().count() + state.count()) * factor.dtype().bytes();
    int all = groups * each;
    int block = (int) Math.max(1, Math.min(Math.min(all, MOST_BLOCK), BLOCK_BYTES / bytes));
    long before = products;
    try (Tensor draws = factor.zeros(factor.domain().block(block));
        Tensor samples = factor.zeros(state.block(block))) {
      for (int first = 0; first < all; first += block) {
        int s = Math.min(block, all - first);
        Tensor g = draws.slice(0, s);
        Tensor x = samples.slice(0, s);
        next = next.fill(factor.context(), RngState.Distribution.GAUSSIAN, g);
        factor.matmat(g, x);
        for (int from = first; from < first + s; ) { // a block may hold samples of several groups
          int group = from / each;
          int to = Math.min(first + s, (group + 1) * each);
          accumulate(group, x.slice(from - first, to - from));
          from = to;
        }
        products = before + first + s;
        progress.accept(products);
      }
    }
    perGroup += each;
    for (int group = 0; group < groups; group++) {
      finish(group);
    }
  }

  /** Adds the views of samples [s, B, T, n] to the sums of a group. */
  private void accumulate(int group, Tensor x) {
    sums.values().stream()
        .filter(views -> views[group] == null)
        .findFirst()
        .ifPresent(
            absent ->
                ReducedViews.allocate(context(), state, sums.keySet())
                    .forEach((view, matrix) -> sums.get(view)[group] = matrix));
    ReducedViews.swept(sumsOf(group))
        .forEach((view, matrix) -> ReducedViews.accumulate(factor, view, state, x, 1, matrix));
  }

  private Map<View, Tensor> sumsOf(int group) {
    Map<View, Tensor> sum = new EnumMap<>(View.class);
    sums.forEach((view, matrices) -> sum.put(view, matrices[group]));
    return sum;
  }

  /** Clears and derives what follows from a group's sums, and adds them to the means. */
  private void finish(int group) {
    Map<View, Tensor> sum = sumsOf(group);
    if (trialwise) {
      ReducedViews.swept(sum).forEach(this::clearBetweenTrials);
    }
    ReducedViews.derive(sum, state);
    double weight = 1.0 / ((double) groups * perGroup);
    double kept = group == 0 ? 0 : 1; // the first starts the means
    sum.forEach(
        (view, matrix) ->
            TensorMath.axpby(factor.context(), weight, matrix, kept, totals.get(view)));
  }

  /** Sets the blocks of a view that lie between different trials to zero. */
  private void clearBetweenTrials(View view, Tensor matrix) {
    long trials = state.size(0);
    if ((view.keep() & 1) == 0 || trials == 1) {
      return;
    }
    long block = matrix.shape().size(0) / trials;
    try (Tensor zeros = context().zeros(DType.F64, block * trials)) {
      for (long b = 0; b < trials; b++) {
        Tensor rows = matrix.slice(b * block, block);
        clear(zeros, rows, 0, b * block);
        clear(zeros, rows, (b + 1) * block, (trials - b - 1) * block);
      }
    }
  }

  private static void clear(Tensor zeros, Tensor rows, long first, long columns) {
    long count = rows.shape().size(0);
    long width = rows.shape().size(1);
    if (columns > 0) {
      Tensor flat = rows.reshape(Shape.of(count * width)).slice(first, count * width - first);
      TensorMath.strided(
          new long[] {count, columns}, 0, zeros, new long[] {0, 1}, 0, flat, new long[] {width, 1});
    }
  }

  /**
   * Adds what is known exactly: with samples of what {@code exact} leaves out of an operator, all
   * numbers are then those of the whole operator, and the errors those of the sampled part alone.
   *
   * @throws IllegalArgumentException if a view is not among those of {@code exact}
   */
  public void add(ReducedViews exact) {
    complete = true;
    totals.forEach(
        (view, total) -> {
          Tensor matrix = Checks.notNull(exact, "exact").matrix(view);
          TensorMath.axpby(factor.context(), 1, matrix, 1, total);
          for (Tensor sum : sums.get(view)) {
            TensorMath.axpby(factor.context(), perGroup, matrix, 1, sum);
          }
        });
  }

  /** Where the samples are computed. */
  public ExecutionContext context() {
    return factor.context();
  }

  /** Samples taken. */
  public long samples() {
    return products;
  }

  /**
   * The mean of the samples' views, [d, d] in f64: unbiased for the view of A. It is freed with
   * this object.
   */
  public Tensor matrix(View view) {
    Tensor matrix = totals.get(view);
    Checks.that(matrix != null, "view: expected one of %s, got %s", totals.keySet(), view);
    return matrix;
  }

  /** Trace of the view. */
  public Estimate trace(View view) {
    double[] traces = groupMeans(view, this::trace);
    return jackknife(products, leftOut -> mean(traces, leftOut));
  }

  /** Squared Frobenius norm of the view, unbiased: from pairs of different groups. */
  public Estimate squaredNorm(View view) {
    Pairs pairs = new Pairs(view);
    return jackknife(products, pairs::squaredNorm);
  }

  /** Participation ratio (tr A)² / ||A||_F² of the view, both from pairs of different groups. */
  public Estimate participationRatio(View view) {
    Pairs pairs = new Pairs(view);
    double[] traces = groupMeans(view, this::trace);
    return jackknife(
        products, leftOut -> pairProduct(traces, leftOut) / pairs.squaredNorm(leftOut));
  }

  /** Standard error of the matrix in the Frobenius norm: sqrt(E||Â - A||_F²). */
  public double error(View view) {
    return new Pairs(view).error();
  }

  /** The same relative to the norm of the view. */
  public double relativeError(View view) {
    Pairs pairs = new Pairs(view);
    double square = pairs.squaredNorm(-1);
    return square > 0 ? pairs.error() / Math.sqrt(square) : pairs.error() == 0 ? 0 : Double.NaN;
  }

  /** Inner product <A_view, other>_F with a fixed matrix [d, d] in f64. */
  public Estimate inner(View view, Tensor other) {
    double[] means = groupMeans(view, sum -> inner(sum, other));
    return jackknife(products, leftOut -> mean(means, leftOut));
  }

  /**
   * Cosine of the view itself with a matrix [d, d]. Near 1 its distribution is skewed and the
   * stated error somewhat too small.
   */
  public Estimate cosine(View view, Tensor other) {
    Pairs pairs = new Pairs(view);
    double[] means = groupMeans(view, sum -> inner(sum, other));
    double norm = norm(other);
    return jackknife(
        products, leftOut -> mean(means, leftOut) / (norm * Math.sqrt(pairs.squaredNorm(leftOut))));
  }

  /**
   * The mean over every second group, from group {@code parity} (0 or 1) on: two independent
   * estimates of the view.
   */
  public Tensor half(View view, int parity) {
    Checks.range("parity", parity, 0, 1);
    Tensor result = context().zeros(DType.F64, matrix(view).shape());
    int used = (groups - parity + 1) / 2;
    for (int group = parity; group < groups; group += 2) {
      TensorMath.axpby(
          factor.context(), 1.0 / (used * (double) perGroup), sums.get(view)[group], 1, result);
    }
    return result;
  }

  private double trace(Tensor matrix) {
    long d = matrix.shape().size(0);
    try (Tensor sum = context().zeros(DType.F64, 1)) {
      TensorMath.strided(new long[] {d}, 1, matrix, new long[] {d + 1}, 1, sum, new long[] {0});
      return sum.get(0);
    }
  }

  private double norm(Tensor other) {
    return TensorMath.norm(factor.context(), Checks.notNull(other, "other"));
  }

  private double inner(Tensor sum, Tensor other) {
    Checks.shape("other", sum.shape(), Checks.notNull(other, "other").shape());
    return TensorMath.dot(factor.context(), sum, other);
  }

  private double[] groupMeans(View view, java.util.function.ToDoubleFunction<Tensor> linear) {
    matrix(view);
    double[] means = new double[groups];
    for (int group = 0; group < groups; group++) {
      means[group] = linear.applyAsDouble(sums.get(view)[group]) / perGroup;
    }
    return means;
  }

  private double mean(double[] values, int leftOut) {
    double sum = 0;
    for (int group = 0; group < groups; group++) {
      sum += group == leftOut ? 0 : values[group];
    }
    return sum / (leftOut < 0 ? groups : groups - 1);
  }

  /** Mean of v_g v_h over pairs of different groups. */
  private double pairProduct(double[] values, int leftOut) {
    double sum = 0;
    double squares = 0;
    int count = leftOut < 0 ? groups : groups - 1;
    for (int group = 0; group < groups; group++) {
      if (group != leftOut) {
        sum += values[group];
        squares += values[group] * values[group];
      }
    }
    return (sum * sum - squares) / (count * (count - 1.0));
  }

  /**
   * The value from all groups, with the jackknife error of leaving out one group at a time (index
   * -1: none).
   */
  private Estimate jackknife(long matvecs, IntToDoubleFunction statistic) {
    double[] values = new double[groups];
    double mean = 0;
    for (int group = 0; group < groups; group++) {
      values[group] = statistic.applyAsDouble(group);
      mean += values[group] / groups;
    }
    double squares = 0;
    for (double value : values) {
      squares += (value - mean) * (value - mean);
    }
    return new Estimate(
        statistic.applyAsDouble(-1), Math.sqrt(squares * (groups - 1.0) / groups), matvecs, seed);
  }

  /**
   * Inner products of the group means M_g of a view: ||M_g||², <M_g, M> and ||M||², M the mean of
   * them all.
   */
  private final class Pairs {
    private final double[] own = new double[groups];
    private final double[] withMean = new double[groups];
    private final double total;

    Pairs(View view) {
      Tensor mean = matrix(view);
      for (int group = 0; group < groups; group++) {
        Tensor sum = sums.get(view)[group];
        own[group] = TensorMath.dot(factor.context(), sum, sum) / ((double) perGroup * perGroup);
        withMean[group] = TensorMath.dot(factor.context(), sum, mean) / perGroup;
      }
      total = TensorMath.dot(factor.context(), mean, mean);
    }

    double error() {
      double spread = -groups * total;
      for (double square : own) {
        spread += square;
      }
      return Math.sqrt(Math.max(spread, 0) / (groups * (groups - 1.0)));
    }

    /** Mean of <M_g, M_h> over pairs of different groups, without group leftOut. */
    double squaredNorm(int leftOut) {
      double all = (double) groups * groups * total;
      double diagonal = 0;
      for (double square : own) {
        diagonal += square;
      }
      int count = groups;
      if (leftOut >= 0) {
        all += own[leftOut] - 2 * groups * withMean[leftOut];
        diagonal -= own[leftOut];
        count--;
      }
      return (all - diagonal) / (count * (count - 1.0));
    }
  }

  @Override
  public void close() {
    totals.values().forEach(Tensor::close);
    for (Tensor[] views : sums.values()) {
      for (Tensor sum : views) {
        if (sum != null) {
          sum.close();
        }
      }
    }
  }
}
