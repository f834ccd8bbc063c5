package org.kpflow.experiment;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.IntStream;
import org.kpflow.report.Bundle;
import org.kpflow.report.LinesPanel;
import org.kpflow.report.Panel;
import org.kpflow.report.Plots;
import org.kpflow.report.Trend;
import org.kpflow.report.TrendPanel;
import org.kpflow.tensor.Tensor;

/**
 * The data and the picture of figure 3.
 *
 * @param courses a point per checkpoint
 * @param before spectra before training
 * @param after spectra after training with Adam
 * @param example one trial of the task, and two targets
 */
record CorePanels(
    Map<CoreFigure.Course, List<Point>> courses, Point before, Point after, Point example) {
  private static final int SHOWN = 30; // modes
  private static final List<String> NAMES = List.of("NTK", "core V Vᵀ", "P P*");

  void draw(ExperimentRun run, String title) {
    arrays(run);
    List<Panel> panels = new ArrayList<>();
    panels.add(
        MemoryProSetup.panel("A trial: inputs", "value", example.values("inputs"), -0.2, 1.4));
    panels.add(
        MemoryProSetup.panel(
            "The same trial: targets", "value", example.values("targets"), -0.2, 1.4));
    panels.add(trend("Alignment of core and NTK", "cos(NTK, V Vᵀ ⊗ I)", false, "cosine"));
    panels.add(trend("Loss without noise", "mean squared error", true, "loss"));
    panels.add(cumulative("Cumulative variance before training", before));
    panels.add(cumulative("Cumulative variance after Adam", after));
    panels.add(difference());
    panels.add(modes());
    panels.add(target("Aligned target", example.rows("aligned")));
    panels.add(target("Target out of reach", example.rows("misaligned")));
    run.picture(
        "fig3",
        String.format(
            Locale.ROOT,
            "A, B: one trial of the task. C, D: alignment of core and NTK, and loss, over training"
                + " (bars: standard errors). E, F: how many temporal modes carry how much of NTK,"
                + " core and P P*. G: the curve of the NTK less that of the core. H: the leading"
                + " temporal modes of the NTK before training, one line per trial. I, J: two"
                + " targets, one line per trial; their Rayleigh quotients with the NTK's temporal"
                + " view before training are %.3g and %.3g.",
            before.number("aligned"),
            before.number("misaligned")),
        Plots.panels(title, 2, panels));
  }

  private void arrays(ExperimentRun run) {
    courses.forEach(
        (course, points) -> {
          for (String name : List.of("step", "loss", "cosine", "cosine_error")) {
            run.array(course.key() + "_" + name, series(points, name));
          }
        });
    for (String operator : CoreFigure.OPERATORS) {
      run.array(operator + "_shares_before", before.values(operator + "_shares"));
      run.array(operator + "_shares_after", after.values(operator + "_shares"));
    }
    try (Tensor modes = before.tensor("modes");
        Tensor later = after.tensor("modes")) {
      run.array("modes_before", modes);
      run.array("modes_after", later);
    }
    run.array("target_aligned", example.rows("aligned"));
    run.array("target_misaligned", example.rows("misaligned"));
  }

  private static double[] series(List<Point> points, String name) {
    return points.stream().mapToDouble(point -> point.number(name)).toArray();
  }

  private TrendPanel trend(String title, String yTitle, boolean logarithmic, String name) {
    List<Trend> trends = new ArrayList<>();
    courses.forEach(
        (course, points) ->
            trends.add(
                new Trend(
                    course.words,
                    series(points, "step"),
                    series(points, name),
                    name.equals("cosine") ? series(points, "cosine_error") : null)));
    return new TrendPanel(title, "training step", yTitle, logarithmic, trends);
  }

  private static TrendPanel cumulative(String title, Point spectra) {
    List<Trend> trends = new ArrayList<>();
    for (int i = 0; i < NAMES.size(); i++) {
      double[] shares = spectra.values(CoreFigure.OPERATORS.get(i) + "_shares");
      trends.add(overModes(NAMES.get(i), Arrays.copyOf(shares, Math.min(SHOWN, shares.length))));
    }
    return new TrendPanel(title, "temporal modes", "share of the trace", false, trends);
  }

  private TrendPanel difference() {
    List<Trend> trends = new ArrayList<>();
    List<Point> both = List.of(before, after);
    for (int i = 0; i < both.size(); i++) {
      double[] kernel = both.get(i).values("NTK_shares");
      double[] core = both.get(i).values("core_shares");
      double[] less =
          IntStream.range(0, Math.min(SHOWN, kernel.length))
              .mapToDouble(j -> kernel[j] - core[j])
              .toArray();
      trends.add(overModes(i == 0 ? "before training" : "after Adam", less));
    }
    return new TrendPanel(
        "Cumulative variance, NTK less core", "temporal modes", "difference", false, trends);
  }

  private static Trend overModes(String name, double[] values) {
    double[] x = IntStream.rangeClosed(1, values.length).asDoubleStream().toArray();
    return new Trend(name, x, values, null);
  }

  private LinesPanel modes() {
    double[][] modes = before.rows("modes");
    List<Bundle> bundles = new ArrayList<>();
    for (int i = 0; i < CoreFigure.DOMINANT; i++) {
      bundles.add(Bundle.overSteps("mode " + (i + 1), MemoryProSetup.lines(modes[i], 1, 0)));
    }
    return new LinesPanel(
        "Leading temporal modes before training",
        "time step",
        "amplitude",
        bundles,
        MemoryProSetup.PHASES,
        null);
  }

  private static LinesPanel target(String title, double[][] lines) {
    return new LinesPanel(
        title,
        "time step",
        "target",
        List.of(Bundle.overSteps("trials", lines)),
        MemoryProSetup.PHASES,
        new double[] {-1.1, 1.5});
  }
}
