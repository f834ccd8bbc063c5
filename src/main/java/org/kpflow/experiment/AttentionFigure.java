package org.kpflow.experiment;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;
import org.kpflow.base.Estimate;
import org.kpflow.estimate.SpectrumMetrics;
import org.kpflow.experiment.Statement.Relation;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.model.FourierFeatures;
import org.kpflow.report.Bundle;
import org.kpflow.report.LinesPanel;
import org.kpflow.report.Panel;
import org.kpflow.report.Plots;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.spectral.View;
import org.kpflow.tensor.Tensor;

/** Figure 6: what the inputs of an attention block make of the temporal rank of its NTK. */
final class AttentionFigure implements Experiment {
  private static final String SOURCE = "section 5.4, figure 6";
  private static final int STEPS = 50;
  private static final int ATTENTION = 64;
  private static final int MODE_TRIALS = 10;
  private static final int[] MODE_INPUTS = {1, 10, 100};
  private static final int MODES_SHOWN = 6;

  private static final Statement GROWS =
      new Statement(
          "grows_with_inputs",
          "The temporal rank increases with the input dimension.",
          SOURCE + "B",
          "rank correlation of temporal rank and input dimension, the least over batch sizes",
          Relation.AT_LEAST,
          0.9);
  private static final Statement GROWS_MUCH =
      new Statement(
          "grows_much_with_inputs",
          "The temporal rank at 100 inputs is a multiple of that at one.",
          SOURCE + "B",
          "rank at the largest over rank at the smallest input dimension, the least over batch sizes",
          Relation.AT_LEAST,
          2);
  private static final Statement BATCH =
      new Statement(
          "bound_by_batch",
          "The temporal rank is bound by the batch size too: more trials, more rank.",
          SOURCE + "B",
          "rank with 15 trials over rank with 5, at the largest input dimension",
          Relation.AT_LEAST,
          1.5);
  private static final Statement SAME_SPAN =
      new Statement(
          "attention_in_span",
          "The attention's output A lies in the temporal span of the inputs X.",
          SOURCE + " (caption)",
          "share of ||A||² in the column space of X, 10 inputs, 10 trials",
          Relation.AT_LEAST,
          0.99);
  private static final Statement ONE_MODE =
      new Statement(
          "one_mode",
          "With one input there is a single substantially non-zero temporal mode.",
          SOURCE + "C",
          "second eigenvalue of the temporal view over the first, one input",
          Relation.AT_MOST,
          0.1);
  private static final Statement CONSTANT =
      new Statement(
          "constant_mode",
          "That mode is nearly constant in time.",
          SOURCE + "C",
          "share of the mode's square in its means over time of each trial, one input",
          Relation.AT_LEAST,
          0.9);
  private static final Statement MANY_MODES =
      new Statement(
          "many_modes",
          "With 100 inputs there are many temporal modes.",
          SOURCE + "C",
          "modes for 95 % of the temporal view's trace, 100 inputs",
          Relation.AT_LEAST,
          10);
  private static final Statement FLATTER =
      new Statement(
          "flatter_spectrum",
          "The spectrum is much flatter with 100 inputs than with one.",
          SOURCE + "C",
          "second eigenvalue over the first with 100 inputs, over the same with one",
          Relation.AT_LEAST,
          2);
  private static final Statement LESS_CONCENTRATED =
      new Statement(
          "less_concentrated",
          "The spectrum is less concentrated with 100 inputs than with one.",
          SOURCE + "C",
          "share of the first mode in the trace with one input, over the same with 100",
          Relation.AT_LEAST,
          2);
  private static final Statement FOURIER =
      new Statement(
          "fourier_raises",
          "More Fourier features of one input raise the temporal rank.",
          SOURCE + "D",
          "rank correlation of temporal rank and number of frequencies, the least over batch sizes",
          Relation.AT_LEAST,
          0.9);
  private static final Statement FOURIER_MUCH =
      new Statement(
          "fourier_relieves",
          "Fourier features relieve the bottleneck of one input.",
          SOURCE + "D",
          "rank with the most frequencies over rank of the bare input, the least over batch sizes",
          Relation.AT_LEAST,
          2);

  @Override
  public String name() {
    return "fig6";
  }

  @Override
  public String title() {
    return "Input dimension bounds the temporal rank of an attention block";
  }

  @Override
  public String finding() {
    return "At initialization, on independent Gaussian inputs, the temporal rank of the NTK grows"
        + " with the input dimension and the batch; one input leaves about one mode, constant in"
        + " time, and Fourier features of it raise the rank.";
  }

