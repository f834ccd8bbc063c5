package org.kpflow.experiment;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.kpflow.analysis.Analysis;
import org.kpflow.analysis.AnalysisResult;
import org.kpflow.analysis.DiagnosisOptions;
import org.kpflow.analysis.Objectives;
import org.kpflow.analysis.ViewReport;
import org.kpflow.base.Progress;
import org.kpflow.estimate.NormEstimator;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.model.Initialization;
import org.kpflow.operator.LinearOperator;
import org.kpflow.report.Bundle;
import org.kpflow.report.LinesPanel;
import org.kpflow.report.Panel;
import org.kpflow.report.Phase;
import org.kpflow.report.Plots;
import org.kpflow.report.Trend;
import org.kpflow.report.TrendPanel;
import org.kpflow.spectral.View;
import org.kpflow.task.MemoryPro;
import org.kpflow.task.Trials;
import org.kpflow.tensor.Tensor;
import org.kpflow.train.Adam;
import org.kpflow.train.LossSteps;
import org.kpflow.train.TrainingData;

/** Figure 3: the core V Vᵀ foretells the dominant temporal modes of the NTK of a GRU. */
final class CoreFigure implements Experiment {
  private static final int STIMULUS = 30;
  private static final int MEMORY = 30;
  private static final int RESPONSE = 30;
  private static final int CHANNELS = 3;
  private static final int UNIT_AXIS = 2; // of [B, T, n]
  private static final int CONDITIONS = 20;
  private static final long BATCH = 128;
  private static final double NOISE = Math.sqrt(0.02); // standard deviation
  private static final double RATE = 1e-3;
  private static final int PROBES = 200;
  private static final List<String> OPERATORS = List.of("NTK", "core", "PPt");
  private static final List<Phase> PHASES =
      List.of(
          new Phase("stimulus", 0),
          new Phase("memory", STIMULUS),
          new Phase("response", STIMULUS + MEMORY));
  private static final int DOMINANT = 3; // modes
  private static final int MODES = 6; // kept of every temporal view
  private static final int COMPARED = 10; // points of the cumulative curves
  private static final int SHOWN = 30; // modes in the picture

  private static final Statement CORE_MODES =
      new Statement(
          "core_modes",
          "Before training, the core V Vᵀ needs 3 modes for 95 % of its variance.",
          "section 5.1, figure 3C",
          "temporal modes of V Vᵀ that carry 95 % of its trace",
          Statement.Relation.EQUAL,
          3);
  private static final Statement NTK_ABOVE =
      new Statement(
          "ntk_above_core",
          "Before training, the NTK's cumulative curve lies above the core's.",
          "section 5.1, figure 3C",
          "least difference of the cumulative shares, NTK less V Vᵀ, over 1 to 10 modes",
          Statement.Relation.AT_LEAST,
          0);
  private static final Statement NTK_ABOVE_AFTER =
      new Statement(
          "ntk_above_core_after",
          "After training, the NTK's cumulative curve lies above the core's.",
          "section 5.1, figure 3C, said of the start alone",
          "least difference of the cumulative shares, NTK less V Vᵀ, over 1 to 10 modes",
          Statement.Relation.AT_LEAST,
          0);
  private static final Statement FULL_RANK =
      new Statement(
          "propagation_rank",
          "Before training, P is comparatively full-rank.",
          "section 5.1, figure 3C",
          "temporal modes of P P* that carry 95 % of its trace, over the number of trials and steps",
          Statement.Relation.AT_LEAST,
          0.5);
  private static final Statement SILENT =
      new Statement(
          "silent_response",
          "Before training, the dominant temporal modes of the NTK carry little in the response period.",
          "section 5.1, figure 3D",
          "part of the leading 3 modes, weighted by their eigenvalues, in steps 60 to 90",
          Statement.Relation.AT_MOST,
          0.05);
  private static final Statement ALIGNED =
      new Statement(
          "core_alignment",
          "The core stays aligned with the NTK throughout training.",
          "section 5.1, figure 3B",
          "least cos(NTK, V Vᵀ ⊗ I) over training",
          Statement.Relation.AT_LEAST,
          0.5);
  private static final Statement TARGETS =
      new Statement(
          "targets",
          "Before training, a target that answers during the stimulus is aligned with the NTK, the same answer in the response period is not.",
          "section 5.1, figure 3E",
          "Rayleigh quotient of the first with the NTK's temporal view over that of the second",
          Statement.Relation.AT_LEAST,
          10);

  @Override
  public String name() {
    return "fig3";
  }

