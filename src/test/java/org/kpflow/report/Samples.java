package org.kpflow.report;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/**
 * Results that resemble real ones: three dominant modes over a geometric tail, a nearly flat
 * operator, ramps and oscillations.
 */
final class Samples {
  private Samples() {}

  static double[] geometric(int count, double ratio, double... leading) {
    double[] values = new double[count];
    for (int i = 0; i < count; i++) {
      values[i] = i < leading.length ? leading[i] : values[i - 1] * ratio;
    }
    return values;
  }

  static double sum(double[] values) {
    double sum = 0;
    for (double value : values) {
      sum += value;
    }
    return sum;
  }

  static TrendPanel trends(boolean logarithmic) {
    double[] x = {0, 380, 420, 1818};
    double[] errors = {0.1, 0, 0.2, 0.01};
    return new TrendPanel(
        "Sizes",
        "step",
        "value",
        logarithmic,
        List.of(
            new Trend("NTK", x, new double[] {2, 15, 20, 1346}, errors),
            new Trend("core", x, new double[] {1, -1, 0.5, 3}, null)));
  }

  static List<Curve> spectra() {
    double[] flat = geometric(60, 0.998, 1);
    double[] errors = new double[flat.length];
    Arrays.fill(errors, 0.05);
    return List.of(
        Curve.exact("NTK", geometric(60, 0.55, 62, 21, 9)),
        Curve.exact("core V Vᵀ", geometric(60, 0.7, 40, 22, 14, 6)),
        new Curve("P P*", flat, errors));
  }

  static List<Curve> cumulative() {
    List<Curve> curves = new ArrayList<>();
    for (Curve curve : spectra()) {
      double total = curve.standardErrors() == null ? sum(curve.values()) : 1800;
      Curve shares = Curve.cumulative(curve.name(), curve.values(), total);
      curves.add(new Curve(shares.name(), shares.values(), curve.standardErrors()));
    }
    return curves;
  }

  static List<TemporalMode> modes(int count, int trials, int steps) {
    Random random = new Random(7);
    List<TemporalMode> modes = new ArrayList<>();
    for (int i = 0; i < count; i++) {
      double[][] curves = new double[trials][steps];
      for (double[] curve : curves) {
        double sign = random.nextBoolean() ? 1 : -1;
        for (int t = 0; t < steps; t++) {
          double time = t / (double) steps;
          curve[t] =
              0.02 * sign * (i % 2 == 0 ? time : Math.sin(9 * time + random.nextDouble() / 50));
        }
      }
      modes.add(new TemporalMode(0.6 * Math.pow(0.4, i), curves));
    }
    return modes;
  }

  static List<Phase> phases() {
    return List.of(new Phase("stimulus", 0), new Phase("memory", 30), new Phase("response", 60));
  }
}