  @Override
  public List<String> deviations() {
    return List.of(
        "--quick has batches of 5 and 15, not 5, 10 and 15, and fewer input dimensions and"
            + " frequencies.",
        "The paper does not say the activation, the initialization and the readout; ReLU, Xavier"
            + " normal weights, biases 0 and one output here.",
        "Ranks are participation ratios of true partial traces, by samples, one draw of inputs and"
            + " network per point; the paper's code averages over expanded units instead.",
        "What is read off modes is the mean of some draws; the modes shown are those of one.");
  }

  @Override
  public int version() {
    return 2;
  }

  @Override
  public List<Statement> statements() {
    return List.of(
        GROWS,
        GROWS_MUCH,
        BATCH,
        SAME_SPAN,
        ONE_MODE,
        CONSTANT,
        MANY_MODES,
        FLATTER,
        LESS_CONCENTRATED,
        FOURIER,
        FOURIER_MUCH);
  }

  @Override
  public void run(ExperimentRun run) {
    int[] batches = run.choose(new int[] {5, 15}, new int[] {5, 10, 15});
    int[] inputs =
        run.choose(new int[] {1, 5, 10, 25, 100}, new int[] {1, 2, 5, 10, 20, 30, 40, 60, 80, 100});
    int[] frequencies =
        run.choose(new int[] {1, 4, 16, 50}, new int[] {1, 2, 5, 10, 15, 20, 30, 40, 50});
    int samples = run.choose(256, 1024);
    run.setting("batch sizes", batches);
    run.setting("input dimensions", inputs);
    run.setting("frequencies f = 1 … m, m", frequencies);
    run.setting("steps, attention width, heads", new int[] {STEPS, ATTENTION, 1});
    run.setting("network", AttentionKernel.NETWORK);
    run.setting("samples per point", samples);
    double tolerance = run.choose(2e-2, 5e-3);
    run.setting("relative error of the views whose modes are shown", tolerance);
    int draws = run.choose(3, 5);
    run.setting("draws of inputs and network of which modes are shown or judged", draws);
    run.points(
        (long) batches.length * (inputs.length + frequencies.length)
            + (long) MODE_INPUTS.length * draws);
    RankCurves byInputs = new RankCurves(batches, inputs);
    RankCurves byFrequencies = new RankCurves(batches, frequencies);
    for (int i = 0; i < batches.length; i++) {
      for (int j = 0; j < inputs.length; j++) {
        byInputs.set(i, j, rank(run, batches[i], inputs[j], 0, samples));
      }
      for (int j = 0; j < frequencies.length; j++) {
        byFrequencies.set(i, j, rank(run, batches[i], 1, frequencies[j], samples));
      }
    }
    List<List<Point>> modes = new ArrayList<>(); // by input dimension, then by draw
    for (int width : MODE_INPUTS) {
      List<Point> drawn = new ArrayList<>();
      for (int draw = 0; draw < draws; draw++) {
        drawn.add(modes(run, width, draw, tolerance));
      }
      modes.add(drawn);
    }
    byInputs.store(run, "input_dimensions", "temporal_rank");
    byFrequencies.store(run, "frequencies", "temporal_rank_fourier");
    run.array("batch_sizes", Arrays.stream(batches).asDoubleStream().toArray());
    for (int i = 0; i < MODE_INPUTS.length; i++) {
      run.array("modes_inputs_" + MODE_INPUTS[i], modes.get(i).get(0).rows("modes"));
      run.array(
          "eigenvalues_inputs_" + MODE_INPUTS[i],
          modes.get(i).stream().map(p -> p.values("eigenvalues")).toArray(double[][]::new));
    }
    draw(run, byInputs, byFrequencies, modes.stream().map(drawn -> drawn.get(0)).toList());
    judge(run, byInputs, byFrequencies, modes);
  }

  /** The temporal rank for Gaussian inputs, or for Fourier features of them. */
  private static Estimate rank(
      ExperimentRun run, int trials, int inputs, int frequencies, int samples) {
    String label =
        "trials" + trials + "-inputs" + inputs + (frequencies > 0 ? "-fourier" + frequencies : "");
    return run.point(
            label,
            () -> {
              String drawn = "x" + trials + "-" + inputs; // Fourier features are of the same inputs
              try (Tensor bare =
                      AttentionKernel.gaussian(
                          run.context(), trials, STEPS, inputs, run.rng(drawn));
                  Tensor given =
                      frequencies > 0
                          ? FourierFeatures.harmonics(frequencies).apply(bare)
                          : bare.copy();
                  AttentionKernel kernel =
                      new AttentionKernel(
                          run.context(), given, ATTENTION, 1, run.rng("w" + label))) {
                return new Point()
                    .put("rank", kernel.temporalRank(samples, run.rng("samples" + label)));
              }
            })
        .estimate("rank");
  }

