package org.kpflow.experiment;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import org.kpflow.analysis.Analysis;
import org.kpflow.analysis.AnalysisRequest;
import org.kpflow.analysis.AnalysisResult;
import org.kpflow.analysis.DiagnosisOptions;
import org.kpflow.analysis.Objectives;
import org.kpflow.analysis.ViewReport;
import org.kpflow.base.DType;
import org.kpflow.base.Progress;
import org.kpflow.estimate.NormEstimator;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.model.Initialization;
import org.kpflow.operator.LinearOperator;
import org.kpflow.spectral.View;
import org.kpflow.task.Trials;
import org.kpflow.tensor.Tensor;
import org.kpflow.train.Adam;
import org.kpflow.train.Sgd;

/** Figure 3: the core V Vᵀ foretells the dominant temporal modes of the NTK of a GRU. */
final class CoreFigure implements Experiment {
  private static final int UNIT_AXIS = 2; // of [B, T, n]
  static final int DOMINANT = 3; // modes
  private static final int RESPONSE_BEGIN = MemoryProSetup.STIMULUS + MemoryProSetup.MEMORY;
  private static final double ADAM_RATE = 1e-3;
  private static final int MODES = 6; // kept of every temporal view
  private static final double TOLERANCE_AFTER = 3e-3; // of the views of a trained network
  private static final int COMPARED = 10; // points of the cumulative curves
  static final List<String> OPERATORS = List.of("NTK", "core", "PPt");

  /** The two trainings, by the names of their folders. */
  enum Course {
    DESCENT("gradient descent"),
    ADAM("Adam");

    final String words;

    Course(String words) {
      this.words = words;
    }

    String key() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /** Sizes of a run. */
  record Sizes(MemoryProSetup setup, long steps, long every, int probes) {}

  private final Sizes quick;
  private final Sizes full;

  CoreFigure() {
    this(
        new Sizes(MemoryProSetup.QUICK, 800, 80, 100),
        new Sizes(MemoryProSetup.FULL, 1800, 100, 200));
  }

  /** With other sizes than the figure's. */
  CoreFigure(Sizes quick, Sizes full) {
    this.quick = quick;
    this.full = full;
  }

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
          "After training with Adam, the NTK's cumulative curve lies above the core's.",
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
          "The core stays aligned with the NTK throughout gradient descent.",
          "section 5.1, figure 3B",
          "least cos(NTK, V Vᵀ ⊗ I) over training",
          Statement.Relation.AT_LEAST,
          0.5);
  private static final Statement ALIGNED_ADAM =
      new Statement(
          "core_alignment_adam",
          "The core stays aligned with the NTK while Adam learns the task.",
          "section 5.1, figure 3B, said of gradient descent",
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
    return 2;
  }

  @Override
  public List<Statement> statements() {
    return List.of(
        CORE_MODES, NTK_ABOVE, NTK_ABOVE_AFTER, FULL_RANK, SILENT, ALIGNED, ALIGNED_ADAM, TARGETS);
  }

  @Override
  public List<String> deviations() {
    return List.of(
        "The quick setting has 64 units, batches of 64 new trials and an input noise of variance 0.02.",
        "Gradient descent has a learning rate of 0.01 in place of 1e-3: the loss is the mean over all outputs of a trial, for which 1e-3 is too slow.",
        "The training with Adam is ours: gradient descent alone stays on the plateau of figure 4.");
  }

  @Override
  public void run(ExperimentRun run) {
    Sizes sizes = run.choose(quick, full);
    sizes.setup().note(run);
    run.setting("weights", "Xavier normal, no biases; read-out as in PyTorch");
    run.setting("gradient_descent", "learning rate " + PlateauFigure.SGD_RATE);
    run.setting("adam", "learning rate " + ADAM_RATE);
    run.setting("steps", sizes.steps());
    run.setting("checkpoints_every", sizes.every());
    run.setting("probes", sizes.probes());
    run.setting("view_tolerance_after_training", TOLERANCE_AFTER);
    Map<Course, GruTraining> trainings = new EnumMap<>(Course.class);
    Map<Course, List<Point>> courses = new EnumMap<>(Course.class);
    for (Course course : Course.values()) {
      trainings.put(course, training(run, sizes, course));
    }
    int checkpoints = trainings.get(Course.ADAM).checkpoints().length;
    run.points(Course.values().length * (long) checkpoints + 2);
    try (Trials trials = sizes.setup().task().evaluation(run.context())) {
      trainings.forEach(
          (course, training) -> {
            training.run(
                run,
                Initialization.of(Initialization.Kind.XAVIER_NORMAL, 1),
                sizes.setup().units());
            List<Point> points = new ArrayList<>();
            for (long step : training.checkpoints()) {
              Path file = training.checkpoint(run, step);
              points.add(
                  run.point(
                      course.key() + "_" + step, () -> alignment(run, sizes, step, file, trials)));
            }
            courses.put(course, points);
          });
      GruTraining adam = trainings.get(Course.ADAM);
      Point before =
          run.point(
              "before", () -> spectra(run, adam.checkpoint(run, 0), trials, CoreFigure::exact));
      Point after =
          run.point(
              "after",
              () ->
                  spectra(
                      run,
                      adam.checkpoint(run, sizes.steps()),
                      trials,
                      r -> r.tolerance(TOLERANCE_AFTER)));
      judge(run, courses, before, after);
      new CorePanels(courses, before, after, example(trials)).draw(run, title());
    }
  }

