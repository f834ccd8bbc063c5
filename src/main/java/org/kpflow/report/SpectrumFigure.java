package org.kpflow.report;

import java.awt.Color;
import java.awt.Font;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import org.knowm.xchart.style.markers.Marker;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Eigenvalues over the mode index on a logarithmic axis: one chart, or one per reduced view. */
final class SpectrumFigure {
  // Eigenvalues smaller than this share of the largest are rounding, whatever the sign they came
  // with.
  private static final double ROUNDING = Math.ulp(1.0);
  private static final double MOST_DECADES = 16;
  private static final int MOST_MARKERS = 60;

  private SpectrumFigure() {}

  static Picture picture(String title, List<SpectrumPanel> panels, boolean relative) {
    double[] decades = decades(panels, relative);
    String yTitle = relative ? "eigenvalue / largest" : "eigenvalue";
    Axis y = Axis.decades(yTitle, decades[0], decades[1]);
    // An operator keeps its colour in every panel, also where others are missing.
    List<String> names =
        panels.stream()
            .flatMap(panel -> panel.curves().stream())
            .map(Curve::name)
            .distinct()
            .toList();
    boolean several = panels.size() > 1;
    List<Chart> charts = new ArrayList<>();
    for (SpectrumPanel panel : panels) {
      charts.add(chart(panel, several ? names : null, y, relative, Grid.lettering(panels.size())));
    }
    List<Key> keys = new ArrayList<>();
    for (int i = 0; several && i < names.size(); i++) {
      keys.add(new Key(Key.wrapped(names.get(i)), Palette.series(i), Chart.marker(i)));
    }
    return Grid.picture(title, description(panels, yTitle), charts, keys, several ? 2 : 1);
  }

  /**
   * One chart. Colours follow the list of names where there is one, and else the order; then the
   * chart has its own legend.
   */
  private static Chart chart(
      SpectrumPanel panel,
      List<String> names,
      Axis y,
      boolean relative,
      Chart.Lettering lettering) {
    int modes = panel.curves().stream().mapToInt(SpectrumFigure::drawnModes).max().orElse(1);
    Axis x = Axis.modes("mode", Math.max(2, modes + Math.ceil(modes / 40.0)));
    Chart chart = new Chart(panel.title(), x, y, lettering);
    for (int i = 0; i < panel.curves().size(); i++) {
      Curve curve = panel.curves().get(i);
      int style = names == null ? i : names.indexOf(curve.name());
      Marker marker = modes <= MOST_MARKERS ? Chart.marker(style) : SeriesMarkers.NONE;
      draw(chart, curve, Palette.series(style), marker, relative, y.min());
      if (names == null) {
        String missing = largest(curve) > 0 ? "" : "\nnone above zero";
        chart.key(new Key(Key.wrapped(curve.name()) + missing, Palette.series(style), marker));
      }
    }
    if (panel.curves().stream().allMatch(curve -> largest(curve) == 0)) {
      Font font = Palette.font(lettering.text);
      double middle = (y.min() + y.max()) / 2;
      chart
          .layer()
          .text(
              "no eigenvalue above zero",
              x.max() / 2,
              middle,
              PlotLayer.Anchor.CENTRE,
              Palette.FAINT_INK,
              font);
    }
    return chart;
  }

  private static void draw(
      Chart chart, Curve curve, Color color, Marker marker, boolean relative, double floor) {
    double largest = largest(curve);
    double unit = relative ? largest : 1;
    int count = curve.values().length;
    double[] x = new double[count];
    double[] y = new double[count];
    for (int k = 0; k < count; k++) {
      x[k] = k + 1;
      double value = curve.values()[k];
      boolean drawn = isAboveRounding(value, largest);
      y[k] = drawn ? Math.log10(value / unit) : Double.NaN;
      double error = curve.standardError(k);
      if (drawn && error > 0 && Double.isFinite(error)) {
        double low = value > error ? Math.log10((value - error) / unit) : floor;
        chart.layer().errorBar(x[k], low, Math.log10((value + error) / unit), color);
      }
    }
    chart.layer().line(x, y, color, 1.3);
    chart.layer().markers(x, y, color, marker);
  }

  /**
   * Modes up to the last one that is drawn: a long tail of rounding would leave most of the plot
   * empty.
   */
  private static int drawnModes(Curve curve) {
    double largest = largest(curve);
    int last = 0;
    for (int k = 0; k < curve.values().length; k++) {
      if (isAboveRounding(curve.values()[k], largest)) {
        last = k + 1;
      }
    }
    return last;
  }

  private static boolean isAboveRounding(double value, double largest) {
    return largest > 0 && value > ROUNDING * largest && Double.isFinite(value);
  }

  /** The same whole decades for all panels, so that they can be compared. */
  private static double[] decades(List<SpectrumPanel> panels, boolean relative) {
    double low = Double.POSITIVE_INFINITY;
    double high = Double.NEGATIVE_INFINITY;
    for (SpectrumPanel panel : panels) {
      for (Curve curve : panel.curves()) {
        double largest = largest(curve);
        for (int k = 0; k < curve.values().length; k++) {
          double value = curve.values()[k];
          if (isAboveRounding(value, largest)) {
            double unit = relative ? largest : 1;
            double error = Double.isFinite(curve.standardError(k)) ? curve.standardError(k) : 0;
            low = Math.min(low, Math.log10(value / unit));
            high = Math.max(high, Math.log10((value + error) / unit));
          }
        }
      }
    }
    if (low > high) {
      return new double[] {-1.1, 0.2};
    }
    // A little room at both ends for markers, and one decade at least.
    double top = Math.ceil(high - 0.2) + 0.2;
    double bottom = Math.max(Math.floor(low), Math.ceil(top) - MOST_DECADES);
    return new double[] {Math.min(bottom, top - 1.2) - 0.1, top};
  }

  private static double largest(Curve curve) {
    double largest = 0;
    for (double value : curve.values()) {
      if (Double.isFinite(value)) {
        largest = Math.max(largest, value);
      }
    }
    return largest;
  }

  private static String description(List<SpectrumPanel> panels, String yTitle) {
    return panels.stream()
        .map(
            panel ->
                panel.title()
                    + ": "
                    + panel.curves().stream()
                        .map(curve -> Markup.label(curve.name()))
                        .collect(Collectors.joining(", ")))
        .collect(
            Collectors.joining("; ", "x axis: mode; y axis: " + yTitle + ", logarithmic; ", ""));
  }
}
