package org.kpflow.estimate;

import java.util.Arrays;
import org.kpflow.base.Checks;

/**
 * Ranks read off all eigenvalues λ of a positive semidefinite operator; negative ones, which are
 * rounding, count as 0 except in trace and norm. For the zero operator every rank is NaN and every
 * count is 0.
 *
 * @param trace Σ λ
 * @param frobenius sqrt(Σ λ²)
 * @param largest λ_1
 * @param participationRatio (Σ λ)² / Σ λ²
 * @param gramParticipationRatio (Σ λ²)² / Σ λ⁴, the same of the squared operator
 * @param stableRank Σ λ / λ_1
 * @param entropyRank exp(-Σ p ln p), p = λ / Σ λ
 * @param modes95 least m with λ_1 + ... + λ_m at least 95 % of Σ λ
 * @param modes95Margin distance of the nearest cumulative share from 0.95: how safe that count is
 *     from rounding
 * @param gramModes95 the same with λ²
 * @param gramModes95Margin the same with λ²
 */
public record SpectrumMetrics(
    double trace,
    double frobenius,
    double largest,
    double participationRatio,
    double gramParticipationRatio,
    double stableRank,
    double entropyRank,
    int modes95,
    double modes95Margin,
    int gramModes95,
    double gramModes95Margin) {

  /** The share of the trace that {@code modes95} reaches. */
  public static final double SHARE = 0.95;

  /** The metrics of all eigenvalues, in descending order. */
  public static SpectrumMetrics of(double[] descending) {
    Checks.that(
        Checks.notNull(descending, "eigenvalues").length > 0, "eigenvalues: expected at least one");
    double trace = Arrays.stream(descending).sum();
    double frobenius = Math.sqrt(Arrays.stream(descending).map(value -> value * value).sum());
    double largest = descending[0];
    if (!(largest > 0)) {
      double undefined = Double.NaN;
      return new SpectrumMetrics(
          trace,
          frobenius,
          Math.max(largest, 0),
          undefined,
          undefined,
          undefined,
          undefined,
          0,
          undefined,
          0,
          undefined);
    }
    double[] scaled =
        Arrays.stream(descending).map(value -> Math.max(value, 0) / largest).toArray();
    double[] squared = Arrays.stream(scaled).map(value -> value * value).toArray();
    double sum = Arrays.stream(scaled).sum();
    double squares = Arrays.stream(squared).sum();
    double fourths = Arrays.stream(squared).map(value -> value * value).sum();
    double entropy = 0;
    for (double value : scaled) {
      entropy -= value > 0 ? value / sum * Math.log(value / sum) : 0;
    }
    return new SpectrumMetrics(
        trace,
        frobenius,
        largest,
        sum * sum / squares,
        squares * squares / fourths,
        sum,
        Math.exp(entropy),
        modesFor(scaled, SHARE),
        margin(scaled, SHARE),
        modesFor(squared, SHARE),
        margin(squared, SHARE));
  }

  /** Least number of leading values whose sum reaches a share of the total. */
  public static int modesFor(double[] descending, double share) {
    double[] cumulative = cumulativeShares(descending);
    for (int i = 0; i < cumulative.length; i++) {
      if (cumulative[i] >= share) {
        return i + 1;
      }
    }
    return cumulative.length;
  }

  /** Shares of the total that the leading 1, 2, ... values reach; negative values count as 0. */
  public static double[] cumulativeShares(double[] descending) {
    double total = Arrays.stream(descending).map(value -> Math.max(value, 0)).sum();
    double[] shares = new double[descending.length];
    double sum = 0;
    for (int i = 0; i < descending.length; i++) {
      sum += Math.max(descending[i], 0);
      shares[i] = sum / total;
    }
    return shares;
  }

  private static double margin(double[] descending, double share) {
    return Arrays.stream(cumulativeShares(descending))
        .map(value -> Math.abs(value - share))
        .min()
        .orElse(Double.NaN);
  }
}
