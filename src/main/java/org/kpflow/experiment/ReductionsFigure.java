package org.kpflow.experiment;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.kpflow.base.DType;
import org.kpflow.base.Progress;
import org.kpflow.base.Shape;
import org.kpflow.experiment.Statement.Relation;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Gru;
import org.kpflow.model.Initialization;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.RecurrentSizes;
import org.kpflow.report.MatrixPanel;
import org.kpflow.report.Panel;
import org.kpflow.report.Plots;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.spectral.View;
import org.kpflow.task.MemoryPro;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Figure 7: the seven partial reductions of one operator on R^{B×T×H}. */
final class ReductionsFigure implements Experiment {
  private static final String SOURCE = "section A.1.3, figure 7";
  private static final int TRIALS = 4;
  private static final int PHASE = 8; // steps of each of the three phases
  private static final int UNITS = 12;
  private static final double ROUNDING = 1e-10;

  private static final Statement COUNT =
      new Statement(
          "seven",
          "An operator on three axes has seven partial reductions.",
          SOURCE,
          "views over proper subsets of the axes, and the full trace",
          Relation.EQUAL,
          7);
  private static final Statement DENSE =
      new Statement(
          "equal_dense",
          "Each reduction is the partial trace of the dense operator over its axes, divided by what was traced.",
          "identity",
          "largest ||view - dense partial trace||_F / ||dense partial trace||_F",
          Relation.AT_MOST,
          ROUNDING);
  private static final Statement TRACES =
      new Statement(
          "equal_traces",
          "All reductions have the trace of the operator, once multiplied by what was traced.",
          "identity",
          "largest |N tr(view) - tr(NTK)| / tr(NTK)",
          Relation.AT_MOST,
          ROUNDING);
  private static final Statement POSITIVE =
      new Statement(
          "positive",
          "Reductions of a positive semidefinite operator are positive semidefinite.",
          "section 5.3",
          "smallest eigenvalue over largest, the least over the reductions",
          Relation.AT_LEAST,
          -ROUNDING);
  private static final Statement COHERENT =
      new Statement(
          "coherent_is_the_partial_trace",
          "Expanding an input over the hidden units and averaging the output, as the code in the paper does, gives the partial trace.",
          SOURCE + " (the partial trace in code)",
          "||coherent average - partial trace||_F / ||partial trace||_F over units, both divided by n",
          Relation.AT_MOST,
          ROUNDING);

  @Override
  public String name() {
    return "fig7";
  }

  @Override
  public String title() {
    return "The seven partial reductions of one operator";
  }

  @Override
  public String finding() {
    return "Tracing over any of the batch, time and unit axes gives smaller operators that show how"
        + " the NTK acts along the others; here that of a small GRU at initialization on"
        + " Memory-Pro.";
  }

  @Override
  public List<String> deviations() {
    return List.of(
        "The paper's figure is a drawing of the reductions; here they are those of the NTK of a"
            + " small GRU, and --quick is the same setting.");
  }

  @Override
  public int version() {
    return 1;
  }

  @Override
  public List<Statement> statements() {
    return List.of(COUNT, DENSE, TRACES, POSITIVE, COHERENT);
  }

  @Override
  public void run(ExperimentRun run) {
    run.setting("trials, steps, units", new int[] {TRIALS, 3 * PHASE, UNITS});
    run.setting("network", "GRU, weights and biases uniform in ± 1/√units (PyTorch's default)");
    run.points(1);
    Point point = run.point("reductions", () -> reductions(run));
    Map<View, double[][]> views = new EnumMap<>(View.class);
    for (View view : View.values()) {
      views.put(view, point.rows(view.toString()));
      run.array("ntk_" + view, views.get(view));
    }
    run.array("ntk_temp_coherent", point.rows("coherent"));
    run.array("trace", point.number("trace"));
    List<Panel> panels = new ArrayList<>();
    panels.add(panel("traced over units (temp)", "(trial, step)", views.get(View.TEMP)));
    panels.add(panel("traced over time", "(trial, unit)", views.get(View.BATCH_UNIT)));
    panels.add(
        panel(
            "traced over the batch",
            "(unit, step)",
            unitsFirst(views.get(View.TIME_UNIT), 3 * PHASE)));
    panels.add(panel("traced over time, units", "trial", views.get(View.BATCH)));
    panels.add(panel("traced over batch, units", "step", views.get(View.TIME)));
    panels.add(panel("traced over batch, time (space)", "unit", views.get(View.SPACE)));
    panels.add(
        new MatrixPanel(
            "traced over all: a number",
            "",
            "",
            List.of("all"),
            List.of("all"),
            new double[][] {{point.number("trace")}},
            MatrixPanel.Scale.SEQUENTIAL));
    panels.add(panel("not a trace: expanded over units", "(trial, step)", point.rows("coherent")));
    run.picture(
        "reductions",
        String.format(
            Locale.ROOT,
            "The NTK of a GRU with %d units on %d trials of %d steps, traced over one axis (A, B,"
                + " C), two (D, E, F) and all (G), each divided by what was traced but G, the trace"
                + " itself. C is drawn in the order (unit, step), so that its blocks show; in"
                + " data.npz it is in the order (step, unit). H is what averaging over an expanded unit axis gives instead of A.",
            UNITS,
            TRIALS,
            3 * PHASE),
        Plots.panels("Partial reductions of the NTK", 3, panels));
    judge(run, point);
  }

