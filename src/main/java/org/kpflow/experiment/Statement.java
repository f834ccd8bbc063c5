package org.kpflow.experiment;

import java.util.Locale;
import org.kpflow.base.Checks;

/**
 * A claim before it is measured: words, and the number that decides.
 *
 * @param id short and unique in its figure, such as "core_modes"
 * @param words the claim
 * @param source where the paper says it, such as "section 5.4, figure 6B"; or "identity"
 * @param quantity what is measured, with its unit
 * @param relation how the measured number has to lie
 * @param threshold to what
 */
public record Statement(
    String id, String words, String source, String quantity, Relation relation, double threshold) {

  /** How a number lies to a threshold. */
  public enum Relation {
    ABOVE(">"),
    AT_LEAST("≥"),
    BELOW("<"),
    AT_MOST("≤"),
    EQUAL("=");

    private final String symbol;

    Relation(String symbol) {
      this.symbol = symbol;
    }

    /** Whether it holds; never for NaN. */
    public boolean holds(double value, double threshold) {
      return switch (this) {
        case ABOVE -> value > threshold;
        case AT_LEAST -> value >= threshold;
        case BELOW -> value < threshold;
        case AT_MOST -> value <= threshold;
        case EQUAL -> value == threshold;
      };
    }

    /** Its sign: ≥ and so on. */
    public String symbol() {
      return symbol;
    }

    @Override
    public String toString() {
      return name().toLowerCase(Locale.ROOT).replace('_', ' ');
    }
  }

  /** Checks that every part is there. */
  public Statement {
    Checks.that(
        Checks.notNull(id, "id").matches("[a-z0-9_]+"),
        "id: expected small letters, digits and _, got '%s'",
        id);
    Checks.notNull(words, "words");
    Checks.notNull(source, "source");
    Checks.notNull(quantity, "quantity");
    Checks.notNull(relation, "relation");
    Checks.that(!Double.isNaN(threshold), "threshold of '%s': expected a number, got NaN", id);
  }
}