  @Override
  public String title() {
    return "The core foretells the dominant temporal modes of a GRU's NTK";
  }

  @Override
  public String finding() {
    return "In a GRU on Memory-Pro the NTK has few temporal modes. They are those of its core, the"
        + " Gram matrix of hidden activity and inputs, while P has many; they fade where the"
        + " network is silent.";
  }

  @Override
  public int version() {
    return 1;
  }

  @Override
  public List<Statement> statements() {
    return List.of(CORE_MODES, NTK_ABOVE, NTK_ABOVE_AFTER, FULL_RANK, SILENT, ALIGNED, TARGETS);
  }

  @Override
  public void run(ExperimentRun run) {
    long units = run.choose(64L, 256L);
    long steps = run.choose(600L, 1800L);
    long every = run.choose(60L, 100L);
    run.setting("units", units);
    run.setting("weights", "Xavier normal, no biases; read-out as in PyTorch");
    run.setting(
        "training", "Adam, learning rate 1e-3, batches of 128 new trials, input noise 0.141");
    run.setting("steps", steps);
    run.setting("checkpoints_every", every);
    run.setting("analysed_trials", CONDITIONS);
    run.setting("probes", PROBES);
    MemoryPro task = new MemoryPro(STIMULUS, MEMORY, RESPONSE, CONDITIONS);
    TrainingData.Draw draw =
        new TrainingData.Draw(BATCH, NOISE, LossSteps.all(), run.rng("trials"));
    GruTraining training =
        new GruTraining(
            "training",
            task,
            0,
            draw,
            (c, parameters) -> new Adam(c, parameters),
            RATE,
            steps,
            every);
    training.run(run, Initialization.of(Initialization.Kind.XAVIER_NORMAL, 1), units);
    long[] checkpoints = training.checkpoints();
    run.points(checkpoints.length + 2L);
    try (Trials trials = task.evaluation(run.context())) {
      List<Point> course = new ArrayList<>();
      for (long step : checkpoints) {
        course.add(
            run.point(
                "step_" + step, () -> alignment(run, training.checkpoint(run, step), trials)));
      }
      Point before = run.point("before", () -> spectra(run, training.checkpoint(run, 0), trials));
      Point after = run.point("after", () -> spectra(run, training.checkpoint(run, steps), trials));
      Point example = example(trials);
      judge(run, course, before, after, example);
      draw(run, checkpoints, course, before, after, example);
    }
  }

  /** Loss and cos(NTK, V Vᵀ ⊗ I) at a checkpoint. */
  private static Point alignment(ExperimentRun run, Path file, Trials trials) {
    try (GruCheckpoint checkpoint = new GruCheckpoint(run.context(), file, trials)) {
      return new Point()
          .put("loss", checkpoint.loss())
          .put("cosine", checkpoint.coreCosine(PROBES, run.rng("cosine")));
    }
  }

  /** Cumulative shares of the temporal views of NTK, V Vᵀ and P P*, and the NTK's modes. */
  private static Point spectra(ExperimentRun run, Path file, Trials trials) {
    try (GruCheckpoint checkpoint = new GruCheckpoint(run.context(), file, trials);
        AnalysisResult result =
            Analysis.run(
                checkpoint.request(List.of(View.TEMP), MODES, run.rng("views")),
                new DiagnosisOptions(0, Objectives.outputs(), null, false),
                Progress.NONE)) {
      Point point = new Point();
      for (String operator : OPERATORS) {
        ViewReport view = result.report().view(operator, "temp");
        point.put(operator + "_shares", shares(view));
        point.put(operator + "_modes95", view.modes95());
        point.put(operator + "_modes95_upper", view.modes95Upper());
        point.put(operator + "_relative_error", view.relativeError());
        point.put(operator + "_participation_ratio", view.participationRatio());
      }
      LinearOperator temporal =
          new NeuralTangentKernel(checkpoint.linearization()).partialAverage(UNIT_AXIS);
      return point
          .put("modes", result.arrays().get("ntk_temp_modes"))
          .put("eigenvalues", result.report().view("NTK", "temp").eigenvalues())
          .put("aligned", rayleigh(temporal, answer(trials, 0, STIMULUS)))
          .put("misaligned", rayleigh(temporal, answer(trials, STIMULUS + MEMORY, RESPONSE)));
    }
  }

  private static double[] shares(ViewReport view) {
    double[] shares = new double[view.eigenvalues().length];
    double sum = 0;
    for (int i = 0; i < shares.length; i++) {
      sum += view.eigenvalues()[i];
      shares[i] = sum / view.trace().value();
    }
    return shares;
  }

