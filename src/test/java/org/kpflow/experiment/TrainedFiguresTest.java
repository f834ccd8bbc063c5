package org.kpflow.experiment;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.base.DType;
import org.kpflow.base.Progress;
import org.kpflow.base.Shape;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.io.Safetensors;
import org.kpflow.loading.Architecture;
import org.kpflow.model.Initialization;
import org.kpflow.task.MemoryPro;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.train.FreshWeights;
import org.kpflow.train.Network;

/** Figures 3, 4 and objectives: what they measure, and tiny runs of them. */
class TrainedFiguresTest {
  private static final MemoryProSetup TINY = new MemoryProSetup(6, 4, 8, 0.02, 4);

  private final ExecutionContext context = ExecutionContext.shared();
  @TempDir private Path directory;
  private long live;

  @BeforeEach
  void count() {
    live = Tensor.liveCount();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(live, Tensor.liveCount());
  }

  static Stream<Experiment> tiny() {
    CoreFigure.Sizes core = new CoreFigure.Sizes(TINY, 4, 2, 8);
    PlateauFigure.Sizes plateau = new PlateauFigure.Sizes(TINY, 4, 2, 1);
    ObjectivesFigure.Sizes objectives = new ObjectivesFigure.Sizes(6, 4, 2);
    return Stream.of(
        new CoreFigure(core, core),
        new PlateauFigure(plateau, plateau),
        new ObjectivesFigure(objectives, objectives));
  }

  /** Without its points and with half of its checkpoints, a run ends with the same bytes. */
  @ParameterizedTest
  @MethodSource("tiny")
  void aTinyRunJudgesEveryClaimAndIsTakenUp(Experiment experiment) throws IOException {
    RunOptions options = new RunOptions(true, 3, Map.of());
    Reproduction reproduction = new Reproduction(options, directory, context);
    Stages stages = new Stages();
    ExperimentResult whole = reproduction.run(experiment, stages);
    assertNull(whole.failure());
    for (Claim claim : whole.claims()) {
      assertTrue(Double.isFinite(claim.measured()), claim.toString());
    }
    stages.requireAllDone();
    Path folder = directory.resolve(experiment.name());
    byte[] data = Files.readAllBytes(folder.resolve("data.npz"));
    byte[] claims = Files.readAllBytes(folder.resolve("claims.json"));
    assertEquals(0, reproduction.run(experiment, Progress.NONE).computed());
    try (Stream<Path> points = Files.list(folder.resolve("points"))) {
      for (Path point : points.filter(file -> file.toString().endsWith(".npz")).toList()) {
        Files.delete(point);
      }
    }
    ExperimentResult again = reproduction.run(experiment, Progress.NONE);
    assertEquals(whole.points(), again.computed());
    assertArrayEquals(data, Files.readAllBytes(folder.resolve("data.npz")));
    assertArrayEquals(claims, Files.readAllBytes(folder.resolve("claims.json")));
  }

  /** Notes how far every stage of a run comes. */
  private static final class Stages implements Progress {
    private final Map<String, Long> totals = new LinkedHashMap<>();
    private final Map<String, Long> done = new LinkedHashMap<>();
    private String current;

    @Override
    public void stage(String name, long total) {
      current = name;
      totals.put(name, total);
    }

    @Override
    public void done(long count) {
      done.put(current, count);
    }

    void requireAllDone() {
      assertEquals(totals, done);
      assertTrue(totals.keySet().stream().anyMatch(name -> name.contains(", ")));
    }
  }

