package org.kpflow.experiment;

import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.model.Initialization;
import org.kpflow.report.Bundle;
import org.kpflow.report.LinesPanel;
import org.kpflow.report.Panel;
import org.kpflow.report.Phase;
import org.kpflow.report.Plots;
import org.kpflow.report.Trend;
import org.kpflow.report.TrendPanel;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.task.MemoryPro;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;
import org.kpflow.train.LossSteps;
import org.kpflow.train.Sgd;
import org.kpflow.train.Shampoo;
import org.kpflow.train.TrainingData;

/** Figure 4: gradient descent stalls where the target's modes are missing from the first NTK. */
final class PlateauFigure implements Experiment {
  private static final int STIMULUS = 30;
  private static final int MEMORY = 30;
  private static final int RESPONSE = 30;
  private static final int STEPS = STIMULUS + MEMORY + RESPONSE;
  private static final int CHANNELS = 3;
  private static final int CONDITIONS = 20;
  private static final int LAST = CHANNELS - 1; // the third mode
  private static final int PLANTED = 5;
  private static final int PROBES = 30; // for ||NTK||_F
  private static final double SGD_RATE = 0.1;
  private static final double MOMENTUM = 0.9;
  private static final double SHAMPOO_RATE = 0.1;
  private static final double SHAMPOO_EPSILON = 1e-4;
  private static final long ROOTS_EVERY = 1;
  private static final double RISEN = 0.1; // of the largest value of a curve
  private static final List<Phase> PHASES =
      List.of(
          new Phase("stimulus", 0),
          new Phase("memory", STIMULUS),
          new Phase("response", STIMULUS + MEMORY));

  private static final Initialization DEFAULT =
      Initialization.of(Initialization.Kind.XAVIER_NORMAL, 1);

  /** The trainings. */
  private enum Course {
    FIRST_SGD("network 1, SGD", DEFAULT),
    SECOND_SGD("network 2, SGD", Initialization.fixedPoints(PLANTED, 1)),
    CORNERS_SGD(
        "network 2 with corners, SGD",
        new Initialization(Initialization.Kind.FIXED_CORNERS, 1, PLANTED)),
    FIRST_SHAMPOO("network 1, Shampoo", DEFAULT);

    private final String words;
    private final Initialization start;

    Course(String words, Initialization start) {
      this.words = words;
      this.start = start;
    }

    String key() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  private static final String REMAINING =
      "noise-free loss at the end over the loss that is left with the first mode alone (1/9)";
  private static final Statement DYNAMICS =
      new Statement(
          "end_points",
          "Before training, network 1 collapses to one point in the response period, network 2 does not.",
          "section 5.2, figure 4A, B",
          "spread of the last states over trials, network 1 over network 2",
          Statement.Relation.AT_MOST,
          0.1);
  private static final Statement SECOND_LEARNS =
      new Statement(
          "network2_learns",
          "Network 2 learns the task under SGD.",
          "section 5.2, figure 4D",
          REMAINING,
          Statement.Relation.AT_MOST,
          0.2);
  private static final Statement CORNERS_LEARN =
      new Statement(
          "corners_learn",
          "Network 2 with 2⁵ stable points in place of 5 learns the task under SGD.",
          "section 5.2, figure 4D; the other reading of appendix A.2.1",
          REMAINING,
          Statement.Relation.AT_MOST,
          0.2);
  private static final Statement FIRST_STALLS =
      new Statement(
          "network1_stalls",
          "Network 1 stays on a plateau under SGD once it has learned the first mode.",
          "section 5.2, figure 4D, E",
          REMAINING,
          Statement.Relation.AT_LEAST,
          0.8);
  private static final Statement SHAMPOO_ESCAPES =
      new Statement(
          "shampoo_escapes",
          "Shampoo takes network 1 off the plateau.",
          "section 5.2, figure 4D",
          REMAINING,
          Statement.Relation.AT_MOST,
          0.2);
  private static final Statement FIRST_MODE =
      new Statement(
          "first_mode",
          "In all trainings the first target mode is learned.",
          "section 5.2, figure 4E",
          "least part of the first mode in the outputs at the end",
          Statement.Relation.AT_LEAST,
          0.8);
  private static final Statement ALIGNED =
      new Statement(
          "initial_alignment",
          "Before training, the NTK of network 2 is far better aligned with the third target mode.",
          "section 5.2, figure 4F",
          "alignment of NTK and third mode, network 2 over network 1",
          Statement.Relation.AT_LEAST,
          10);
  private static final Statement RISES_FIRST =
      new Statement(
          "rises_first",
          "Under Shampoo, the alignment of the NTK with the third mode rises before the mode shows in the hidden state.",
          "section 5.2, figure 4E, F",
          "step at which the alignment has a tenth of its largest value, less that of the hidden state",
          Statement.Relation.BELOW,
          0);

