package org.kpflow.report;

import java.awt.Color;
import java.util.ArrayList;
import java.util.List;

/** Temporal modes over the time steps, one chart per mode, one line per trial. */
final class TemporalFigure {
  private static final int MOST_MODES = 6;
  private static final int MOST_TRIALS = 100;
  private static final int MOST_POINTS = 100_000; // in one chart: more only makes the files large
  private static final double ROOM_FOR_PHASES = 0.16;

  private TemporalFigure() {}

  static Picture picture(List<TemporalMode> modes, int[] steps, List<Phase> phases) {
    List<TemporalMode> shown = modes.subList(0, Math.min(modes.size(), MOST_MODES));
    double largest = largest(shown);
    // Ticks such as 0.00002 would take the room of the plot, and XChart's ticks have ten decimals
    // at most.
    int exponent = largest >= 1e-2 && largest < 1e4 ? 0 : Numbers.exponent(largest);
    double unit = Math.pow(10, exponent);
    String yTitle =
        exponent == 0 ? "amplitude" : "amplitude (in " + Numbers.powerOfTen(exponent) + ")";
    Axis y = range(shown, unit, yTitle, !phases.isEmpty());
    List<Chart> charts = new ArrayList<>();
    for (int i = 0; i < shown.size(); i++) {
      charts.add(chart(shown.get(i), i, steps, y, unit, phases, Grid.lettering(shown.size())));
    }
    StringBuilder description = new StringBuilder("x axis: time step, ");
    description.append(steps[0]).append(" to ").append(steps[steps.length - 1]);
    description.append("; y axis: ").append(yTitle);
    for (int i = 0; i < shown.size(); i++) {
      description.append("; ").append(title(shown.get(i), i));
    }
    return Grid.picture(
        "Leading temporal modes",
        description.toString(),
        charts,
        List.of(),
        shown.size() <= 3 ? 1 : 2);
  }

  private static Chart chart(
      TemporalMode mode,
      int i,
      int[] times,
      Axis y,
      double unit,
      List<Phase> phases,
      Chart.Lettering lettering) {
    int steps = times.length;
    int around = steps == 1 ? 1 : 0; // a single step needs an axis too
    Axis x = Axis.integers("time step", times[0] - around, times[steps - 1] + around);
    Chart chart = new Chart(title(mode, i), x, y, lettering);
    if (y.min() < 0 && y.max() > 0) {
      chart.layer().horizontalGuide(0, Palette.AXIS, Palette.HAIRLINE);
    }
    int trials = shownTrials(mode);
    Color color = Palette.withAlpha(Palette.series(i), opacity(trials));
    double width = trials == 1 ? 2 : trials <= 30 ? 1.3 : 0.9;
    double[] time = new double[steps];
    for (int t = 0; t < steps; t++) {
      time[t] = times[t];
    }
    for (int b = 0; b < trials; b++) {
      // Evenly spread over all trials, which are often sorted by condition.
      double[] trial = mode.trials()[(int) ((long) b * mode.trials().length / trials)];
      double[] scaled = new double[steps];
      for (int t = 0; t < steps; t++) {
        scaled[t] = trial[t] / unit;
      }
      chart.layer().line(time, scaled, color, width);
    }
    if (steps > 1) {
      drawPhases(chart, phases, x, y);
    }
    return chart;
  }

  static void drawPhases(Chart chart, List<Phase> phases, Axis x, Axis y) {
    double height = y.max() - ROOM_FOR_PHASES / 2 * y.length();
    for (int i = 0; i < phases.size(); i++) {
      double begin = phases.get(i).start();
      double end = i + 1 < phases.size() ? phases.get(i + 1).start() : x.max();
      if (begin > x.max() || (begin < x.min() && end <= x.min())) {
        continue;
      }
      double start = Math.max(begin, x.min());
      if (start > x.min()) {
        chart.layer().verticalGuide(start, Palette.GUIDE, Palette.DASHED);
      }
      double middle = (start + Math.min(end, x.max())) / 2;
      chart
          .layer()
          .text(
              phases.get(i).label(),
              middle,
              height,
              PlotLayer.Anchor.CENTRE,
              Palette.FAINT_INK,
              Palette.font(chart.lettering().text - 1));
    }
  }

  private static String title(TemporalMode mode, int i) {
    String share = Double.isFinite(mode.share()) ? " (" + Numbers.percent(mode.share()) + ")" : "";
    int shown = shownTrials(mode);
    String some =
        shown == mode.trials().length
            ? ""
            : " · " + shown + " of " + mode.trials().length + " trials";
    return "mode " + (i + 1) + share + some;
  }

  private static int shownTrials(TemporalMode mode) {
    int affordable = Math.max(1, MOST_POINTS / mode.steps());
    return Math.min(mode.trials().length, Math.min(MOST_TRIALS, affordable));
  }

  /** Fainter for more trials, never so faint that one trial alone is lost. */
  private static double opacity(int trials) {
    return Math.min(1, Math.max(0.3, 3 / Math.sqrt(trials + 8.0)));
  }

  /** One range for all modes, so that their sizes can be compared. */
  private static Axis range(List<TemporalMode> modes, double unit, String title, boolean phases) {
    double low = Double.POSITIVE_INFINITY;
    double high = Double.NEGATIVE_INFINITY;
    for (TemporalMode mode : modes) {
      for (double[] trial : mode.trials()) {
        for (double value : trial) {
          if (Double.isFinite(value)) {
            low = Math.min(low, value / unit);
            high = Math.max(high, value / unit);
          }
        }
      }
    }
    if (low > high) {
      return Axis.decimal(title, -1, 1);
    }
    double length = high - low;
    // A constant mode has no length of its own: its size stands in, so that the axis shows where it
    // lies.
    if (length <= 1e-6 * Math.max(Math.abs(low), Math.abs(high)) || length == 0) {
      length = Math.max(Math.abs(high), 1);
      low -= length / 2;
      high += length / 2;
    }
    double above = phases ? ROOM_FOR_PHASES / (1 - ROOM_FOR_PHASES) : 0;
    double top = high + 0.06 * length;
    double bottom = low - 0.06 * length;
    return Axis.decimal(title, bottom, top + above * (top - bottom));
  }

  private static double largest(List<TemporalMode> modes) {
    double largest = 0;
    for (TemporalMode mode : modes) {
      for (double[] trial : mode.trials()) {
        for (double value : trial) {
          if (Double.isFinite(value)) {
            largest = Math.max(largest, Math.abs(value));
          }
        }
      }
    }
    return largest == 0 ? 1 : largest;
  }
}
