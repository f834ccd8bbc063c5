package org.kpflow.report;

import org.kpflow.base.Checks;

/**
 * A named series of numbers over a quantity of its own: exponents over their index, norms over
 * lags, results over training steps. NaN and infinities are gaps.
 *
 * @param name what the legend says
 * @param x ascending
 * @param values one per x
 * @param standardErrors one per value, or null where the values are exact
 */
public record Trend(String name, double[] x, double[] values, double[] standardErrors) {
  /**
   * Checks the lengths.
   *
   * @throws IllegalArgumentException if a part but the errors is null, or the lengths differ
   */
  public Trend {
    Checks.notNull(name, "name");
    Checks.notNull(x, "x");
    Checks.notNull(values, "values");
    Checks.that(
        x.length == values.length
            && (standardErrors == null || standardErrors.length == values.length),
        "values of '%s': expected one for each of %d x and as many errors, got %d and %s",
        name,
        x.length,
        values.length,
        standardErrors == null ? "none" : standardErrors.length);
  }

  /** The error to draw at a point: 0 where it is not known. */
  double error(int i) {
    double error = standardErrors == null ? 0 : standardErrors[i];
    return error > 0 && Double.isFinite(error) ? error : 0;
  }
}
