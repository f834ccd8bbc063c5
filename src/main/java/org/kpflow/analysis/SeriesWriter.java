package org.kpflow.analysis;

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.io.Npz;
import org.kpflow.io.TensorMap;
import org.kpflow.report.Figure;
import org.kpflow.report.HtmlReport;
import org.kpflow.report.JsonWriter;
import org.kpflow.report.Link;
import org.kpflow.report.Plots;
import org.kpflow.report.Section;
import org.kpflow.report.TrendPanel;
import org.kpflow.tensor.Tensor;

/**
 * Writes a series of checkpoints: series.json, series.npz, curves over training as PNG and SVG, and
 * a report.html that holds them and leads to each checkpoint's own.
 */
public final class SeriesWriter {
  private static final String LEARNING = "series_learning";
  private static final String KERNEL = "series_kernel";
  private static final String PROPAGATION = "series_propagation";

  private final SeriesReport report;
  private final Map<String, String> provenance;

  /** A writer of a series, whose report.html shows the provenance. */
  public SeriesWriter(SeriesReport report, Map<String, String> provenance) {
    this.report = report;
    this.provenance = new LinkedHashMap<>(provenance);
  }

  /**
   * Writes series.json alone, which is cheap enough for every checkpoint.
   *
   * @throws InputException if the directory cannot be written
   */
  public void writeRecords(Path directory) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("provenance", provenance);
    json.put("series", report);
    try {
      JsonWriter.write(directory.resolve("series.json"), json);
    } catch (IOException failure) {
      throw unwritable(directory, failure);
    }
  }

  /**
   * Writes everything; returns the path of report.html.
   *
   * @throws InputException if the directory cannot be written
   */
  public Path write(Path directory) {
    writeRecords(directory);
    SeriesCurves curves = new SeriesCurves(report);
    try (TensorMap arrays = arrays(curves)) {
      for (String picture : List.of(LEARNING, KERNEL, PROPAGATION)) {
        Files.deleteIfExists(directory.resolve(picture + ".png"));
        Files.deleteIfExists(directory.resolve(picture + ".svg"));
      }
      Npz.write(directory.resolve("series.npz"), arrays.asMap(), false);
      List<Section> sections = new ArrayList<>();
      sections.add(
          new Section(
              "Checkpoints", "Each has a report of its own.", links(), List.of(), List.of()));
      section(sections, directory, KERNEL, "The NTK over training", curves.kernel());
      section(sections, directory, LEARNING, "The task over training", curves.learning());
      section(sections, directory, PROPAGATION, "Propagation over training", curves.propagation());
      Path page = directory.resolve("report.html");
      new HtmlReport(
              "Neural tangent kernel over training",
              summary(),
              report.warnings(),
              sections,
              provenance)
          .write(page);
      return page;
    } catch (IOException failure) {
      throw unwritable(directory, failure);
    }
  }

  /** What was analysed, in a sentence or two. */
  public String summary() {
    long done = report.checkpoints().stream().filter(found -> found.report() != null).count();
    return String.format(
        Locale.ROOT,
        "%d of %d checkpoints analysed%s.%s",
        done,
        report.wanted(),
        report.partial() ? "; the series is partial" : "",
        report.selection() == null ? "" : report.selection().sentence());
  }

  private List<Link> links() {
    return report.checkpoints().stream()
        .map(
            found ->
                found.report() == null
                    ? new Link(found.name(), "", "no report: " + found.failure())
                    : new Link(found.name(), relative(found.report()), facts(found)))
        .toList();
  }

  private static String facts(CheckpointReport found) {
    StringBuilder text = new StringBuilder();
    if (!Double.isNaN(found.loss())) {
      text.append(String.format(Locale.ROOT, "loss %.3g, ", found.loss()));
    }
    text.append(String.format(Locale.ROOT, "λ₁ %.3g", found.largestEigenvalue()));
    if (!Double.isNaN(found.cosNtkCore().value())) {
      text.append(String.format(Locale.ROOT, ", cos(NTK, core) %.3g", found.cosNtkCore().value()));
    }
    int warnings = found.warnings().size();
    if (warnings > 0) {
      text.append(warnings == 1 ? ", one warning" : ", " + warnings + " warnings");
    }
    return text.append(found.partial() ? " (partial)" : "").toString();
  }

  /** A relative URL; the dot keeps a colon in a name from being read as a protocol. */
  private static String relative(String path) {
    try {
      return "./" + new URI(null, null, "/" + path, null).getRawPath().substring(1);
    } catch (URISyntaxException impossible) {
      throw new IllegalArgumentException("path: cannot be written as a URL, " + path, impossible);
    }
  }

  private static void section(
      List<Section> sections, Path directory, String name, String heading, List<TrendPanel> panels)
      throws IOException {
    if (panels.isEmpty()) {
      return;
    }
    Figure figure =
        AnalysisWriter.figure(
            directory,
            name,
            Plots.trends(heading, panels),
            "Bars are one standard error, where numbers are estimates.");
    sections.add(new Section(heading, "", List.of(), List.of(figure)));
  }

  private static TensorMap arrays(SeriesCurves curves) {
    TensorMap arrays = new TensorMap("series");
    curves
        .arrays()
        .forEach((name, values) -> arrays.put(name, Tensor.of(Shape.of(values.length), values)));
    return arrays;
  }

  private static InputException unwritable(Path directory, IOException failure) {
    return new InputException(directory + ": cannot be written, " + failure.getMessage(), failure);
  }
}
