package org.kpflow.experiment;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Progress;
import org.kpflow.experiment.Statement.Relation;
import org.kpflow.flow.LinearizationViews;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Activation;
import org.kpflow.model.Initialization;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.RecurrentSizes;
import org.kpflow.model.Rnn;
import org.kpflow.operator.LinearOperator;
import org.kpflow.report.Panel;
import org.kpflow.report.Picture;
import org.kpflow.report.Plots;
import org.kpflow.report.Trend;
import org.kpflow.report.TrendPanel;
import org.kpflow.spectral.View;
import org.kpflow.task.StudentTeacher;
import org.kpflow.task.Trials;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Figure 5: ranks of the NTK of a student RNN that is its teacher but for W, which alone is
 * trained, or but for W_in. The gain g is that of the weights drawn anew; the inputs are Gaussian,
 * of full rank, so their rank is the number of channels.
 */
final class StudentTeacherFigure implements Experiment {
  private static final String SOURCE = "section 5.3, figure 5";
  private static final int UNITS = 64;
  private static final int STEPS = 40;

  private static final Statement RISES =
      new Statement(
          "temporal_rises",
          "Training recurrent weights, the temporal rank first rises with the gain.",
          SOURCE + "B",
          "largest temporal rank over that at the smallest gain, the least over input channels",
          Relation.AT_LEAST,
          1.5);
  private static final Statement DROPS =
      new Statement(
          "temporal_drops",
          "Training recurrent weights, the temporal rank drops sharply at large gain.",
          SOURCE + "B",
          "temporal rank at the largest gain over the largest, the most over input channels",
          Relation.AT_MOST,
          0.5);
  private static final Statement COLLAPSES =
      new Statement(
          "spatial_collapses",
          "Training recurrent weights, the spatial rank collapses as the gain increases.",
          SOURCE + "C",
          "spatial rank at the largest gain over that at the smallest, the most over input channels",
          Relation.AT_MOST,
          0.25);
  private static final Statement GROWS =
      new Statement(
          "temporal_grows",
          "Training input weights, the temporal rank grows strongly with the input rank.",
          SOURCE + "D",
          "temporal rank at the most input channels over that at the fewest, the least over gains",
          Relation.AT_LEAST,
          2);
  private static final Statement SECONDARY =
      new Statement(
          "gain_secondary",
          "Training input weights, the gain matters less for the temporal rank than the input rank.",
          SOURCE + "D",
          "log of the largest temporal rank over the smallest among gains (the most over channels),"
              + " over log of the growth with channels (the least over gains)",
          Relation.AT_MOST,
          0.5);
  private static final Statement LITTLE =
      new Statement(
          "spatial_varies_little",
          "Training input weights, the spatial rank varies little with the input rank.",
          SOURCE + "E",
          "largest spatial rank over the smallest among input channels, the most over gains",
          Relation.AT_MOST,
          1.5);

  /** What is drawn anew and trained. */
  private enum Trained {
    RECURRENT("weight_hh_l0", "weight_ih_l0"),
    INPUT("weight_ih_l0", "weight_hh_l0");

    private final String family;
    private final String frozen;

    Trained(String family, String frozen) {
      this.family = family;
      this.frozen = frozen;
    }

    String key() {
      return name().toLowerCase(Locale.ROOT);
    }
  }

  @Override
  public String name() {
    return "fig5";
  }

  @Override
  public String title() {
    return "Recurrent gain and input rank bound the NTK of a student RNN in space and time";
  }

  @Override
  public String finding() {
    return "Training the recurrent weights, more gain first raises the temporal rank and then"
        + " lowers it, while the spatial rank collapses. Training the input weights, the temporal"
        + " rank grows with the rank of the inputs and the spatial rank changes little.";
  }

  @Override
  public List<String> deviations() {
    return List.of(
        "--quick has 12 trials, not 128.",
        "The inputs' rank is varied through the number of channels, all of full rank.",
        "The gain is that of the weights drawn anew and trained, of W above and of W_in below; the"
            + " others are the teacher's, of gain 1.",
        "One draw of teacher, student and inputs for each number of channels, the same for every"
            + " gain.");
  }

