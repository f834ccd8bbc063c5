package org.kpflow.report;

import org.kpflow.base.Checks;

/**
 * A mode of a temporal view over time.
 *
 * @param share the mode's eigenvalue as a share of the trace, 0 to 1; NaN if unknown
 * @param trials the mode, [B, T]: one curve per trial
 */
public record TemporalMode(double share, double[][] trials) {
  /**
   * Checks the trials.
   *
   * @throws IllegalArgumentException if there is no trial, or trials differ in length or are empty
   */
  public TemporalMode {
    Checks.notNull(trials, "trials");
    Checks.that(
        trials.length > 0 && trials[0].length > 0,
        "trials: expected at least one trial of one step");
    for (double[] trial : trials) {
      Checks.that(
          trial.length == trials[0].length,
          "trials: expected the same number of steps in every trial, got %d and %d",
          trials[0].length,
          trial.length);
    }
  }

  int steps() {
    return trials[0].length;
  }
}
