package org.kpflow.linearize;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.model.Activation;
import org.kpflow.model.FixedPoints;
import org.kpflow.model.Gru;
import org.kpflow.model.Initialization;
import org.kpflow.model.LeakyRnn;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.RecurrentModel;
import org.kpflow.model.RecurrentSizes;
import org.kpflow.model.Rnn;
import org.kpflow.task.MemoryPro;
import org.kpflow.task.Trials;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

/** What planted fixed points are, by running the models. */
class FixedPointsTest {
  private static final int UNITS = 48;
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

  private RecurrentModel model(String cell, int units, int points, double gain, long seed) {
    return model(cell, units, Initialization.fixedPoints(points, gain), seed);
  }

  private RecurrentModel model(String cell, int units, Initialization rule, long seed) {
    RecurrentSizes sizes = new RecurrentSizes(cell.equals("gru") ? 3 : 1, 3, units, 1, false);
    Map<String, Tensor> weights = rule.recurrent(context, sizes, RngState.of(seed));
    ModelOptions options = ModelOptions.of(DType.F64);
    try {
      return switch (cell) {
        case "gru" -> new Gru(weights, options);
        case "rnn" -> new Rnn(weights, Activation.TANH, options);
        default -> new LeakyRnn(weights, Activation.TANH, 0.5, options);
      };
    } finally {
      weights.values().forEach(Tensor::close);
    }
  }

  /** The state after some steps without input, [B, H]. */
  private double[][] run(RecurrentModel model, double[][] from, int steps) {
    try (Tensor inputs = Tensor.zeros(DType.F64, from.length, steps, 3);
        Tensor start = state(from);
        Linearization run = Linearization.of(context, model, inputs, start);
        Tensor states = run.state()) {
      return last(states);
    }
  }

  private static double[][] last(Tensor states) {
    double[][] last = new double[(int) states.shape().size(0)][];
    for (int b = 0; b < last.length; b++) {
      last[b] = states.slice(b).slice(states.shape().size(1) - 1).toDoubles();
    }
    return last;
  }

  private static Tensor state(double[]... rows) {
    double[] all = new double[rows.length * rows[0].length];
    for (int b = 0; b < rows.length; b++) {
      System.arraycopy(rows[b], 0, all, b * rows[0].length, rows[0].length);
    }
    return Tensor.of(Shape.of(rows.length, rows[0].length), all);
  }

  private static double[] point(int units, double... first) {
    double[] point = new double[units];
    System.arraycopy(first, 0, point, 0, first.length);
    return point;
  }

  /** The largest factor per step by which a small change of a point grows, by power iteration. */
  private double growth(RecurrentModel model, double[] at) {
    double[] moved = at.clone();
    RngState stream = RngState.of(77);
    try (Tensor noise = Tensor.zeros(DType.F64, at.length)) {
      stream.fill(context, RngState.Distribution.GAUSSIAN, noise);
      double[] direction = noise.toDoubles();
      double log = 0;
      int counted = 0;
      for (int step = 0; step < 300; step++) {
        double length = 0;
        for (double v : direction) {
          length += v * v;
        }
        length = Math.sqrt(length);
        if (step > 100) {
          log += Math.log(length / 1e-6);
          counted++;
        }
        for (int i = 0; i < at.length; i++) {
          direction[i] *= 1e-6 / length;
          moved[i] = at[i] + direction[i];
        }
        double[] next = run(model, new double[][] {moved}, 1)[0];
        for (int i = 0; i < at.length; i++) {
          direction[i] = next[i] - at[i];
        }
      }
      return Math.exp(log / counted);
    }
  }

  /**
   * c of {@link FixedPoints}: x = tanh(w σ(c x) x) loses its solutions other than 0 just below it.
   */
  @Test
  void theCriticalGateIsThatOfTheCandidate() {
    RecurrentSizes sizes = new RecurrentSizes(3, 1, 8, 1, false);
    Map<String, Tensor> weights =
        Initialization.fixedPoints(1, 1).recurrent(context, sizes, RngState.of(1));
    double[] hidden = weights.get("weight_hh_l0").toDoubles();
    weights.values().forEach(Tensor::close);
    double critical = hidden[0] / 4; // W_r of a single point is 4 c
    double candidate = hidden[2 * 8 * 8];
    assertTrue(hasRoot(candidate, 1.001 * critical));
    assertTrue(!hasRoot(candidate, 0.999 * critical));
  }

  private static boolean hasRoot(double candidate, double gate) {
    for (double x = 1e-4; x < 1; x += 1e-5) {
      if (Math.tanh(candidate * x / (1 + Math.exp(-gate * x))) >= x) {
        return true;
      }
    }
    return false;
  }

  private static void assertFixed(double[] wanted, double[] found) {
    for (int i = 0; i < wanted.length; i++) {
      assertEquals(wanted[i], found[i], 1e-12, "unit " + i);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5, 12})
  void everyPointPlantedInAGruIsFixedAndStable(int points) {
    double amplitude = FixedPoints.gruAmplitude(points);
    assertTrue(amplitude > 0.2 && amplitude < 1, "amplitude " + amplitude);
    try (RecurrentModel model = model("gru", UNITS, points, 0.9, 3)) {
      for (int i = 0; i < points; i += Math.max(1, points - 1)) {
        double[] at = new double[UNITS];
        at[i] = amplitude;
        assertFixed(at, run(model, new double[][] {at}, 1)[0]);
        double growth = growth(model, at);
        assertTrue(growth < 0.995, "grows by " + growth);
      }
      double growth = growth(model, new double[UNITS]);
      assertTrue(growth < 0.995, "zero grows by " + growth);
    }
  }

