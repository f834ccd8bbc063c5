package org.kpflow.train;

import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToDoubleFunction;
import org.kpflow.report.Plots;
import org.kpflow.report.Trend;
import org.kpflow.report.TrendPanel;

/** The losses of a training as a picture: losses.png and losses.svg. */
final class LossFigure {
  private static final int MOST_POINTS = 1000;

  private LossFigure() {}

  static void write(Path directory, List<LossLog.Row> rows) throws IOException {
    Trend evaluation = trend("evaluation", rows, LossLog.Row::evaluation);
    List<LossLog.Row> thinned = thinned(rows);
    List<TrendPanel> panels = new ArrayList<>();
    panels.add(
        new TrendPanel(
            "Loss",
            "training step",
            "mean squared error",
            true,
            List.of(trend("batch", thinned, LossLog.Row::loss), evaluation)));
    panels.add(panel("Gradient", "norm", thinned, LossLog.Row::gradientNorm));
    if (rows.stream().skip(1).mapToDouble(LossLog.Row::learningRate).distinct().count() > 1) {
      panels.add(panel("Learning rate", "η", thinned, LossLog.Row::learningRate));
    }
    Plots.trends("Training", panels).write(directory.resolve("losses"));
  }

  private static TrendPanel panel(
      String title, String yTitle, List<LossLog.Row> rows, ToDoubleFunction<LossLog.Row> number) {
    Trend trend = trend(title, rows, number);
    return new TrendPanel(title, "training step", yTitle, true, List.of(trend));
  }

  /** The rows that have the number. */
  private static Trend trend(
      String name, List<LossLog.Row> rows, ToDoubleFunction<LossLog.Row> number) {
    List<LossLog.Row> known =
        rows.stream().filter(row -> !Double.isNaN(number.applyAsDouble(row))).toList();
    return new Trend(
        name,
        known.stream().mapToDouble(LossLog.Row::step).toArray(),
        known.stream().mapToDouble(number).toArray(),
        null);
  }

  /** Every so many rows of a long training, and the last. */
  private static List<LossLog.Row> thinned(List<LossLog.Row> rows) {
    int stride = Math.max(1, rows.size() / MOST_POINTS);
    List<LossLog.Row> kept = new ArrayList<>();
    for (int i = rows.size() - 1; i >= 0; i -= stride) {
      kept.add(0, rows.get(i));
    }
    return kept;
  }
}
