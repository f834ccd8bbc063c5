package org.kpflow.experiment;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Shape;
import org.kpflow.experiment.Statement.Relation;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Activation;
import org.kpflow.model.FixedPoints;
import org.kpflow.model.LeakyRnn;
import org.kpflow.model.ModelOptions;
import org.kpflow.report.Bundle;
import org.kpflow.report.LinesPanel;
import org.kpflow.report.Panel;
import org.kpflow.report.Plots;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Figure 8: an RNN h' = W tanh(h) with 0, 1 or 2 planted fixed points κ e_i. W is the same Xavier
 * normal draw times the gain; the column of a planted unit i is replaced by (κ / tanh κ) e_i
 * (docs/theory.md, section 7).
 *
 * <p>The paper does not say κ, so every claim about planted points is judged for two: 2, which
 * {@link FixedPoints} plants, and 10. A planted unit lets go of κ when the other units drive it by
 * more than some 0.6 for κ = 2 and 7.7 for κ = 10; the drive of a chaotic network of gain 2 has a
 * standard deviation below 2.
 */
final class PlantedPointsFigure implements Experiment {
  static final String SOURCE = "section A.2.1, figure 8";
  private static final int UNITS = 256;
  private static final double[] AMPLITUDES = {FixedPoints.AMPLITUDE, 10}; // κ
  private static final int MOST_PLANTED = 2;
  private static final int KEPT = 12; // trajectories that are drawn
  private static final double STILL = 1e-3; // a root-mean-square move per step
  private static final double OBLIQUE = 0.4; // of the second component in the drawing

  private static final Statement COLLAPSE =
      new Statement(
          "none_collapses",
          "Without planted points, trajectories collapse to zero at small gain.",
          SOURCE,
          "root-mean-square of a unit at the end, the largest over initial conditions, smallest gain",
          Relation.AT_MOST,
          0.1);
  private static final Statement CHAOS =
      new Statement(
          "none_chaotic",
          "Without planted points, the dynamics are unstable at large gain.",
          SOURCE,
          "largest Lyapunov exponent per step, mean over initial conditions, largest gain",
          Relation.ABOVE,
          0);
  private static final Statement RESTLESS =
      new Statement(
          "none_restless",
          "Without planted points, nothing converges at large gain.",
          SOURCE,
          "share of initial conditions that converge, largest gain",
          Relation.AT_MOST,
          0.05);

  private static final List<PlantedClaims> PLANTED =
      Arrays.stream(AMPLITUDES).mapToObj(PlantedClaims::of).toList();

  @Override
  public String name() {
    return "fig8";
  }

  @Override
  public String title() {
    return "Dynamics of an RNN with planted fixed points";
  }

  @Override
  public String finding() {
    return "Without planted fixed points an RNN collapses to zero at small gain and is chaotic at"
        + " large gain. One planted point makes it bistable; two give four end points.";
  }

  @Override
  public List<String> deviations() {
    return List.of(
        "The paper does not say the amplitude κ of the planted points, the number of units, of"
            + " initial conditions and of steps, nor the gains' exact values.",
        "End points are counted as clusters of mean states of the last half, joined by steps below"
            + " κ, since some trajectories do not end.",
        "--quick has 3 gains, 32 initial conditions and 400 steps, not 6, 128 and 800.");
  }

  @Override
  public int version() {
    return 2;
  }

  @Override
  public List<Statement> statements() {
    return Stream.concat(
            Stream.of(COLLAPSE, CHAOS, RESTLESS),
            PLANTED.stream().flatMap(PlantedClaims::statements))
        .toList();
  }