  @Override
  public int version() {
    return 2;
  }

  @Override
  public List<Statement> statements() {
    return List.of(RISES, DROPS, COLLAPSES, GROWS, SECONDARY, LITTLE);
  }

  @Override
  public void run(ExperimentRun run) {
    double[] gains =
        run.choose(
            new double[] {0.25, 0.5, 1, 1.5, 2, 3, 4},
            new double[] {0.25, 0.5, 0.75, 1, 1.25, 1.5, 1.75, 2, 2.5, 3, 4});
    int[] channels = run.choose(new int[] {1, 4, 16}, new int[] {1, 2, 4, 8, 16, 32});
    int trials = run.choose(12, 128);
    int samples = run.choose(0, 512);
    run.setting("gains", gains);
    run.setting("input channels", channels);
    run.setting("trials, steps, units", new int[] {trials, STEPS, UNITS});
    run.setting(
        "true views", samples == 0 ? "exact but for a truncation of 1e-6" : samples + " samples");
    run.setting("coherent averages", "exact");
    run.points(2L * gains.length * channels.length);
    double[] inputs = Arrays.stream(channels).asDoubleStream().toArray();
    run.array("gains", gains);
    run.array("input_channels", inputs);
    Ranks recurrent = new Ranks(run, Trained.RECURRENT, gains, channels, trials, samples);
    Ranks input = new Ranks(run, Trained.INPUT, gains, channels, trials, samples);
    run.picture(
        "ranks",
        "Participation ratios of the reduced views of the NTK of a student RNN before training: of"
            + " the true partial traces. Above, recurrent weights are drawn anew and trained;"
            + " below, input weights, g then being their gain: B to E of the paper, without its"
            + " schematic A. Bars are one standard error where the views are sampled; data.npz has the curves that are not drawn.",
        picture("Ranks of the NTK of a student RNN", recurrent, input, "true"));
    run.picture(
        "coherent",
        "The same panels for the coherent average over the traced axis, the operator that figures"
            + " made with kpflow's partial_avg show.",
        picture("Ranks of coherent averages of the same NTK", recurrent, input, "coherent"));
    judge(run, recurrent, input);
  }

  private static Picture picture(String title, Ranks recurrent, Ranks input, String kind) {
    List<Panel> panels = new ArrayList<>();
    String rank = kind.equals("coherent") ? " coherent average" : " rank";
    panels.add(recurrent.overGain("temporal", kind, "Temporal" + rank + ", W trained"));
    panels.add(recurrent.overGain("spatial", kind, "Spatial" + rank + ", W trained"));
    panels.add(input.overChannels("temporal", kind, "Temporal" + rank + ", W_in trained"));
    panels.add(input.overChannels("spatial", kind, "Spatial" + rank + ", W_in trained"));
    return Plots.panels(title, 2, panels);
  }

  /** The ranks of one of the two tasks over gains and channels. */
  private static final class Ranks {
    private final double[] gains;
    private final int[] channels;
    private final Point[][] points; // [gain][channels]

    Ranks(
        ExperimentRun run,
        Trained trained,
        double[] gains,
        int[] channels,
        int trials,
        int samples) {
      this.gains = gains;
      this.channels = channels;
      this.points = new Point[gains.length][channels.length];
      for (int i = 0; i < gains.length; i++) {
        for (int j = 0; j < channels.length; j++) {
          double gain = gains[i];
          int width = channels[j];
          points[i][j] =
              run.point(
                  trained.key() + "-gain" + gain + "-inputs" + width,
                  () -> point(run, trained, gain, width, trials, samples));
        }
      }
      for (String name : List.of("temporal", "spatial", "temporal_coherent", "spatial_coherent")) {
        run.array(trained.key() + "_" + name, table(name));
        if (!name.endsWith("coherent")) {
          run.array(trained.key() + "_" + name + "_error", table(name + "_error"));
        }
      }
    }

