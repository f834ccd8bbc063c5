package org.kpflow.experiment;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.model.Initialization;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;
import org.kpflow.train.Sgd;
import org.kpflow.train.Shampoo;

/** Figure 4: gradient descent stalls where the target's modes are missing from the first NTK. */
final class PlateauFigure implements Experiment {
  static final int LAST = MemoryProSetup.CHANNELS - 1; // the third mode
  static final double SGD_RATE = 0.01;
  private static final int PLANTED = 5;
  private static final int PROBES = 30; // for ||NTK||_F
  private static final double SHAMPOO_RATE = 0.1;
  private static final double SHAMPOO_EPSILON = 1e-4;
  private static final long ROOTS_EVERY = 1;
  private static final double RISEN = 0.1; // of the largest value of a curve
  private static final Initialization DEFAULT =
      Initialization.of(Initialization.Kind.XAVIER_NORMAL, 1);

  /** The trainings. */
  enum Course {
    FIRST_SGD("1, SGD", DEFAULT),
    SECOND_SGD("2, SGD", Initialization.fixedPoints(PLANTED, 1)),
    CORNERS_SGD(
        "2 with corners, SGD", new Initialization(Initialization.Kind.FIXED_CORNERS, 1, PLANTED)),
    FIRST_SHAMPOO("1, Shampoo", DEFAULT);

    final String words;
    private final Initialization start;

    Course(String words, Initialization start) {
      this.words = words;
      this.start = start;
    }

    String key() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  /**
   * Sizes of a run.
   *
   * @param every steps between checkpoints under SGD
   * @param fine the same under Shampoo, where it matters what comes first
   */
  record Sizes(MemoryProSetup setup, long steps, long every, long fine) {}

  private final Sizes quick;
  private final Sizes full;

  PlateauFigure() {
    this(
        new Sizes(MemoryProSetup.QUICK, 4000, 200, 25),
        new Sizes(MemoryProSetup.FULL, 4000, 100, 25));
  }