  @Override
  public void run(ExperimentRun run) {
    double[] gains = run.choose(new double[] {1, 1.5, 2}, new double[] {1, 1.2, 1.4, 1.6, 1.8, 2});
    int starts = run.choose(32, 128);
    int steps = run.choose(400, 800);
    run.setting("gains", gains);
    run.setting("units, initial conditions, steps", new int[] {UNITS, starts, steps});
    run.setting("initial conditions", "standard normal");
    run.setting("amplitudes κ of planted points", AMPLITUDES);
    run.points((long) (1 + MOST_PLANTED * AMPLITUDES.length) * gains.length);
    run.array("gains", gains);
    Point[] none = points(run, 0, PLANTED.get(0), gains, starts, steps);
    judgeNone(run, none);
    for (PlantedClaims kind : PLANTED) {
      Point[][] points = new Point[MOST_PLANTED + 1][];
      points[0] = none;
      for (int planted = 1; planted <= MOST_PLANTED; planted++) {
        points[planted] = points(run, planted, kind, gains, starts, steps);
      }
      for (String name : List.of("end_points", "converged", "lyapunov", "end_rms", "on_axes")) {
        run.array(
            name + "_" + kind.key(),
            Arrays.stream(points)
                .map(row -> Arrays.stream(row).mapToDouble(p -> p.number(name)).toArray())
                .toArray(double[][]::new));
      }
      draw(run, kind, points, gains);
      judge(run, kind, points);
    }
  }

  /** One point per gain; without planted points, the amplitude only scales the clusters. */
  private static Point[] points(
      ExperimentRun run, int planted, PlantedClaims kind, double[] gains, int starts, int steps) {
    Point[] points = new Point[gains.length];
    for (int i = 0; i < gains.length; i++) {
      double gain = gains[i];
      String key = "planted" + planted + (planted > 0 ? "-" + kind.key() : "") + "-gain" + gain;
      points[i] = run.point(key, () -> point(run, planted, kind.amplitude(), gain, starts, steps));
    }
    return points;
  }

  private static Point point(
      ExperimentRun run, int planted, double amplitude, double gain, int starts, int steps) {
    RngState rng = run.rng(); // the same draws for every point
    try (Tensor hidden = Tensor.zeros(DType.F64, UNITS, UNITS);
        Tensor input = Tensor.zeros(DType.F64, UNITS, 1);
        Tensor x = Tensor.zeros(DType.F64, starts, steps, 1);
        Tensor h0 = Tensor.zeros(DType.F64, starts, UNITS)) {
      rng.split(0).fill(run.context(), RngState.Distribution.GAUSSIAN, hidden);
      rng.split(1).fill(run.context(), RngState.Distribution.GAUSSIAN, h0);
      TensorMath.scale(run.context(), gain / Math.sqrt(UNITS), hidden); // 2 / (n + n) = 1 / n
      for (int i = UNITS - planted; i < UNITS; i++) { // the last, so that e_1 is none of them
        for (int row = 0; row < UNITS; row++) {
          hidden.set(row == i ? amplitude / Math.tanh(amplitude) : 0, row, i);
        }
      }
      Map<String, Tensor> weights = Map.of("weight_hh_l0", hidden, "weight_ih_l0", input);
      try (LeakyRnn model = new LeakyRnn(weights, Activation.TANH, 1, ModelOptions.of(DType.F64));
          Linearization linearization = Linearization.of(run.context(), model, x, h0);
          Tensor state = linearization.state()) {
        return measured(linearization, state, planted, amplitude, steps);
      }
    }
  }

