package org.kpflow.report;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.Checks;

/**
 * A part of a report: a heading, a paragraph, links, tables of numbers and of checks, pictures, how
 * it was made. Every part but the heading may be empty.
 *
 * @param heading its title
 * @param text an introduction in plain words
 * @param notes what else to know, a list below the text
 * @param links pages beside this one
 * @param numbers the rows of its table
 * @param figures its pictures
 * @param checks the rows of its table of checks
 * @param facts how to get the same again, in the map's order
 */
public record Section(
    String heading,
    String text,
    List<String> notes,
    List<Link> links,
    List<NumberRow> numbers,
    List<Figure> figures,
    List<CheckRow> checks,
    Map<String, String> facts) {
  /**
   * Copies the lists.
   *
   * @throws IllegalArgumentException if a part is null
   */
  public Section {
    Checks.notNull(heading, "heading");
    Checks.notNull(text, "text");
    notes = List.copyOf(Checks.notNull(notes, "notes"));
    links = List.copyOf(Checks.notNull(links, "links"));
    numbers = List.copyOf(Checks.notNull(numbers, "numbers"));
    figures = List.copyOf(Checks.notNull(figures, "figures"));
    checks = List.copyOf(Checks.notNull(checks, "checks"));
    facts = Collections.unmodifiableMap(new LinkedHashMap<>(Checks.notNull(facts, "facts")));
  }

  /** A section without notes, checks and facts. */
  public Section(
      String heading,
      String text,
      List<Link> links,
      List<NumberRow> numbers,
      List<Figure> figures) {
    this(heading, text, List.of(), links, numbers, figures, List.of(), Map.of());
  }

  /** A section without links. */
  public Section(String heading, String text, List<NumberRow> numbers, List<Figure> figures) {
    this(heading, text, List.of(), numbers, figures);
  }
}
