package org.kpflow.report;

import java.awt.Color;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Cumulative shares of spectra over the number of modes. */
final class CumulativeFigure {
  private static final double GUIDE = 0.95;
  private static final double NEARLY_ALL = 0.999;
  private static final int FEWEST_MODES = 20;
  private static final int MOST_MODES = 100;
  private static final int MOST_MARKERS = 40;

  private CumulativeFigure() {}

  static Picture picture(List<Curve> curves) {
    int modes = shownModes(curves);
    boolean banded = curves.stream().anyMatch(curve -> curve.standardErrors() != null);
    String title = "Cumulative variance" + (banded ? " (shaded: ± 1 standard error)" : "");
    Axis x = Axis.integers("number of modes", 0, modes);
    Axis y = Axis.percent("cumulative share of the trace", 1.02);
    Chart chart = new Chart(title, x, y, Chart.Lettering.LARGE);
    chart.layer().horizontalGuide(GUIDE, Palette.GUIDE, Palette.DASHED);
    chart
        .layer()
        .text(
            "95 %",
            modes, GUIDE, PlotLayer.Anchor.BELOW_RIGHT_END, Palette.FAINT_INK, Palette.font(12.5));
    for (int i = 0; i < curves.size(); i++) {
      draw(chart, curves.get(i), i, modes);
    }
    String names =
        curves.stream()
            .map(CumulativeFigure::key)
            .collect(Collectors.joining("; "))
            .replace('\n', ' ');
    String description = "x axis: " + x.title() + "; y axis: " + y.title() + "; curves: " + names;
    return Grid.picture("Cumulative variance", description, List.of(chart), List.of(), 1);
  }

  private static void draw(Chart chart, Curve curve, int i, int modes) {
    Color color = Palette.series(i);
    int count = Math.min(modes, curve.values().length);
    // No modes explain nothing: the point (0, 0) makes a curve of a single mode visible too.
    double[] x = new double[count + 1];
    double[] y = new double[count + 1];
    for (int k = 1; k <= count; k++) {
      x[k] = k;
      y[k] = curve.values()[k - 1];
    }
    band(chart, curve, count, color);
    chart.layer().line(x, y, color, 2);
    boolean marked = modes <= MOST_MARKERS;
    if (marked) {
      chart.layer().markers(withoutOrigin(x), withoutOrigin(y), color, Chart.marker(i));
    }
    chart.key(new Key(key(curve), color, marked ? Chart.marker(i) : SeriesMarkers.NONE));
  }

  private static void band(Chart chart, Curve curve, int count, Color color) {
    if (curve.standardErrors() == null) {
      return;
    }
    int points = 0;
    double[] x = new double[count];
    double[] low = new double[count];
    double[] high = new double[count];
    for (int k = 0; k < count; k++) {
      double error = curve.standardErrors()[k];
      if (Double.isFinite(error) && Double.isFinite(curve.values()[k])) {
        x[points] = k + 1;
        low[points] = curve.values()[k] - error;
        high[points++] = curve.values()[k] + error;
      }
    }
    if (points > 1) {
      chart
          .layer()
          .band(
              Arrays.copyOf(x, points),
              Arrays.copyOf(low, points),
              Arrays.copyOf(high, points),
              Palette.withAlpha(color, 0.2));
    }
  }

  /**
   * The modes up to where the slowest low-rank curve has nearly everything, within bounds: a flat
   * curve must not squeeze the others.
   */
  static int shownModes(List<Curve> curves) {
    int longest = curves.stream().mapToInt(curve -> curve.values().length).max().orElse(0);
    int wanted = 0;
    for (Curve curve : curves) {
      if (modesReaching(curve, GUIDE) <= MOST_MODES) {
        wanted =
            Math.max(wanted, Math.min(modesReaching(curve, NEARLY_ALL), curve.values().length));
      }
    }
    if (wanted == 0) {
      wanted = longest;
    }
    int shown = Math.min(Math.max(wanted, FEWEST_MODES), MOST_MODES);
    return Math.max(2, Math.min(shown, longest));
  }

  /** The number of modes that reach a share; more than any number if none does. */
  private static int modesReaching(Curve curve, double share) {
    for (int k = 0; k < curve.values().length; k++) {
      if (curve.values()[k] >= share) {
        return k + 1;
      }
    }
    return Integer.MAX_VALUE;
  }

  /**
   * The legend's two lines: the name, and how many modes reach 95 % or what all listed modes reach.
   */
  private static String key(Curve curve) {
    int reaching = modesReaching(curve, GUIDE);
    int all = curve.values().length;
    String fact;
    if (reaching <= all) {
      fact = "95 % with " + count(reaching);
    } else if (all > 0 && Double.isFinite(curve.values()[all - 1])) {
      fact = Numbers.percent(curve.values()[all - 1]) + " with " + count(all);
    } else {
      fact = "no spectrum";
    }
    return Key.wrapped(curve.name()) + "\n" + fact;
  }

  private static String count(int modes) {
    return modes == 1 ? "1 mode" : modes + " modes";
  }

  private static double[] withoutOrigin(double[] values) {
    return Arrays.copyOfRange(values, 1, values.length);
  }
}
