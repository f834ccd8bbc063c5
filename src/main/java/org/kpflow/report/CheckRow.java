package org.kpflow.report;

import org.kpflow.base.Checks;

/**
 * A row of a report's table of checks.
 *
 * @param words what is checked
 * @param source where that comes from; may be empty
 * @param quantity what is measured; may be empty
 * @param value the measured number; NaN reads "not a number"
 * @param standardError its standard error; 0 where it is exact
 * @param bound what it has to be, such as "≥ 3"
 * @param passed whether it is
 * @param remark what else there is to say; may be empty
 */
public record CheckRow(
    String words,
    String source,
    String quantity,
    double value,
    double standardError,
    String bound,
    boolean passed,
    String remark) {
  /**
   * Checks the texts.
   *
   * @throws IllegalArgumentException if one is null
   */
  public CheckRow {
    Checks.notNull(words, "words");
    Checks.notNull(source, "source");
    Checks.notNull(quantity, "quantity");
    Checks.notNull(bound, "bound");
    Checks.notNull(remark, "remark");
  }
}
