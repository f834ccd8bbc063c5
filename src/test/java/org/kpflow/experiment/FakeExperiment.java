package org.kpflow.experiment;

import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.kpflow.base.DType;
import org.kpflow.base.Estimate;
import org.kpflow.base.Progress;
import org.kpflow.experiment.Statement.Relation;
import org.kpflow.report.Plots;
import org.kpflow.report.Trend;
import org.kpflow.report.TrendPanel;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** Six points of random numbers, two claims that are judged and one that is not. */
final class FakeExperiment implements Experiment {
  static final int POINTS = 6;
  static final RunOptions OPTIONS = new RunOptions(true, 7, Map.of("kpflow", "test"));
  static final Statement HOLDS = statement("holds", Relation.AT_LEAST, 0);
  static final Statement FAILS = statement("fails", Relation.ABOVE, 1e9);
  static final Statement FORGOTTEN = statement("forgotten", Relation.ABOVE, 0);

  private final String name;
  private final long delay;

  FakeExperiment(String name, long delay) {
    this.name = name;
    this.delay = delay;
  }

  /** Runs it as a process of its own: the folder, and milliseconds per point. */
  public static void main(String[] arguments) {
    new Reproduction(OPTIONS, Path.of(arguments[0]), ExecutionContext.shared())
        .run(new FakeExperiment("fake", Long.parseLong(arguments[1])), Progress.NONE);
  }

  static Statement statement(String id, Relation relation, double threshold) {
    return new Statement(id, "claim " + id, "here", "number", relation, threshold);
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public String title() {
    return "a figure named " + name;
  }

  @Override
  public String finding() {
    return "what it shows";
  }

  @Override
  public List<String> deviations() {
    return List.of("Nothing is like the paper.");
  }

  @Override
  public int version() {
    return 1;
  }

  @Override
  public List<Statement> statements() {
    return List.of(HOLDS, FAILS, FORGOTTEN);
  }

  @Override
  public void run(ExperimentRun run) {
    run.setting("sizes", new int[] {POINTS, 3});
    run.points(POINTS);
    double[] sums = new double[POINTS];
    double[] x = new double[POINTS];
    for (int i = 0; i < POINTS; i++) {
      String key = "point" + i;
      Point point =
          run.point(
              key,
              () -> {
                pause();
                try (Tensor drawn = Tensor.zeros(DType.F64, 2, 3)) {
                  run.rng(key).fill(run.context(), RngState.Distribution.GAUSSIAN, drawn);
                  return new Point()
                      .put("drawn", drawn)
                      .put("estimate", new Estimate(drawn.get(1, 2) / 3, Double.NaN, 0));
                }
              });
      x[i] = i;
      sums[i] = point.estimate("estimate").value();
      run.array("drawn" + i, point.rows("drawn"));
    }
    run.array("sums", sums);
    run.picture(
        "curve",
        "a curve",
        Plots.panels(
            "Curve",
            1,
            List.of(new TrendPanel("t", "x", "y", false, List.of(new Trend("s", x, sums, null))))));
    run.claim(HOLDS, new Estimate(sums[0] * sums[0], 0.1, 0), "");
    run.claim(FAILS, sums[1], "it is small");
  }

  private void pause() {
    try {
      Thread.sleep(delay);
    } catch (InterruptedException interrupted) {
      throw new IllegalStateException(interrupted);
    }
  }
}