  private static GruTraining training(ExperimentRun run, Sizes sizes, Course course) {
    boolean adam = course == Course.ADAM;
    return new GruTraining(
        course.key(),
        sizes.setup().task(),
        sizes.setup().set(),
        sizes.setup().draw(run),
        (c, parameters) -> adam ? new Adam(c, parameters) : new Sgd(c, parameters, 0),
        adam ? ADAM_RATE : PlateauFigure.SGD_RATE,
        sizes.steps(),
        sizes.every());
  }

  /** Loss and cos(NTK, V Vᵀ ⊗ I) at a checkpoint. */
  private static Point alignment(
      ExperimentRun run, Sizes sizes, long step, Path file, Trials trials) {
    try (GruCheckpoint checkpoint = new GruCheckpoint(run.context(), file, trials, DType.F32)) {
      return new Point()
          .put("step", step)
          .put("loss", checkpoint.loss())
          .put("cosine", checkpoint.coreCosine(sizes.probes(), run.rng("cosine")));
    }
  }

  /**
   * Views from the factor, with a truncation of 1e-6: affordable where the sites have few modes.
   */
  private static AnalysisRequest exact(AnalysisRequest request) {
    return request.method(LinearizationViews.Method.FACTOR);
  }

  /** Cumulative shares of the temporal views of NTK, V Vᵀ and P P*, and the NTK's modes. */
  private static Point spectra(
      ExperimentRun run, Path file, Trials trials, UnaryOperator<AnalysisRequest> request) {
    try (GruCheckpoint checkpoint = new GruCheckpoint(run.context(), file, trials, DType.F32);
        AnalysisResult result =
            Analysis.run(
                request
                    .apply(checkpoint.request())
                    .views(List.of(View.TEMP))
                    .modes(MODES)
                    .rng(run.rng("views")),
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
          .put("aligned", rayleigh(temporal, answer(trials, 0, MemoryProSetup.STIMULUS)))
          .put(
              "misaligned",
              rayleigh(temporal, answer(trials, RESPONSE_BEGIN, MemoryProSetup.RESPONSE)));
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
    int width = MemoryProSetup.STEPS * MemoryProSetup.CHANNELS;
    double[][] target = new double[(int) trials.count()][MemoryProSetup.STEPS];
    for (int b = 0; b < target.length; b++) {
      double sine = inputs[b * width + MemoryProSetup.CHANNELS - 1];
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
    point.put("aligned", answer(trials, 0, MemoryProSetup.STIMULUS));
    return point.put("misaligned", answer(trials, RESPONSE_BEGIN, MemoryProSetup.RESPONSE));
  }

  private void judge(
      ExperimentRun run, Map<Course, List<Point>> courses, Point before, Point after) {
    run.claim(
        CORE_MODES,
        before.number("core_modes95"),
        String.format(Locale.ROOT, "%.0f after training", after.number("core_modes95")));
    run.claim(NTK_ABOVE, leastDifference(before), compared(before));
    run.claim(NTK_ABOVE_AFTER, leastDifference(after), compared(after));
    run.claim(
        FULL_RANK,
        before.number("PPt_modes95") / before.rows("modes")[0].length,
        String.format(
            Locale.ROOT,
            "P P*: at least %.0f modes, the NTK: %.0f",
            before.number("PPt_modes95"),
            before.number("NTK_modes95")));
    run.claim(
        SILENT, silence(before), String.format(Locale.ROOT, "%.3f after training", silence(after)));
    claimAlignment(run, ALIGNED, courses.get(Course.DESCENT));
    claimAlignment(run, ALIGNED_ADAM, courses.get(Course.ADAM));
    run.claim(
        TARGETS,
        before.number("aligned") / before.number("misaligned"),
        String.format(
            Locale.ROOT,
            "a ratio of %.2g after training",
            after.number("aligned") / after.number("misaligned")));
  }

  private static void claimAlignment(ExperimentRun run, Statement statement, List<Point> points) {
    Point least =
        points.stream().min(Comparator.comparingDouble(p -> p.number("cosine"))).orElseThrow();
    Point last = points.get(points.size() - 1);
    run.claim(
        statement,
        least.estimate("cosine"),
        String.format(
            Locale.ROOT,
            "%.3f before, %.3f after training, which ends at a noise-free loss of %.2g",
            points.get(0).number("cosine"),
            last.number("cosine"),
            last.number("loss")));
  }

  static double leastDifference(Point spectra) {
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
  static double silence(Point spectra) {
    double[] eigenvalues = spectra.values("eigenvalues");
    double[][] modes = spectra.rows("modes");
    double inside = 0;
    double all = 0;
    for (int i = 0; i < DOMINANT; i++) {
      for (int j = 0; j < modes[i].length; j++) {
        double part = eigenvalues[i] * modes[i][j] * modes[i][j];
        all += part;
        inside += j % MemoryProSetup.STEPS >= RESPONSE_BEGIN ? part : 0;
      }
    }
    return inside / all;
  }
}
