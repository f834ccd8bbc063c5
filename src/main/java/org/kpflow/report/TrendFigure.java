package org.kpflow.report;

import java.awt.Color;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Curves with error bars over any quantity: one chart, or several with axes of their own. */
final class TrendFigure {
  private static final int MOST_MARKERS = 60;
  private static final double MARGIN = 0.06; // of a linear axis, at both ends
  private static final double FLATTEST = 1e-3; // the shortest y axis, in its unit

  private TrendFigure() {}

  static Picture picture(String title, List<TrendPanel> panels) {
    Chart.Lettering lettering = Grid.lettering(panels.size());
    List<Chart> charts = new ArrayList<>();
    for (TrendPanel panel : panels) {
      charts.add(chart(panel, lettering));
    }
    String description =
        panels.stream().map(TrendFigure::description).collect(Collectors.joining("; "));
    return Grid.picture(title, description, charts, List.of(), panels.size() > 2 ? 2 : 1);
  }

  static Chart chart(TrendPanel panel, Chart.Lettering lettering) {
    double[] range = range(panel);
    boolean empty = !(range[0] <= range[1]);
    int exponent = empty || panel.logarithmic() ? 0 : unit(range);
    double unit = Math.pow(10, exponent);
    Axis x = xAxis(panel);
    Axis y = yAxis(panel, empty ? new double[] {0, 1} : range, exponent);
    Chart chart = new Chart(panel.title(), x, y, lettering);
    if (!panel.logarithmic() && y.min() < 0 && y.max() > 0) {
      chart.layer().horizontalGuide(0, Palette.AXIS, Palette.HAIRLINE);
    }
    for (Guide guide : panel.guides()) {
      draw(chart, guide, scaled(panel, guide.y(), unit), x.max());
    }
    for (int i = 0; i < panel.trends().size(); i++) {
      draw(chart, panel, i, unit, y.min());
    }
    if (empty) {
      chart
          .layer()
          .text(
              panel.logarithmic() ? "no positive number" : "no number",
              (x.min() + x.max()) / 2,
              (y.min() + y.max()) / 2,
              PlotLayer.Anchor.CENTRE,
              Palette.FAINT_INK,
              Palette.font(lettering.text));
    }
    return chart;
  }

  private static void draw(Chart chart, Guide guide, double y, double right) {
    chart.layer().horizontalGuide(y, Palette.GUIDE, Palette.DASHED);
    if (!guide.label().isEmpty()) {
      chart
          .layer()
          .text(
              guide.label(),
              right,
              y,
              PlotLayer.Anchor.BELOW_RIGHT_END,
              Palette.FAINT_INK,
              Palette.font(chart.lettering().text - 1));
    }
  }

  private static void draw(Chart chart, TrendPanel panel, int i, double unit, double floor) {
    Trend trend = panel.trends().get(i);
    Color color = Palette.series(i);
    double[] y = new double[trend.values().length];
    for (int k = 0; k < y.length; k++) {
      double value = trend.values()[k];
      y[k] = scaled(panel, value, unit);
      double error = trend.error(k);
      if (error > 0 && Double.isFinite(y[k])) {
        double low = scaled(panel, value - error, unit);
        double high = scaled(panel, value + error, unit);
        chart.layer().errorBar(trend.x()[k], Double.isFinite(low) ? low : floor, high, color);
      }
    }
    boolean marked = y.length <= MOST_MARKERS;
    chart.layer().line(trend.x(), y, color, 1.6);
    if (marked) {
      chart.layer().markers(trend.x(), y, color, Chart.marker(i));
    }
    if (panel.trends().size() > 1) {
      chart.key(
          new Key(Key.wrapped(trend.name()), color, marked ? Chart.marker(i) : SeriesMarkers.NONE));
    }
  }

  /** Where a value lies on the axis; NaN where it has no place. */
  private static double scaled(TrendPanel panel, double value, double unit) {
    if (!Double.isFinite(value)) {
      return Double.NaN;
    }
    if (panel.logarithmic()) {
      return value > 0 ? Math.log10(value) : Double.NaN;
    }
    return value / unit;
  }

  /** The lowest and the highest value with their errors; in reverse order if there is none. */
  private static double[] range(TrendPanel panel) {
    double low = Double.POSITIVE_INFINITY;
    double high = Double.NEGATIVE_INFINITY;
    for (Trend trend : panel.trends()) {
      for (int k = 0; k < trend.values().length; k++) {
        double value = trend.values()[k];
        if (Double.isFinite(scaled(panel, value, 1))) {
          double below = value - trend.error(k);
          low = Math.min(low, panel.logarithmic() && below <= 0 ? value : below);
          high = Math.max(high, value + trend.error(k));
        }
      }
    }
    for (Guide guide : panel.guides()) {
      if (Double.isFinite(scaled(panel, guide.y(), 1))) {
        low = Math.min(low, guide.y());
        high = Math.max(high, guide.y());
      }
    }
    return new double[] {low, high};
  }

  private static Axis xAxis(TrendPanel panel) {
    double low = xs(panel).min().orElse(0);
    double high = xs(panel).max().orElse(1);
    double margin = high > low ? 0.03 * (high - low) : 0.5;
    boolean whole = xs(panel).allMatch(x -> x == Math.rint(x));
    return whole
        ? Axis.integers(panel.xTitle(), low - margin, high + margin)
        : Axis.decimal(panel.xTitle(), low - margin, high + margin);
  }

  private static DoubleStream xs(TrendPanel panel) {
    return panel.trends().stream().flatMapToDouble(trend -> DoubleStream.of(trend.x()));
  }

  private static Axis yAxis(TrendPanel panel, double[] range, int exponent) {
    if (panel.logarithmic()) {
      double low = Math.log10(range[0] > 0 ? range[0] : 0.1);
      double high = Math.log10(range[1]);
      double margin = Math.max(0.08 * (high - low), 0.05);
      double bottom = low - margin;
      double top = high + margin;
      if (Math.floor(top) - Math.ceil(bottom) < 1) { // an axis needs two powers of ten at least
        bottom = Math.floor(bottom) - 0.1;
        top = Math.max(Math.ceil(top), Math.ceil(bottom) + 1) + 0.1;
      }
      return Axis.decades(panel.yTitle(), bottom, top);
    }
    double unit = Math.pow(10, exponent);
    double middle = (range[0] + range[1]) / 2 / unit;
    double half = Math.max((range[1] - range[0]) / unit, FLATTEST) / 2 * (1 + 2 * MARGIN);
    String title =
        panel.yTitle() + (exponent == 0 ? "" : " (in " + Numbers.powerOfTen(exponent) + ")");
    return Axis.decimal(title, middle - half, middle + half);
  }

  /** The power of ten that the axis counts in. */
  private static int unit(double[] range) {
    double largest = Math.max(Math.abs(range[0]), Math.abs(range[1]));
    return largest == 0 || (largest >= 1e-2 && largest < 1e4) ? 0 : Numbers.exponent(largest);
  }

  static String description(TrendPanel panel) {
    return panel.title()
        + ", x axis: "
        + panel.xTitle()
        + "; y axis: "
        + panel.yTitle()
        + (panel.logarithmic() ? ", logarithmic" : "")
        + ": "
        + panel.trends().stream()
            .map(trend -> Markup.label(trend.name()))
            .collect(Collectors.joining(", "));
  }
}
