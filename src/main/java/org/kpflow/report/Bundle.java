package org.kpflow.report;

import java.util.stream.IntStream;
import org.kpflow.base.Checks;

/**
 * Lines of one colour: the trials of a mode, the trajectories of a condition.
 *
 * @param name what the legend says
 * @param x of each line; NaN and infinities are gaps
 * @param y of each line, as many as x
 * @param ends whether the last point of each line is marked
 */
public record Bundle(String name, double[][] x, double[][] y, boolean ends) {
  /**
   * Checks the lengths.
   *
   * @throws IllegalArgumentException if a part is null, or lengths differ
   */
  public Bundle {
    Checks.notNull(name, "name");
    Checks.notNull(x, "x");
    Checks.notNull(y, "y");
    Checks.that(
        x.length == y.length,
        "lines of '%s': expected as many x as y, got %d and %d",
        name,
        x.length,
        y.length);
    for (int i = 0; i < x.length; i++) {
      Checks.that(
          x[i].length == y[i].length,
          "line %d of '%s': expected as many x as y, got %d and %d",
          i,
          name,
          x[i].length,
          y[i].length);
    }
  }

  /** Lines over 0, 1, 2, … */
  public static Bundle overSteps(String name, double[][] y) {
    double[][] x = new double[Checks.notNull(y, "y").length][];
    for (int i = 0; i < x.length; i++) {
      x[i] = IntStream.range(0, y[i].length).asDoubleStream().toArray();
    }
    return new Bundle(name, x, y, false);
  }
}
