package org.kpflow.base;

import java.util.Arrays;

/**
 * A number with its evidence.
 *
 * @param value the estimate
 * @param standardError its standard error; 0 when exact up to rounding, NaN when there is none to
 *     give
 * @param matvecs vectors that went through operators, or through factors of them, to get it
 * @param seed the seed of the random numbers it came from; 0 when exact
 */
public record Estimate(double value, double standardError, long matvecs, long seed) {
  /** An estimate whose seed is not told. */
  public Estimate(double value, double standardError, long matvecs) {
    this(value, standardError, matvecs, 0);
  }

  /** A number that is not an estimate. */
  public static Estimate exact(double value) {
    return exact(value, 0);
  }

  /** A number that took products but no chance. */
  public static Estimate exact(double value, long matvecs) {
    return new Estimate(value, 0, matvecs, 0);
  }

  /** {@link #ofSamples(double[], long, long)} with a seed that is not told. */
  public static Estimate ofSamples(double[] samples, long matvecs) {
    return ofSamples(samples, matvecs, 0);
  }

  /**
   * The mean of independent samples with the standard error of the mean; one sample has an unknown
   * error (NaN).
   */
  public static Estimate ofSamples(double[] samples, long matvecs, long seed) {
    double mean = Arrays.stream(samples).average().orElse(Double.NaN);
    double squares = 0;
    for (double sample : samples) {
      squares += (sample - mean) * (sample - mean);
    }
    double error =
        samples.length > 1
            ? Math.sqrt(squares / (samples.length - 1.0) / samples.length)
            : Double.NaN;
    return new Estimate(mean, error, matvecs, seed);
  }

  /** Another number read off the same samples: same products, same seed. */
  public Estimate derived(double newValue, double newStandardError) {
    return new Estimate(newValue, newStandardError, matvecs, seed);
  }

  /** factor times the number. */
  public Estimate times(double factor) {
    return derived(factor * value, Math.abs(factor) * standardError);
  }

  /** The same number after further products. */
  public Estimate withMatvecs(long newMatvecs) {
    return new Estimate(value, standardError, newMatvecs, seed);
  }

  @Override
  public String toString() {
    return standardError == 0 ? Double.toString(value) : value + " ± " + standardError;
  }
}
