package org.kpflow.experiment;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.kpflow.base.Estimate;
import org.kpflow.experiment.Statement.Relation;
import org.kpflow.report.MatrixPanel;
import org.kpflow.report.Panel;
import org.kpflow.report.Plots;
import org.kpflow.tensor.Tensor;

/** Figure 9: temporal, spatial and overall rank over input dimension and attention width. */
final class WidthFigure implements Experiment {
  private static final String SOURCE = "section A.2.3, figure 9";
  private static final List<String> RANKS = List.of("temporal", "spatial", "overall");
  private static final int STEPS = 50;

  private static final Statement TEMPORAL_WITH_INPUTS =
      new Statement(
          "temporal_with_inputs",
          "The temporal rank grows with the input dimension.",
          SOURCE,
          "rank at the largest over rank at the smallest input dimension, the least over widths",
          Relation.AT_LEAST,
          1.5);
  private static final Statement TEMPORAL_PRIMARILY =
      new Statement(
          "temporal_primarily_inputs",
          "The temporal rank depends on the input dimension more than on the attention width.",
          SOURCE,
          "size of the slope of log rank over log width, over that over log input dimension",
          Relation.AT_MOST,
          0.5);
  private static final Statement SPATIAL_WITH_WIDTH =
      new Statement(
          "spatial_with_width",
          "The spatial rank grows strongly with the attention width.",
          SOURCE,
          "rank at the largest over rank at the smallest width, the least over input dimensions",
          Relation.AT_LEAST,
          2);
  private static final Statement OVERALL_WITH_WIDTH =
      new Statement(
          "overall_with_width",
          "The overall rank grows strongly with the attention width.",
          SOURCE,
          "rank at the largest over rank at the smallest width, the least over input dimensions",
          Relation.AT_LEAST,
          2);

  @Override
  public String name() {
    return "fig9";
  }

  @Override
  public String title() {
    return "Temporal, spatial and overall rank over input dimension and attention width";
  }

  @Override
  public String finding() {
    return "The inputs set the temporal rank of the NTK, the attention width sets its spatial and"
        + " overall rank.";
  }

  @Override
  public List<String> deviations() {
    return List.of(
        "The paper does not say the batch; 10 trials here.",
        "The paper does not say the activation, the initialization and the readout; ReLU, Xavier"
            + " normal weights, biases 0 and one output here.",
        "One draw of inputs and network per cell.",
        "Ranks are participation ratios of true partial traces, by samples; the paper's code"
            + " averages over expanded units instead.");
  }

  @Override
  public int version() {
    return 1;
  }

  @Override
  public List<Statement> statements() {
    return List.of(
        TEMPORAL_WITH_INPUTS, TEMPORAL_PRIMARILY, SPATIAL_WITH_WIDTH, OVERALL_WITH_WIDTH);
  }

  @Override
  public void run(ExperimentRun run) {
    int trials = 10;
    int samples = run.choose(128, 512);
    int[] inputs = run.choose(new int[] {1, 5, 20, 100}, new int[] {1, 2, 5, 10, 20, 50, 100});
    int[] widths = run.choose(new int[] {8, 32, 128}, new int[] {4, 8, 16, 32, 64, 128, 256});
    run.setting("input dimensions", inputs);
    run.setting("attention widths", widths);
    run.setting("trials, steps, heads", new int[] {trials, STEPS, 1});
    run.setting("network", AttentionKernel.NETWORK);
    run.setting("samples per point", samples);
    run.points((long) inputs.length * widths.length);
    double[][][] ranks = new double[RANKS.size()][widths.length][inputs.length];
    double[][][] errors = new double[RANKS.size()][widths.length][inputs.length];
    for (int i = 0; i < widths.length; i++) {
      for (int j = 0; j < inputs.length; j++) {
        Point point = point(run, trials, inputs[j], widths[i], samples);
        for (int r = 0; r < RANKS.size(); r++) {
          Estimate rank = point.estimate(RANKS.get(r));
          ranks[r][i][j] = rank.value();
          errors[r][i][j] = rank.standardError();
        }
      }
    }
    double[] x = Arrays.stream(inputs).asDoubleStream().toArray();
    double[] y = Arrays.stream(widths).asDoubleStream().toArray();
    run.array("input_dimensions", x);
    run.array("attention_widths", y);
    List<Panel> panels = new ArrayList<>();
    for (int r = 0; r < RANKS.size(); r++) {
      String rank = RANKS.get(r);
      run.array(rank + "_rank", ranks[r]);
      run.array(rank + "_rank_error", errors[r]);
      panels.add(
          new MatrixPanel(
              rank.substring(0, 1).toUpperCase(Locale.ROOT) + rank.substring(1) + " rank",
              "input dimension",
              "attention width",
              labels(inputs),
              labels(widths),
              ranks[r],
              MatrixPanel.Scale.SEQUENTIAL));
    }
    run.picture(
        "ranks",
        "Participation ratios of the temporal view, the spatial view and the whole NTK of an"
            + " attention block at initialization, over input dimension and attention width; one"
            + " draw of inputs and weights per cell.",
        Plots.panels("Ranks over input dimension and attention width", 3, panels));
    judge(run, x, y, ranks, errors);
  }