  /** sin α of every trial during some steps, 0 elsewhere: a target [B][T]. */
  private static double[][] answer(Trials trials, int first, int length) {
    double[] inputs = trials.inputs().toDoubles();
    int steps = STIMULUS + MEMORY + RESPONSE;
    double[][] target = new double[CONDITIONS][steps];
    for (int b = 0; b < CONDITIONS; b++) {
      double sine = inputs[b * steps * CHANNELS + CHANNELS - 1];
      Arrays.fill(target[b], first, first + length, sine);
    }
    return target;
  }

  /** ⟨u, A u⟩ / ⟨u, u⟩ for a target u [B][T]. */
  private static double rayleigh(LinearOperator temporal, double[][] target) {
    double[] flat = Arrays.stream(target).flatMapToDouble(Arrays::stream).toArray();
    try (Tensor u = Tensor.of(temporal.dtype(), temporal.domain(), flat)) {
      return NormEstimator.rayleigh(temporal, u);
    }
  }

  /** One trial of the task and the two targets. */
  private static Point example(Trials trials) {
    Point point = new Point();
    int shown = 2; // α = 36°
    point.put("inputs", trials.inputs().slice(shown));
    point.put("targets", trials.targets().slice(shown));
    point.put("aligned", answer(trials, 0, STIMULUS));
    return point.put("misaligned", answer(trials, STIMULUS + MEMORY, RESPONSE));
  }

  private void judge(
      ExperimentRun run, List<Point> course, Point before, Point after, Point example) {
    run.claim(
        CORE_MODES,
        before.number("core_modes95"),
        String.format(Locale.ROOT, "%.0f after training", after.number("core_modes95")));
    run.claim(NTK_ABOVE, leastDifference(before), compared(before));
    run.claim(NTK_ABOVE_AFTER, leastDifference(after), compared(after));
    run.claim(
        FULL_RANK,
        before.number("PPt_modes95") / (CONDITIONS * (STIMULUS + MEMORY + RESPONSE)),
        String.format(
            Locale.ROOT,
            "P P*: at least %.0f modes, the NTK: %.0f",
            before.number("PPt_modes95"),
            before.number("NTK_modes95")));
    run.claim(
        SILENT, silence(before), String.format(Locale.ROOT, "%.3f after training", silence(after)));
    Point least =
        course.stream().min(Comparator.comparingDouble(p -> p.number("cosine"))).orElseThrow();
    run.claim(
        ALIGNED,
        least.estimate("cosine"),
        String.format(
            Locale.ROOT,
            "%.3f before, %.3f after training; noise-free loss %.2g after",
            course.get(0).number("cosine"),
            course.get(course.size() - 1).number("cosine"),
            course.get(course.size() - 1).number("loss")));
    run.claim(
        TARGETS,
        before.number("aligned") / before.number("misaligned"),
        String.format(
            Locale.ROOT,
            "a ratio of %.2g after training",
            after.number("aligned") / after.number("misaligned")));
  }

  private static double leastDifference(Point spectra) {
    double[] kernel = spectra.values("NTK_shares");
    double[] core = spectra.values("core_shares");
    return IntStream.range(0, COMPARED)
        .mapToDouble(i -> kernel[i] - core[i])
        .min()
        .orElse(Double.NaN);
  }

  private static String compared(Point spectra) {
    return String.format(
        Locale.ROOT,
        "first modes: NTK %.3f, %.3f, %.3f; core %.3f, %.3f, %.3f; relative error of the NTK's view %.1g",
        spectra.values("NTK_shares")[0],
        spectra.values("NTK_shares")[1],
        spectra.values("NTK_shares")[2],
        spectra.values("core_shares")[0],
        spectra.values("core_shares")[1],
        spectra.values("core_shares")[2],
        spectra.number("NTK_relative_error"));
  }

  /** Σ λ_i ||mode i in the response||² / Σ λ_i over the leading 3. */
  private static double silence(Point spectra) {
    double[] eigenvalues = spectra.values("eigenvalues");
    double[][] modes = spectra.rows("modes");
    int steps = STIMULUS + MEMORY + RESPONSE;
    double inside = 0;
    double all = 0;
    for (int i = 0; i < DOMINANT; i++) {
      for (int j = 0; j < modes[i].length; j++) {
        double part = eigenvalues[i] * modes[i][j] * modes[i][j];
        all += part;
        inside += j % steps >= STIMULUS + MEMORY ? part : 0;
      }
    }
    return inside / all;
  }

