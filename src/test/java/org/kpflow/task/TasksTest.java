package org.kpflow.task;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assumptions.assumeTrue;
import static org.kpflow.Refusals.refused;

import java.util.Arrays;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.base.MemoryException;
import org.kpflow.base.Shape;
import org.kpflow.model.Initialization;
import org.kpflow.model.RecurrentSizes;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** What every task keeps, and the properties of each. */
class TasksTest {
  private final ExecutionContext context = ExecutionContext.shared();
  private long before;

  @BeforeEach
  void count() {
    before = Tensor.liveCount();
  }

  @AfterEach
  void nothingIsLeft() {
    assertEquals(before, Tensor.liveCount());
  }

  static Iterable<String> names() {
    return Tasks.NAMES;
  }

  @ParameterizedTest
  @MethodSource("names")
  void sameStreamSameBitsForAnyThreadCount(String name) {
    Task task = Tasks.named(name, Map.of());
    assertEquals(name, task.name());
    try (ExecutionContext one = ExecutionContext.withThreads(1);
        ExecutionContext three = ExecutionContext.withThreads(3);
        Trials first = task.draw(one, 37, RngState.of(5));
        Trials same = Tasks.named(name, Map.of()).draw(three, 37, RngState.of(5));
        Trials other = task.draw(one, 37, RngState.of(6));
        Trials judged = task.evaluation(one);
        Trials judgedAgain = task.evaluation(three)) {
      Shape inputs = Shape.of(37, task.steps(), task.inputs());
      assertEquals(inputs, first.inputs().shape());
      assertEquals(Shape.of(37, task.steps(), task.outputs()), first.targets().shape());
      assertArrayEquals(first.inputs().toDoubles(), same.inputs().toDoubles());
      assertArrayEquals(first.targets().toDoubles(), same.targets().toDoubles());
      assertFalse(Arrays.equals(first.inputs().toDoubles(), other.inputs().toDoubles()));
      assertArrayEquals(judged.inputs().toDoubles(), judgedAgain.inputs().toDoubles());
      assertArrayEquals(judged.targets().toDoubles(), judgedAgain.targets().toDoubles());
    }
  }

  @Test
  void multiTaskShowsAndAsksForWhatTheSubTaskSays() {
    MultiTask task = new MultiTask(2, 3, 4, 5, 6);
    try (Trials trials = task.evaluation(context);
        Trials narrow = trials.to(DType.F32)) {
      assertEquals(24, trials.count());
      int[] labels = MultiTask.labels(trials);
      assertArrayEquals(labels, MultiTask.labels(narrow));
      double[] x = trials.inputs().toDoubles();
      double[] y = trials.targets().toDoubles();
      for (int b = 0; b < 24; b++) {
        assertEquals(b / 6, labels[b]);
        String name = MultiTask.SUB_TASKS.get(labels[b]);
        double angle = 2 * Math.PI * (b % 6) / 6;
        double answer = name.contains("anti") ? angle + Math.PI : angle;
        for (int t = 0; t < 14; t++) {
          int in = (b * 14 + t) * 7;
          int out = (b * 14 + t) * 3;
          boolean response = t >= 9;
          boolean shown = name.contains("delay") ? t >= 2 : t >= 2 && t < 5;
          assertEquals(response ? 0 : 1, x[in]);
          assertEquals(shown ? Math.cos(angle) : 0, x[in + 1], 1e-12);
          assertEquals(shown ? Math.sin(angle) : 0, x[in + 2], 1e-12);
          for (int rule = 0; rule < 4; rule++) {
            assertEquals(rule == labels[b] ? 1 : 0, x[in + 3 + rule]);
          }
          assertEquals(response ? 0 : 1, y[out]);
          assertEquals(response ? Math.cos(answer) : 0, y[out + 1], 1e-12);
          assertEquals(response ? Math.sin(answer) : 0, y[out + 2], 1e-12);
        }
      }
    }
  }

  @Test
  void multiTaskDrawsAllSubTasksAlike() {
    int[] found = new int[4];
    try (Trials trials = new MultiTask(0, 1, 0, 1, 1).draw(context, 4000, RngState.of(1))) {
      for (int label : MultiTask.labels(trials)) {
        found[label]++;
      }
    }
    for (int times : found) {
      assertEquals(1000, times, 5 * Math.sqrt(4000 * 0.25 * 0.75));
    }
  }

