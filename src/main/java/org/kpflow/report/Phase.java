package org.kpflow.report;

import org.kpflow.base.Checks;

/**
 * A part of a trial, drawn as a label and a line where it begins.
 *
 * @param label what happens in it, e.g. "memory"
 * @param start its first time step, from 0
 */
public record Phase(String label, int start) {
  /**
   * Checks the start.
   *
   * @throws IllegalArgumentException if the label is null or the start negative
   */
  public Phase {
    Checks.notNull(label, "label");
    Checks.that(start >= 0, "start: expected at least 0, got %d", start);
  }
}
