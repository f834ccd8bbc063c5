package org.kpflow.report;

import java.util.List;
import org.kpflow.base.Checks;

/**
 * Many lines in a few colours: temporal modes with a line per trial, trajectories in a plane.
 *
 * @param title what the panel shows
 * @param xTitle the x axis
 * @param yTitle the y axis
 * @param bundles drawn in this order, each in a colour of its own
 * @param phases parts of the x axis, marked at its top; may be empty
 * @param yRange the lowest and highest y, for panels that are to be compared; null for what the
 *     lines need
 */
public record LinesPanel(
    String title,
    String xTitle,
    String yTitle,
    List<Bundle> bundles,
    List<Phase> phases,
    double[] yRange)
    implements Panel {
  /**
   * Copies the lists.
   *
   * @throws IllegalArgumentException if a part but the range is null, there is no bundle, or the
   *     range is not one
   */
  public LinesPanel {
    Checks.notNull(title, "title");
    Checks.notNull(xTitle, "xTitle");
    Checks.notNull(yTitle, "yTitle");
    Checks.that(bundles != null && !bundles.isEmpty(), "bundles: expected at least one");
    bundles = List.copyOf(bundles);
    phases = List.copyOf(Checks.notNull(phases, "phases"));
    Checks.that(
        yRange == null || (yRange.length == 2 && yRange[0] < yRange[1]),
        "yRange: expected a lower and a higher number, or null");
  }
}
