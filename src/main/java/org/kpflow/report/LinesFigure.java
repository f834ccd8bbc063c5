package org.kpflow.report;

import java.awt.Color;
import java.util.List;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Bundles of lines on common axes. */
final class LinesFigure {
  private static final double MARGIN = 0.05;
  private static final double ROOM_FOR_PHASES = 0.14;
  private static final double MOST_STEPS = 1e9; // longer axes are not of steps

  private LinesFigure() {}

  static Chart chart(LinesPanel panel, Chart.Lettering lettering) {
    double[] xs = range(panel.bundles(), Bundle::x);
    double[] ys = panel.yRange() != null ? panel.yRange() : range(panel.bundles(), Bundle::y);
    boolean steps =
        Math.max(Math.abs(xs[0]), Math.abs(xs[1])) <= MOST_STEPS
            && values(panel.bundles(), Bundle::x).allMatch(x -> x == Math.rint(x));
    int xExponent = steps ? 0 : exponent(xs);
    int yExponent = exponent(ys);
    double xUnit = Math.pow(10, xExponent);
    double yUnit = Math.pow(10, yExponent);
    double length = ys[1] / yUnit - ys[0] / yUnit;
    double above = MARGIN + (panel.phases().isEmpty() ? 0 : ROOM_FOR_PHASES);
    Axis x = xAxis(panel, xs[0] / xUnit, xs[1] / xUnit, steps, xExponent);
    Axis y =
        Axis.decimal(
            titled(panel.yTitle(), yExponent),
            ys[0] / yUnit - MARGIN * length,
            ys[1] / yUnit + above * length);
    Chart chart = new Chart(panel.title(), x, y, lettering);
    if (y.min() < 0 && y.max() > 0) {
      chart.layer().horizontalGuide(0, Palette.AXIS, Palette.HAIRLINE);
    }
    for (int i = 0; i < panel.bundles().size(); i++) {
      draw(chart, panel.bundles().get(i), Palette.series(i), xUnit, yUnit);
      if (panel.bundles().size() > 1) {
        chart.key(
            new Key(
                Key.wrapped(panel.bundles().get(i).name()), Palette.series(i), SeriesMarkers.NONE));
      }
    }
    TemporalFigure.drawPhases(chart, panel.phases(), x, y);
    return chart;
  }

  private static Axis xAxis(
      LinesPanel panel, double low, double high, boolean steps, int exponent) {
    double margin = steps ? 0 : MARGIN * (high - low);
    return steps
        ? Axis.integers(panel.xTitle(), low, high)
        : Axis.decimal(titled(panel.xTitle(), exponent), low - margin, high + margin);
  }

  /** The power of ten that an axis counts in. */
  private static int exponent(double[] range) {
    double largest = Math.max(Math.abs(range[0]), Math.abs(range[1]));
    return largest == 0 || (largest >= 1e-2 && largest < 1e4) ? 0 : Numbers.exponent(largest);
  }

  private static String titled(String title, int exponent) {
    return title + (exponent == 0 ? "" : " (in " + Numbers.powerOfTen(exponent) + ")");
  }

  private static void draw(Chart chart, Bundle bundle, Color color, double xUnit, double yUnit) {
    int lines = bundle.y().length;
    Color faint = Palette.withAlpha(color, Math.min(1, Math.max(0.35, 3 / Math.sqrt(lines + 8.0))));
    for (int i = 0; i < lines; i++) {
      double[] x = DoubleStream.of(bundle.x()[i]).map(value -> value / xUnit).toArray();
      double[] y = DoubleStream.of(bundle.y()[i]).map(value -> value / yUnit).toArray();
      chart.layer().line(x, y, faint, lines == 1 ? 1.8 : 1.1);
      int last = y.length - 1;
      if (bundle.ends() && last >= 0) {
        chart
            .layer()
            .markers(new double[] {x[last]}, new double[] {y[last]}, color, Chart.marker(0));
      }
    }
  }

  static String description(LinesPanel panel) {
    return panel.title()
        + ", x axis: "
        + panel.xTitle()
        + "; y axis: "
        + panel.yTitle()
        + ": "
        + panel.bundles().stream()
            .map(bundle -> Markup.label(bundle.name()) + " (" + bundle.y().length + " lines)")
            .collect(Collectors.joining(", "));
  }

  private static DoubleStream values(List<Bundle> bundles, Function<Bundle, double[][]> part) {
    return bundles.stream()
        .flatMap(bundle -> Stream.of(part.apply(bundle)))
        .flatMapToDouble(DoubleStream::of)
        .filter(Double::isFinite);
  }

  /** The least and the largest number, with a length. */
  private static double[] range(List<Bundle> bundles, Function<Bundle, double[][]> part) {
    double low = values(bundles, part).min().orElse(-1);
    double high = values(bundles, part).max().orElse(1);
    double least = 1e-9 * Math.max(Math.abs(low), Math.abs(high));
    if (high - low > least) {
      return new double[] {low, high};
    }
    double half = Math.max(Math.abs(high) / 2, 0.5);
    return new double[] {low - half, high + half};
  }
}
