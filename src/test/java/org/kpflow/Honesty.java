package org.kpflow;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.function.LongFunction;
import org.kpflow.base.Estimate;

/** Whether an estimator's errors are as large as its standard errors say, over fixed seeds. */
public final class Honesty {
  private final String what;
  private final double truth;
  private final double covered;
  private final double meanError;
  private final double errorOfMean;

  private Honesty(String what, double truth, double covered, double meanError, double errorOfMean) {
    this.what = what;
    this.truth = truth;
    this.covered = covered;
    this.meanError = meanError;
    this.errorOfMean = errorOfMean;
  }

  /** Runs an estimator with the seeds 0 to seeds - 1. */
  public static Honesty of(String what, double truth, int seeds, LongFunction<Estimate> estimator) {
    int covered = 0;
    double sum = 0;
    double squares = 0;
    for (int seed = 0; seed < seeds; seed++) {
      Estimate estimate = estimator.apply(seed);
      double error = estimate.value() - truth;
      covered += Math.abs(error) <= 3 * estimate.standardError() ? 1 : 0;
      sum += error;
      squares += error * error;
    }
    double mean = sum / seeds;
    double deviation = Math.sqrt((squares / seeds - mean * mean) / (seeds - 1.0));
    return new Honesty(what, truth, covered / (double) seeds, mean, deviation);
  }

  /** At least 97 % of the errors are within three standard errors; a Gaussian has 99.7 %. */
  public Honesty assertHonest() {
    assertTrue(covered >= 0.97, this::toString);
    return this;
  }

  /** The mean error is within four of its own standard errors. */
  public Honesty assertUnbiased() {
    assertTrue(Math.abs(meanError) <= 4 * errorOfMean, this::toString);
    return this;
  }

  @Override
  public String toString() {
    return String.format(
        java.util.Locale.ROOT,
        "%s: truth %.6g, %.4f within 3 standard errors, mean error %.3g +- %.3g",
        what,
        truth,
        covered,
        meanError,
        errorOfMean);
  }
}
