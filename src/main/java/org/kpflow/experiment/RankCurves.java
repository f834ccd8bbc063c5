package org.kpflow.experiment;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.kpflow.base.Estimate;
import org.kpflow.report.Trend;
import org.kpflow.report.TrendPanel;

/** Ranks over a quantity, one curve per batch size. */
final class RankCurves {
  private final int[] batches;
  private final double[] x;
  private final double[][] ranks;
  private final double[][] errors;

  RankCurves(int[] batches, int[] x) {
    this.batches = batches;
    this.x = Arrays.stream(x).asDoubleStream().toArray();
    this.ranks = new double[batches.length][x.length];
    this.errors = new double[batches.length][x.length];
  }

  void set(int i, int j, Estimate rank) {
    ranks[i][j] = rank.value();
    errors[i][j] = rank.standardError();
  }

  /** Points of a curve. */
  int points() {
    return x.length;
  }

  /** Number of curves. */
  int curves() {
    return ranks.length;
  }

  Estimate at(int i, int j) {
    return new Estimate(ranks[i][j], errors[i][j], 0);
  }

  Estimate leastGrowth() {
    Estimate least = Estimate.exact(Double.POSITIVE_INFINITY);
    for (int i = 0; i < ranks.length; i++) {
      least = Estimates.least(least, Estimates.ratio(at(i, x.length - 1), at(i, 0)));
    }
    return least;
  }

  double leastCorrelation() {
    return Arrays.stream(ranks)
        .mapToDouble(curve -> Sweep.rankCorrelation(x, curve))
        .min()
        .orElse(Double.NaN);
  }

  TrendPanel panel(String title, String xTitle) {
    List<Trend> trends = new ArrayList<>();
    for (int i = 0; i < ranks.length; i++) {
      trends.add(new Trend(batches[i] + " trials", x, ranks[i], errors[i]));
    }
    return new TrendPanel(title, xTitle, "effective rank", false, trends);
  }

  void store(ExperimentRun run, String xName, String name) {
    run.array(xName, x);
    run.array(name, ranks);
    run.array(name + "_error", errors);
  }
}
