package org.kpflow.report;

import org.kpflow.base.Checks;

/**
 * A link of a report to a page beside it.
 *
 * @param text what to click
 * @param target a URL, usually relative; empty where there is no page
 * @param note what is said beside it; may be empty
 */
public record Link(String text, String target, String note) {
  /**
   * Checks the texts.
   *
   * @throws IllegalArgumentException if one is null
   */
  public Link {
    Checks.notNull(text, "text");
    Checks.notNull(target, "target");
    Checks.notNull(note, "note");
  }
}
