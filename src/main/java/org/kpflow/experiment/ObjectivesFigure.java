package org.kpflow.experiment;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import org.kpflow.analysis.ObjectiveAlignment;
import org.kpflow.analysis.Objectives;
import org.kpflow.base.DType;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.StateRestriction;
import org.kpflow.model.Initialization;
import org.kpflow.report.MatrixPanel;
import org.kpflow.report.Panel;
import org.kpflow.report.Plots;
import org.kpflow.report.Trend;
import org.kpflow.report.TrendPanel;
import org.kpflow.task.MultiTask;
import org.kpflow.task.Trials;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;
import org.kpflow.train.Adam;
import org.kpflow.train.LossSteps;
import org.kpflow.train.TrainingData;

/**
 * How the objectives of four tasks that one GRU learns together lie to each other, after the
 * paper's forerunner: cosines of ⟨e_a, NTK e_b⟩ for the errors e_a of the tasks.
 */
final class ObjectivesFigure implements Experiment {
  private static final List<String> TASKS = List.of("MP", "MA", "DP", "DA"); // SUB_TASKS, shorter
  private static final long BATCH = 128;
  private static final double NOISE_VARIANCE = 0.02;
  private static final double RATE = 1e-3;
  private static final String SOURCE = "KPFlow, multi-task training";

  private static final Statement GRAM =
      new Statement(
          "gram",
          "⟨e_a, NTK e_b⟩ is the inner product of the gradients of tasks a and b.",
          "identity",
          "largest relative difference of the two before training, in f32",
          Statement.Relation.AT_MOST,
          1e-4);
  private static final Statement HELP =
      new Statement(
          "help_at_first",
          "Before training, a step on one task helps the others.",
          SOURCE + "; our words",
          "mean cosine of two different tasks before training",
          Statement.Relation.ABOVE,
          0.1);
  private static final Statement CHANGE =
      new Statement(
          "change",
          "The alignment of the tasks changes through training.",
          SOURCE + "; our words",
          "largest less least mean cosine of two different tasks",
          Statement.Relation.AT_LEAST,
          0.1);
  private static final Statement RULES =
      new Statement(
          "rules_part",
          "Tasks with opposite answers lie less along each other than tasks with the same answer.",
          SOURCE + "; our words",
          "mean cosine of memory and delay with the same rule less that of pro and anti with the same"
              + " timing, over training",
          Statement.Relation.ABOVE,
          0);
  private static final Statement LEARNED =
      new Statement(
          "learned",
          "The network learns all four tasks.",
          SOURCE + "; our words",
          "largest noise-free mean squared error of a task at the end",
          Statement.Relation.AT_MOST,
          0.02);

  /** Sizes of a run. */
  record Sizes(long units, long steps, long every) {}

  private final Sizes quick;
  private final Sizes full;

  ObjectivesFigure() {
    this(new Sizes(64, 1000, 50), new Sizes(256, 3000, 100));
  }

  /** With other sizes than the figure's. */
  ObjectivesFigure(Sizes quick, Sizes full) {
    this.quick = quick;
    this.full = full;
  }

  @Override
  public String name() {
    return "objectives";
  }

  @Override
  public String title() {
    return "How the objectives of four tasks align through training";
  }

  @Override
  public String finding() {
    return "When a network learns several tasks at once, the NTK says how far a gradient step on one"
        + " of them helps or hinders the others, and how that changes as they are learned.";
  }

  @Override
  public int version() {
    return 1;
  }

  @Override
  public List<Statement> statements() {
    return List.of(GRAM, HELP, CHANGE, RULES, LEARNED);
  }

  @Override
  public List<String> deviations() {
    return List.of(
        "Task lengths, network, optimizer and all claims are ours: the forerunner says that alignments can be measured, not what they are.");
  }