  @Test
  void flipFlopKeepsTheLastPulseOfEachChannel() {
    int pulses = 0;
    int up = 0;
    try (Trials trials = new FlipFlop(2, 50, 0.2, 1).draw(context, 200, RngState.of(3))) {
      double[] x = trials.inputs().toDoubles();
      double[] y = trials.targets().toDoubles();
      for (int b = 0; b < 200; b++) {
        for (int c = 0; c < 2; c++) {
          double last = 0;
          for (int t = 0; t < 50; t++) {
            double pulse = x[(b * 50 + t) * 2 + c];
            last = pulse == 0 ? last : pulse;
            assertEquals(last, y[(b * 50 + t) * 2 + c]);
            pulses += pulse == 0 ? 0 : 1;
            up += pulse == 1 ? 1 : 0;
          }
        }
      }
    }
    assertEquals(4000, pulses, 5 * Math.sqrt(20000 * 0.2 * 0.8));
    assertEquals(2000, up, 5 * Math.sqrt(20000 * 0.1 * 0.9));
  }

  @Test
  void theTeacherIsAVanillaNetworkOfXavierWeights() {
    StudentTeacher task = new StudentTeacher(3, 3, 40, 2, 6, 4, 7);
    Map<String, Tensor> weights = task.recurrentWeights(context);
    try (Trials trials = task.evaluation(context);
        Tensor out = task.outputWeights(context)) {
      double[] w = weights.get("weight_hh_l0").toDoubles();
      double[] in = weights.get("weight_ih_l0").toDoubles();
      double[] wOut = out.toDoubles();
      assertEquals(2, weights.size());
      assertEquals(1.0 / 40, Arrays.stream(w).map(v -> v * v).sum() / w.length, 0.004);
      assertEquals(2.0 / 43, Arrays.stream(in).map(v -> v * v).sum() / in.length, 0.03);
      double[] x = trials.inputs().toDoubles();
      double[] y = trials.targets().toDoubles();
      for (int b = 0; b < 4; b++) {
        double[] h = new double[40];
        for (int t = 0; t < 6; t++) {
          double[] next = new double[40];
          for (int i = 0; i < 40; i++) {
            double sum = 0;
            for (int j = 0; j < 40; j++) {
              sum += w[i * 40 + j] * h[j];
            }
            for (int j = 0; j < 3; j++) {
              sum += in[i * 3 + j] * x[(b * 6 + t) * 3 + j];
            }
            next[i] = Math.tanh(sum);
          }
          h = next;
          for (int o = 0; o < 2; o++) {
            double sum = 0;
            for (int j = 0; j < 40; j++) {
              sum += wOut[o * 40 + j] * h[j];
            }
            assertEquals(sum, y[(b * 6 + t) * 2 + o], 1e-12);
          }
        }
      }
    } finally {
      weights.values().forEach(Tensor::close);
    }
  }

  @Test
  void gaussianInputsHaveTheAskedRank() {
    Gaussian task = new Gaussian(6, 2, 1, 50, Gaussian.Targets.NOISE, 0, 1, 4);
    try (Trials trials = task.draw(context, 200, RngState.of(2))) {
      double[][] covariance = covariance(trials.inputs().toDoubles(), 6);
      double trace = 0;
      double square = 0;
      for (int i = 0; i < 6; i++) {
        trace += covariance[i][i];
        for (int j = 0; j < 6; j++) {
          square += covariance[i][j] * covariance[i][j];
        }
      }
      assertEquals(6, trace, 0.3);
      assertEquals(2, trace * trace / square, 0.02); // two equal eigenvalues, the others zero
      double variance = Arrays.stream(trials.targets().toDoubles()).map(v -> v * v).sum() / 1e4;
      assertEquals(1, variance, 0.07);
    }
  }

  private static double[][] covariance(double[] rows, int width) {
    double[][] sum = new double[width][width];
    int count = rows.length / width;
    for (int row = 0; row < count; row++) {
      for (int i = 0; i < width; i++) {
        for (int j = 0; j < width; j++) {
          sum[i][j] += rows[row * width + i] * rows[row * width + j] / count;
        }
      }
    }
    return sum;
  }

  /** y_{t} = A x_{t-2}: an A fitted to some trials gives the others. */
  @Test
  void linearTargetsAreAFixedMapOfEarlierInputs() {
    Gaussian task = new Gaussian(2, 2, 1, 8, Gaussian.Targets.LINEAR, 2, 1, 4);
    try (Trials one = task.draw(context, 1, RngState.of(1));
        Trials other = task.draw(context, 3, RngState.of(2))) {
      double[] x = one.inputs().toDoubles();
      double[] y = one.targets().toDoubles();
      double det = x[0] * x[3] - x[1] * x[2];
      double[] a = {(y[2] * x[3] - x[1] * y[3]) / det, (x[0] * y[3] - y[2] * x[2]) / det};
      double[] u = other.inputs().toDoubles();
      double[] v = other.targets().toDoubles();
      for (int b = 0; b < 3; b++) {
        for (int t = 0; t < 8; t++) {
          int from = (b * 8 + t - 2) * 2;
          double wanted = t < 2 ? 0 : a[0] * u[from] + a[1] * u[from + 1];
          assertEquals(wanted, v[b * 8 + t], 1e-10);
        }
      }
    }
  }