  /** The alignments of target modes, from the dense NTK. */
  @Test
  void modesAreMeasuredAsTheirFormulasSay() {
    MemoryPro task = new MemoryPro(3, 1, 2, 4);
    Path file = directory.resolve("step.safetensors");
    Initialization rule = Initialization.of(Initialization.Kind.XAVIER_NORMAL, 1);
    try (FreshWeights.Drawn weights =
        new FreshWeights(Architecture.GRU, task.inputs(), 4, 1, false)
            .draw(context, rule, task.outputs(), true, RngState.of(5))) {
      Map<String, Tensor> named = new LinkedHashMap<>();
      weights.network().forEach((name, tensor) -> named.put("rnn." + name, tensor));
      weights.readout().forEach((name, tensor) -> named.put(Network.READOUT + "." + name, tensor));
      Safetensors.write(file, named, Map.of());
      try (Trials trials = task.evaluation(context);
          GruCheckpoint checkpoint = new GruCheckpoint(context, file, trials, DType.F64);
          Tensor dense = new NeuralTangentKernel(checkpoint.linearization()).toDense();
          Tensor state = checkpoint.state();
          Tensor outputs = checkpoint.outputs()) {
        int units = 4;
        int rows = 4 * 6;
        double[] kernel = dense.reshape(Shape.of(dense.count())).toDoubles();
        double norm = Math.sqrt(Arrays.stream(kernel).map(v -> v * v).sum());
        double[] h = state.toDoubles();
        double energy = Arrays.stream(h).map(v -> v * v).sum();
        double[] w = weights.readout().get("weight").toDoubles();
        GruCheckpoint.ModeAlignment found = checkpoint.modes(4000, RngState.of(2));
        for (int i = 0; i < 3; i++) {
          double[] y = column(trials.targets().toDoubles(), i);
          double size = Math.sqrt(dot(y, y));
          assertEquals(
              dot(y, column(outputs.toDoubles(), i)) / (size * size), found.learned()[i], 1e-12);
          double along = 0;
          double[] lifted = new double[rows * units];
          for (int u = 0; u < units; u++) {
            double sum = 0;
            for (int row = 0; row < rows; row++) {
              sum += y[row] / size * h[row * units + u];
              lifted[row * units + u] = y[row] * w[i * units + u];
            }
            along += sum * sum;
          }
          assertEquals(along / energy, found.hidden()[i], 1e-12);
          double quotient = 0;
          for (int a = 0; a < lifted.length; a++) {
            for (int b = 0; b < lifted.length; b++) {
              quotient += lifted[a] * kernel[a * lifted.length + b] * lifted[b];
            }
          }
          double expected = quotient / dot(lifted, lifted) / norm;
          assertEquals(expected, found.kernel()[i], 5 * found.kernelError() * expected);
        }
        assertTrue(found.kernelError() > 0 && found.kernelError() < 0.05);
      }
    }
  }

  private static double[] column(double[] values, int channel) {
    double[] column = new double[values.length / 3];
    for (int row = 0; row < column.length; row++) {
      column[row] = values[row * 3 + channel];
    }
    return column;
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  /** A network that puts out the fixation alone is left with a mean square of 1/9. */
  @Test
  void whatRemainsIsCountedFromTheFirstModeAlone() {
    MemoryPro task = MemoryProSetup.FULL.task();
    try (Trials trials = task.evaluation(context)) {
      double[] targets = trials.targets().toDoubles();
      double left = 0;
      for (int i = 0; i < targets.length; i++) {
        left += i % 3 == 0 ? 0 : targets[i] * targets[i] / targets.length;
      }
      Point point = new Point().put("loss", left);
      assertEquals(1, PlateauFigure.remaining(List.of(new Point().put("loss", 7), point)), 1e-12);
    }
  }

  @Test
  void aCurveHasRisenWhereItReachesATenthOfItsLargestValue() {
    List<Point> points =
        Stream.of(0.01, 0.09, 0.11, 1.0, 0.5)
            .map(v -> new Point().put("kernel", new double[] {9, 9, v}))
            .toList();
    for (int i = 0; i < points.size(); i++) {
      points.get(i).put("step", 10 * i);
    }
    assertEquals(20, PlateauFigure.risen(points, "kernel"));
  }

  @Test
  void theSpreadIsThatOfTheLastStates() {
    double[] values = {9, 9, 1, 0, 9, 9, -1, 0}; // two trials of two steps of two units
    try (Tensor state = Tensor.of(Shape.of(2, 2, 2), values)) {
      assertEquals(1, PlateauFigure.spread(state), 1e-15);
    }
  }

  @Test
  void silenceIsThePartOfTheModesInTheResponse() {
    double[][] modes = new double[3][MemoryProSetup.STEPS];
    modes[0][10] = 1;
    modes[1][60] = 1;
    modes[2][89] = 0.6;
    modes[2][0] = 0.8;
    Point spectra = new Point().put("eigenvalues", new double[] {6, 3, 1}).put("modes", modes);
    assertEquals((3 + 0.36) / 10, CoreFigure.silence(spectra), 1e-15);
    double[] kernel = {0.5, 0.8, 0.9, 1, 1, 1, 1, 1, 1, 1, 0};
    double[] core = {0.4, 0.82, 0.85, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 0.9, 1};
    Point curves = new Point().put("NTK_shares", kernel).put("core_shares", core);
    assertEquals(-0.02, CoreFigure.leastDifference(curves), 1e-15);
  }

  @Test
  void pairsOfTasksAreAveragedAsNamed() {
    double[][] cosines = new double[4][4];
    for (int a = 0; a < 4; a++) {
      for (int b = 0; b < 4; b++) {
        cosines[a][b] = Math.pow(10, Math.min(a, b)) * (Math.max(a, b) + 1);
      }
    }
    Point point = new Point().put("cosines", cosines);
    assertEquals((2 + 3 + 4 + 30 + 40 + 400) / 6.0, ObjectivesFigure.mean(point), 1e-12);
    assertEquals((2 + 400) / 2.0, ObjectivesFigure.average(List.of(point), 0, 1, 2, 3), 1e-12);
  }
}