  @Override
  public void run(ExperimentRun run) {
    Sizes sizes = run.choose(quick, full);
    long units = sizes.units();
    long steps = sizes.steps();
    long every = sizes.every();
    MultiTask task = new MultiTask();
    run.setting("units", units);
    run.setting("weights", "Xavier normal, no biases; read-out as in PyTorch");
    run.setting("adam", "learning rate " + RATE);
    run.setting("batch", BATCH);
    run.setting("training_trials", "new ones at every step");
    run.setting("input_noise_variance", NOISE_VARIANCE);
    run.setting("steps", steps);
    run.setting("checkpoints_every", every);
    run.setting("task", "10 steps of context, 30 each of stimulus, memory and response; 20 angles");
    GruTraining training =
        new GruTraining(
            "training",
            task,
            0,
            new TrainingData.Draw(
                BATCH, Math.sqrt(NOISE_VARIANCE), LossSteps.all(), run.rng("trials")),
            (context, parameters) -> new Adam(context, parameters),
            RATE,
            steps,
            every);
    long[] checkpoints = training.checkpoints();
    run.points(checkpoints.length + 1L);
    training.run(run, Initialization.of(Initialization.Kind.XAVIER_NORMAL, 1), units);
    List<Point> points = new ArrayList<>();
    try (Trials trials = task.evaluation(run.context())) {
      for (long step : checkpoints) {
        points.add(run.point("step_" + step, () -> measure(run, training, step, trials)));
      }
      Point identity = run.point("identity", () -> identity(run, training, trials));
      judge(run, points, identity);
    }
    draw(run, points);
  }

  /** Cosines [4, 4] of the tasks' objectives and the loss of each, at a checkpoint. */
  private static Point measure(ExperimentRun run, GruTraining training, long step, Trials trials) {
    int[] labels = MultiTask.labels(trials);
    try (GruCheckpoint checkpoint =
            new GruCheckpoint(run.context(), training.checkpoint(run, step), trials, DType.F32);
        Tensor error = checkpoint.error()) {
      ObjectiveAlignment found =
          ObjectiveAlignment.ofGroups(
              StateRestriction.whole(checkpoint.linearization()),
              error,
              Objectives.groups(Arrays.stream(labels).asLongStream().toArray()));
      return new Point()
          .put("step", step)
          .put("cosines", found.cosines())
          .put("inner", found.inner())
          .put("losses", losses(checkpoint, trials, labels));
    }
  }

  private static double[] losses(GruCheckpoint checkpoint, Trials trials, int[] labels) {
    double[] sums = new double[TASKS.size()];
    try (Tensor outputs = checkpoint.outputs()) {
      double[] found = outputs.toDoubles();
      double[] wanted = trials.targets().toDoubles();
      int width = found.length / labels.length;
      for (int i = 0; i < found.length; i++) {
        double difference = found[i] - wanted[i];
        sums[labels[i / width]] += difference * difference;
      }
      for (int a = 0; a < sums.length; a++) {
        int task = a;
        sums[a] /= width * (double) Arrays.stream(labels).filter(label -> label == task).count();
      }
    }
    return sums;
  }

  /** ⟨e_a, NTK e_b⟩ by products with the NTK, and by gradients. */
  private static Point identity(ExperimentRun run, GruTraining training, Trials trials) {
    int[] labels = MultiTask.labels(trials);
    try (GruCheckpoint checkpoint =
            new GruCheckpoint(run.context(), training.checkpoint(run, 0), trials, DType.F32);
        Tensor error = checkpoint.error()) {
      double[][] inner =
          ObjectiveAlignment.ofGroups(
                  StateRestriction.whole(checkpoint.linearization()),
                  error,
                  Objectives.groups(Arrays.stream(labels).asLongStream().toArray()))
              .inner();
      NeuralTangentKernel kernel = new NeuralTangentKernel(checkpoint.linearization());
      int count = TASKS.size();
      double[][] products = new double[count][count];
      for (int b = 0; b < count; b++) {
        try (Tensor right = only(error, labels, b);
            Tensor product = kernel.matvec(right)) {
          for (int a = 0; a < count; a++) {
            try (Tensor left = only(error, labels, a)) {
              products[a][b] = TensorMath.dot(run.context(), left, product);
            }
          }
        }
      }
      return new Point().put("gradients", inner).put("products", products);
    }
  }

  /** The error [B, T, n] of one task's trials, 0 elsewhere. */
  private static Tensor only(Tensor error, int[] labels, int task) {
    Tensor out = Tensor.zeros(DType.F32, error.shape());
    for (int b = 0; b < labels.length; b++) {
      if (labels[b] == task) {
        out.slice(b).copyFrom(error.slice(b));
      }
    }
    return out;
  }

