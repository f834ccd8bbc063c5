package org.kpflow.experiment;

import org.kpflow.base.Checks;
import org.kpflow.base.Estimate;

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
   * @param errors standard errors of z, in the same order
   */
  static Estimate[] logSlopes(double[] x, double[] y, double[][] z, double[][] errors) {
    double[] overX = new double[x.length];
    double[] overY = new double[y.length];
    double[] squaresX = new double[x.length]; // of the errors of these means
    double[] squaresY = new double[y.length];
    for (int i = 0; i < y.length; i++) {
      for (int j = 0; j < x.length; j++) {
        double square = Math.pow(errors[i][j] / z[i][j], 2);
        overX[j] += Math.log(z[i][j]) / y.length;
        overY[i] += Math.log(z[i][j]) / x.length;
        squaresX[j] += square / y.length / y.length;
        squaresY[i] += square / x.length / x.length;
      }
    }
    return new Estimate[] {slope(x, overX, squaresX), slope(y, overY, squaresY)};
  }

  /** Least squares on a full grid splits into one fit per axis of the means over the other. */
  private static Estimate slope(double[] x, double[] means, double[] squares) {
    double middle = 0;
    double mean = 0;
    for (int i = 0; i < x.length; i++) {
      middle += Math.log(x[i]) / x.length;
      mean += means[i] / x.length;
    }
    double cross = 0;
    double square = 0;
    double variance = 0;
    for (int i = 0; i < x.length; i++) {
      double distance = Math.log(x[i]) - middle;
      cross += distance * (means[i] - mean);
      square += distance * distance;
      variance += distance * distance * squares[i];
    }
    return new Estimate(cross / square, Math.sqrt(variance) / square, 0);
  }
}