    /** One input width, every gain. */
    Estimate[] overGains(String name, int width) {
      return Arrays.stream(points).map(row -> row[width].estimate(name)).toArray(Estimate[]::new);
    }

    /** One gain, every input width. */
    Estimate[] overChannels(String name, int gain) {
      return Arrays.stream(points[gain]).map(p -> p.estimate(name)).toArray(Estimate[]::new);
    }

    private double[][] table(String name) {
      double[][] table = new double[gains.length][channels.length];
      for (int i = 0; i < gains.length; i++) {
        for (int j = 0; j < channels.length; j++) {
          table[i][j] = points[i][j].number(name);
        }
      }
      return table;
    }

    TrendPanel overGain(String name, String kind, String title) {
      List<Trend> trends = new ArrayList<>();
      for (int j = 0; j < channels.length; j += every(channels.length)) {
        double[][] curve = new double[2][gains.length];
        for (int i = 0; i < gains.length; i++) {
          read(curve, i, points[i][j], name, kind);
        }
        String label = channels[j] + (channels[j] == 1 ? " channel" : " channels");
        trends.add(new Trend(label, gains, curve[0], curve[1]));
      }
      return new TrendPanel(title, "gain g of W", "effective rank", false, trends);
    }

    TrendPanel overChannels(String name, String kind, String title) {
      double[] x = Arrays.stream(channels).asDoubleStream().toArray();
      List<Trend> trends = new ArrayList<>();
      for (int i = 0; i < gains.length; i += every(gains.length)) {
        double[][] curve = new double[2][channels.length];
        for (int j = 0; j < channels.length; j++) {
          read(curve, j, points[i][j], name, kind);
        }
        trends.add(new Trend("gain of W_in " + gains[i], x, curve[0], curve[1]));
      }
      return new TrendPanel(title, "input channels", "effective rank", false, trends);
    }

    /** Of many curves, the stride that leaves at most four, as many as the legend has room for. */
    private static int every(int curves) {
      return (curves + 3) / 4;
    }

    private static void read(double[][] curve, int at, Point point, String name, String kind) {
      boolean coherent = kind.equals("coherent");
      Estimate rank = point.estimate(coherent ? name + "_coherent" : name);
      curve[0][at] = rank.value();
      curve[1][at] = rank.standardError();
    }
  }

  private static Point point(
      ExperimentRun run, Trained trained, double gain, int channels, int trials, int samples) {
    StudentTeacher task =
        new StudentTeacher(
            channels, channels, UNITS, 1, STEPS, trials, run.rng("teacher" + channels).seed());
    RecurrentSizes sizes = new RecurrentSizes(1, channels, UNITS, 1, false);
    // The same draw for every gain.
    Map<String, Tensor> student =
        Initialization.of(Initialization.Kind.XAVIER_NORMAL, gain)
            .recurrent(run.context(), sizes, run.rng("student" + channels));
    Map<String, Tensor> teacher = task.recurrentWeights(run.context());
    ModelOptions options = ModelOptions.of(DType.F64).freeze(trained.frozen);
    Map<String, Tensor> weights =
        Map.of(
            trained.family,
            student.get(trained.family),
            trained.frozen,
            teacher.get(trained.frozen));
    try (Trials drawn = task.draw(run.context(), trials, run.rng("inputs" + channels));
        Rnn model = new Rnn(weights, Activation.TANH, options);
        Linearization linearization =
            Linearization.of(run.context(), model, drawn.inputs(), null)) {
      return ranks(linearization, samples, run.rng("samples" + channels));
    } finally {
      student.values().forEach(Tensor::close);
      teacher.values().forEach(Tensor::close);
    }
  }

