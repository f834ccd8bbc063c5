package org.kpflow.linearize;

import java.util.Arrays;
import java.util.function.ToDoubleFunction;
import org.kpflow.base.Checks;
import org.kpflow.base.Estimate;

/**
 * Finite-time Lyapunov exponents of every trial, sorted. Fewer than n of them are those of the
 * space that the first unit vectors evolve into; as T grows it turns to the leading directions.
 *
 * @param exponents [B, count] per step, descending in every trial; -infinity where a step Jacobian
 *     is singular
 * @param units n, the number of exponents there are
 * @param smallestDiagonal the smallest |R_ii| met; exponents that rest on values near the type's
 *     rounding are rounding themselves
 */
public record LyapunovSpectrum(double[][] exponents, long units, double smallestDiagonal) {

  /** Refuses an empty spectrum. */
  public LyapunovSpectrum {
    Checks.that(
        exponents != null && exponents.length > 0 && exponents[0].length > 0,
        "exponents: expected at least one trial with one exponent");
  }

  /**
   * The first {@code count} exponents of a linearization; see {@link Linearization#lyapunov(long)}.
   *
   * @throws IllegalArgumentException if count is not 1 to n
   */
  public static LyapunovSpectrum of(Linearization linearization, long count) {
    Linearization.Lyapunov found = linearization.lyapunov(count);
    double[][] sorted =
        Arrays.stream(found.exponents())
            .map(LyapunovSpectrum::descending)
            .toList()
            .toArray(double[][]::new);
    return new LyapunovSpectrum(sorted, linearization.units(), found.smallestDiagonal());
  }

  /** Number of exponents per trial. */
  public int count() {
    return exponents[0].length;
  }

  /** Exponents that are -infinity, over all trials. */
  public long minusInfinities() {
    return Arrays.stream(exponents)
        .flatMapToDouble(Arrays::stream)
        .filter(value -> value == Double.NEGATIVE_INFINITY)
        .count();
  }

  /**
   * The i-th largest exponent: mean over trials and its standard error, which is NaN for one trial.
   * Where a trial's exponent is -infinity, so is the mean, and the error is NaN.
   */
  public Estimate mean(int i) {
    return overTrials(trial -> trial[i]);
  }

  /** The largest exponent. */
  public Estimate largest() {
    return mean(0);
  }

  /**
   * The Kaplan-Yorke dimension, mean over trials; see {@link #kaplanYorke}. NaN if a trial's is not
   * settled by the exponents at hand.
   */
  public Estimate kaplanYorkeDimension() {
    return overTrials(trial -> kaplanYorke(trial, count() == units));
  }

  /**
   * j + (λ_1 + … + λ_j) / |λ_{j+1}| for the largest j whose sum is not negative: 0 if λ_1 is
   * negative, n if no sum is (Kaplan and Yorke 1979).
   *
   * @param descending the exponents
   * @param complete whether these are all; if not, and no sum is negative, the dimension is NaN
   */
  public static double kaplanYorke(double[] descending, boolean complete) {
    double sum = 0;
    for (int j = 0; j < descending.length; j++) {
      if (sum + descending[j] < 0) {
        return j + sum / Math.abs(descending[j]);
      }
      sum += descending[j];
    }
    return complete ? descending.length : Double.NaN;
  }

  private Estimate overTrials(ToDoubleFunction<double[]> value) {
    double[] samples = Arrays.stream(exponents).mapToDouble(value).toArray();
    if (Arrays.stream(samples).anyMatch(sample -> sample == Double.NEGATIVE_INFINITY)) {
      return new Estimate(Double.NEGATIVE_INFINITY, Double.NaN, 0);
    }
    return Estimate.ofSamples(samples, 0);
  }

  private static double[] descending(double[] values) {
    double[] ascending = values.clone();
    Arrays.sort(ascending);
    double[] result = new double[ascending.length];
    for (int i = 0; i < result.length; i++) {
      result[i] = ascending[result.length - 1 - i];
    }
    return result;
  }
}
