package org.kpflow.report;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.kpflow.base.Checks;

/**
 * A report as one HTML file that needs no other file and no network: pictures are inlined, there
 * are no scripts. All texts are plain text and are escaped.
 *
 * @param title the heading of the page
 * @param summary the main findings in a sentence or two; may be empty
 * @param warnings what limits the results, shown above them; may be empty
 * @param sections the results, in order
 * @param provenance how to get the same again: version, command line, seed, dtype, wall time, …; in
 *     the map's order
 */
public record HtmlReport(
    String title,
    String summary,
    List<String> warnings,
    List<Section> sections,
    Map<String, String> provenance) {

  private static final String STYLE =
      """
      :root { color-scheme: light; }
      * { box-sizing: border-box; }
      body { margin: 0 auto; max-width: 60rem; padding: 2rem 1.25rem 4rem; background: #fff; color: #222;
        font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; }
      h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .5rem; overflow-wrap: anywhere; }
      h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; padding-top: 1rem; border-top: 1px solid #ddd; }
      p { margin: .5rem 0; max-width: 44rem; overflow-wrap: anywhere; }
      .summary { font-size: 1.1rem; color: #444; }
      .warnings { margin: 1.25rem 0; padding: .75rem 1rem; border-left: 4px solid #d55e00; background: #fdf3ea; }
      .warnings ul { margin: .25rem 0 0; padding-left: 1.2rem; }
      table { width: 100%; border-collapse: collapse; margin: 1rem 0; }
      th, td { padding: .45rem .9rem .45rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid #eee;
        overflow-wrap: anywhere; }
      thead th { overflow-wrap: normal; font-size: .85rem; font-weight: 600; color: #666; border-bottom: 1px solid #bbb; }
      tbody th { font-weight: 500; }
      .value { font-variant-numeric: tabular-nums; white-space: nowrap; }
      .how, .meaning { font-size: .875rem; color: #666; font-weight: 400; }
      .meaning { display: block; }
      .how { min-width: 9rem; }
      .checks td:nth-child(2) { min-width: 11rem; }
      .links { margin: 1rem 0; padding-left: 1.2rem; }
      .links li { margin: .25rem 0; overflow-wrap: anywhere; }
      .links a { color: #0072b2; }
      .note { font-size: .925rem; color: #444; }
      figure { margin: 1.5rem 0 2rem; }
      img { display: block; width: 100%; height: auto; }
      figcaption { margin-top: .5rem; max-width: 44rem; font-size: .925rem; color: #444; }
      .pass, .fail { color: #00684b; font-weight: 600; white-space: nowrap; }
      .fail { color: #b04300; }
      .checks th:last-child { white-space: nowrap; }
      .provenance td { font: .85rem/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
      .provenance th { width: 11rem; font-size: .9rem; }
      @media (max-width: 40rem) {
        body { padding: 1.25rem 1rem 3rem; }
        thead { display: none; }
        tr { display: block; padding: .5rem 0; border-bottom: 1px solid #eee; }
        th, td { display: block; border: 0; padding: 0; }
        .provenance th { width: auto; color: #666; }
      }
      @media print { h2 { break-after: avoid; } figure, tr { break-inside: avoid; } }
      """;

  /**
   * Copies the collections.
   *
   * @throws IllegalArgumentException if a part is null
   */
  public HtmlReport {
    Checks.notNull(title, "title");
    Checks.notNull(summary, "summary");
    warnings = List.copyOf(Checks.notNull(warnings, "warnings"));
    sections = List.copyOf(Checks.notNull(sections, "sections"));
    provenance =
        Collections.unmodifiableMap(new LinkedHashMap<>(Checks.notNull(provenance, "provenance")));
  }

  /**
   * Writes the page in UTF-8; it appears whole or not at all, and missing directories are made.
   *
   * @throws IOException if the file cannot be written
   */
  public void write(Path file) throws IOException {
    byte[] page = toHtml().getBytes(StandardCharsets.UTF_8);
    AtomicFile.write(file, out -> out.write(page));
  }

  /** The whole page. */
  public String toHtml() {
    StringBuilder html =
        new StringBuilder(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    html.append("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    element(html, "title", "", title);
    html.append("<style>\n").append(STYLE).append("</style>\n</head>\n<body>\n");
    element(html, "h1", "", title);
    paragraph(html, "summary", summary);
    appendWarnings(html);
    for (Section section : sections) {
      append(html, section);
    }
    appendProvenance(html);
    return html.append("</body>\n</html>\n").toString();
  }

  private void appendWarnings(StringBuilder html) {
    if (warnings.isEmpty()) {
      return;
    }
    html.append("<div class=\"warnings\" role=\"note\">\n");
    element(html, "strong", "", warnings.size() == 1 ? "Warning" : "Warnings");
    html.append("<ul>\n");
    warnings.forEach(warning -> element(html, "li", "", warning));
    html.append("</ul>\n</div>\n");
  }

  private static void append(StringBuilder html, Section section) {
    html.append("<section>\n");
    element(html, "h2", "", section.heading());
    paragraph(html, "", section.text());
    if (!section.notes().isEmpty()) {
      html.append("<ul class=\"note\">\n");
      section.notes().forEach(note -> element(html, "li", "", note));
      html.append("</ul>\n");
    }
    appendLinks(html, section.links());
    if (!section.numbers().isEmpty()) {
      html.append(
          "<table>\n<thead><tr><th scope=\"col\">Quantity</th><th scope=\"col\">Value</th>");
      html.append("<th scope=\"col\">How</th></tr></thead>\n<tbody>\n");
      section.numbers().forEach(row -> append(html, row));
      html.append("</tbody>\n</table>\n");
    }
    section.figures().forEach(figure -> append(html, figure));
    appendChecks(html, section.checks());
    if (!section.facts().isEmpty()) {
      html.append("<div class=\"provenance\">\n");
      appendFacts(html, section.facts());
      html.append("</div>\n");
    }
    html.append("</section>\n");
  }

  private static void appendLinks(StringBuilder html, List<Link> links) {
    if (links.isEmpty()) {
      return;
    }
    html.append("<ul class=\"links\">\n");
    for (Link link : links) {
      html.append("<li>");
      if (link.target().isEmpty()) {
        html.append(Markup.escape(link.text()));
      } else {
        html.append("<a href=\"").append(Markup.escape(link.target())).append("\">");
        html.append(Markup.escape(link.text())).append("</a>");
      }
      if (!link.note().isBlank()) {
        html.append(" <span class=\"note\">").append(Markup.escape(link.note())).append("</span>");
      }
      html.append("</li>\n");
    }
    html.append("</ul>\n");
  }

  private static void append(StringBuilder html, NumberRow row) {
    html.append("<tr><th scope=\"row\">").append(Markup.escape(row.name()));
    if (!row.meaning().isBlank()) {
      html.append(" <span class=\"meaning\">")
          .append(Markup.escape(row.meaning()))
          .append("</span>");
    }
    html.append("</th>\n");
    element(html, "td", "value", Numbers.withError(row.value(), row.standardError()));
    element(html, "td", "how", row.evidence());
    html.append("</tr>\n");
  }

  private static void append(StringBuilder html, Figure figure) {
    Picture picture = figure.picture();
    // The PNG rather than the SVG: for many trials it is smaller, and it needs no care for ids used
    // twice on a page.
    html.append("<figure>\n<img width=\"").append(picture.width() / Picture.SCALE);
    html.append("\" height=\"").append(picture.height() / Picture.SCALE);
    html.append("\" alt=\"").append(Markup.escape(picture.title() + ". " + picture.description()));
    html.append("\" src=\"data:image/png;base64,")
        .append(Base64.getEncoder().encodeToString(picture.png()));
    html.append("\">\n<figcaption><strong>")
        .append(Markup.escape(picture.title()))
        .append(".</strong> ");
    html.append(Markup.escape(figure.caption())).append("</figcaption>\n</figure>\n");
  }

  private void appendProvenance(StringBuilder html) {
    if (provenance.isEmpty()) {
      return;
    }
    html.append("<section class=\"provenance\">\n");
    element(html, "h2", "", "Settings and provenance");
    appendFacts(html, provenance);
    html.append("</section>\n");
  }

  private static void appendFacts(StringBuilder html, Map<String, String> facts) {
    html.append("<table>\n<tbody>\n");
    facts.forEach(
        (name, value) -> {
          html.append("<tr><th scope=\"row\">").append(Markup.escape(name)).append("</th>");
          html.append("<td>").append(Markup.escape(value)).append("</td></tr>\n");
        });
    html.append("</tbody>\n</table>\n");
  }

  private static void appendChecks(StringBuilder html, List<CheckRow> checks) {
    if (checks.isEmpty()) {
      return;
    }
    html.append("<table class=\"checks\">\n<thead><tr>");
    for (String head : List.of("Claim", "Measured", "Expected", "Result")) {
      html.append("<th scope=\"col\">").append(head).append("</th>");
    }
    html.append("</tr></thead>\n<tbody>\n");
    checks.forEach(check -> append(html, check));
    html.append("</tbody>\n</table>\n");
  }

  private static void append(StringBuilder html, CheckRow check) {
    html.append("<tr><th scope=\"row\">").append(Markup.escape(check.words()));
    for (String note : List.of(check.source(), check.remark())) {
      if (!note.isBlank()) {
        html.append(" <span class=\"meaning\">").append(Markup.escape(note)).append("</span>");
      }
    }
    html.append("</th>\n<td>");
    html.append(Markup.escape(Numbers.withError(check.value(), check.standardError())));
    if (!check.quantity().isBlank()) {
      html.append(" <span class=\"meaning\">");
      html.append(Markup.escape(check.quantity())).append("</span>");
    }
    html.append("</td>\n");
    element(html, "td", "value", check.bound());
    element(html, "td", check.passed() ? "pass" : "fail", check.passed() ? "passed" : "failed");
    html.append("</tr>\n");
  }

  private static void paragraph(StringBuilder html, String style, String text) {
    if (!text.isBlank()) {
      element(html, "p", style, text);
    }
  }

  private static void element(StringBuilder html, String name, String style, String text) {
    html.append('<').append(name);
    if (!style.isEmpty()) {
      html.append(" class=\"").append(style).append('"');
    }
    html.append('>').append(Markup.escape(text)).append("</").append(name).append(">\n");
  }
}
