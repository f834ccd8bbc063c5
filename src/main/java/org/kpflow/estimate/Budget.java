package org.kpflow.estimate;

import java.util.function.IntFunction;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;

/**
 * How long an estimator goes on: for a number of products, or until its standard error is small
 * against its value. Stopping by the error looks at the same samples as the value does, which
 * biases it slightly towards early stops; a fixed number of products does not. A product with a
 * factor of the operator counts as one, though it costs less.
 *
 * @param matvecs the most products to spend
 * @param relativeError the standard error over |value| at which to stop before that; NaN for never
 */
public record Budget(int matvecs, double relativeError) {
  private static final int FIRST_ROUND = 24;

  public Budget {
    Checks.that(matvecs >= 1, "matvecs: expected at least 1, got %d", matvecs);
    Checks.that(
        Double.isNaN(relativeError) || relativeError > 0 && relativeError < 1,
        "relative error: expected a number between 0 and 1, got %s",
        relativeError);
  }

  /** A fixed number of products. */
  public static Budget of(int matvecs) {
    return new Budget(matvecs, Double.NaN);
  }

  /**
   * Products until the relative standard error is reached, at most {@code mostMatvecs}. Whether it
   * was is for the caller to see in the result.
   *
   * @throws IllegalArgumentException if the error is NaN or not between 0 and 1; an estimator also
   *     refuses one below the rounding of its operator's type
   */
  public static Budget until(double relativeError, int mostMatvecs) {
    Checks.that(
        !Double.isNaN(relativeError),
        "relative error: expected a number between 0 and 1, got %s",
        relativeError);
    return new Budget(mostMatvecs, relativeError);
  }

  /** Whether there is a relative error to stop at. */
  public boolean hasTarget() {
    return !Double.isNaN(relativeError);
  }

  /** Whether an estimate is good enough to stop; never without a target. */
  boolean isMet(Estimate estimate) {
    return estimate.standardError() <= relativeError * Math.abs(estimate.value());
  }

  /** Refuses fewer products than an estimator needs, and an error that the type cannot give. */
  void require(long least, DType dtype) {
    Checks.that(matvecs >= least, "matvecs: expected at least %d, got %d", least, matvecs);
    Checks.that(
        !hasTarget() || relativeError >= dtype.epsilon(),
        "relative error: expected at least %.3g, the rounding of %s, got %s",
        dtype.epsilon(),
        dtype,
        relativeError);
  }

  /**
   * Runs an estimator that needs its number of products beforehand: once with all of them, or, if
   * there is a target, with twice as many each time until it is met or the next round would not
   * fit. The result is that of the last round and counts the products of all.
   */
  Estimate inRounds(int least, IntFunction<Estimate> estimator) {
    if (!hasTarget()) {
      return estimator.apply(matvecs);
    }
    long spent = 0;
    int round = Math.min(matvecs, Math.max(FIRST_ROUND, least));
    while (true) {
      Estimate estimate = estimator.apply(round);
      spent += estimate.matvecs();
      long left = matvecs - spent;
      if (estimate.standardError() == 0 || isMet(estimate) || left < 2L * round) {
        return estimate.withMatvecs(spent);
      }
      round = (int) (left < 6L * round ? left : 2L * round); // the next but one would not fit
    }
  }
}
