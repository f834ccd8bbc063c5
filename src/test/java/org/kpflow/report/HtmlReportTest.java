package org.kpflow.report;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HtmlReportTest {
  private static final String HOSTILE =
      "\"><script>alert('x')</script><img src=http://evil.example/a.png> & \u0000";

  @Test
  void thePageNeedsNothingFromTheNetwork() {
    String html = report("a title").toHtml();
    Matcher links =
        Pattern.compile("(?i)(?:src|href|url)\\s*[=(]\\s*[\"']?([^\"')\\s>]{0,30})").matcher(html);
    int count = 0;
    while (links.find()) {
      assertTrue(links.group(1).startsWith("data:image/png;base64,"), links.group(1));
      count++;
    }
    assertEquals(1, count);
    assertFalse(html.contains("<script") || html.contains("<link") || html.contains("@import"));
  }

  @Test
  void hostileTextsAreShownAndNotObeyed() {
    String html = report(HOSTILE).toHtml();
    assertFalse(html.contains("<script"), "no tag comes from a text");
    assertFalse(html.contains("<img src=http"));
    assertFalse(html.contains("alert('"), "quotes cannot end an attribute");
    assertTrue(html.indexOf('\u0000') < 0);
    // title, heading, summary, warning, section heading and text, name, meaning, evidence, curve
    // name in the
    // alternative text,
    // caption, name and value of the provenance
    assertEquals(13, html.split("&lt;script&gt;alert\\(&#39;x&#39;\\)", -1).length - 1);
  }

  @Test
  void numbersStandWithTheirErrorAndEvidence() {
    String html = report("a title").toHtml();
    assertTrue(html.contains("<td class=\"value\">0.1234 ± 0.0012</td>"));
    assertTrue(html.contains("estimated (64 samples)"));
    assertTrue(html.contains("<td class=\"value\">42</td>\n<td class=\"how\">exact</td>"));
  }

  @Test
  void theInlinedPictureIsThePng() throws IOException {
    String html = report("a title").toHtml();
    Matcher data = Pattern.compile("base64,([A-Za-z0-9+/=]+)\"").matcher(html);
    assertTrue(data.find());
    assertEquals(
        1800,
        ImageIO.read(new ByteArrayInputStream(Base64.getDecoder().decode(data.group(1))))
            .getWidth());
  }

  @Test
  void theTagsOfThePageAreBalanced() {
    String html = report("a title").toHtml();
    for (String tag :
        List.of(
            "html", "head", "body", "section", "table", "thead", "tbody", "tr", "th", "td", "p",
            "figure")) {
      int opened = html.split("<" + tag + "[ >]", -1).length;
      assertEquals(opened, html.split("</" + tag + ">", -1).length, tag);
    }
  }

  @Test
  void anEmptyReportIsAPageToo(@TempDir Path directory) throws IOException {
    Path file = directory.resolve("out/report.html");
    new HtmlReport("nothing", "", List.of(), List.of(), Map.of()).write(file);
    String html = Files.readString(file);
    assertTrue(html.startsWith("<!DOCTYPE html>") && html.endsWith("</html>\n"));
    assertFalse(html.contains("Warning") || html.contains("<table"));
  }

  @Test
  void theProvenanceKeepsItsOrder() {
    Map<String, String> provenance = new LinkedHashMap<>();
    provenance.put("Version", "0.1.0");
    provenance.put("Seed", "42");
    provenance.put("Command line", "kpflow analyze");
    String html = new HtmlReport("t", "", List.of(), List.of(), provenance).toHtml();
    assertTrue(
        html.indexOf("Version") < html.indexOf("Seed")
            && html.indexOf("Seed") < html.indexOf("Command line"));
  }

  @Test
  void linksAreEscapedAndStandBesideTheirNotes() {
    Link link = new Link("<step>", "./a%20b/report.html?x=\"1\"", "5 > 4");
    Section section = new Section("h", "", List.of(link), List.of(), List.of());
    String html = new HtmlReport("t", "", List.of(), List.of(section), Map.of()).toHtml();
    assertTrue(
        html.contains(
            "<li><a href=\"./a%20b/report.html?x=&quot;1&quot;\">&lt;step&gt;</a>"
                + " <span class=\"note\">5 &gt; 4</span></li>"),
        html);
  }

  private static HtmlReport report(String text) {
    Picture picture = Plots.eigenvalueSpectra(List.of(Curve.exact(text, 4, 2, 1)), true);
    List<NumberRow> numbers =
        List.of(
            NumberRow.exact(text, 42, text),
            NumberRow.estimated("cosine", 0.12341, 0.00123, 64, ""),
            new NumberRow("rank", 2.5, 0, text, ""));
    Section section = new Section(text, text, numbers, List.of(new Figure(picture, text)));
    return new HtmlReport(text, text, List.of(text), List.of(section), Map.of(text, text));
  }
}
