package org.kpflow.report;

import org.kpflow.base.Checks;

/**
 * A picture in a report.
 *
 * @param picture what is shown
 * @param caption what it means, in plain words
 */
public record Figure(Picture picture, String caption) {
  /**
   * Checks both.
   *
   * @throws IllegalArgumentException if one is null
   */
  public Figure {
    Checks.notNull(picture, "picture");
    Checks.notNull(caption, "caption");
  }
}
