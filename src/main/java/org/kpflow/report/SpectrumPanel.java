package org.kpflow.report;

import java.util.List;
import org.kpflow.base.Checks;

/**
 * One panel of a figure of several spectra, e.g. of one reduced view.
 *
 * @param title what the panel shows, e.g. "temp"
 * @param curves the eigenvalues of each operator, the largest first
 */
public record SpectrumPanel(String title, List<Curve> curves) {
  /**
   * Copies the list.
   *
   * @throws IllegalArgumentException if the title is null or there is no curve
   */
  public SpectrumPanel {
    Checks.notNull(title, "title");
    Checks.that(curves != null && !curves.isEmpty(), "curves: expected at least one");
    curves = List.copyOf(curves);
  }
}