  /** Spectrum and leading modes of the temporal view. */
  private static Point modes(ExperimentRun run, int inputs, int draw, double tolerance) {
    return run.point(
        "modes-inputs" + inputs + "-draw" + draw,
        () -> {
          String label = "modes" + inputs + "-" + draw;
          try (Tensor given =
                  AttentionKernel.gaussian(
                      run.context(), MODE_TRIALS, STEPS, inputs, run.rng("x" + label));
              AttentionKernel kernel =
                  new AttentionKernel(run.context(), given, ATTENTION, 1, run.rng("w" + label));
              LinearizationViews views = kernel.temporalView(tolerance, run.rng(label));
              DenseEigen eigen = DenseEigen.of(views.matrix(View.TEMP));
              Tensor average = kernel.coherentAverage();
              DenseEigen coherent = DenseEigen.of(average)) {
            return new Point()
                .put("eigenvalues", eigen.values())
                .put("modes", eigen.vectors().slice(0, MODES_SHOWN))
                .put("relative_error", views.relativeError(View.TEMP))
                .put("coherent_eigenvalues", coherent.values())
                .put("coherent_mode", coherent.vectors().slice(0))
                .put("span", kernel.shareOfAttentionInInputs());
          }
        });
  }

  private static void draw(
      ExperimentRun run, RankCurves byInputs, RankCurves byFrequencies, List<Point> modes) {
    List<Panel> curves =
        List.of(
            byInputs.panel("Temporal rank", "input dimension"),
            byFrequencies.panel("One input, Fourier features", "number of frequencies"));
    run.picture(
        "ranks",
        "Participation ratio of the temporal view of the NTK, over the input dimension (A) and over"
            + " the number of frequencies of Fourier features of one input (B); bars are one"
            + " standard error of the samples, one draw of inputs and weights per point. The numbers are B and D of the paper's figure.",
        Plots.panels("Temporal rank of an attention block", 2, curves));
    double most = 0;
    List<List<Bundle>> bundles = new ArrayList<>();
    for (Point point : modes) {
      List<Bundle> shown = new ArrayList<>();
      for (int m = 0; m < MODES_SHOWN; m++) {
        double[][] trials = weighted(point, m);
        for (double[] trial : trials) {
          most = Math.max(most, Arrays.stream(trial).map(Math::abs).max().orElse(0));
        }
        shown.add(Bundle.overSteps("mode " + (m + 1), trials));
      }
      bundles.add(shown);
    }
    List<Panel> panels = new ArrayList<>();
    for (int i = 0; i < MODE_INPUTS.length; i++) {
      panels.add(
          new LinesPanel(
              MODE_INPUTS[i] + (MODE_INPUTS[i] == 1 ? " input" : " inputs"),
              "time step",
              "mode × √share of trace",
              bundles.get(i),
              List.of(),
              new double[] {-most, most}));
    }
    run.picture(
        "modes",
        "The leading "
            + MODES_SHOWN
            + " temporal modes, each times the root of its share of the trace, one line per trial"
            + " ("
            + MODE_TRIALS
            + " trials), the first of the draws; panel C of the paper's figure.",
        Plots.panels("Temporal modes weighted by their variance", 3, panels));
  }

  /** √(λ_m / Σλ) times a unit mode, one row per trial. */
  private static double[][] weighted(Point point, int m) {
    double[] values = point.values("eigenvalues");
    double weight = Math.sqrt(Math.max(values[m], 0) / Arrays.stream(values).sum());
    double[] mode = point.rows("modes")[m];
    double[][] trials = new double[MODE_TRIALS][STEPS];
    for (int b = 0; b < MODE_TRIALS; b++) {
      for (int t = 0; t < STEPS; t++) {
        trials[b][t] = weight * mode[b * STEPS + t];
      }
    }
    return trials;
  }

  static void judge(
      ExperimentRun run, RankCurves byInputs, RankCurves byFrequencies, List<List<Point>> modes) {
    run.claim(GROWS, byInputs.leastCorrelation(), "");
    run.claim(GROWS_MUCH, byInputs.leastGrowth(), "");
    int last = byInputs.points() - 1;
    run.claim(
        BATCH, Estimates.ratio(byInputs.at(byInputs.curves() - 1, last), byInputs.at(0, last)), "");
    judgeModes(run, modes);
    run.claim(FOURIER, byFrequencies.leastCorrelation(), "");
    Estimate least = Estimate.exact(Double.POSITIVE_INFINITY);
    for (int i = 0; i < byInputs.curves(); i++) { // the first input dimension is 1
      Estimate most = byFrequencies.at(i, byFrequencies.points() - 1);
      least = Estimates.least(least, Estimates.ratio(most, byInputs.at(i, 0)));
    }
    run.claim(FOURIER_MUCH, least, "");
  }

