package org.kpflow.model;

/** The normal distribution with mean 0 and variance 1, precise in both tails. */
final class NormalDistribution {
  private static final double SERIES_END = 1;

  private NormalDistribution() {}

  /** e^{-x²/2} / √(2π). */
  static double density(double x) {
    return Math.exp(-0.5 * x * x) / Math.sqrt(2 * Math.PI);
  }

  /** Φ(x) = erfc(-x/√2) / 2. */
  static double cumulative(double x) {
    return 0.5 * complementaryError(-x / Math.sqrt(2));
  }

  static double complementaryError(double x) {
    if (x < -SERIES_END) {
      return 2 - tail(-x);
    }
    return x <= SERIES_END ? 1 - error(x) : tail(x);
  }

  /** erf x = 2/√π e^{-x²} Σ_j 2^j x^{2j+1} / (1·3·…·(2j+1)), of terms of one sign. */
  private static double error(double x) {
    double term = x;
    double sum = x;
    for (int j = 1; Math.abs(term) > 1e-18 * Math.abs(sum); j++) {
      term *= 2 * x * x / (2 * j + 1);
      sum += term;
    }
    return 2 / Math.sqrt(Math.PI) * Math.exp(-x * x) * sum;
  }

  /** erfc x = e^{-x²}/√π / (x + (1/2)/(x + (2/2)/(x + (3/2)/(x + …)))) for x above 1. */
  private static double tail(double x) {
    double fraction = x;
    for (int j = 20 + (int) (250 / (x * x)); j >= 1; j--) {
      fraction = x + 0.5 * j / fraction;
    }
    return Math.exp(-x * x) / (Math.sqrt(Math.PI) * fraction);
  }
}