  /** With other sizes than the figure's. */
  PlateauFigure(Sizes quick, Sizes full) {
    this.quick = quick;
    this.full = full;
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
          "Before training, the NTK of network 2 is far better aligned with the worst target mode.",
          "section 5.2, figure 4F",
          "least alignment of the NTK with a mode, network 2 over network 1",
          Statement.Relation.AT_LEAST,
          10);
  private static final Statement ALL_MODES =
      new Statement(
          "all_modes",
          "Before training, the NTK of network 2 is aligned with all three target modes.",
          "section 5.2, figure 4E, F",
          "least alignment of the NTK with a mode over the largest, network 2",
          Statement.Relation.AT_LEAST,
          0.01);
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
    return 3;
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
        ALL_MODES,
        RISES_FIRST);
  }

  @Override
  public List<String> deviations() {
    return List.of(
        "The quick setting has 64 units, batches of 64 new trials and an input noise of variance 0.02.",
        "Gradient descent has a learning rate of 0.01 in place of 1e-3: the loss is the mean over all outputs of a trial, for which 1e-3 is too slow.",
        "Learning rate and epsilon of Shampoo, and the number of steps, are ours.",
        "How the fixed points of network 2 are planted in a GRU is not said in full: two readings are trained.",
        "Panel C is a drawing of the idea and is left out.");
  }

  @Override
  public void run(ExperimentRun run) {
    Sizes sizes = run.choose(quick, full);
    sizes.setup().note(run);
    run.setting("steps", sizes.steps());
    run.setting("checkpoints_every", new long[] {sizes.every(), sizes.fine()});
    run.setting("network_1", "Xavier normal, no biases; read-out as in PyTorch");
    run.setting("network_2", "the same with " + PLANTED + " planted fixed points");
    run.setting("network_2_with_corners", "the same with 2^" + PLANTED + " planted fixed points");
    run.setting("sgd", "learning rate " + SGD_RATE + ", no momentum");
    run.setting(
        "shampoo",
        "learning rate " + SHAMPOO_RATE + ", epsilon " + SHAMPOO_EPSILON + ", roots at every step");
    run.setting("probes", PROBES);
    Map<Course, GruTraining> trainings = new EnumMap<>(Course.class);
    for (Course course : Course.values()) {
      trainings.put(course, training(run, sizes, course));
    }
    run.points(trainings.values().stream().mapToLong(t -> t.checkpoints().length).sum());
    Map<Course, List<Point>> courses = new EnumMap<>(Course.class);
    try (Trials trials = sizes.setup().task().evaluation(run.context())) {
      trainings.forEach(
          (course, training) -> {
            training.run(run, course.start, sizes.setup().units());
            List<Point> points = new ArrayList<>();
            for (long step : training.checkpoints()) {
              points.add(
                  run.point(course.key() + "_" + step, () -> measure(run, training, step, trials)));
            }
            courses.put(course, points);
          });
    }
    judge(run, courses);
    new PlateauPanels(courses).draw(run, title());
  }

  private static GruTraining training(ExperimentRun run, Sizes sizes, Course course) {
    boolean shampoo = course == Course.FIRST_SHAMPOO;
    return new GruTraining(
        course.key(),
        sizes.setup().task(),
        sizes.setup().set(),
        sizes.setup().draw(run),
        (c, parameters) ->
            shampoo
                ? new Shampoo(c, parameters, SHAMPOO_EPSILON, ROOTS_EVERY)
                : new Sgd(c, parameters, 0),
        shampoo ? SHAMPOO_RATE : SGD_RATE,
        sizes.steps(),
        shampoo ? sizes.fine() : sizes.every());
  }

  private static Point measure(ExperimentRun run, GruTraining training, long step, Trials trials) {
    try (GruCheckpoint checkpoint =
            new GruCheckpoint(run.context(), training.checkpoint(run, step), trials, DType.F64);
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
              .put("kernel_relative_error", modes.kernelError())
              .put("spread", spread(state));
      if (step == 0 || step == training.steps()) {
        try (Tensor plane = plane(run.context(), state)) {
          point.put("outputs", outputs).put("plane", plane);
        }
      }
      return point;
    }
  }

  /** Root mean square distance of the last states of all trials from their mean. */
  static double spread(Tensor state) {
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
    double ratio = least(second) / least(first);
    double error =
        Math.hypot(first.number("kernel_relative_error"), second.number("kernel_relative_error"));
    run.claim(
        ALIGNED,
        new Estimate(ratio, ratio * error, 0),
        "alignments with the three modes: network 1 "
            + MemoryProSetup.threeNumbers(first.values("kernel"))
            + "; network 2 "
            + MemoryProSetup.threeNumbers(second.values("kernel"))
            + "; with corners "
            + MemoryProSetup.threeNumbers(courses.get(Course.CORNERS_SGD).get(0).values("kernel")));
    double most = Arrays.stream(second.values("kernel")).max().orElse(Double.NaN);
    run.claim(ALL_MODES, least(second) / most, "");
    List<Point> shampoo = courses.get(Course.FIRST_SHAMPOO);
    double kernel = risen(shampoo, "kernel");
    double hidden = risen(shampoo, "hidden");
    run.claim(
        RISES_FIRST,
        kernel - hidden,
        String.format(
            Locale.ROOT,
            "alignment at step %.0f, hidden state at step %.0f, looked at every %.0f steps",
            kernel,
            hidden,
            shampoo.get(1).number("step")));
  }

  private static double least(Point point) {
    return Arrays.stream(point.values("kernel")).min().orElse(Double.NaN);
  }

  private static Point last(List<Point> points) {
    return points.get(points.size() - 1);
  }

  /** The loss at the end in units of that of a network that puts out the first mode alone. */
  static double remaining(List<Point> points) {
    // In the response, the two channels cos α and sin α have a mean square of 1/2 each.
    double left =
        (double) MemoryProSetup.RESPONSE / (MemoryProSetup.CHANNELS * MemoryProSetup.STEPS);
    return last(points).number("loss") / left;
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
  static double risen(List<Point> points, String name) {
    double most = points.stream().mapToDouble(p -> p.values(name)[LAST]).max().orElse(0);
    return points.stream()
        .filter(p -> p.values(name)[LAST] >= RISEN * most)
        .findFirst()
        .orElseThrow()
        .number("step");
  }
}