  @Override
  public String name() {
    return "fig4";
  }

  @Override
  public String title() {
    return "Gradient descent stalls where target modes are missing from the first NTK";
  }

  @Override
  public String finding() {
    return "From a default initialization, SGD learns the first mode of Memory-Pro's target and"
        + " stalls, for the others are out of the NTK's reach. From an initialization with fixed"
        + " points that keep the hidden state alive it learns all; so does Shampoo from the default"
        + " one.";
  }

  @Override
  public int version() {
    return 2;
  }

  @Override
  public List<Statement> statements() {
    return List.of(
        DYNAMICS,
        SECOND_LEARNS,
        CORNERS_LEARN,
        FIRST_STALLS,
        SHAMPOO_ESCAPES,
        FIRST_MODE,
        ALIGNED,
        RISES_FIRST);
  }

  @Override
  public void run(ExperimentRun run) {
    MemoryPro task = new MemoryPro(STIMULUS, MEMORY, RESPONSE, CONDITIONS);
    long units = run.choose(64L, 256L);
    long batch = run.choose(64L, 500L);
    long set = run.choose(0L, 5000L);
    double variance = run.choose(0.02, 3.2);
    long steps = run.choose(3000L, 4000L);
    long every = run.choose(100L, 100L);
    run.setting("units", units);
    run.setting("batch", batch);
    run.setting("training_trials", set == 0 ? "new ones at every step" : String.valueOf(set));
    run.setting("input_noise_variance", variance);
    run.setting("steps", steps);
    run.setting("checkpoints_every", every);
    run.setting("network_1", "Xavier normal, no biases");
    run.setting("network_2", "the same with " + PLANTED + " planted fixed points");
    run.setting("network_2_with_corners", "the same with 2^" + PLANTED + " planted fixed points");
    run.setting("sgd", "learning rate " + SGD_RATE + ", momentum " + MOMENTUM);
    run.setting(
        "shampoo",
        "learning rate "
            + SHAMPOO_RATE
            + ", epsilon "
            + SHAMPOO_EPSILON
            + ", roots every "
            + ROOTS_EVERY
            + " steps");
    run.setting("probes", PROBES);
    TrainingData.Draw draw =
        new TrainingData.Draw(batch, Math.sqrt(variance), LossSteps.all(), run.rng("trials"));
    Map<Course, List<Point>> courses = new EnumMap<>(Course.class);
    try (Trials trials = task.evaluation(run.context())) {
      for (Course course : Course.values()) {
        GruTraining training =
            new GruTraining(
                course.key(),
                task,
                set,
                draw,
                course == Course.FIRST_SHAMPOO
                    ? (c, parameters) -> new Shampoo(c, parameters, SHAMPOO_EPSILON, ROOTS_EVERY)
                    : (c, parameters) -> new Sgd(c, parameters, MOMENTUM),
                course == Course.FIRST_SHAMPOO ? SHAMPOO_RATE : SGD_RATE,
                steps,
                every);
        long[] checkpoints = training.checkpoints();
        run.points(Course.values().length * (long) checkpoints.length);
        training.run(run, course.start, units);
        List<Point> points = new ArrayList<>();
        for (long step : checkpoints) {
          points.add(
              run.point(course.key() + "_" + step, () -> measure(run, training, step, trials)));
        }
        courses.put(course, points);
      }
    }
    judge(run, courses);
    draw(run, courses);
  }

  private static Point measure(ExperimentRun run, GruTraining training, long step, Trials trials) {
    try (GruCheckpoint checkpoint =
            new GruCheckpoint(run.context(), training.checkpoint(run, step), trials);
        Tensor state = checkpoint.state();
        Tensor outputs = checkpoint.outputs()) {
      GruCheckpoint.ModeAlignment modes = checkpoint.modes(PROBES, run.rng("norm"));
      Point point =
          new Point()
              .put("step", step)
              .put("loss", checkpoint.loss())
              .put("learned", modes.learned())
              .put("hidden", modes.hidden())
              .put("kernel", modes.kernel())
              .put("spread", spread(state));
      if (step == 0 || step == training.steps()) {
        point.put("outputs", outputs).put("plane", plane(run.context(), state));
      }
      return point;
    }
  }

