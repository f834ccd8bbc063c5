package org.kpflow.experiment;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import org.kpflow.report.Bundle;
import org.kpflow.report.LinesPanel;
import org.kpflow.report.Panel;
import org.kpflow.report.Plots;
import org.kpflow.report.Trend;
import org.kpflow.report.TrendPanel;

/**
 * The data and the picture of figure 4.
 *
 * @param courses a point per checkpoint
 */
record PlateauPanels(Map<PlateauFigure.Course, List<Point>> courses) {
  void draw(ExperimentRun run, String title) {
    arrays(run);
    List<Panel> panels = new ArrayList<>();
    Map<PlateauFigure.Course, String> networks = new EnumMap<>(PlateauFigure.Course.class);
    networks.put(PlateauFigure.Course.FIRST_SGD, "Network 1");
    networks.put(PlateauFigure.Course.SECOND_SGD, "Network 2");
    networks.put(PlateauFigure.Course.CORNERS_SGD, "With corners");
    networks.forEach(
        (course, network) -> {
          Point start = courses.get(course).get(0);
          panels.add(plane(network + ": states before training", start));
          panels.add(outputs(network + ": outputs before training", start));
        });
    courses.forEach(
        (course, points) ->
            panels.add(outputs("After training: " + course.words, points.get(points.size() - 1))));
    panels.add(trend("Loss without noise", "mean squared error", p -> p.number("loss")));
    for (int i = 0; i < MemoryProSetup.CHANNELS; i++) {
      int mode = i;
      panels.add(
          trend(
              "Target mode " + (i + 1) + " in the hidden state",
              "part of ||H||²",
              p -> p.values("hidden")[mode]));
    }
    panels.add(
        trend("NTK and target mode 3", "alignment", p -> p.values("kernel")[PlateauFigure.LAST]));
    run.picture(
        "fig4",
        "A to F: states in the plane of their principal axes (dots: the ends of the trials), and"
            + " outputs, before training. G to J: outputs after it; one line per trial. K: loss. L"
            + " to N: part of the hidden activity along each target mode (the fixation, cos α and"
            + " sin α channels). O: Rayleigh quotient of the NTK with the third mode, lifted to the"
            + " state by the read-out, over the NTK's norm. The paper's panel C is a drawing of"
            + " the idea and has no data.",
        Plots.panels(title, 2, panels));
  }

  private void arrays(ExperimentRun run) {
    courses.forEach(
        (course, points) -> {
          run.array(course.key() + "_step", series(points, p -> p.number("step")));
          run.array(course.key() + "_loss", series(points, p -> p.number("loss")));
          for (String name : List.of("learned", "hidden", "kernel")) {
            double[][] rows = points.stream().map(p -> p.values(name)).toArray(double[][]::new);
            run.array(course.key() + "_" + name, rows);
          }
        });
  }

  private static double[] series(List<Point> points, ToDoubleFunction<Point> value) {
    return points.stream().mapToDouble(value).toArray();
  }

  private TrendPanel trend(String title, String yTitle, ToDoubleFunction<Point> value) {
    List<Trend> trends = new ArrayList<>();
    courses.forEach(
        (course, points) ->
            trends.add(
                new Trend(
                    course.words,
                    series(points, p -> p.number("step")),
                    series(points, value),
                    null)));
    return new TrendPanel(title, "training step", yTitle, true, trends);
  }

  private static LinesPanel outputs(String title, Point point) {
    return MemoryProSetup.panel(title, "output", point.values("outputs"), -1.5, 1.8);
  }

  private static LinesPanel plane(String title, Point point) {
    double[][] x = MemoryProSetup.lines(point.values("plane"), 2, 0);
    double[][] y = MemoryProSetup.lines(point.values("plane"), 2, 1);
    return new LinesPanel(
        title,
        "principal axis 1",
        "principal axis 2",
        List.of(new Bundle("trials", x, y, true)),
        List.of(),
        null);
  }
}