  static void judge(ExperimentRun run, Point point) {
    run.claim(COUNT, View.values().length + 1, "");
    run.claim(DENSE, point.number("dense_difference"), "");
    run.claim(TRACES, point.number("trace_difference"), "");
    run.claim(POSITIVE, point.number("least_eigenvalue"), "");
    run.claim(
        COHERENT,
        point.number("coherent_difference"),
        String.format(
            Locale.ROOT,
            "the expanded average also adds all blocks between different units: another operator,"
                + " with cosine %.3f to the partial trace",
            point.number("coherent_cosine")));
  }

  private static MatrixPanel panel(String title, String axis, double[][] values) {
    return new MatrixPanel(
        title, axis, axis, List.of(), List.of(), values, MatrixPanel.Scale.DIVERGING);
  }

  /** A matrix over (step, unit) as one over (unit, step). */
  private static double[][] unitsFirst(double[][] matrix, int steps) {
    int units = matrix.length / steps;
    double[][] result = new double[matrix.length][matrix.length];
    for (int i = 0; i < matrix.length; i++) {
      for (int j = 0; j < matrix.length; j++) {
        result[i % units * steps + i / units][j % units * steps + j / units] = matrix[i][j];
      }
    }
    return result;
  }

  private static Point reductions(ExperimentRun run) {
    ExecutionContext context = run.context();
    try (Trials trials = new MemoryPro(PHASE, PHASE, PHASE, TRIALS).evaluation(context)) {
      RecurrentSizes sizes = new RecurrentSizes(3, trials.inputs().shape().size(2), UNITS, 1, true);
      Map<String, Tensor> weights =
          Initialization.of(Initialization.Kind.PYTORCH, 1)
              .recurrent(context, sizes, run.rng("weights"));
      try (Gru gru = new Gru(weights, ModelOptions.of(DType.F64));
          Linearization linearization = Linearization.of(context, gru, trials.inputs(), null)) {
        return reductions(linearization, run.rng("views"));
      } finally {
        weights.values().forEach(Tensor::close);
      }
    }
  }

  /** All views from the factor of the NTK, and how they compare with the dense operator. */
  private static Point reductions(Linearization linearization, RngState rng) {
    Shape state = linearization.stateShape();
    NeuralTangentKernel kernel = new NeuralTangentKernel(linearization);
    Point point = new Point();
    try (LinearizationViews views =
            LinearizationViews.ofTangentKernel(
                linearization,
                new LinearizationViews.Options(
                    List.of(View.values()), LinearizationViews.Method.AUTO, 0, 0, rng),
                Progress.NONE);
        Tensor dense = kernel.toDense()) {
      double[] entries = dense.toDoubles();
      int size = (int) state.count();
      double trace = 0;
      for (int i = 0; i < size; i++) {
        trace += entries[i * size + i];
      }
      double difference = 0;
      double traces = 0;
      double least = Double.POSITIVE_INFINITY;
      for (View view : View.values()) {
        Tensor matrix = views.matrix(view);
        point.put(view.toString(), matrix);
        difference =
            Math.max(
                difference, relative(matrix.toDoubles(), partialTrace(entries, size, state, view)));
        double[] eigenvalues = DenseEigen.values(matrix);
        double sum = Arrays.stream(eigenvalues).sum();
        traces = Math.max(traces, Math.abs(sum * view.traced(state) / trace - 1));
        least = Math.min(least, eigenvalues[eigenvalues.length - 1] / eigenvalues[0]);
      }
      point.put("trace", trace).put("dense_difference", difference);
      point.put("trace_difference", traces).put("least_eigenvalue", least);
      try (Tensor coherent = kernel.coherentAverage(2).toDense()) {
        Tensor temporal = views.matrix(View.TEMP);
        ExecutionContext context = linearization.context();
        point.put("coherent", coherent);
        point.put("coherent_difference", relative(coherent.toDoubles(), temporal.toDoubles()));
        point.put(
            "coherent_cosine",
            TensorMath.dot(context, coherent, temporal)
                / TensorMath.norm(context, coherent)
                / TensorMath.norm(context, temporal));
      }
    }
    return point;
  }

  /** (1/N) Σ_u A[(i,u),(j,u)] of a dense A, u over the axes that the view traces. */
  private static double[] partialTrace(double[] a, int size, Shape state, View view) {
    int rows = (int) view.size(state);
    double weight = 1.0 / view.traced(state);
    int[][] split = new int[size][]; // kept and traced part of every index
    for (int i = 0; i < size; i++) {
      split[i] = split(i, state, view);
    }
    double[] result = new double[rows * rows];
    for (int i = 0; i < size; i++) {
      for (int j = 0; j < size; j++) {
        if (split[i][1] == split[j][1]) {
          result[split[i][0] * rows + split[j][0]] += weight * a[i * size + j];
        }
      }
    }
    return result;
  }

  private static int[] split(int index, Shape state, View view) {
    int kept = 0;
    int traced = 0;
    for (int axis = 0; axis < 3; axis++) {
      int n = (int) state.size(axis);
      int i = (int) (index / state.strides()[axis] % n);
      if ((view.keep() >> axis & 1) != 0) {
        kept = kept * n + i;
      } else {
        traced = traced * n + i;
      }
    }
    return new int[] {kept, traced};
  }

  private static double relative(double[] a, double[] b) {
    double difference = 0;
    double norm = 0;
    for (int i = 0; i < a.length; i++) {
      difference += (a[i] - b[i]) * (a[i] - b[i]);
      norm += b[i] * b[i];
    }
    return Math.sqrt(difference / norm);
  }
}