  /** Root mean square distance of the last states of all trials from their mean. */
  private static double spread(Tensor state) {
    int trials = (int) state.shape().size(0);
    int steps = (int) state.shape().size(1);
    int units = (int) state.shape().size(2);
    double[] values = state.toDoubles();
    double square = 0;
    for (int i = 0; i < units; i++) {
      double mean = 0;
      double moment = 0;
      for (int b = 0; b < trials; b++) {
        double value = values[((b + 1) * steps - 1) * units + i];
        mean += value / trials;
        moment += value * value / trials;
      }
      square += Math.max(0, moment - mean * mean);
    }
    return Math.sqrt(square);
  }

  /** The states [B, T, n] on their two leading principal axes, [B, T, 2]. */
  private static Tensor plane(ExecutionContext context, Tensor state) {
    long units = state.shape().size(2);
    long rows = state.count() / units;
    try (Tensor wide = state.to(DType.F64);
        Tensor gram = Tensor.zeros(DType.F64, units, units)) {
      Tensor matrix = wide.reshape(Shape.of(rows, units));
      TensorMath.gemm(context, true, false, 1, matrix, matrix, 0, gram);
      try (DenseEigen eigen = DenseEigen.of(gram)) {
        Tensor out = Tensor.zeros(DType.F64, state.shape().size(0), state.shape().size(1), 2);
        TensorMath.gemm(
            context,
            false,
            true,
            1,
            matrix,
            eigen.vectors().slice(0, 2),
            0,
            out.reshape(Shape.of(rows, 2)));
        return out;
      }
    }
  }

  private void judge(ExperimentRun run, Map<Course, List<Point>> courses) {
    Point first = courses.get(Course.FIRST_SGD).get(0);
    Point second = courses.get(Course.SECOND_SGD).get(0);
    run.claim(DYNAMICS, first.number("spread") / second.number("spread"), "");
    run.claim(
        SECOND_LEARNS,
        remaining(courses.get(Course.SECOND_SGD)),
        ended(courses, Course.SECOND_SGD));
    run.claim(
        CORNERS_LEARN,
        remaining(courses.get(Course.CORNERS_SGD)),
        ended(courses, Course.CORNERS_SGD));
    run.claim(
        FIRST_STALLS, remaining(courses.get(Course.FIRST_SGD)), ended(courses, Course.FIRST_SGD));
    run.claim(
        SHAMPOO_ESCAPES,
        remaining(courses.get(Course.FIRST_SHAMPOO)),
        ended(courses, Course.FIRST_SHAMPOO));
    run.claim(
        FIRST_MODE,
        courses.values().stream()
            .mapToDouble(points -> last(points).values("learned")[0])
            .min()
            .orElse(Double.NaN),
        "");
    run.claim(ALIGNED, second.values("kernel")[LAST] / first.values("kernel")[LAST], "");
    List<Point> shampoo = courses.get(Course.FIRST_SHAMPOO);
    double kernel = risen(shampoo, "kernel");
    double hidden = risen(shampoo, "hidden");
    run.claim(
        RISES_FIRST,
        kernel - hidden,
        String.format(
            Locale.ROOT, "alignment at step %.0f, hidden state at step %.0f", kernel, hidden));
  }

  private static Point last(List<Point> points) {
    return points.get(points.size() - 1);
  }

  /** The loss at the end in units of that of a network that puts out the first mode alone. */
  private static double remaining(List<Point> points) {
    double steps = RESPONSE; // two channels of mean square 1/2 in the response
    return last(points).number("loss") / (steps / (CHANNELS * STEPS));
  }

  private static String ended(Map<Course, List<Point>> courses, Course course) {
    Point last = last(courses.get(course));
    double[] learned = last.values("learned");
    return String.format(
        Locale.ROOT,
        "loss %.4g; parts of the three modes learned: %.2f, %.2f, %.2f",
        last.number("loss"),
        learned[0],
        learned[1],
        learned[2]);
  }