  private static Point measured(
      Linearization linearization, Tensor state, int planted, double amplitude, int steps) {
    int starts = (int) state.shape().size(0);
    double[][] means = new double[starts][UNITS];
    double converged = 0;
    double largest = 0;
    double onAxes = 0;
    int stride = steps / 100;
    int shown = steps / stride;
    double[] kept = new double[KEPT * shown * UNITS];
    for (int b = 0; b < starts; b++) {
      double[] all = state.slice(b).toDoubles();
      for (int t = steps / 2; t < steps; t++) {
        for (int i = 0; i < UNITS; i++) {
          means[b][i] += all[t * UNITS + i] / (steps - steps / 2);
        }
      }
      double move = 0;
      double square = 0;
      for (int i = 0; i < UNITS; i++) {
        double end = all[(steps - 1) * UNITS + i];
        double step = end - all[(steps - 2) * UNITS + i];
        move += step * step / UNITS;
        square += end * end / UNITS;
      }
      converged += Math.sqrt(move) < STILL ? 1.0 / starts : 0;
      largest = Math.max(largest, Math.sqrt(square));
      onAxes += planted == 2 && onAxis(means[b], amplitude) ? 1.0 / starts : 0;
      for (int s = 0; b < KEPT && s < shown; s++) {
        System.arraycopy(all, s * stride * UNITS, kept, (b * shown + s) * UNITS, UNITS);
      }
    }
    int[] cluster = clusters(means, amplitude);
    Estimate lyapunov =
        Estimates.mean(
            Arrays.stream(linearization.lyapunov(1).exponents()).mapToDouble(e -> e[0]).toArray());
    return new Point()
        .put("end_points", Arrays.stream(cluster).max().orElseThrow() + 1)
        .put("converged", converged)
        .put("end_rms", largest)
        .put("on_axes", onAxes)
        .put("lyapunov", lyapunov)
        .put("cluster", Arrays.stream(cluster).asDoubleStream().toArray())
        .put("means", means)
        .put("trajectories", Shape.of(KEPT, shown, UNITS), kept)
        .put("stride", stride);
  }

  /** Whether one planted unit is at ±κ and the other at 0, rather than both at ±κ. */
  private static boolean onAxis(double[] mean, double amplitude) {
    double a = Math.abs(mean[UNITS - 1]);
    double b = Math.abs(mean[UNITS - 2]);
    double corner = Math.hypot(a - amplitude, b - amplitude);
    return Math.min(Math.hypot(a - amplitude, b), Math.hypot(a, b - amplitude)) < corner;
  }

  /** Single linkage: states are in one cluster if steps of less than a distance join them. */
  static int[] clusters(double[][] states, double distance) {
    int[] cluster = new int[states.length];
    Arrays.fill(cluster, -1);
    int count = 0;
    for (int first = 0; first < states.length; first++) {
      if (cluster[first] < 0) {
        spread(states, distance, cluster, first, count++);
      }
    }
    return cluster;
  }

  private static void spread(
      double[][] states, double distance, int[] cluster, int from, int number) {
    cluster[from] = number;
    for (int other = 0; other < states.length; other++) {
      if (cluster[other] < 0 && distance(states[from], states[other]) < distance) {
        spread(states, distance, cluster, other, number);
      }
    }
  }

  private static double distance(double[] a, double[] b) {
    double square = 0;
    for (int i = 0; i < a.length; i++) {
      square += (a[i] - b[i]) * (a[i] - b[i]);
    }
    return Math.sqrt(square);
  }

  /** The two leading principal components of all drawn states together, as rows. */
  private static double[][] components(ExperimentRun run, Point[][] points) {
    try (Tensor covariance = Tensor.zeros(DType.F64, UNITS, UNITS)) {
      double[] mean = new double[UNITS];
      long rows = 0;
      for (Point[] row : points) {
        for (Point point : row) {
          double[] states = point.values("trajectories");
          for (int i = 0; i < states.length; i++) {
            mean[i % UNITS] += states[i];
          }
          rows += states.length / UNITS;
        }
      }
      for (Point[] row : points) {
        for (Point point : row) {
          double[] states = point.values("trajectories");
          for (int i = 0; i < states.length; i++) {
            states[i] -= mean[i % UNITS] / rows;
          }
          try (Tensor centred = Tensor.of(Shape.of(states.length / UNITS, UNITS), states)) {
            TensorMath.gemm(run.context(), true, false, 1, centred, centred, 1, covariance);
          }
        }
      }
      try (DenseEigen eigen = DenseEigen.of(covariance)) {
        return new double[][] {
          eigen.vectors().slice(0).toDoubles(), eigen.vectors().slice(1).toDoubles()
        };
      }
    }
  }