  /** Effective ranks of the temporal and spatial views of the NTK, and of its coherent averages. */
  static Point ranks(Linearization linearization, int samples, RngState rng) {
    Point point = new Point();
    boolean exact = samples == 0;
    LinearizationViews.Options options =
        new LinearizationViews.Options(
            List.of(View.TEMP, View.SPACE),
            exact ? LinearizationViews.Method.FACTOR : LinearizationViews.Method.SAMPLED,
            exact ? 1e-6 : 0,
            samples,
            rng);
    try (LinearizationViews views =
        LinearizationViews.ofTangentKernel(linearization, options, Progress.NONE)) {
      point.put("temporal", rank(linearization, views, View.TEMP));
      point.put("spatial", rank(linearization, views, View.SPACE));
    }
    LinearOperator kernel = new NeuralTangentKernel(linearization);
    try (Tensor temporal = kernel.coherentAverage(2).toDense();
        Tensor spatial = kernel.coherentAverage(0, 1).toDense()) {
      point.put("temporal_coherent", participationRatio(linearization, temporal));
      point.put("spatial_coherent", participationRatio(linearization, spatial));
    }
    return point;
  }

  private static Estimate rank(Linearization linearization, LinearizationViews views, View view) {
    return views.sampled() != null
        ? views.sampled().participationRatio(view)
        : Estimate.exact(participationRatio(linearization, views.matrix(view)));
  }

  /** (tr A)² / ||A||_F² of a dense symmetric matrix. */
  private static double participationRatio(Linearization linearization, Tensor matrix) {
    long n = matrix.shape().size(0);
    double trace = 0;
    for (long i = 0; i < n; i++) {
      trace += matrix.get(i, i);
    }
    return trace * trace / TensorMath.dot(linearization.context(), matrix, matrix);
  }

  private static void judge(ExperimentRun run, Ranks recurrent, Ranks input) {
    int gains = recurrent.gains.length;
    int widths = recurrent.channels.length;
    Estimate rise = Estimate.exact(Double.POSITIVE_INFINITY);
    Estimate drop = Estimate.exact(0);
    Estimate collapse = Estimate.exact(0);
    StringBuilder peaks = new StringBuilder("largest at gain");
    for (int j = 0; j < widths; j++) {
      Estimate[] temporal = recurrent.overGains("temporal", j);
      Estimate[] spatial = recurrent.overGains("spatial", j);
      int peak = 0;
      for (int i = 0; i < gains; i++) {
        peak = temporal[i].value() > temporal[peak].value() ? i : peak;
      }
      rise = Estimates.least(rise, Estimates.ratio(temporal[peak], temporal[0]));
      drop = Estimates.most(drop, Estimates.ratio(temporal[gains - 1], temporal[peak]));
      collapse = Estimates.most(collapse, Estimates.ratio(spatial[gains - 1], spatial[0]));
      peaks
          .append(j == 0 ? " " : ", ")
          .append(recurrent.gains[peak])
          .append(" for ")
          .append(recurrent.channels[j]);
    }
    peaks.append(" channels");
    Estimate growth = Estimate.exact(Double.POSITIVE_INFINITY);
    Estimate spread = Estimate.exact(0);
    StringBuilder spreads = new StringBuilder("by gain:");
    for (int i = 0; i < gains; i++) {
      Estimate[] temporal = input.overChannels("temporal", i);
      Estimate ofGain = Estimates.spread(input.overChannels("spatial", i));
      growth = Estimates.least(growth, Estimates.ratio(temporal[widths - 1], temporal[0]));
      spread = Estimates.most(spread, ofGain);
      spreads.append(
          String.format(
              Locale.ROOT, "%s %.2f at %s", i == 0 ? "" : ",", ofGain.value(), input.gains[i]));
    }
    Estimate ofGain = Estimate.exact(1);
    for (int j = 0; j < widths; j++) {
      ofGain = Estimates.most(ofGain, Estimates.spread(input.overGains("temporal", j)));
    }
    run.claim(RISES, rise, peaks.toString());
    run.claim(DROPS, drop, "");
    run.claim(COLLAPSES, collapse, "");
    run.claim(GROWS, growth, "");
    run.claim(SECONDARY, Estimates.ratio(Estimates.log(ofGain), Estimates.log(growth)), "");
    spreads.append("; the temporal rank changes by a factor of at least ");
    spreads.append(String.format(Locale.ROOT, "%.1f", growth.value()));
    run.claim(LITTLE, spread, spreads.toString());
  }
}
