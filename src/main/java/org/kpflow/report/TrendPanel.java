package org.kpflow.report;

import java.util.List;
import org.kpflow.base.Checks;

/**
 * One panel of a figure of trends.
 *
 * @param title what the panel shows
 * @param xTitle the x axis
 * @param yTitle the y axis
 * @param logarithmic whether the y axis is; values that are not positive are left out
 * @param trends drawn in this order; a panel of one trend has no legend
 * @param guides lines across the panel; may be empty
 */
public record TrendPanel(
    String title,
    String xTitle,
    String yTitle,
    boolean logarithmic,
    List<Trend> trends,
    List<Guide> guides)
    implements Panel {
  /**
   * Copies the list.
   *
   * @throws IllegalArgumentException if a text is null or there is no trend
   */
  public TrendPanel {
    Checks.notNull(title, "title");
    Checks.notNull(xTitle, "xTitle");
    Checks.notNull(yTitle, "yTitle");
    Checks.that(trends != null && !trends.isEmpty(), "trends: expected at least one");
    trends = List.copyOf(trends);
    guides = List.copyOf(Checks.notNull(guides, "guides"));
  }

  /** A panel without guides. */
  public TrendPanel(
      String title, String xTitle, String yTitle, boolean logarithmic, List<Trend> trends) {
    this(title, xTitle, yTitle, logarithmic, trends, List.of());
  }
}