  private static void draw(
      ExperimentRun run, PlantedClaims kind, Point[][] points, double[] gains) {
    double[][] axes = components(run, points);
    run.array("components_" + kind.key(), axes);
    List<Panel> panels = new ArrayList<>();
    for (int planted = 0; planted < points.length; planted++) {
      for (int i = 0; i < gains.length; i++) {
        String title =
            (planted == 0 ? "None planted" : planted == 1 ? "One planted" : "Two planted")
                + String.format(Locale.ROOT, ", g = %.1f", gains[i]);
        panels.add(
            new LinesPanel(
                title,
                "state seen obliquely: PC 1 + 0.4 PC 2",
                "step (time goes up)",
                bundles(points[planted][i], axes),
                List.of(),
                null));
      }
    }
    run.picture(
        "dynamics_" + kind.key(),
        String.format(
            Locale.ROOT,
            "Trajectories of h' = W tanh(h) from 12 random states, points planted at κ = %.0f; time"
                + " upwards, in one plane of principal components for all panels, whose second"
                + " axis goes to the right by 0.4 of its length, as in an oblique view. Colours"
                + " tell apart where the state is on average in the last half of the run.",
            kind.amplitude()),
        Plots.panels(
            String.format(
                Locale.ROOT,
                "An RNN with none, one and two planted fixed points, κ = %.0f",
                kind.amplitude()),
            gains.length,
            panels));
  }

  /** A bundle per cluster of end points. */
  private static List<Bundle> bundles(Point point, double[][] axes) {
    double[] cluster = point.values("cluster");
    double[] states = point.values("trajectories");
    int shown = (int) point.shape("trajectories").size(1);
    List<Bundle> bundles = new ArrayList<>();
    for (int c = 0; c < point.number("end_points"); c++) {
      List<double[]> x = new ArrayList<>();
      List<double[]> y = new ArrayList<>();
      for (int b = 0; b < KEPT; b++) {
        if (cluster[b] == c) {
          double[] across = new double[shown];
          double[] time = new double[shown];
          for (int s = 0; s < shown; s++) {
            for (int i = 0; i < UNITS; i++) {
              double h = states[(b * shown + s) * UNITS + i];
              across[s] += h * (axes[0][i] + OBLIQUE * axes[1][i]);
            }
            time[s] = s * point.number("stride");
          }
          x.add(across);
          y.add(time);
        }
      }
      if (!x.isEmpty()) {
        String name = "end " + (c + 1);
        bundles.add(new Bundle(name, x.toArray(double[][]::new), y.toArray(double[][]::new), true));
      }
    }
    return bundles;
  }

  private static void judgeNone(ExperimentRun run, Point[] none) {
    Point weakest = none[0];
    Point strongest = none[none.length - 1];
    run.claim(
        COLLAPSE,
        weakest.number("end_rms"),
        String.format(
            Locale.ROOT,
            "from 1 at the start; the largest Lyapunov exponent is %.3g per step",
            weakest.number("lyapunov")));
    run.claim(CHAOS, strongest.estimate("lyapunov"), "");
    run.claim(RESTLESS, strongest.number("converged"), "");
  }

  private static void judge(ExperimentRun run, PlantedClaims kind, Point[][] points) {
    run.claim(kind.bistable(), otherThan(points[1], 2), counts(points[1]));
    run.claim(kind.four(), otherThan(points[2], 4), counts(points[2]));
    run.claim(
        kind.fixed(),
        least(points[2], "converged"),
        "by gain: "
            + Arrays.stream(points[2])
                .map(p -> String.format(Locale.ROOT, "%.2f", p.number("converged")))
                .toList()
            + "; the units that are not planted run on as without planted points");
    run.claim(
        kind.ontoAxes(),
        least(points[2], "on_axes"),
        "where there are four end points, they are the states (±κ, ±κ) of the two planted units;"
            + " the planted points themselves are saddles");
  }

  private static double least(Point[] points, String name) {
    return Arrays.stream(points).mapToDouble(p -> p.number(name)).min().orElseThrow();
  }

  private static int otherThan(Point[] points, int wanted) {
    return (int) Arrays.stream(points).filter(p -> p.number("end_points") != wanted).count();
  }

  private static String counts(Point[] points) {
    return "clusters by gain: "
        + Arrays.stream(points).map(p -> (int) p.number("end_points")).toList();
  }
}
