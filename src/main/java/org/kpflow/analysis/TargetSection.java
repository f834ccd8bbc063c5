package org.kpflow.analysis;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import org.kpflow.report.Curve;
import org.kpflow.report.Figure;
import org.kpflow.report.NumberRow;
import org.kpflow.report.Plots;
import org.kpflow.report.Section;

/** The part of report.html on targets: the loss, how fast it falls, and the target's modes. */
final class TargetSection {
  static final String PICTURE = "target_alignment";

  private TargetSection() {}

  /** The section; steps are those of all trials. */
  static Section of(TargetReport target, long steps, Path directory) throws IOException {
    List<NumberRow> rows = new ArrayList<>();
    String over =
        target.countedSteps() == steps
            ? "all outputs"
            : "the outputs of those "
                + target.countedSteps()
                + " of "
                + steps
                + " steps that count";
    rows.add(NumberRow.exact("loss", target.loss(), "Mean squared error over " + over + "."));
    rows.add(
        NumberRow.exact(
            "<NTK err, err>",
            target.lossDecrease(),
            "How fast a gradient step of rate 1 lowers the loss."));
    target
        .lossDecreaseByFamily()
        .forEach(
            (family, value) ->
                rows.add(
                    NumberRow.exact("  through " + family, value, "Its part by Corollary 2.")));
    double[] quotients = new double[target.modes().size()];
    for (int i = 0; i < quotients.length; i++) {
      TargetReport.Mode mode = target.modes().get(i);
      quotients[i] = mode.relativeRayleigh();
      rows.add(
          NumberRow.exact(
              "target mode " + (i + 1) + ": Rayleigh quotient / λ₁",
              mode.relativeRayleigh(),
              String.format(
                  Locale.ROOT,
                  "It is %.1f %% of the target; %s of it inside the leading temporal modes, %s inside the leading eigenvectors.",
                  100 * mode.share(),
                  percent(mode.temporalShare()),
                  percent(mode.stateShare()))));
    }
    List<Figure> figures = new ArrayList<>();
    if (quotients.length > 0) {
      figures.add(
          AnalysisWriter.figure(
              directory,
              PICTURE,
              Plots.targetAlignment(List.of(Curve.exact("NTK", quotients))),
              "Rayleigh quotient of each target mode over the NTK's largest eigenvalue."));
    }
    return new Section(
        "Targets", "How much of the task the NTK can reach from here.", rows, figures);
  }

  private static String percent(double share) {
    return Double.isNaN(share)
        ? "an unknown part"
        : String.format(Locale.ROOT, "%.1f %%", 100 * share);
  }
}
