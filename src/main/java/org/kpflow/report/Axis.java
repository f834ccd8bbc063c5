package org.kpflow.report;

import java.util.function.DoubleFunction;

/**
 * A linear axis: its title, its range and how its ticks read. Logarithmic axes are linear ones of
 * log₁₀, so that an axis never meets a value it cannot place. XChart looks for ticks until all
 * labels differ, which {@link #integers} uses to forbid ticks in between.
 */
record Axis(String title, double min, double max, DoubleFunction<String> label) {

  /** Plain decimal ticks. */
  static Axis decimal(String title, double min, double max) {
    return new Axis(title, min, max, Axis::decimal);
  }

  /** Ticks at integers only. */
  static Axis integers(String title, double min, double max) {
    return new Axis(title, min, max, v -> String.valueOf(Math.round(v)));
  }

  /** Mode indices from 1; the axis begins at 0, which has no label. */
  static Axis modes(String title, double max) {
    return new Axis(title, 0, max, v -> Math.round(v) == 0 ? " " : String.valueOf(Math.round(v)));
  }

  /** Shares of one, as percentages. */
  static Axis percent(String title, double max) {
    return new Axis(title, 0, max, v -> Math.round(100 * v) + " %");
  }

  /** log₁₀ of a value; ticks at whole powers of ten only. */
  static Axis decades(String title, double min, double max) {
    return new Axis(title, min, max, v -> Numbers.powerOfTen(Math.round(v)));
  }

  double length() {
    return max - min;
  }

  private static String decimal(double value) {
    // XChart adds up its ticks from decimal steps; four decimals remove what is left of binary
    // rounding.
    double rounded = Math.rint(value * 1e4) / 1e4;
    return Numbers.significant(rounded, 6).replace('-', '−');
  }
}