  /** The first step at which the third mode has a tenth of its largest value of a curve. */
  private static double risen(List<Point> points, String name) {
    double most = points.stream().mapToDouble(p -> p.values(name)[LAST]).max().orElse(0);
    return points.stream()
        .filter(p -> p.values(name)[LAST] >= RISEN * most)
        .findFirst()
        .orElseThrow()
        .number("step");
  }

  private void draw(ExperimentRun run, Map<Course, List<Point>> courses) {
    courses.forEach(
        (course, points) -> {
          run.array(course.key() + "_step", series(points, p -> p.number("step")));
          run.array(course.key() + "_loss", series(points, p -> p.number("loss")));
          for (String name : List.of("learned", "hidden", "kernel")) {
            double[][] rows = points.stream().map(p -> p.values(name)).toArray(double[][]::new);
            run.array(course.key() + "_" + name, rows);
          }
        });
    List<Panel> panels = new ArrayList<>();
    Map<Course, String> networks = new EnumMap<>(Course.class);
    networks.put(Course.FIRST_SGD, "Network 1");
    networks.put(Course.SECOND_SGD, "Network 2");
    networks.put(Course.CORNERS_SGD, "With corners");
    for (Course course : networks.keySet()) {
      String network = networks.get(course);
      panels.add(planePanel(network + ": states before training", courses.get(course).get(0)));
      panels.add(outputsPanel(network + ": outputs before training", courses.get(course).get(0)));
    }
    for (Course course : Course.values()) {
      panels.add(
          outputsPanel("Outputs after training: " + course.words, last(courses.get(course))));
    }
    panels.add(
        trend("Loss without noise", "mean squared error", true, courses, p -> p.number("loss")));
    for (int i = 0; i < CHANNELS; i++) {
      int mode = i;
      panels.add(
          trend(
              "Target mode " + (i + 1) + " in the hidden state",
              "part of ||H||²",
              true,
              courses,
              p -> p.values("hidden")[mode]));
    }
    panels.add(
        trend("NTK and target mode 3", "alignment", true, courses, p -> p.values("kernel")[LAST]));
    run.picture(
        "fig4",
        "A to F: states in the plane of their principal axes, and outputs, before training. G to J:"
            + " outputs after it; one line per trial. K: loss. L to N: part of the hidden activity"
            + " along each target mode (the fixation, cos α and sin α channels). O: Rayleigh"
            + " quotient of the NTK with the third mode, lifted to the state by the read-out, over"
            + " the NTK's norm.",
        Plots.panels(title(), 2, panels));
  }

  private static double[] series(List<Point> points, ToDoubleFunction<Point> value) {
    return points.stream().mapToDouble(value).toArray();
  }

  private static TrendPanel trend(
      String title,
      String yTitle,
      boolean logarithmic,
      Map<Course, List<Point>> courses,
      ToDoubleFunction<Point> value) {
    List<Trend> trends = new ArrayList<>();
    courses.forEach(
        (course, points) ->
            trends.add(
                new Trend(
                    course.words,
                    series(points, p -> p.number("step")),
                    series(points, value),
                    null)));
    return new TrendPanel(title, "training step", yTitle, logarithmic, trends);
  }

  private static LinesPanel outputsPanel(String title, Point point) {
    String[] names = {"fixation", "cos α", "sin α"};
    double[] values = point.values("outputs");
    List<Bundle> bundles = new ArrayList<>();
    for (int i = 0; i < CHANNELS; i++) {
      double[][] lines = new double[CONDITIONS][STEPS];
      for (int b = 0; b < CONDITIONS; b++) {
        for (int t = 0; t < STEPS; t++) {
          lines[b][t] = values[(b * STEPS + t) * CHANNELS + i];
        }
      }
      bundles.add(Bundle.overSteps(names[i], lines));
    }
    return new LinesPanel(title, "time step", "output", bundles, PHASES, new double[] {-1.5, 1.8});
  }

  private static LinesPanel planePanel(String title, Point point) {
    double[] values = point.values("plane");
    double[][] x = new double[CONDITIONS][STEPS];
    double[][] y = new double[CONDITIONS][STEPS];
    for (int b = 0; b < CONDITIONS; b++) {
      for (int t = 0; t < STEPS; t++) {
        x[b][t] = values[2 * (b * STEPS + t)];
        y[b][t] = values[2 * (b * STEPS + t) + 1];
      }
    }
    return new LinesPanel(
        title,
        "principal axis 1",
        "principal axis 2",
        List.of(new Bundle("trials, with their ends", x, y, true)),
        List.of(),
        null);
  }
}
