package org.kpflow.analysis;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.kpflow.base.Estimate;
import org.kpflow.base.InputException;
import org.kpflow.io.Npz;
import org.kpflow.report.Curve;
import org.kpflow.report.Figure;
import org.kpflow.report.HtmlReport;
import org.kpflow.report.JsonWriter;
import org.kpflow.report.NumberRow;
import org.kpflow.report.Phase;
import org.kpflow.report.Picture;
import org.kpflow.report.Plots;
import org.kpflow.report.Section;
import org.kpflow.report.SpectrumPanel;
import org.kpflow.report.TemporalMode;
import org.kpflow.spectral.View;
import org.kpflow.tensor.Tensor;

/**
 * Writes an analysis into a directory: report.json, arrays.npz, plots as PNG and SVG, and a
 * report.html that holds them.
 */
public final class AnalysisWriter {
  private static final int DRAWN_MODES = 6;
  private static final String SPECTRUM = "ntk_spectrum";
  private static final String CUMULATIVE = "cumulative_variance";
  private static final String TEMPORAL_MODES = "temporal_modes";
  private static final String VIEW_SPECTRA = "view_spectra";
  private static final List<String> PICTURES =
      List.of(
          SPECTRUM,
          CUMULATIVE,
          TEMPORAL_MODES,
          VIEW_SPECTRA,
          TargetSection.PICTURE,
          PropagationSection.PICTURE,
          ObjectiveSection.PICTURE);
  private static final Map<String, String> LABELS =
      Map.of("NTK", "NTK", "core", "core V Vᵀ", "PPt", "P P*");

  private final AnalysisReport report;
  private final AnalysisResult result;
  private final List<Phase> phases;
  private final Map<String, String> provenance;

  /**
   * A writer of one result.
   *
   * @param phases parts of a trial to mark in the plots over time
   * @param provenance where the result comes from: command line, version; shown in report.html and
   *     report.json
   */
  public AnalysisWriter(AnalysisResult result, List<Phase> phases, Map<String, String> provenance) {
    this.result = result;
    this.report = result.report();
    this.phases = List.copyOf(phases);
    this.provenance = new LinkedHashMap<>(provenance);
  }

  /**
   * Writes everything; returns the path of report.html.
   *
   * @throws InputException if the directory cannot be written
   */
  public Path write(Path directory) {
    try {
      Files.createDirectories(directory);
      for (String picture :
          PICTURES) { // those of an earlier run must not stand beside this one's numbers
        Files.deleteIfExists(directory.resolve(picture + ".png"));
        Files.deleteIfExists(directory.resolve(picture + ".svg"));
      }
      Map<String, Object> json = new LinkedHashMap<>();
      json.put("provenance", provenance);
      json.put("report", report);
      JsonWriter.write(directory.resolve("report.json"), json);
      Npz.write(directory.resolve("arrays.npz"), result.arrays().asMap(), false);
      List<Section> sections = new ArrayList<>();
      sections.add(overview(directory));
      sections.add(views(directory));
      if (report.target() != null) {
        sections.add(TargetSection.of(report.target(), report.sizes().get("rows"), directory));
      }
      if (report.objectives() != null) {
        sections.add(ObjectiveSection.of(report.objectives(), result.arrays(), directory));
      }
      if (report.propagation() != null) {
        sections.add(PropagationSection.of(report, directory));
      }
      Path page = directory.resolve("report.html");
      new HtmlReport(
              "Neural tangent kernel of " + report.model(),
              summary(),
              report.warnings(),
              sections,
              provenance)
          .write(page);
      return page;
    } catch (IOException failure) {
      throw new InputException(directory + ": cannot be written, " + failure.getMessage(), failure);
    }
  }

  /** The main findings in two or three sentences. */
  public String summary() {
    StringBuilder text = new StringBuilder();
    text.append(
        String.format(
            Locale.ROOT,
            "%s of %s, state of %,d numbers, %,d trainable weights.",
            count(report.sizes().get("trials"), "trial"),
            count(report.sizes().get("steps"), "step"),
            report.sizes().get("state"),
            report.sizes().get("parameters")));
    text.append(report.selection().sentence());
    List<String> ranks = new ArrayList<>();
    for (OperatorReport operator : report.operators()) {
      ViewReport view = operator.views().get("temp");
      if (view != null) {
        ranks.add(
            String.format(
                Locale.ROOT,
                "%s of %,d for %s",
                modes(view),
                view.size(),
                LABELS.get(operator.name())));
      }
    }
    if (!ranks.isEmpty()) {
      text.append(" 95 % of the temporal view's trace lies in so many modes: ");
      text.append(String.join(", ", ranks)).append('.');
    }
    if (report.cosNtkCore() != null) {
      text.append(
          String.format(Locale.ROOT, " cos(NTK, V Vᵀ ⊗ I) = %s.", text(report.cosNtkCore())));
    }
    return text.toString();
  }

