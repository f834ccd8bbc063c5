package org.kpflow.report;

import org.kpflow.base.Checks;

/**
 * A named series of numbers over mode indices 1, 2, …: cumulative shares, eigenvalues or Rayleigh
 * quotients. NaN marks a missing value.
 *
 * @param name what the legend says
 * @param values one number per mode, the leading mode first
 * @param standardErrors one standard error per value, or null where the values are exact
 */
public record Curve(String name, double[] values, double[] standardErrors) {
  /**
   * Checks the lengths.
   *
   * @throws IllegalArgumentException if name or values are null, or the lengths differ
   */
  public Curve {
    Checks.notNull(name, "name");
    Checks.notNull(values, "values");
    Checks.that(
        standardErrors == null || standardErrors.length == values.length,
        "standardErrors: expected null or one per value of '%s', got %d for %d",
        name,
        standardErrors == null ? 0 : standardErrors.length,
        values.length);
  }

  /** A curve of exact values. */
  public static Curve exact(String name, double... values) {
    return new Curve(name, values, null);
  }

  /**
   * The cumulative shares (λ₁ + … + λ_i) / total of a spectrum.
   *
   * @param eigenvalues λ_i, the largest first
   * @param total the trace, which the listed eigenvalues need not exhaust; if it is not positive,
   *     every share is NaN
   */
  public static Curve cumulative(String name, double[] eigenvalues, double total) {
    Checks.notNull(eigenvalues, "eigenvalues");
    double[] shares = new double[eigenvalues.length];
    double sum = 0;
    for (int i = 0; i < shares.length; i++) {
      sum += eigenvalues[i];
      shares[i] = total > 0 ? sum / total : Double.NaN;
    }
    return exact(name, shares);
  }

  double standardError(int i) {
    return standardErrors == null ? 0 : standardErrors[i];
  }
}
