package org.kpflow.experiment;

import org.kpflow.base.Checks;

/** How numbers depend on the axes of a sweep. */
final class Sweep {
  private Sweep() {}

  /** Spearman's rank correlation of two sequences without ties. */
  static double rankCorrelation(double[] x, double[] y) {
    Checks.that(
        x.length == y.length && x.length > 1,
        "sequences: expected two of the same length above 1, got %d and %d",
        x.length,
        y.length);
    double[] a = ranks(x);
    double[] b = ranks(y);
    double squares = 0;
    for (int i = 0; i < a.length; i++) {
      squares += (a[i] - b[i]) * (a[i] - b[i]);
    }
    double n = a.length;
    return 1 - 6 * squares / (n * (n * n - 1));
  }

  private static double[] ranks(double[] values) {
    double[] ranks = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      for (double other : values) {
        ranks[i] += other < values[i] ? 1 : 0;
      }
    }
    return ranks;
  }

  /**
   * Slopes of log z over log x and log y on a full grid, by least squares: z ~ x^slope y^slope.
   *
   * @param z one row per y, one column per x
   */
  static double[] logSlopes(double[] x, double[] y, double[][] z) {
    double[] overX = new double[x.length];
    double[] overY = new double[y.length];
    for (int i = 0; i < y.length; i++) {
      for (int j = 0; j < x.length; j++) {
        overX[j] += Math.log(z[i][j]) / y.length;
        overY[i] += Math.log(z[i][j]) / x.length;
      }
    }
    return new double[] {slope(x, overX), slope(y, overY)};
  }

  /** Least squares on a full grid splits into one fit per axis of the means over the other. */
  private static double slope(double[] x, double[] means) {
    double middle = 0;
    double mean = 0;
    for (int i = 0; i < x.length; i++) {
      middle += Math.log(x[i]) / x.length;
      mean += means[i] / x.length;
    }
    double cross = 0;
    double square = 0;
    for (int i = 0; i < x.length; i++) {
      cross += (Math.log(x[i]) - middle) * (means[i] - mean);
      square += (Math.log(x[i]) - middle) * (Math.log(x[i]) - middle);
    }
    return cross / square;
  }
}