  private static String count(long number, String what) {
    return number + " " + what + (number == 1 ? "" : "s");
  }

  private static String modes(ViewReport view) {
    if (view.modes95() < 0) {
      return "more than " + view.eigenvalues().length;
    }
    if (view.modes95Upper() == view.modes95()) {
      return Integer.toString(view.modes95());
    }
    return view.modes95() + (view.modes95Upper() < 0 ? " or more" : " to " + view.modes95Upper());
  }

  private static String text(Estimate estimate) {
    if (Double.isNaN(estimate.value())) {
      return "undefined";
    }
    return estimate.standardError() == 0
        ? String.format(Locale.ROOT, "%.4g", estimate.value())
        : String.format(Locale.ROOT, "%.4g ± %.2g", estimate.value(), estimate.standardError());
  }

  private Section overview(Path directory) throws IOException {
    List<NumberRow> rows = new ArrayList<>();
    if (report.cosNtkCore() != null) {
      rows.add(
          row(
              "cos(NTK, V Vᵀ ⊗ I)",
              report.cosNtkCore(),
              "How well the activity alone predicts the NTK."));
    }
    if (report.cosTemporal() != null) {
      rows.add(
          row(
              "cos of the temporal views",
              report.cosTemporal(),
              "The same for the views over trials and steps."));
    }
    OperatorReport kernel = report.operator("NTK");
    rows.add(row("trace of the NTK", kernel.trace(), "The sum of all eigenvalues."));
    rows.add(
        row(
            "Frobenius norm of the NTK",
            kernel.frobenius(),
            "The root of the sum of their squares."));
    boolean found = kernel.eigenvalues().length > 0;
    rows.add(
        new NumberRow(
            "largest eigenvalue",
            found ? kernel.eigenvalues()[0] : Double.NaN,
            0,
            found
                ? String.format(Locale.ROOT, "Lanczos, residual %.1g", kernel.residuals()[0])
                : "Lanczos, did not converge",
            "The fastest direction of one gradient step."));
    spectrum(rows);
    List<Figure> figures = new ArrayList<>();
    figures.add(
        figure(
            directory,
            SPECTRUM,
            Plots.eigenvalueSpectra(List.of(Curve.exact("NTK", spectrumOf(kernel))), false),
            report.spectrum() == null
                ? "Leading eigenvalues of the NTK on " + analysed() + "."
                : "All non-zero eigenvalues of the NTK on " + analysed() + "."));
    return new Section(
        report.selection().whole() ? "The whole operator" : "The operator",
        report.selection().whole()
            ? "NTK = P K P*: what one gradient step on all weights does to every internal variable."
            : "R NTK R*: what one gradient step on all weights does to a part of the internal variables, "
                + report.selection()
                + ".",
        rows,
        figures);
  }

  private String analysed() {
    return report.selection().whole() ? "the whole state" : "the selected part of the state";
  }

  /** The eigenvalues above rounding where all are known, else the leading ones. */
  private double[] spectrumOf(OperatorReport kernel) {
    if (report.spectrum() == null) {
      return kernel.eigenvalues();
    }
    double[] all = result.arrays().get("ntk_all_eigenvalues").toDoubles();
    return Arrays.copyOf(all, (int) report.spectrum().rank());
  }

  /** Ranks of the NTK itself, where all eigenvalues are known. */
  private void spectrum(List<NumberRow> rows) {
    SpectrumReport spectrum = report.spectrum();
    if (spectrum != null) {
      String all =
          String.format(
              Locale.ROOT,
              "Of %,d eigenvalues, found through the %s, %,d stand clear of rounding; all others are 0.",
              spectrum.dimension(),
              spectrum.through(),
              spectrum.rank());
      rows.add(
          NumberRow.exact(
              "participation ratio of the NTK", spectrum.metrics().participationRatio(), all));
      rows.add(
          NumberRow.exact(
              "modes for 95 % of its trace",
              spectrum.metrics().modes95(), "Of " + analysed() + "."));
    }
  }