  private static Point point(ExperimentRun run, int trials, int inputs, int width, int samples) {
    return run.point(
        "width" + width + "-inputs" + inputs,
        () -> {
          try (Tensor given =
                  AttentionKernel.gaussian(
                      run.context(), trials, STEPS, inputs, run.rng("inputs" + inputs));
              AttentionKernel kernel =
                  new AttentionKernel(
                      run.context(), given, width, 1, run.rng("w" + inputs + "-" + width))) {
            Point ranks = new Point();
            kernel.ranks(ranks, samples, run.rng("samples" + inputs + "-" + width));
            return ranks;
          }
        });
  }

  static void judge(
      ExperimentRun run, double[] x, double[] y, double[][][] ranks, double[][][] errors) {
    StringBuilder laws = new StringBuilder();
    for (int r = 0; r < RANKS.size(); r++) {
      Estimate[] slopes = Sweep.logSlopes(x, y, ranks[r], errors[r]);
      laws.append(
          String.format(
              Locale.ROOT,
              "%s%s rank ~ inputs^%.3f width^%.3f (± %.3f, %.3f)",
              r == 0 ? "" : "; ",
              RANKS.get(r),
              slopes[0].value(),
              slopes[1].value(),
              slopes[0].standardError(),
              slopes[1].standardError()));
    }
    Estimate[] temporal = Sweep.logSlopes(x, y, ranks[0], errors[0]);
    run.claim(TEMPORAL_WITH_INPUTS, leastGrowth(transposed(ranks[0]), transposed(errors[0])), "");
    run.claim(
        TEMPORAL_PRIMARILY,
        Estimates.ratio(Estimates.absolute(temporal[1]), temporal[0]),
        laws + "; errors of the samples, one draw of the network per cell");
    run.claim(SPATIAL_WITH_WIDTH, leastGrowth(ranks[1], errors[1]), "");
    run.claim(OVERALL_WITH_WIDTH, leastGrowth(ranks[2], errors[2]), "");
  }

  /** Last row over first row, the least over the columns. */
  private static Estimate leastGrowth(double[][] z, double[][] errors) {
    int last = z.length - 1;
    Estimate least = Estimate.exact(Double.POSITIVE_INFINITY);
    for (int j = 0; j < z[0].length; j++) {
      Estimate end = new Estimate(z[last][j], errors[last][j], 0);
      Estimate start = new Estimate(z[0][j], errors[0][j], 0);
      least = Estimates.least(least, Estimates.ratio(end, start));
    }
    return least;
  }

  private static double[][] transposed(double[][] z) {
    double[][] result = new double[z[0].length][z.length];
    for (int i = 0; i < z.length; i++) {
      for (int j = 0; j < z[0].length; j++) {
        result[j][i] = z[i][j];
      }
    }
    return result;
  }

  private static List<String> labels(int[] values) {
    return IntStream.of(values).mapToObj(String::valueOf).toList();
  }
}
