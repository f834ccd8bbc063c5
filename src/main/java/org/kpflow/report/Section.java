package org.kpflow.report;

import java.util.List;
import org.kpflow.base.Checks;

/**
 * A part of a report: a heading, a paragraph, links, a table of numbers, pictures. Every part but
 * the heading may be empty.
 *
 * @param heading its title
 * @param text an introduction in plain words
 * @param links pages beside this one
 * @param numbers the rows of its table
 * @param figures its pictures
 */
public record Section(
    String heading, String text, List<Link> links, List<NumberRow> numbers, List<Figure> figures) {
  /**
   * Copies the lists.
   *
   * @throws IllegalArgumentException if a part is null
   */
  public Section {
    Checks.notNull(heading, "heading");
    Checks.notNull(text, "text");
    links = List.copyOf(Checks.notNull(links, "links"));
    numbers = List.copyOf(Checks.notNull(numbers, "numbers"));
    figures = List.copyOf(Checks.notNull(figures, "figures"));
  }

  /** A section without links. */
  public Section(String heading, String text, List<NumberRow> numbers, List<Figure> figures) {
    this(heading, text, List.of(), numbers, figures);
  }
}
