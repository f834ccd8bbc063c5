package org.kpflow.analysis;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.kpflow.base.Estimate;
import org.kpflow.report.Figure;
import org.kpflow.report.NumberRow;
import org.kpflow.report.Plots;
import org.kpflow.report.Section;
import org.kpflow.report.Trend;
import org.kpflow.report.TrendPanel;

/** The part of report.html on P: singular values, Lyapunov exponents, decay of transitions. */
final class PropagationSection {
  static final String PICTURE = "propagation";

  private PropagationSection() {}

  static Section of(AnalysisReport report, Path directory) throws IOException {
    PropagationReport found = report.propagation();
    List<NumberRow> rows = new ArrayList<>();
    rows.add(
        singular("σ_max(P)", found.largest(), "The largest amplification of a perturbation by P."));
    rows.add(singular("σ_min(P)", found.smallest(), "The smallest: 1 / σ_max(P⁻¹)."));
    rows.add(
        new NumberRow(
            "condition number of P",
            found.conditionNumber(),
            0,
            "Lanczos, error at most " + compact(found.conditionNumberError()),
            "σ_max / σ_min."));
    List<TrendPanel> panels = new ArrayList<>();
    if (found.lyapunov() != null) {
      exponents(report, found.lyapunov(), rows);
      panels.add(
          new TrendPanel(
              "Lyapunov exponents",
              "index",
              "exponent per step",
              false,
              List.of(spectrum(found.lyapunov()))));
    }
    List<Trend> decays = found.transitions().stream().map(PropagationSection::decay).toList();
    boolean transitions = decays.stream().anyMatch(decay -> decay.x().length > 1);
    if (transitions) {
      panels.add(new TrendPanel("State transitions", "lag", "norm", true, decays));
    }
    List<Figure> figures = new ArrayList<>();
    if (!panels.isEmpty()) {
      figures.add(
          AnalysisWriter.figure(
              directory,
              PICTURE,
              Plots.trends("Propagation", panels),
              caption(found, transitions)));
    }
    return new Section(
        "Propagation",
        found.stepsThroughTime()
            ? "P carries a perturbation of one step to all later ones: how strongly, and for how long."
            : "P carries a perturbation of one block of the state to all that read it. This model does not step"
                + " through time, so it has no Lyapunov exponents and no state transitions.",
        rows,
        figures);
  }

  private static void exponents(
      AnalysisReport report, PropagationReport.Lyapunov lyapunov, List<NumberRow> rows) {
    String trials = "QR, mean of " + report.sizes().get("trials") + " trials";
    rows.add(
        row(
            "largest Lyapunov exponent",
            lyapunov.largest(),
            trials,
            "Growth of ln ‖perturbation‖ per step of the inputs; negative where perturbations die out."));
    rows.add(
        row(
            "Kaplan-Yorke dimension",
            lyapunov.kaplanYorkeDimension(),
            trials,
            Double.isNaN(lyapunov.kaplanYorkeDimension().value())
                ? "Not settled by " + lyapunov.mean().length + " exponents; raise --lyapunov."
                : "Of an attractor with these exponents; 0 where the largest is negative."));
    if (lyapunov.minusInfinities() > 0) {
      rows.add(
          NumberRow.exact(
              "exponents at -∞",
              lyapunov.minusInfinities(),
              "Over all trials: directions that a singular step Jacobian removes, such as components of"
                  + " the state that every step overwrites."));
    }
  }

  private static NumberRow row(String name, Estimate estimate, String evidence, String meaning) {
    return new NumberRow(name, estimate.value(), estimate.standardError(), evidence, meaning);
  }

  private static NumberRow singular(String name, SingularValue found, String meaning) {
    String evidence =
        Double.isNaN(found.value())
            ? "Lanczos, did not converge"
            : "Lanczos, error at most " + compact(found.errorBound());
    return new NumberRow(name, found.value(), 0, evidence, meaning);
  }

  private static String compact(double value) {
    return String.format(Locale.ROOT, "%.1g", value);
  }

  private static Trend spectrum(PropagationReport.Lyapunov lyapunov) {
    double[] index = IntStream.rangeClosed(1, lyapunov.mean().length).asDoubleStream().toArray();
    return new Trend("mean over trials", index, lyapunov.mean(), lyapunov.standardErrors());
  }

  private static Trend decay(PropagationReport.Transitions transitions) {
    double[] lags = Arrays.stream(transitions.lags()).asDoubleStream().toArray();
    return new Trend(
        "from step " + transitions.source(),
        lags,
        transitions.mean(),
        transitions.standardErrors());
  }

  /** What the panels show, the exponents above the transitions where there are both. */
  private static String caption(PropagationReport found, boolean transitions) {
    List<String> parts = new ArrayList<>();
    if (found.lyapunov() != null) {
      parts.add(
          "the "
              + found.lyapunov().mean().length
              + " leading of "
              + found.lyapunov().units()
              + " finite-time Lyapunov exponents, mean over trials");
    }
    if (transitions) {
      long trials = found.transitions().get(0).trials();
      parts.add(
          "the norm ‖Φ(s + lag, s)‖₂ of the state transitions, mean over "
              + (trials == 1 ? "one trial" : trials + " trials"));
    }
    String what =
        parts.size() == 2
            ? "Above, " + parts.get(0) + ". Below, " + parts.get(1)
            : "T" + parts.get(0).substring(1);
    return what + ". Bars are one standard error over trials.";
  }
}
