package org.kpflow.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.kpflow.Refusals.refused;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.base.DType;
import org.kpflow.base.InputException;
import org.kpflow.base.Shape;
import org.kpflow.model.Initialization.Kind;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;

class InitializationTest {
  private final ExecutionContext context = ExecutionContext.shared();
  private final RngState rng = RngState.of(11);
  private long before;

  @BeforeEach
  void count() {
    before = Tensor.liveCount();
  }

  @AfterEach
  void nothingIsLeft() {
    assertEquals(before, Tensor.liveCount());
  }

  private static void close(Map<String, Tensor> weights) {
    weights.values().forEach(Tensor::close);
  }

  private static Initialization of(Kind kind, double gain) {
    return new Initialization(kind, gain, plants(kind) ? 2 : 0);
  }

  private static boolean plants(Kind kind) {
    return kind == Kind.FIXED_POINTS || kind == Kind.FIXED_CORNERS;
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void weightsAreAFunctionOfTheStreamAndFitTheModels(Kind kind) {
    boolean planted = plants(kind);
    RecurrentSizes sizes = new RecurrentSizes(planted ? 3 : 4, 5, 8, planted ? 1 : 2, true);
    try (ExecutionContext one = ExecutionContext.withThreads(1);
        ExecutionContext three = ExecutionContext.withThreads(3)) {
      Map<String, Tensor> first = of(kind, 1).recurrent(one, sizes, rng);
      Map<String, Tensor> same = of(kind, 1).recurrent(three, sizes, rng);
      Map<String, Tensor> other = of(kind, 1).recurrent(three, sizes, rng.split(1));
      for (String name : first.keySet()) {
        double[] values = first.get(name).toDoubles();
        assertArrayEquals(values, same.get(name).toDoubles(), name);
        if (name.startsWith("weight")) {
          assertFalse(Arrays.equals(values, other.get(name).toDoubles()), name);
        }
      }
      ModelOptions options = ModelOptions.of(DType.F64);
      try (Model model = planted ? new Gru(first, options) : new Lstm(first, options)) {
        assertEquals(5, model.inputs());
        assertEquals(first.size(), model.families().size());
      }
      List.of(first, same, other).forEach(InitializationTest::close);
    }
  }

  @ParameterizedTest
  @CsvSource({
    // kind, gain, whether uniform; then for weight_ih [96, 50], weight_hh [96, 32], weight [40,
    // 200]
    "PYTORCH, 1, true, 0.1767767, 0.1767767, 0.0707107", // 1/√32, 1/√32, 1/√200
    "XAVIER_UNIFORM, 2, true, 0.4054466, 0.4330127, 0.3162278", // 2 √(6/146), 2 √(6/128), 2
    // √(6/240)
    "XAVIER_NORMAL, 2, false, 0.2340853, 0.25, 0.1825742", // 2 √(2/146), 2 √(2/128), 2 √(2/240)
  })
  void spreadsAreThoseOfTheRule(
      Kind kind, double gain, boolean uniform, double input, double hidden, double linear) {
    Map<String, Tensor> cell =
        of(kind, gain).recurrent(context, new RecurrentSizes(3, 50, 32, 1, true), rng);
    Map<String, Tensor> layer = of(kind, gain).linear(context, 40, 200, true, rng);
    assertSpread(uniform, input, cell.get("weight_ih_l0"));
    assertSpread(uniform, hidden, cell.get("weight_hh_l0"));
    assertSpread(uniform, linear, layer.get("weight"));
    if (kind == Kind.PYTORCH) {
      assertSpread(true, hidden, cell.get("bias_ih_l0"));
      assertSpread(true, hidden, cell.get("bias_hh_l0"));
      assertSpread(true, linear, layer.get("bias"));
    } else {
      assertEquals(0, Arrays.stream(cell.get("bias_hh_l0").toDoubles()).map(Math::abs).sum());
      assertEquals(0, Arrays.stream(layer.get("bias").toDoubles()).map(Math::abs).sum());
    }
    close(cell);
    close(layer);
  }

  /** Uniform on ± a bound, or normal with a deviation: mean, variance and largest value. */
  private static void assertSpread(boolean uniform, double scale, Tensor drawn) {
    double[] values = drawn.toDoubles();
    int n = values.length;
    double variance = uniform ? scale * scale / 3 : scale * scale;
    double largest = Arrays.stream(values).map(Math::abs).max().orElseThrow();
    assertEquals(0, Arrays.stream(values).sum() / n, 5 * Math.sqrt(variance / n));
    double found = Arrays.stream(values).map(v -> v * v).sum() / n;
    assertEquals(1, found / variance, 5 * Math.sqrt((uniform ? 0.8 : 2) / n));
    if (uniform) {
      assertTrue(largest <= scale && largest > scale * (1 - 10.0 / n), largest + " of " + scale);
    } else {
      assertTrue(largest > 2.5 * scale);
    }
  }

  @ParameterizedTest
  @CsvSource({"12, 5", "5, 12", "7, 7"})
  void orthogonalMatricesAreIsometries(int rows, int columns) {
    Map<String, Tensor> layer = of(Kind.ORTHOGONAL, 1.5).linear(context, rows, columns, true, rng);
    double[] w = layer.get("weight").toDoubles();
    int few = Math.min(rows, columns);
    for (int i = 0; i < few; i++) {
      for (int j = 0; j < few; j++) {
        double sum = 0;
        for (int l = 0; l < Math.max(rows, columns); l++) {
          sum +=
              rows < columns
                  ? w[i * columns + l] * w[j * columns + l]
                  : w[l * columns + i] * w[l * columns + j];
        }
        assertEquals(i == j ? 2.25 : 0, sum, 1e-12);
      }
    }
    close(layer);
  }

  /** Without the signs of R, some entry of Q would never change its sign. */
  @Test
  void orthogonalMatricesHaveNoPreferredSign() {
    int positive = 0;
    for (int seed = 0; seed < 200; seed++) {
      Map<String, Tensor> layer =
          of(Kind.ORTHOGONAL, 1).linear(context, 3, 3, false, RngState.of(seed));
      positive += layer.get("weight").get(0, 0) > 0 ? 1 : 0;
      close(layer);
    }
    assertEquals(100, positive, 5 * Math.sqrt(50));
  }

  @ParameterizedTest
  @EnumSource(
      value = Kind.class,
      names = {"PYTORCH", "XAVIER_UNIFORM"})
  void graphModelsTakeTheirWeights(Kind kind) {
    ModelOptions options = ModelOptions.of(DType.F64);
    Map<String, Tensor> mlp = of(kind, 1).mlp(context, new long[] {4, 6, 2}, true, rng);
    Map<String, Tensor> block =
        of(kind, 1).attentionBlock(context, 4, 6, new long[] {5, 5, 1}, rng);
    Map<String, Tensor> stack = of(kind, 1).transformer(context, 4, 6, 9, 2, rng);
    try (GraphModel a = Mlp.of(mlp, Activation.TANH, options);
        GraphModel b = AttentionBlock.of(block, 2, false, Activation.RELU, options);
        GraphModel c = Transformer.of(stack, 3, true, Activation.GELU, 1e-5, options)) {
      assertEquals(8, a.stateUnits());
      assertEquals(5 * 6 + 5 + 5 + 1, b.stateUnits());
      assertEquals(6, c.outputBlock().units());
      assertEquals(4, c.inputs());
    }
    assertEquals(Shape.of(6, 4), block.get("W_q").shape());
    assertArrayEquals(new double[] {1, 1, 1, 1, 1, 1}, stack.get("norm_weight").toDoubles());
    assertFalse(
        Arrays.equals(block.get("W_q").toDoubles(), block.get("W_k").toDoubles()),
        "query and key are drawn apart");
    List.of(mlp, block, stack).forEach(InitializationTest::close);
  }

  /** With n_in = H both have the same shape and spread. */
  @Test
  void inputAndRecurrentWeightsComeFromDifferentNumbers() {
    RecurrentSizes sizes = new RecurrentSizes(3, 4, 4, 2, true);
    for (Kind kind : List.of(Kind.PYTORCH, Kind.XAVIER_NORMAL, Kind.ORTHOGONAL)) {
      Map<String, Tensor> weights =
          Initialization.of(kind, 1).recurrent(context, sizes, RngState.of(1));
      List<String> matrices = weights.keySet().stream().filter(n -> n.contains("weight")).toList();
      for (int i = 0; i < matrices.size(); i++) {
        for (int j = 0; j < i; j++) {
          assertFalse(
              Arrays.equals(
                  weights.get(matrices.get(i)).toDoubles(),
                  weights.get(matrices.get(j)).toDoubles()),
              matrices.get(i) + ", " + matrices.get(j));
        }
      }
      assertEquals(4, matrices.size());
      close(weights);
    }
  }

  @Test
  void misuseIsRefused() {
    refused(InputException.class, () -> Initialization.kind("xavier"), "[pytorch, xavier_normal,");
    assertEquals(Kind.FIXED_POINTS, Initialization.kind("fixed_points"));
    refused(() -> Initialization.of(Kind.PYTORCH, 2), "gain: expected 1 for pytorch");
    refused(() -> Initialization.of(Kind.ORTHOGONAL, Double.NaN), "gain: expected a number above");
    refused(() -> Initialization.of(Kind.FIXED_POINTS, 1), "points: expected at least 1, got 0");
    refused(() -> new Initialization(Kind.ORTHOGONAL, 1, 3), "points: expected 0 for orthogonal");
    Initialization planted = Initialization.fixedPoints(5, 1);
    refused(
        () -> planted.recurrent(context, new RecurrentSizes(4, 1, 9, 1, false), rng),
        "expected a cell with 1 gate (rnn, leaky_rnn) or 3 (gru), got 4");
    refused(
        () -> planted.recurrent(context, new RecurrentSizes(3, 1, 4, 1, false), rng),
        "points: expected at most the 4 units, got 5");
    refused(
        () -> planted.recurrent(context, new RecurrentSizes(3, 1, 9, 2, false), rng),
        "expected one layer, got 2");
    refused(() -> new RecurrentSizes(3, 0, 9, 2, false), "inputs: expected 1");
    refused(() -> planted.mlp(context, new long[] {3}, true, rng), "widths: expected");
  }
}
