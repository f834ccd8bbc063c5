package org.kpflow.estimate;

/** What is read off the sums of an integrand's numbers over probes; smooth where the sums are. */
@FunctionalInterface
public interface Statistic {
  /** The number of q sums over {@code count} probes. */
  double of(double[] sums, int count);

  /** The mean of the first number. */
  Statistic MEAN = (sums, count) -> sums[0] / count;

  /** The root of the mean of the first number, which is not negative. */
  Statistic ROOT_MEAN = (sums, count) -> Math.sqrt(sums[0] / count);

  /** num / den, undefined (NaN) where the denominator is 0. */
  static double ratio(double numerator, double denominator) {
    return denominator == 0 ? Double.NaN : numerator / denominator;
  }
}
