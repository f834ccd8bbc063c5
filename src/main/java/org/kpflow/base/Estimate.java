package org.kpflow.base;

/**
 * A number with its evidence.
 *
 * @param value the estimate
 * @param standardError its standard error; 0 when exact
 * @param matvecs vectors that went through operators to get it
 */
public record Estimate(double value, double standardError, long matvecs) {
  /** A number that is not an estimate. */
  public static Estimate exact(double value) {
    return new Estimate(value, 0, 0);
  }

  /**
   * The mean of independent samples with the standard error of the mean; one sample has an unknown
   * error (NaN).
   */
  public static Estimate ofSamples(double[] samples, long matvecs) {
    double mean = java.util.Arrays.stream(samples).average().orElse(Double.NaN);
    double squares = 0;
    for (double sample : samples) {
      squares += (sample - mean) * (sample - mean);
    }
    double error =
        samples.length > 1
            ? Math.sqrt(squares / (samples.length - 1.0) / samples.length)
            : Double.NaN;
    return new Estimate(mean, error, matvecs);
  }

  @Override
  public String toString() {
    return standardError == 0 ? Double.toString(value) : value + " ± " + standardError;
  }
}