  private void draw(
      ExperimentRun run,
      long[] checkpoints,
      List<Point> course,
      Point before,
      Point after,
      Point example) {
    double[] steps = LongStream.of(checkpoints).asDoubleStream().toArray();
    double[] cosines = course.stream().mapToDouble(p -> p.number("cosine")).toArray();
    double[] errors =
        course.stream().mapToDouble(p -> p.estimate("cosine").standardError()).toArray();
    run.array("steps", steps);
    run.array("cosine", cosines);
    run.array("cosine_error", errors);
    run.array("loss", course.stream().mapToDouble(p -> p.number("loss")).toArray());
    for (String operator : OPERATORS) {
      run.array(operator + "_shares_before", before.values(operator + "_shares"));
      run.array(operator + "_shares_after", after.values(operator + "_shares"));
    }
    try (Tensor modes = before.tensor("modes");
        Tensor later = after.tensor("modes")) {
      run.array("modes_before", modes);
      run.array("modes_after", later);
    }
    run.array("target_aligned", example.rows("aligned"));
    run.array("target_misaligned", example.rows("misaligned"));
    List<Panel> panels = new ArrayList<>();
    panels.add(taskPanel("Memory-Pro: inputs of a trial", example.rows("inputs")));
    panels.add(taskPanel("its targets", example.rows("targets")));
    panels.add(
        new TrendPanel(
            "Core and NTK over training",
            "training step",
            "cos(NTK, V Vᵀ ⊗ I)",
            false,
            List.of(new Trend("cosine", steps, cosines, errors))));
    panels.add(cumulative("Cumulative variance before training", before));
    panels.add(cumulative("Cumulative variance after training", after));
    panels.add(modesPanel(before));
    panels.add(target("Aligned target", example.rows("aligned")));
    panels.add(target("Target out of reach", example.rows("misaligned")));
    run.picture(
        "fig3",
        String.format(
            Locale.ROOT,
            "A, B: one trial of the task. C: alignment of core and NTK over training (bars: standard"
                + " errors). D, E: how many temporal modes carry how much of NTK, core and P P*. F:"
                + " the leading temporal modes of the NTK before training, one line per trial. G, H:"
                + " two targets, one line per trial; their Rayleigh quotients with the NTK's"
                + " temporal view before training are %.3g and %.3g.",
            before.number("aligned"),
            before.number("misaligned")),
        Plots.panels(title(), 2, panels));
  }

  private static LinesPanel taskPanel(String title, double[][] channels) {
    List<Bundle> bundles = new ArrayList<>();
    String[] names = {"fixation", "cos α", "sin α"};
    for (int i = 0; i < names.length; i++) {
      int channel = i;
      double[] line = Arrays.stream(channels).mapToDouble(row -> row[channel]).toArray();
      bundles.add(Bundle.overSteps(names[i], new double[][] {line}));
    }
    return new LinesPanel(title, "time step", "value", bundles, PHASES, new double[] {-0.2, 1.4});
  }

  private static TrendPanel cumulative(String title, Point spectra) {
    List<Trend> trends = new ArrayList<>();
    String[] names = {"NTK", "core V Vᵀ", "P P*"};
    for (int i = 0; i < names.length; i++) {
      double[] shares = spectra.values(OPERATORS.get(i) + "_shares");
      int count = Math.min(SHOWN, shares.length);
      double[] x = IntStream.rangeClosed(1, count).asDoubleStream().toArray();
      trends.add(new Trend(names[i], x, Arrays.copyOf(shares, count), null));
    }
    return new TrendPanel(title, "temporal modes", "share of the trace", false, trends);
  }

  private static LinesPanel modesPanel(Point spectra) {
    double[][] modes = spectra.rows("modes");
    int steps = STIMULUS + MEMORY + RESPONSE;
    List<Bundle> bundles = new ArrayList<>();
    for (int i = 0; i < DOMINANT; i++) {
      double[][] lines = new double[CONDITIONS][];
      for (int b = 0; b < CONDITIONS; b++) {
        lines[b] = Arrays.copyOfRange(modes[i], b * steps, (b + 1) * steps);
      }
      bundles.add(Bundle.overSteps("mode " + (i + 1), lines));
    }
    return new LinesPanel(
        "Leading temporal modes before training", "time step", "amplitude", bundles, PHASES, null);
  }

  private static LinesPanel target(String title, double[][] lines) {
    return new LinesPanel(
        title,
        "time step",
        "target",
        List.of(Bundle.overSteps("trials", lines)),
        PHASES,
        new double[] {-1.1, 1.5});
  }
}
