package org.kpflow.report;

import java.awt.Color;
import java.util.List;
import java.util.Locale;

/** A matrix of cosines as coloured cells, the first row on top. */
final class HeatmapFigure {
  private static final int MOST_VALUES = 12;
  private static final Color POSITIVE = Palette.series(1);
  private static final Color NEGATIVE = Palette.series(0);
  private static final double[] KEYS = {1, 0.5, -0.5, -1};

  private HeatmapFigure() {}

  static Picture picture(String title, String axis, List<String> labels, double[][] values) {
    int m = labels.size();
    Axis x = new Axis(axis + " b", 0.5, m + 0.5, v -> label(labels, Math.round(v)));
    Axis y = new Axis(axis + " a", 0.5, m + 0.5, v -> label(labels, m + 1 - Math.round(v)));
    Chart chart = new Chart(title, x, y, Chart.Lettering.LARGE);
    boolean undefined = false;
    for (int a = 0; a < m; a++) {
      for (int b = 0; b < m; b++) {
        double value = values[a][b];
        undefined |= !Double.isFinite(value);
        double middle = m - a;
        chart.layer().cell(b + 0.5, b + 1.5, middle - 0.5, middle + 0.5, color(value));
        if (m <= MOST_VALUES) {
          String text = Double.isFinite(value) ? hundredths(value) : "–";
          chart
              .layer()
              .text(
                  text,
                  b + 1,
                  middle,
                  PlotLayer.Anchor.CENTRE,
                  Palette.INK,
                  Palette.font(m <= 6 ? 14 : 11));
        }
      }
    }
    for (double key : KEYS) {
      chart.key(new Key(key > 0 ? "+" + key : "−" + -key, color(key), null));
    }
    if (undefined) {
      chart.key(new Key("undefined", Palette.GRID, null));
    }
    String description =
        "x axis: " + x.title() + "; y axis: " + y.title() + "; cells: " + String.join(", ", labels);
    return Grid.picture(title, description, List.of(chart), List.of(), 1);
  }

  /**
   * A label of its own for every position, also for those outside of the plot, which are not shown:
   * XChart looks for ticks until all labels differ, and measures the first.
   */
  private static String label(List<String> labels, long position) {
    return position < 1 || position > labels.size()
        ? "(" + position + ")"
        : Markup.label(labels.get((int) position - 1));
  }

  /** White at 0, the full colour at 1 and -1; grey where undefined. */
  static Color color(double value) {
    if (!Double.isFinite(value)) {
      return Palette.GRID;
    }
    Color full = value > 0 ? POSITIVE : NEGATIVE;
    double share = Math.min(1, Math.abs(value));
    return new Color(
        mixed(full.getRed(), share), mixed(full.getGreen(), share), mixed(full.getBlue(), share));
  }

  private static int mixed(int component, double share) {
    return (int) Math.round(255 + share * (component - 255));
  }

  private static String hundredths(double value) {
    double rounded = Math.rint(100 * value) / 100 + 0.0; // + 0.0: no minus before a zero
    return String.format(Locale.ROOT, "%.2f", rounded).replace('-', '−');
  }
}
