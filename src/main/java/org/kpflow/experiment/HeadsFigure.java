package org.kpflow.experiment;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.kpflow.base.Estimate;
import org.kpflow.experiment.Statement.Relation;
import org.kpflow.report.Plots;
import org.kpflow.report.Trend;
import org.kpflow.report.TrendPanel;
import org.kpflow.tensor.Tensor;

/** Figure 10: temporal rank over the input dimension for several numbers of heads. */
final class HeadsFigure implements Experiment {
  private static final String SOURCE = "section A.2.3, figure 10";
  private static final int[] HEADS = {1, 2, 4, 8};
  private static final int STEPS = 50;
  private static final int ATTENTION = 64;

  private static final Statement MODEST =
      new Statement(
          "heads_modest",
          "The number of heads changes the temporal rank only modestly.",
          SOURCE,
          "largest rank over smallest among 1, 2, 4, 8 heads, at the input dimension where it is most",
          Relation.AT_MOST,
          1.5);
  private static final Statement SMALL_BESIDE_INPUTS =
      new Statement(
          "heads_small_beside_inputs",
          "The effect of the heads is small beside that of the input dimension.",
          SOURCE,
          "log of that ratio over log of the rank's growth from the smallest to the largest input dimension, the least over heads",
          Relation.AT_MOST,
          0.25);
  private static final Statement BOTTLENECK =
      new Statement(
          "bottleneck_remains",
          "With any number of heads, the rank is bound by the input dimension.",
          SOURCE,
          "rank at the largest over rank at the smallest input dimension, the least over heads",
          Relation.AT_LEAST,
          2);

  @Override
  public String name() {
    return "fig10";
  }

  @Override
  public String title() {
    return "Temporal rank of an attention block with 1, 2, 4 and 8 heads";
  }

  @Override
  public String finding() {
    return "More heads read the same inputs, so the temporal rank of the NTK stays about what the"
        + " input dimension allows.";
  }

  @Override
  public int version() {
    return 1;
  }

  @Override
  public List<Statement> statements() {
    return List.of(MODEST, SMALL_BESIDE_INPUTS, BOTTLENECK);
  }

  @Override
  public void run(ExperimentRun run) {
    int trials = 10;
    int samples = run.choose(256, 1024);
    int[] inputs =
        run.choose(new int[] {1, 5, 20, 100}, new int[] {1, 2, 5, 10, 20, 40, 60, 80, 100});
    run.setting("heads", HEADS);
    run.setting("input dimensions", inputs);
    run.setting("trials, steps, attention width", new int[] {trials, STEPS, ATTENTION});
    run.setting("network", AttentionKernel.NETWORK);
    run.setting("samples per point", samples);
    run.points((long) HEADS.length * inputs.length);
    double[] x = Arrays.stream(inputs).asDoubleStream().toArray();
    double[][] ranks = new double[HEADS.length][x.length];
    double[][] errors = new double[HEADS.length][x.length];
    List<Trend> trends = new ArrayList<>();
    for (int i = 0; i < HEADS.length; i++) {
      int heads = HEADS[i];
      for (int j = 0; j < x.length; j++) {
        int width = inputs[j];
        Estimate rank =
            run.point(
                    "heads" + heads + "-inputs" + width,
                    () -> {
                      // The same inputs and weights for every number of heads.
                      try (Tensor given =
                              AttentionKernel.gaussian(
                                  run.context(), trials, STEPS, width, run.rng("inputs" + width));
                          AttentionKernel kernel =
                              new AttentionKernel(
                                  run.context(), given, ATTENTION, heads, run.rng("w" + width))) {
                        return new Point()
                            .put("rank", kernel.temporalRank(samples, run.rng("samples" + width)));
                      }
                    })
                .estimate("rank");
        ranks[i][j] = rank.value();
        errors[i][j] = rank.standardError();
      }
      trends.add(new Trend(heads + (heads == 1 ? " head" : " heads"), x, ranks[i], errors[i]));
    }
    run.array("input_dimensions", x);
    run.array("heads", Arrays.stream(HEADS).asDoubleStream().toArray());
    run.array("temporal_rank", ranks);
    run.array("temporal_rank_error", errors);
    List<Trend> ratios = new ArrayList<>();
    for (int i = 0; i < HEADS.length; i++) {
      double[] ratio = new double[x.length];
      for (int j = 0; j < x.length; j++) {
        ratio[j] = ranks[i][j] / ranks[0][j];
      }
      ratios.add(new Trend(trends.get(i).name(), x, ratio, null));
    }
    run.picture(
        "heads",
        "Participation ratio of the temporal view of the NTK over the input dimension, for "
            + trials
            + " trials (A), and divided by that of one head (B). One draw of inputs and weights for"
            + " each input dimension; bars are one standard error of the samples.",
        Plots.panels(
            "Temporal rank over the input dimension",
            2,
            List.of(
                new TrendPanel("Temporal rank", "input dimension", "effective rank", false, trends),
                new TrendPanel(
                    "Relative to one head", "input dimension", "ratio of ranks", false, ratios))));
    judge(run, ranks, errors);
  }

  private static void judge(ExperimentRun run, double[][] ranks, double[][] errors) {
    int last = ranks[0].length - 1;
    double most = 0;
    double mostError = 0;
    for (int j = 0; j <= last; j++) {
      int high = 0;
      int low = 0;
      for (int i = 0; i < ranks.length; i++) {
        high = ranks[i][j] > ranks[high][j] ? i : high;
        low = ranks[i][j] < ranks[low][j] ? i : low;
      }
      double ratio = ranks[high][j] / ranks[low][j];
      if (ratio > most) {
        most = ratio;
        mostError =
            ratio * Math.hypot(errors[high][j] / ranks[high][j], errors[low][j] / ranks[low][j]);
      }
    }
    double growth = Double.POSITIVE_INFINITY;
    double growthError = 0;
    for (int i = 0; i < ranks.length; i++) {
      double ratio = ranks[i][last] / ranks[i][0];
      if (ratio < growth) {
        growth = ratio;
        growthError =
            ratio * Math.hypot(errors[i][last] / ranks[i][last], errors[i][0] / ranks[i][0]);
      }
    }
    run.claim(MODEST, new Estimate(most, mostError, 0), "");
    run.claim(SMALL_BESIDE_INPUTS, Math.log(most) / Math.log(growth), "");
    run.claim(BOTTLENECK, new Estimate(growth, growthError, 0), "");
  }
}