  /** Means over draws of inputs and network, with the error of the mean. */
  private static void judgeModes(ExperimentRun run, List<List<Point>> modes) {
    List<Point> one = modes.get(0);
    List<Point> many = modes.get(MODE_INPUTS.length - 1);
    double[] spans =
        modes.stream()
            .mapToDouble(p -> Estimates.mean(of(p, AttentionFigure::span)).value())
            .toArray();
    run.claim(
        SAME_SPAN,
        Estimates.mean(of(modes.get(1), AttentionFigure::span)),
        String.format(
            Locale.ROOT,
            "with %d, %d and %d inputs the share is %.3f, %.3f and %.3f: A mixes the steps of each"
                + " trial by its own softmax, which leads out of the column space of X",
            MODE_INPUTS[0],
            MODE_INPUTS[1],
            MODE_INPUTS[2],
            spans[0],
            spans[1],
            spans[2]));
    double[] second = of(one, p -> second(p, "eigenvalues"));
    run.claim(
        ONE_MODE,
        Estimates.mean(second),
        String.format(
            Locale.ROOT,
            "%s; shares of the trace: %.3f, %.3f, %.3f; by the average over expanded units, which"
                + " the paper's code takes for the partial trace, the ratio is %.3f; %s",
            Estimates.byDraw(second),
            mean(one, p -> share(p, 0)),
            mean(one, p -> share(p, 1)),
            mean(one, p -> share(p, 2)),
            mean(one, p -> second(p, "coherent_eigenvalues")),
            accuracy(one)));
    double[] constant = of(one, p -> constantShare(p.rows("modes")[0]));
    run.claim(
        CONSTANT,
        Estimates.mean(constant),
        String.format(
            Locale.ROOT,
            "%s; of the average over expanded units: %.3f; %s",
            Estimates.byDraw(constant),
            mean(one, p -> constantShare(p.values("coherent_mode"))),
            accuracy(one)));
    double[] count = of(many, p -> SpectrumMetrics.of(p.values("eigenvalues")).modes95());
    run.claim(MANY_MODES, Estimates.mean(count), Estimates.byDraw(count) + "; " + accuracy(many));
    double[] flatter = new double[one.size()];
    double[] lessConcentrated = new double[one.size()];
    for (int draw = 0; draw < one.size(); draw++) {
      flatter[draw] = second(many.get(draw), "eigenvalues") / second[draw];
      lessConcentrated[draw] = share(one.get(draw), 0) / share(many.get(draw), 0);
    }
    run.claim(
        FLATTER,
        Estimates.mean(flatter),
        String.format(
            Locale.ROOT,
            "%s; by the average over expanded units: %.3f; %s",
            Estimates.byDraw(flatter),
            mean(many, p -> second(p, "coherent_eigenvalues"))
                / mean(one, p -> second(p, "coherent_eigenvalues")),
            accuracy(many)));
    run.claim(
        LESS_CONCENTRATED,
        Estimates.mean(lessConcentrated),
        String.format(
            Locale.ROOT,
            "%s; the share falls from %.3f to %.3f; %s",
            Estimates.byDraw(lessConcentrated),
            mean(one, p -> share(p, 0)),
            mean(many, p -> share(p, 0)),
            accuracy(many)));
  }

  private static double[] of(List<Point> draws, ToDoubleFunction<Point> number) {
    return draws.stream().mapToDouble(number).toArray();
  }

  private static double mean(List<Point> draws, ToDoubleFunction<Point> number) {
    return Estimates.mean(of(draws, number)).value();
  }

  /** How exact the views are that the numbers are read off. */
  private static String accuracy(List<Point> draws) {
    return String.format(
        Locale.ROOT,
        "relative error of the view's matrix at most %.1e",
        Arrays.stream(of(draws, p -> p.number("relative_error"))).max().orElseThrow());
  }

  private static double span(Point point) {
    return point.number("span");
  }

  private static double share(Point point, int m) {
    double[] eigenvalues = point.values("eigenvalues");
    return eigenvalues[m] / Arrays.stream(eigenvalues).sum();
  }

  /** The second eigenvalue over the first. */
  private static double second(Point point, String eigenvalues) {
    double[] values = point.values(eigenvalues);
    return values[1] / values[0];
  }

  /** Σ_b T mean_t(u)² / Σ u² of a mode over trials and steps. */
  private static double constantShare(double[] mode) {
    double means = 0;
    double squares = 0;
    for (int b = 0; b < MODE_TRIALS; b++) {
      double sum = 0;
      for (int t = 0; t < STEPS; t++) {
        double value = mode[b * STEPS + t];
        sum += value;
        squares += value * value;
      }
      means += sum * sum / STEPS;
    }
    return means / squares;
  }
}
