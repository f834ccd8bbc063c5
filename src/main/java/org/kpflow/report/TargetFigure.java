package org.kpflow.report;

import java.util.List;
import java.util.stream.Collectors;

/** Rayleigh quotients of target modes as columns, one group per mode, one colour per model. */
final class TargetFigure {
  private static final double WIDEST_GROUP = 0.76;
  private static final double WIDEST_COLUMN = 0.25; // of the whole plot
  private static final int MOST_LABELS = 24;

  private TargetFigure() {}

  static Picture picture(List<Curve> models) {
    int modes =
        Math.max(1, models.stream().mapToInt(model -> model.values().length).max().orElse(1));
    double[] range = range(models);
    double largest = Math.max(range[1], -range[0]);
    int exponent = largest >= 1e-2 && largest < 1e4 ? 0 : Numbers.exponent(largest);
    double unit = Math.pow(10, exponent);
    String yTitle =
        "Rayleigh quotient" + (exponent == 0 ? "" : " (in " + Numbers.powerOfTen(exponent) + ")");
    Axis x = Axis.integers("target mode", 0.4, modes + 0.6);
    double room = 0.12 * (range[1] - range[0]); // for the values above the columns
    Axis y =
        Axis.decimal(yTitle, (range[0] < 0 ? range[0] - room : 0) / unit, (range[1] + room) / unit);
    Chart chart = new Chart("Alignment of the target's modes", x, y, Chart.Lettering.LARGE);
    for (int i = 0; i < models.size(); i++) {
      draw(chart, models, i, modes, unit);
    }
    chart.layer().horizontalGuide(0, Palette.AXIS, Palette.HAIRLINE);
    String names =
        models.stream().map(model -> Markup.label(model.name())).collect(Collectors.joining(", "));
    String description = "x axis: target mode; y axis: " + yTitle + "; models: " + names;
    return Grid.picture(
        "Alignment of the target's modes", description, List.of(chart), List.of(), 1);
  }

  private static void draw(Chart chart, List<Curve> models, int i, int modes, double unit) {
    Curve model = models.get(i);
    int columns = modes * models.size();
    double group = Math.min(WIDEST_GROUP, WIDEST_COLUMN * columns);
    double width = group / models.size();
    for (int k = 0; k < model.values().length; k++) {
      double value = model.values()[k];
      if (!Double.isFinite(value)) {
        continue;
      }
      double left = k + 1 - group / 2 + i * width;
      double middle = left + width / 2;
      double y = value / unit;
      chart.layer().column(left + 0.04 * width, left + 0.96 * width, y, Palette.series(i));
      double error = model.standardError(k);
      double top = Math.max(y, 0);
      if (error > 0 && Double.isFinite(error)) {
        chart.layer().errorBar(middle, y - error / unit, y + error / unit, Palette.INK);
        top = Math.max(top, y + error / unit);
      }
      if (columns <= MOST_LABELS) {
        // The label bears the value itself, also where the axis shows multiples of it.
        chart
            .layer()
            .text(
                Numbers.compact(value),
                middle,
                top,
                PlotLayer.Anchor.ABOVE,
                Palette.INK,
                Palette.font(12));
      }
    }
    chart.key(new Key(Key.wrapped(model.name()), Palette.series(i), null));
  }

  /** From zero, or the lowest negative value, to the highest with its error; never empty. */
  private static double[] range(List<Curve> models) {
    double low = 0;
    double high = 0;
    for (Curve model : models) {
      for (int k = 0; k < model.values().length; k++) {
        double value = model.values()[k];
        double error = Double.isFinite(model.standardError(k)) ? model.standardError(k) : 0;
        if (Double.isFinite(value)) {
          low = Math.min(low, value < 0 ? value - error : 0);
          high = Math.max(high, value + error);
        }
      }
    }
    return low == high ? new double[] {0, 1} : new double[] {low, high};
  }
}