  /** From 600 random states: zero and the m points, and nothing else. */
  @ParameterizedTest
  @CsvSource({"1, 1", "2, 2", "5, 3", "5, 4"})
  void aGruEndsAtOneOfItsPointsOrAtZero(int points, long seed) {
    double[][] starts = new double[600][];
    try (Tensor drawn = Tensor.zeros(DType.F64, starts.length, UNITS)) {
      RngState.of(seed).fill(context, RngState.Distribution.GAUSSIAN, drawn);
      for (int b = 0; b < starts.length; b++) {
        starts[b] = drawn.slice(b).toDoubles();
      }
    }
    // The corners of the planted block, where combinations of points would be found.
    for (int corner = 0; corner < 1 << points; corner++) {
      for (int i = 0; i < points; i++) {
        starts[corner][i] = (corner >> i & 1) == 0 ? 0.9 - 0.01 * i : -0.9 - 0.01 * i;
      }
    }
    Map<String, Integer> ends = new TreeMap<>();
    try (RecurrentModel model = model("gru", UNITS, points, 0.9, seed)) {
      double[][] at = starts;
      for (int part = 0; part < 10; part++) {
        at = run(model, at, 40);
      }
      for (double[] end : at) {
        ends.merge(name(end, FixedPoints.gruAmplitude(points)), 1, Integer::sum);
      }
    }
    TreeSet<String> expected = new TreeSet<>();
    expected.add("zero");
    for (int i = 0; i < points; i++) {
      expected.add("point " + i);
    }
    assertEquals(expected, ends.keySet());
  }

  private static String name(double[] end, double amplitude) {
    StringBuilder name = new StringBuilder();
    for (int i = 0; i < end.length; i++) {
      if (Math.abs(end[i]) > 1e-4) {
        boolean planted = Math.abs(end[i] - amplitude) < 1e-4;
        name.append(planted ? "point " + i : "unit " + i + " at " + end[i]);
      }
    }
    return name.isEmpty() ? "zero" : name.toString();
  }

  /**
   * Network 2 of the paper's figure 4, before training. Where the inputs lead depends on random
   * input weights; on six of these ten seeds different angles end at different points.
   */
  @Test
  void memoryProDrivesAGruToSeveralOfItsPoints() {
    int several = 0;
    for (int seed = 0; seed < 10; seed++) {
      TreeSet<String> ends = new TreeSet<>();
      try (RecurrentModel model = model("gru", 256, 5, 1, seed);
          Trials trials = new MemoryPro().evaluation(context);
          Linearization run = Linearization.of(context, model, trials.inputs(), null);
          Tensor states = run.state()) {
        for (double[] end : run(model, last(states), 200)) {
          ends.add(name(end, FixedPoints.gruAmplitude(5)));
        }
      }
      ends.remove("zero");
      several += ends.size() >= 2 ? 1 : 0;
    }
    assertTrue(several >= 5, several + " of 10");
  }

  /** ± κ of one planted point, and all 2^m combinations of several, which are the stable ones. */
  @ParameterizedTest
  @CsvSource({"rnn, 1", "rnn, 2", "leaky_rnn, 2", "leaky_rnn, 3"})
  void theStablePointsOfARnnAreTheCombinations(String cell, int points) {
    double planted = FixedPoints.AMPLITUDE;
    double amplitude = cell.equals("rnn") ? Math.tanh(planted) : planted;
    try (RecurrentModel model = model(cell, UNITS, points, 0.9, 5)) {
      double[] axis = point(UNITS, amplitude);
      assertFixed(axis, run(model, new double[][] {axis}, 1)[0]);
      double onAxis = growth(model, axis);
      assertTrue(points == 1 ? onAxis < 0.999 : onAxis > 1.01, "axis grows by " + onAxis);
      for (int corner = 0; corner < 1 << points; corner++) {
        double[] at = new double[UNITS];
        for (int i = 0; i < points; i++) {
          at[i] = (corner >> i & 1) == 0 ? amplitude : -amplitude;
        }
        assertFixed(at, run(model, new double[][] {at}, 1)[0]);
        double growth = growth(model, at);
        assertTrue(growth < 0.999, "corner grows by " + growth);
      }
    }
  }

  @Test
  void theStablePointsOfAGruWithCornersAreTheCombinations() {
    int points = 3;
    Initialization rule = new Initialization(Initialization.Kind.FIXED_CORNERS, 0.9, points);
    try (RecurrentModel model = model("gru", UNITS, rule, 5)) {
      double[] axis = point(UNITS, FixedPoints.CORNER);
      assertFixed(axis, run(model, new double[][] {axis}, 1)[0]);
      assertTrue(growth(model, axis) > 1.01);
      assertTrue(growth(model, new double[UNITS]) > 1.01);
      for (int corner = 0; corner < 1 << points; corner++) {
        double[] at = new double[UNITS];
        for (int i = 0; i < points; i++) {
          at[i] = (corner >> i & 1) == 0 ? FixedPoints.CORNER : -FixedPoints.CORNER;
        }
        assertFixed(at, run(model, new double[][] {at}, 1)[0]);
        double growth = growth(model, at);
        assertTrue(growth < 0.999, "corner grows by " + growth);
      }
    }
  }

  @Test
  void withoutPlantedPointsEverythingDecays() {
    RecurrentSizes sizes = new RecurrentSizes(3, 3, UNITS, 1, false);
    Map<String, Tensor> weights =
        Initialization.of(Initialization.Kind.XAVIER_NORMAL, 1)
            .recurrent(context, sizes, RngState.of(1));
    try (Gru model = new Gru(weights, ModelOptions.of(DType.F64))) {
      weights.values().forEach(Tensor::close);
      double[] start = point(UNITS, 0.9, -0.9, 0.5);
      assertEquals("zero", name(run(model, new double[][] {start}, 600)[0], 1));
    }
  }
}
