package org.kpflow.report;

import java.awt.Color;
import java.awt.image.BufferedImage;
import java.util.List;
import java.util.function.DoubleFunction;

/** A matrix as coloured cells with the colours' values at the right. */
final class MatrixFigure {
  private static final int MOST_WRITTEN = 10; // rows and columns with their numbers
  private static final int MOST_CELLS = 2500; // more become one image
  private static final int LEAST_PIXELS = 600; // of that image: viewers blur small ones
  private static final int KEYS = 5;
  private static final Color[] RAMP = {
    new Color(0xF4, 0xF9, 0xFD), new Color(0x56, 0xB4, 0xE9), new Color(0x0B, 0x2F, 0x5E)
  };

  private MatrixFigure() {}

  static Chart chart(MatrixPanel panel, Chart.Lettering lettering) {
    int rows = panel.values().length;
    int columns = panel.values()[0].length;
    Axis x = axis(panel.xTitle(), panel.columns(), columns, false);
    Axis y = axis(panel.yTitle(), panel.rows(), rows, true);
    Chart chart = new Chart(panel.title(), x, y, lettering);
    double[] range = range(panel);
    if (rows * columns > MOST_CELLS) {
      chart.layer().image(x.min(), x.max(), y.min(), y.max(), image(panel, range));
    } else {
      cells(chart, panel, range);
    }
    if (range[0] <= range[1] && rows * columns > 1) { // one cell has its number in it
      int keys = range[0] == range[1] ? 1 : KEYS;
      for (int i = 0; i < keys; i++) {
        double share = keys == 1 ? 1 : 1 - i / (keys - 1.0);
        double value = range[0] + share * (range[1] - range[0]);
        chart.key(
            new Key(
                Numbers.significant(value, 2).replace('-', '−'), color(panel, range, value), null));
      }
    }
    return chart;
  }

  static String description(MatrixPanel panel) {
    return panel.title()
        + ", x axis: "
        + panel.xTitle()
        + "; y axis: "
        + panel.yTitle()
        + ": "
        + panel.values().length
        + " × "
        + panel.values()[0].length
        + " cells";
  }

  private static void cells(Chart chart, MatrixPanel panel, double[] range) {
    int rows = panel.values().length;
    int columns = panel.values()[0].length;
    boolean written = rows <= MOST_WRITTEN && columns <= MOST_WRITTEN;
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        double value = panel.values()[i][j];
        Color color = color(panel, range, value);
        chart.layer().cell(j - 0.5, j + 0.5, -i - 0.5, -i + 0.5, color);
        if (written) {
          chart
              .layer()
              .label(
                  Double.isFinite(value) ? Numbers.compact(value).replace('-', '−') : "–",
                  j,
                  -i,
                  dark(color) ? Color.WHITE : Palette.INK,
                  Palette.font(chart.lettering().text - 1));
        }
      }
    }
  }

  private static BufferedImage image(MatrixPanel panel, double[] range) {
    int rows = panel.values().length;
    int columns = panel.values()[0].length;
    int times = Math.max(1, LEAST_PIXELS / Math.max(rows, columns));
    BufferedImage image =
        new BufferedImage(columns * times, rows * times, BufferedImage.TYPE_INT_RGB);
    for (int i = 0; i < rows * times; i++) {
      for (int j = 0; j < columns * times; j++) {
        double value = panel.values()[i / times][j / times];
        image.setRGB(j, i, color(panel, range, value).getRGB());
      }
    }
    return image;
  }

  /** Column j is around j, row i around -i, so that rows go down. */
  private static Axis axis(String title, List<String> labels, int count, boolean down) {
    DoubleFunction<String> label = v -> label(labels, Math.round(down ? -v : v));
    return down
        ? new Axis(title, 0.5 - count, 0.5, label)
        : new Axis(title, -0.5, count - 0.5, label);
  }

  /** A label of its own for every position, also outside: see {@link HeatmapFigure}. */
  private static String label(List<String> labels, long position) {
    if (labels.isEmpty()) {
      return String.valueOf(position);
    }
    return position < 0 || position >= labels.size()
        ? "(" + position + ")"
        : Markup.label(labels.get((int) position));
  }

  /** The least and the largest number on the scale; in reverse order if there is none. */
  private static double[] range(MatrixPanel panel) {
    double low = Double.POSITIVE_INFINITY;
    double high = Double.NEGATIVE_INFINITY;
    for (double[] row : panel.values()) {
      for (double value : row) {
        if (Double.isFinite(value)) {
          low = Math.min(low, value);
          high = Math.max(high, value);
        }
      }
    }
    if (panel.scale() == MatrixPanel.Scale.DIVERGING && low <= high) {
      double most = Math.max(Math.abs(low), Math.abs(high));
      return new double[] {-most, most};
    }
    return new double[] {low, high};
  }

  private static Color color(MatrixPanel panel, double[] range, double value) {
    if (!Double.isFinite(value)) {
      return Palette.AXIS;
    }
    double length = range[1] - range[0];
    if (panel.scale() == MatrixPanel.Scale.DIVERGING) {
      return HeatmapFigure.color(length > 0 ? 2 * value / length : 0);
    }
    double share = length > 0 ? (value - range[0]) / length : 0.5;
    int part = share < 0.5 ? 0 : 1;
    return mixed(RAMP[part], RAMP[part + 1], 2 * share - part);
  }

  private static Color mixed(Color from, Color to, double share) {
    double s = Math.min(1, Math.max(0, share));
    return new Color(
        (int) Math.round(from.getRed() + s * (to.getRed() - from.getRed())),
        (int) Math.round(from.getGreen() + s * (to.getGreen() - from.getGreen())),
        (int) Math.round(from.getBlue() + s * (to.getBlue() - from.getBlue())));
  }

  private static boolean dark(Color color) {
    return 0.3 * color.getRed() + 0.6 * color.getGreen() + 0.1 * color.getBlue() < 130;
  }
}