  private void judge(ExperimentRun run, List<Point> points, Point identity) {
    double[] gradients = identity.values("gradients");
    double[] products = identity.values("products");
    double largest = Arrays.stream(gradients).map(Math::abs).max().orElse(Double.NaN);
    run.claim(
        GRAM,
        IntStream.range(0, gradients.length)
                .mapToDouble(i -> Math.abs(gradients[i] - products[i]))
                .max()
                .orElse(Double.NaN)
            / largest,
        "");
    double[] means = points.stream().mapToDouble(ObjectivesFigure::mean).toArray();
    Point last = points.get(points.size() - 1);
    run.claim(
        HELP, means[0], String.format(Locale.ROOT, "%.2f at the end", means[means.length - 1]));
    double most = Arrays.stream(means).max().orElse(Double.NaN);
    double least = Arrays.stream(means).min().orElse(Double.NaN);
    run.claim(CHANGE, most - least, String.format(Locale.ROOT, "from %.2f to %.2f", least, most));
    double timing = average(points, 0, 2, 1, 3);
    double rule = average(points, 0, 1, 2, 3);
    run.claim(
        RULES,
        timing - rule,
        String.format(Locale.ROOT, "same rule: %.2f; same timing: %.2f", timing, rule));
    run.claim(LEARNED, Arrays.stream(last.values("losses")).max().orElse(Double.NaN), "");
  }

  /** The mean cosine of two different tasks. */
  static double mean(Point point) {
    double[][] cosines = point.rows("cosines");
    double sum = 0;
    for (int a = 0; a < cosines.length; a++) {
      for (int b = 0; b < a; b++) {
        sum += cosines[a][b];
      }
    }
    return sum / (cosines.length * (cosines.length - 1) / 2.0);
  }

  /** The mean over all points of the cosines of tasks a, b and of c, d. */
  static double average(List<Point> points, int a, int b, int c, int d) {
    return points.stream()
        .mapToDouble(p -> (p.rows("cosines")[a][b] + p.rows("cosines")[c][d]) / 2)
        .average()
        .orElse(Double.NaN);
  }

  private void draw(ExperimentRun run, List<Point> points) {
    double[] steps = points.stream().mapToDouble(p -> p.number("step")).toArray();
    run.array("steps", steps);
    run.array("losses", points.stream().map(p -> p.values("losses")).toArray(double[][]::new));
    run.array("cosines", points.stream().map(p -> p.values("cosines")).toArray(double[][]::new));
    List<Trend> losses = new ArrayList<>();
    List<Trend> pairs = new ArrayList<>();
    for (int a = 0; a < TASKS.size(); a++) {
      int task = a;
      losses.add(
          new Trend(
              TASKS.get(a),
              steps,
              points.stream().mapToDouble(p -> p.values("losses")[task]).toArray(),
              null));
      for (int b = 0; b < a; b++) {
        int other = b;
        pairs.add(
            new Trend(
                TASKS.get(other) + " " + TASKS.get(task),
                steps,
                points.stream().mapToDouble(p -> p.rows("cosines")[task][other]).toArray(),
                null));
      }
    }
    List<Panel> panels = new ArrayList<>();
    panels.add(
        new TrendPanel("Loss of every task", "training step", "mean squared error", true, losses));
    panels.add(new TrendPanel("Alignment of two tasks", "training step", "cosine", false, pairs));
    for (int i : new int[] {0, points.size() / 2, points.size() - 1}) {
      panels.add(
          new MatrixPanel(
              String.format(Locale.ROOT, "Cosines at step %.0f", steps[i]),
              "task",
              "task",
              TASKS,
              TASKS,
              points.get(i).rows("cosines"),
              MatrixPanel.Scale.DIVERGING));
    }
    run.picture(
        "objectives",
        "MP, MA, DP, DA: memory_pro, memory_anti, delay_pro, delay_anti. A: noise-free loss of every"
            + " task. B: cosine of the gradients of two tasks,"
            + " ⟨e_a, NTK e_b⟩ normalized. C to E: all cosines before training, halfway and at the"
            + " end.",
        Plots.panels(title(), 2, panels));
  }
}