  /** A training with the task's seed splits its own streams off the same root. */
  @ParameterizedTest
  @ValueSource(strings = {"student_teacher", "gaussian"})
  void whatATaskKeepsComesFromOtherNumbersThanItsTrials(String name) {
    Map<String, String> options = Map.of("inputs", "3", "rank", "2", "steps", "1");
    Task task = Tasks.named(name, options);
    for (int i = 0; i < 32; i++) {
      RngState trialStream = RngState.of(0).split(i % 4);
      RngState drawn = i < 16 ? trialStream : trialStream.split(0);
      try (Trials trials = task.draw(context, 3, trialStream);
          Tensor z = Tensor.zeros(DType.F64, 3, 2);
          Tensor q = Tensor.zeros(DType.F64, 2, 3);
          Tensor mixed = Tensor.zeros(DType.F64, 3, 3)) {
        drawn.fill(context, RngState.Distribution.GAUSSIAN, z);
        RngState.of(0).split(i / 4 % 4).fill(context, RngState.Distribution.GAUSSIAN, q);
        TensorMath.orthonormalizeRows(q);
        TensorMath.gemm(context, false, false, Math.sqrt(1.5), z, q, 0, mixed);
        assertFalse(Arrays.equals(mixed.toDoubles(), trials.inputs().toDoubles()));
      }
    }
  }

  @Test
  void theTeachersWeightsAreNoStreamOfATraining() {
    Map<String, Tensor> weights = new StudentTeacher().recurrentWeights(context);
    try {
      double[] hidden = weights.get("weight_hh_l0").toDoubles();
      double[] input = weights.get("weight_ih_l0").toDoubles();
      assertNotEquals(hidden[0] / hidden[1], input[0] / input[1], 1e-9);
      for (int label = 0; label < 4; label++) {
        Map<String, Tensor> fresh =
            Initialization.of(Initialization.Kind.XAVIER_NORMAL, 1)
                .recurrent(
                    context,
                    new RecurrentSizes(1, 16, 64, 1, false),
                    RngState.of(0).split(label).split(0));
        assertFalse(Arrays.equals(hidden, fresh.get("weight_hh_l0").toDoubles()));
        fresh.values().forEach(Tensor::close);
      }
    } finally {
      weights.values().forEach(Tensor::close);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"memory_pro", "multi_task", "flip_flop"})
  void moreTrialsThanTheHeapHoldsAreRefusedWithTheNumbers(String name) {
    Task usual = Tasks.named(name, Map.of());
    long numbers = usual.steps() * (usual.inputs() + usual.outputs());
    long trials = Runtime.getRuntime().maxMemory() / 16 / numbers + 1;
    assumeTrue(trials < (1 << 20) && trials * numbers < Integer.MAX_VALUE, "a large heap");
    refused(
        MemoryException.class,
        () -> usual.draw(context, trials, RngState.of(1)),
        "trials: " + trials + " of " + usual.steps() + " steps",
        "GiB");
    Task large = Tasks.named(name, Map.of("conditions", "" + trials));
    refused(MemoryException.class, () -> large.evaluation(context), "trials: ", "GiB");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "memory | stimulus | 3 | task: expected one of [memory_pro",
        "memory_pro | stimuli | 3 | expected one of [conditions, memory, response, stimulus] for",
        "memory_pro | stimulus | many | task option stimulus: expected a whole number from 1 to",
        "memory_pro | stimulus | 0 | task option stimulus: expected a whole number from 1 to",
        "memory_pro | stimulus | 3000000 | task option stimulus: expected a whole number from 1 to",
        "flip_flop | probability | 2 | task option probability: expected a number from 0.0 to 1.0",
        "flip_flop | probability | NaN | task option probability: expected a number from 0.0",
        "flip_flop | probability | 0 | task option probability: expected above 0",
        "gaussian | targets | sum | task option targets: expected one of [linear, noise], got 'sum'",
        "gaussian | rank | 17 | task option rank: expected 1 to 16, got 17",
        "student_teacher | seed | x | task option seed: expected a whole number, got 'x'",
      })
  void aWrongOptionIsOneLine(String task, String option, String value, String message) {
    refused(InputException.class, () -> Tasks.named(task, Map.of(option, value)), message);
  }

  @Test
  void misuseIsRefused() {
    refused(() -> new MemoryPro().draw(context, 0, RngState.of(1)), "trials: expected 1");
    Task wide = new FlipFlop(1 << 20, 1 << 20, 0.5, 1);
    refused(() -> wide.draw(context, 1, RngState.of(1)), "trials: expected at most 0");
    refused(() -> new MultiTask(-1, 1, 1, 1, 1), "context: expected 0");
  }
}
