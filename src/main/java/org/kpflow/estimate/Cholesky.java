package org.kpflow.estimate;

import java.util.Optional;

/**
 * H = C Cᵀ with a lower triangular C, for the small symmetric matrices of estimators, row-major.
 */
final class Cholesky {
  private final double[] c;
  private final int m;

  private Cholesky(double[] c, int m) {
    this.c = c;
    this.m = m;
  }

  /** The factor of the symmetric part of h [m, m], or empty if that is not positive definite. */
  static Optional<Cholesky> of(double[] h, int m) {
    double[] c = new double[m * m];
    for (int i = 0; i < m; i++) {
      for (int j = 0; j <= i; j++) {
        double sum = 0.5 * (h[i * m + j] + h[j * m + i]);
        for (int k = 0; k < j; k++) {
          sum -= c[i * m + k] * c[j * m + k];
        }
        if (i > j) {
          c[i * m + j] = sum / c[j * m + j];
        } else if (sum > 0) {
          c[i * m + i] = Math.sqrt(sum);
        } else {
          return Optional.empty();
        }
      }
    }
    return Optional.of(new Cholesky(c, m));
  }

  /** C⁻¹ x for x [m, n], as a new array. */
  double[] solveLower(double[] x) {
    double[] y = x.clone();
    int n = x.length / m;
    for (int i = 0; i < m; i++) {
      for (int k = 0; k < i; k++) {
        subtract(c[i * m + k], y, k * n, i * n, n);
      }
      divide(c[i * m + i], y, i * n, n);
    }
    return y;
  }

  /** C⁻ᵀ x for x [m, n], as a new array. */
  double[] solveUpper(double[] x) {
    double[] y = x.clone();
    int n = x.length / m;
    for (int i = m - 1; i >= 0; i--) {
      for (int k = i + 1; k < m; k++) {
        subtract(c[k * m + i], y, k * n, i * n, n);
      }
      divide(c[i * m + i], y, i * n, n);
    }
    return y;
  }

  /** H⁻¹ [m, m]. */
  double[] inverse() {
    double[] identity = new double[m * m];
    for (int i = 0; i < m; i++) {
      identity[i * (m + 1)] = 1;
    }
    return solveUpper(solveLower(identity));
  }

  /** y[to …] -= factor y[from …]. */
  private static void subtract(double factor, double[] y, int from, int to, int n) {
    for (int l = 0; l < n; l++) {
      y[to + l] -= factor * y[from + l];
    }
  }

  private static void divide(double pivot, double[] y, int from, int n) {
    for (int l = 0; l < n; l++) {
      y[from + l] /= pivot;
    }
  }
}
