package org.kpflow.experiment;

import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import org.kpflow.base.Estimate;

/** Numbers made of independent estimates, with errors to first order. */
final class Estimates {
  private Estimates() {}

  /** a / b: σ² = (σ_a / b)² + (a σ_b / b²)². */
  static Estimate ratio(Estimate a, Estimate b) {
    double ratio = a.value() / b.value();
    double error = Math.hypot(a.standardError(), ratio * b.standardError()) / Math.abs(b.value());
    return new Estimate(ratio, error, 0);
  }

  /** log a: σ = σ_a / a. */
  static Estimate log(Estimate a) {
    return new Estimate(Math.log(a.value()), a.standardError() / Math.abs(a.value()), 0);
  }

  static Estimate absolute(Estimate a) {
    return new Estimate(Math.abs(a.value()), a.standardError(), 0);
  }

  /** The one with the smaller number. */
  static Estimate least(Estimate a, Estimate b) {
    return b.value() < a.value() ? b : a;
  }

  /** The one with the larger number. */
  static Estimate most(Estimate a, Estimate b) {
    return b.value() > a.value() ? b : a;
  }

  /** The largest over the smallest. */
  static Estimate spread(Estimate... values) {
    return ratio(
        Arrays.stream(values).reduce(Estimates::most).orElseThrow(),
        Arrays.stream(values).reduce(Estimates::least).orElseThrow());
  }

  /** The mean of draws with its standard error. */
  static Estimate mean(double... draws) {
    return Estimate.ofSamples(draws, 0);
  }

  /** "by draw: 0.71, 0.68". */
  static String byDraw(double... draws) {
    return Arrays.stream(draws)
        .mapToObj(value -> String.format(Locale.ROOT, "%.4g", value))
        .collect(Collectors.joining(", ", "by draw: ", ""));
  }
}
