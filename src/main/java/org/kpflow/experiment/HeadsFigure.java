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
  public List<String> deviations() {
    return List.of(
        "The paper does not say the batch; 10 trials here.",
        "The paper does not say the activation, the initialization and the readout; ReLU, Xavier"
            + " normal weights, biases 0 and one output here.",
        "One draw of inputs and network for each input dimension, the same for every number of"
            + " heads.",
        "Ranks are participation ratios of true partial traces, by samples; the paper's code"
            + " averages over expanded units instead.");
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

  static void judge(ExperimentRun run, double[][] ranks, double[][] errors) {
    int last = ranks[0].length - 1;
    Estimate most = Estimate.exact(0);
    for (int j = 0; j <= last; j++) {
      Estimate[] heads = new Estimate[ranks.length];
      for (int i = 0; i < heads.length; i++) {
        heads[i] = new Estimate(ranks[i][j], errors[i][j], 0);
      }
      most = Estimates.most(most, Estimates.spread(heads));
    }
    Estimate growth = Estimate.exact(Double.POSITIVE_INFINITY);
    for (int i = 0; i < ranks.length; i++) {
      Estimate end = new Estimate(ranks[i][last], errors[i][last], 0);
      Estimate start = new Estimate(ranks[i][0], errors[i][0], 0);
      growth = Estimates.least(growth, Estimates.ratio(end, start));
    }
    run.claim(MODEST, most, "");
    run.claim(SMALL_BESIDE_INPUTS, Estimates.ratio(Estimates.log(most), Estimates.log(growth)), "");
    run.claim(BOTTLENECK, growth, "");
  }
}
