package org.kpflow.estimate;

import java.util.Arrays;
import org.kpflow.base.CancelledException;
import org.kpflow.base.Checks;
import org.kpflow.base.Estimate;
import org.kpflow.base.NumericalException;
import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.Tensor;

/**
 * An estimator as sampler × integrand: draws probes in blocks of bounded size, hands them to the
 * integrand until the budget ends, and reads a statistic off the sums with its jackknife error. For
 * a mean, that is the standard error of the mean.
 */
public final class Sampling {
  private static final long BLOCK_BYTES = 256L << 20;
  private static final int FIRST_ROUND = 16;

  private final LinearOperator operator;
  private final Sampler sampler;
  private final Budget budget;
  private final int products;
  private final int least;

  private Sampling(
      LinearOperator operator, Sampler sampler, Budget budget, int products, int least) {
    this.operator = operator;
    this.sampler = sampler;
    this.budget = budget;
    this.products = products;
    this.least = least;
  }

  /** Probes for the domain of an operator, one product each, at least two. */
  public static Sampling of(LinearOperator operator, Sampler sampler, Budget budget) {
    return new Sampling(
        Checks.notNull(operator, "operator"),
        Checks.notNull(sampler, "sampler"),
        Checks.notNull(budget, "budget"),
        1,
        2);
  }

  /** With another number of products for each probe, as where two operators share the probes. */
  public Sampling productsPerProbe(int newProducts) {
    return new Sampling(operator, sampler, budget, newProducts, least);
  }

  /** With another least number of probes. */
  public Sampling atLeast(int newLeast) {
    return new Sampling(operator, sampler, budget, products, newLeast);
  }

  /**
   * The statistic of all probes with the error of leaving out one at a time. Where the budget has a
   * target, probes are added, at most twice as many at a time, until it is met.
   *
   * @throws IllegalArgumentException if the budget does not pay for the least number of probes, or
   *     asks for less than rounding
   * @throws NumericalException if a number of the integrand is infinite or not a number
   */
  public Estimate estimate(Integrand integrand, Statistic statistic) {
    budget.require((long) least * products, operator.dtype());
    int most = budget.matvecs() / products;
    int count = budget.hasTarget() ? Math.min(most, Math.max(least, FIRST_ROUND)) : most;
    double[][] samples = new double[0][];
    int done = 0;
    while (true) {
      samples = draw(samples, done, count, integrand);
      Estimate estimate = jackknife(samples, (long) count * products, sampler.seed(), statistic);
      if (count == most || budget.isMet(estimate) || isZero(samples)) {
        return estimate;
      }
      done = count;
      count = (int) Math.min(most, 2L * count);
    }
  }

  /** The samples with those of the probes from {@code first} to {@code last - 1} behind them. */
  private double[][] draw(double[][] samples, int first, int last, Integrand integrand) {
    double[][] all = samples;
    int block = blockSize(operator, last - first);
    try (Tensor probes = operator.zeros(operator.domain().block(block))) {
      for (int start = first; start < last; start += block) {
        stopIfInterrupted();
        Tensor part = probes.slice(0, Math.min(block, last - start));
        sampler.fill(operator.context(), start, part);
        double[][] numbers = integrand.of(part);
        all = all.length == 0 ? new double[numbers.length][] : all;
        for (int q = 0; q < numbers.length; q++) {
          all[q] = all[q] == null ? new double[last] : Arrays.copyOf(all[q], last);
          System.arraycopy(finite(operator, numbers[q]), 0, all[q], start, numbers[q].length);
        }
      }
    }
    return all;
  }

  /** How many probes, and what becomes of them, fit into a block. */
  static int blockSize(LinearOperator operator, int wanted) {
    long size = Math.max(operator.domain().count(), operator.range().count());
    size = Math.max(size, operator.gramFactor().map(f -> f.domain().count()).orElse(0L));
    long bytes = Math.max(1, size * operator.dtype().bytes());
    return (int) Math.max(1, Math.min(wanted, BLOCK_BYTES / bytes));
  }

  /** The numbers, if they are. */
  static double[] finite(LinearOperator operator, double... numbers) {
    for (double number : numbers) {
      if (!Double.isFinite(number)) {
        throw new NumericalException(
            operator
                + ": products with probes give "
                + number
                + "; expected finite numbers (has it overflowed?)");
      }
    }
    return numbers;
  }

  static void stopIfInterrupted() {
    if (Thread.currentThread().isInterrupted()) {
      throw new CancelledException("cancelled: the thread was interrupted");
    }
  }

  static void requireSquare(LinearOperator operator) {
    Checks.that(
        Checks.notNull(operator, "operator").domain().equals(operator.range()),
        "operator %s: expected domain and range of one shape, got %s and %s",
        operator,
        operator.domain(),
        operator.range());
  }

  /** A row-major block [s, …] as a matrix [s, N]. */
  static Tensor rows(Tensor block) {
    return block.reshape(Shape.of(block.shape().size(0), block.shape().tail().count()));
  }

  private static boolean isZero(double[][] samples) {
    return Arrays.stream(samples).flatMapToDouble(Arrays::stream).allMatch(value -> value == 0);
  }

  /**
   * θ of all samples, with the jackknife variance (c-1)/c Σ_i (θ_i - mean θ_i)², θ_i without sample
   * i. Sums without a sample are put together from both sides, since subtracting it could cancel.
   */
  static Estimate jackknife(double[][] samples, long matvecs, long seed, Statistic statistic) {
    int count = samples[0].length;
    double[][] after = new double[count + 1][samples.length];
    for (int i = count - 1; i >= 0; i--) {
      for (int q = 0; q < samples.length; q++) {
        after[i][q] = after[i + 1][q] + samples[q][i];
      }
    }
    double[] before = new double[samples.length];
    double[] values = new double[count];
    double[] others = new double[samples.length];
    for (int i = 0; i < count; i++) {
      for (int q = 0; q < samples.length; q++) {
        others[q] = before[q] + after[i + 1][q];
        before[q] += samples[q][i];
      }
      values[i] = statistic.of(others, count - 1);
    }
    double mean = Arrays.stream(values).sum() / count;
    double squares = Arrays.stream(values).map(value -> (value - mean) * (value - mean)).sum();
    double error = Math.sqrt(squares * (count - 1.0) / count);
    return new Estimate(statistic.of(after[0], count), error, matvecs, seed);
  }
}