  private Section views(Path directory) throws IOException {
    List<NumberRow> rows = new ArrayList<>();
    List<SpectrumPanel> panels = new ArrayList<>();
    boolean overTime = report.sizes().get("steps") > 1;
    List<String> shown =
        report.operator("NTK").views().keySet().stream()
            .filter(view -> overTime || !view.equals("time"))
            .toList();
    for (String view : shown) {
      List<Curve> curves = new ArrayList<>();
      for (OperatorReport operator : report.operators()) {
        ViewReport found = operator.views().get(view);
        if (found != null) {
          String name = LABELS.get(operator.name());
          curves.add(Curve.exact(name, found.eigenvalues()));
          rows.add(
              row(
                  name + ", " + view + ": participation ratio",
                  found.participationRatio(),
                  "(Σλ)²/Σλ² of "
                      + found.size()
                      + " modes; 95 % of the trace in "
                      + modes(found)
                      + "; stable rank "
                      + String.format(Locale.ROOT, "%.3g", found.stableRank())));
        }
      }
      panels.add(new SpectrumPanel(view, curves));
    }
    List<Figure> figures = new ArrayList<>();
    if (report.operator("NTK").views().containsKey("temp")) {
      figures.add(cumulative(directory));
      if (overTime) { // one step is a dot
        figures.add(temporalModes(directory));
      }
    }
    if (!panels.isEmpty()) {
      figures.add(
          figure(
              directory,
              VIEW_SPECTRA,
              Plots.viewSpectra(panels),
              "Eigenvalues of the reduced views, relative to the largest of each operator."));
    }
    return new Section(
        "Reduced views",
        shown.isEmpty() ? "" : "Partial traces over " + traced(shown) + ".",
        rows,
        figures);
  }

  /** What the partial traces of views are taken over. */
  private static String traced(List<String> views) {
    List<String> axes = List.of("trials", "steps", "units");
    return views.stream()
        .map(
            view ->
                Arrays.stream(View.of(view).tracedAxes())
                        .mapToObj(axes::get)
                        .collect(Collectors.joining(" and "))
                    + " ("
                    + view
                    + ")")
        .collect(Collectors.joining(", "));
  }

  private Figure cumulative(Path directory) throws IOException {
    List<Curve> curves = new ArrayList<>();
    List<String> sampled = new ArrayList<>();
    for (OperatorReport operator : report.operators()) {
      ViewReport view = operator.views().get("temp");
      if (view.relativeError() != 0) {
        sampled.add(LABELS.get(operator.name()));
      }
      curves.add(
          Curve.cumulative(LABELS.get(operator.name()), view.eigenvalues(), view.trace().value()));
    }
    return figure(
        directory,
        CUMULATIVE,
        Plots.cumulativeVariance(curves),
        "Share of the temporal view's trace that the leading modes carry."
            + (sampled.isEmpty()
                ? ""
                : " Noise raises the curves of what is sampled ("
                    + String.join(", ", sampled)
                    + "), so the numbers of modes in the legend tend to be too small (modes95 to modes95Upper in report.json)."));
  }

  private Figure temporalModes(Path directory) throws IOException {
    Tensor modes = result.arrays().get("ntk_temp_modes");
    ViewReport view = report.operator("NTK").views().get("temp");
    List<TemporalMode> drawn = new ArrayList<>();
    int[] kept = report.selection().inputSteps();
    int trials = (int) modes.shape().size(1);
    int steps = (int) modes.shape().size(2);
    for (int mode = 0; mode < Math.min(DRAWN_MODES, modes.shape().size(0)); mode++) {
      double[] flat = modes.slice(mode).toDoubles();
      double[][] curves = new double[trials][];
      for (int b = 0; b < trials; b++) {
        curves[b] = Arrays.copyOfRange(flat, b * steps, (b + 1) * steps);
      }
      drawn.add(new TemporalMode(view.eigenvalues()[mode] / view.trace().value(), curves));
    }
    return figure(
        directory,
        TEMPORAL_MODES,
        Plots.temporalModes(drawn, kept, phases),
        "Leading temporal modes of the NTK, one curve per trial, with their share of the trace.");
  }

  private static NumberRow row(String name, Estimate estimate, String meaning) {
    return estimate.standardError() == 0
        ? NumberRow.exact(name, estimate.value(), meaning)
        : new NumberRow(
            name,
            estimate.value(),
            estimate.standardError(),
            "estimated (" + estimate.matvecs() + " products)",
            meaning);
  }

  static Figure figure(Path directory, String name, Picture picture, String caption)
      throws IOException {
    picture.write(directory.resolve(name));
    return new Figure(picture, caption);
  }
}
