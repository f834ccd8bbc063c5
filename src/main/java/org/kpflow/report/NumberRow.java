package org.kpflow.report;

import org.kpflow.base.Checks;

/**
 * A number of the report's tables.
 *
 * @param name what it is
 * @param value the number; NaN reads "not a number"
 * @param standardError its standard error; 0 where it is exact
 * @param evidence how it was found, e.g. "exact" or "estimated (64 samples)"
 * @param meaning one sentence for readers who do not know the quantity; may be empty
 */
public record NumberRow(
    String name, double value, double standardError, String evidence, String meaning) {
  /**
   * Checks the texts.
   *
   * @throws IllegalArgumentException if one is null
   */
  public NumberRow {
    Checks.notNull(name, "name");
    Checks.notNull(evidence, "evidence");
    Checks.notNull(meaning, "meaning");
  }

  /** A number without a sampling error. */
  public static NumberRow exact(String name, double value, String meaning) {
    return new NumberRow(name, value, 0, "exact", meaning);
  }

  /** An estimate from samples with its standard error. */
  public static NumberRow estimated(
      String name, double value, double standardError, long samples, String meaning) {
    return new NumberRow(
        name, value, standardError, "estimated (" + samples + " samples)", meaning);
  }
}
