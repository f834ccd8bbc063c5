package org.kpflow.report;

import org.kpflow.base.Checks;

/**
 * A dashed line across a panel, which its axis always reaches.
 *
 * @param label what stands at its right end; may be empty
 * @param y where it is
 */
public record Guide(String label, double y) {
  /**
   * Checks both.
   *
   * @throws IllegalArgumentException if the label is null or y is not finite
   */
  public Guide {
    Checks.notNull(label, "label");
    Checks.that(Double.isFinite(y), "y of guide '%s': expected a number, got %s", label, y);
  }
}
