package org.kpflow.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.kpflow.Refusals.refused;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.BiFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.RandomModels;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** What an optimizer remembers, what it does for any number of threads, and what it refuses. */
class OptimizerTest {
  private static final Shape MATRIX = Shape.of(150, 130); // several tasks of the elementwise rules
  private static final Shape VECTOR = Shape.of(41);

  private final ExecutionContext context = ExecutionContext.shared();
  private long before;

  @BeforeEach
  void count() {
    before = Tensor.liveCount();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(before, Tensor.liveCount());
  }

  /** An optimizer and the type of what it trains. */
  record Case(
      String name,
      DType dtype,
      BiFunction<ExecutionContext, List<Parameter>, Optimizer> optimizer) {
    @Override
    public String toString() {
      return name + " " + dtype;
    }
  }

  static Stream<Case> cases() {
    return Stream.of(DType.values())
        .flatMap(
            dtype ->
                Stream.of(
                    new Case("sgd", dtype, (c, p) -> new Sgd(c, p, 0)),
                    new Case("momentum", dtype, (c, p) -> new Sgd(c, p, 0.9)),
                    new Case("adam", dtype, Adam::new),
                    new Case("shampoo", dtype, (c, p) -> new Shampoo(c, p, 1e-3, 1)),
                    new Case("shampoo every 3", dtype, (c, p) -> new Shampoo(c, p, 1e-3, 3))));
  }

  /** A matrix and a vector with the gradients of any step. */
  private static final class Problem implements AutoCloseable {
    final List<Parameter> parameters = new ArrayList<>();

    Problem(DType dtype) {
      for (Shape shape : List.of(MATRIX, VECTOR)) {
        Tensor value = RandomModels.gaussian(dtype, shape, parameters.size());
        parameters.add(new Parameter("p" + parameters.size(), value, Tensor.zeros(dtype, shape)));
      }
    }

    void train(Optimizer optimizer, long from, long to) {
      for (long step = from; step <= to; step++) {
        for (Parameter parameter : parameters) {
          try (Tensor drawn =
              RandomModels.gaussian(
                  parameter.value().dtype(), parameter.value().shape(), 100 * step)) {
            parameter.gradient().copyFrom(drawn);
          }
        }
        optimizer.step(step, 0.01 / step);
      }
    }

    double[] values() {
      return parameters.stream()
          .flatMapToDouble(parameter -> Arrays.stream(parameter.value().toDoubles()))
          .toArray();
    }

    @Override
    public void close() {
      for (Parameter parameter : parameters) {
        parameter.value().close();
        parameter.gradient().close();
      }
    }
  }

  /** The cut falls between two computations of the roots at an interval of 3. */
  @ParameterizedTest
  @MethodSource("cases")
  void aRunIsContinuedBitForBitFromItsState(Case rule) {
    double[] whole;
    try (Problem problem = new Problem(rule.dtype);
        Optimizer optimizer = rule.optimizer.apply(context, problem.parameters)) {
      problem.train(optimizer, 1, 10);
      whole = problem.values();
    }
    try (Problem problem = new Problem(rule.dtype);
        Optimizer first = rule.optimizer.apply(context, problem.parameters);
        Optimizer second = rule.optimizer.apply(context, problem.parameters)) {
      problem.train(first, 1, 5);
      Map<String, Tensor> state = second.state();
      assertEquals(first.state().keySet(), state.keySet());
      first.state().forEach((name, tensor) -> state.get(name).copyFrom(tensor));
      problem.train(second, 6, 10);
      assertArrayEquals(whole, problem.values());
    }
  }

  @ParameterizedTest
  @MethodSource("cases")
  void theBitsDoNotDependOnTheThreads(Case rule) {
    List<double[]> results = new ArrayList<>();
    for (int threads : new int[] {1, 2, 3}) {
      try (ExecutionContext own = ExecutionContext.withThreads(threads);
          Problem problem = new Problem(rule.dtype);
          Optimizer optimizer = rule.optimizer.apply(own, problem.parameters)) {
        problem.train(optimizer, 1, 4);
        results.add(problem.values());
      }
    }
    assertArrayEquals(results.get(0), results.get(1));
    assertArrayEquals(results.get(0), results.get(2));
  }

  /** With G = g eᵀ of one direction each, L and R have known roots; ε decides in the others. */
  @Test
  void shampooScalesADirectionByTheRootOfItsGradients() {
    double epsilon = 1e-4;
    double scale = 3;
    for (DType dtype : DType.values()) {
      try (Tensor value = Tensor.zeros(dtype, 3, 2);
          Tensor gradient = Tensor.zeros(dtype, 3, 2)) {
        gradient.set(scale, 1, 0);
        Parameter parameter = new Parameter("w", value, gradient);
        try (Shampoo shampoo = new Shampoo(context, List.of(parameter), epsilon, 1)) {
          shampoo.step(1, 1);
          double root = Math.pow(epsilon + scale * scale, -0.25);
          assertEquals(-root * scale * root, value.get(1, 0), 1e-6);
          gradient.set(0, 1, 0);
          gradient.set(1, 2, 1);
          shampoo.step(2, 1);
          assertEquals(-Math.pow(1 + epsilon, -0.5), value.get(2, 1), 1e-6);
          assertEquals(-root * scale * root, value.get(1, 0), 1e-6, "an untouched direction");
        }
      }
    }
  }

  /**
   * Diagonal gradients diag(g) leave L = R = ε + Σ g² of each entry, by itself: the step is η g (ε
   * + Σ g²)^(-1/2) with the sum over steps up to the last 1 + 3 k.
   */
  @Test
  void shampooTakesRootsAtTheFirstStepAndEveryInterval() {
    double epsilon = 0.1;
    double rate = 0.5;
    double[][] g = {{2, -1}, {-3, 0.5}, {1, 4}, {-0.25, 2}};
    try (Tensor matrix = Tensor.zeros(DType.F64, 2, 2);
        Tensor matrixGradient = Tensor.zeros(DType.F64, 2, 2);
        Tensor vector = Tensor.zeros(DType.F64, 1);
        Tensor vectorGradient = Tensor.zeros(DType.F64, 1)) {
      List<Parameter> parameters =
          List.of(
              new Parameter("w", matrix, matrixGradient),
              new Parameter("b", vector, vectorGradient));
      try (Shampoo shampoo = new Shampoo(context, parameters, epsilon, 3)) {
        double[] sum = {epsilon, epsilon};
        double[] root = new double[2];
        double[] expected = new double[2];
        for (int step = 1; step <= 4; step++) {
          for (int i = 0; i < 2; i++) {
            matrixGradient.set(g[step - 1][i], i, i);
            sum[i] += g[step - 1][i] * g[step - 1][i];
            root[i] = step == 1 || step == 4 ? 1 / Math.sqrt(sum[i]) : root[i];
            expected[i] -= rate * g[step - 1][i] * root[i];
          }
          vectorGradient.set(g[step - 1][0], 0);
          shampoo.step(step, rate);
          assertEquals(expected[0], matrix.get(0, 0), 1e-12, "step " + step);
          assertEquals(expected[1], matrix.get(1, 1), 1e-12, "step " + step);
          assertEquals(expected[0], vector.get(0), 1e-12, "step " + step);
          assertEquals(0, matrix.get(0, 1), 1e-12);
        }
      }
    }
  }

  /** Of statistics that rounding has left indefinite, eigenvalues below ε count as ε. */
  @Test
  void anEigenvalueBelowEpsilonCountsAsEpsilon() {
    try (Tensor value = Tensor.zeros(DType.F64, 2);
        Tensor gradient = Tensor.of(Shape.of(2), 0, 1)) {
      Parameter parameter = new Parameter("b", value, gradient);
      try (Shampoo shampoo = new Shampoo(context, List.of(parameter), 0.25, 1)) {
        shampoo.state().get("L.b").set(-1 - 1e-9, 1, 1);
        shampoo.step(1, 1);
        assertEquals(-2, value.get(1), 1e-12);
      }
    }
  }

  @Test
  void schedulesAreTheirFormulas() {
    LearningRate stepped = LearningRate.stepped(0.8, 3, 0.5);
    assertArrayEquals(new double[] {0.8, 0.8, 0.8, 0.4, 0.4, 0.4, 0.2}, rates(stepped, 7), 1e-15);
    assertArrayEquals(
        new double[] {2, 1.8, 1.62}, rates(LearningRate.exponential(2, 0.9), 3), 1e-15);
    assertArrayEquals(
        new double[] {1.1, 0.95, 0.6, 0.25, 0.1, 0.1},
        rates(LearningRate.cosine(1.1, 0.1, 4), 6),
        4e-3);
    assertEquals(0.6, LearningRate.cosine(1.1, 0.1, 4).at(3), 1e-15);
    assertArrayEquals(
        new double[] {0.2, 0.4, 0.6, 0.8, 0.8, 0.8, 0.8, 0.4},
        rates(stepped.warmedUp(4), 8),
        1e-15);
    assertEquals(0.3, LearningRate.constant(0.3).warmedUp(0).at(1));
    refused(() -> LearningRate.constant(Double.NaN), "rate", "NaN");
    refused(() -> LearningRate.stepped(1, 0, 0.5), "every", "0");
    refused(() -> LearningRate.exponential(1, -1), "factor", "-1");
    refused(() -> LearningRate.cosine(1, 0, 0), "steps", "0");
    refused(() -> LearningRate.constant(1).warmedUp(-1), "warmup", "-1");
  }

  private static double[] rates(LearningRate schedule, int steps) {
    double[] rates = new double[steps];
    Arrays.setAll(rates, i -> schedule.at(i + 1));
    return rates;
  }

  @Test
  void clippingIsThatOfTheNormOrOfEveryEntry() {
    for (DType dtype : DType.values()) {
      try (Tensor gradient = Tensor.of(dtype, Shape.of(2), 3, -4)) {
        GradientClipping.none().apply(context, gradient, 5);
        GradientClipping.byNorm(6).apply(context, gradient, 5);
        assertArrayEquals(new double[] {3, -4}, gradient.toDoubles());
        GradientClipping.byNorm(2.5).apply(context, gradient, 5);
        double factor = 2.5 / (5 + 1e-6);
        assertArrayEquals(new double[] {3 * factor, -4 * factor}, gradient.toDoubles(), 1e-6);
        GradientClipping.byValue(1.75).apply(context, gradient, 2.5);
        assertArrayEquals(new double[] {3 * factor, -1.75}, gradient.toDoubles(), 1e-6);
      }
    }
    refused(() -> GradientClipping.byNorm(0), "clipping", "0");
    refused(() -> GradientClipping.byValue(Double.NaN), "clipping", "NaN");
  }

  /** One step of gradient descent on 1/2 λ θ², and a shrinking by 1 - η λ, are the same for SGD. */
  @Test
  void decayIsAddedToTheGradientOrTakenFromTheWeights() {
    try (Problem coupled = new Problem(DType.F64);
        Problem decoupled = new Problem(DType.F64);
        Tensor untouched = coupled.parameters.get(0).value().copy()) {
      new WeightDecay(0.3, false).apply(context, coupled.parameters, 0.1);
      assertArrayEquals(untouched.toDoubles(), coupled.parameters.get(0).value().toDoubles());
      TensorMath.scale(context, 0.3, untouched);
      assertArrayEquals(
          untouched.toDoubles(), coupled.parameters.get(0).gradient().toDoubles(), 1e-15);
      try (Sgd sgd = new Sgd(context, coupled.parameters, 0)) {
        sgd.step(1, 0.1);
      }
      new WeightDecay(0.3, true).apply(context, decoupled.parameters, 0.1);
      assertArrayEquals(coupled.values(), decoupled.values(), 1e-15);
    }
    refused(() -> new WeightDecay(-1, true), "weight decay", "-1");
  }

  @Test
  void whatMakesNoSenseIsRefused() {
    try (Problem problem = new Problem(DType.F64);
        Tensor cube = Tensor.zeros(DType.F64, 2, 2, 2)) {
      List<Parameter> good = problem.parameters;
      refused(() -> new Adam(context, good, 1, 0.9, 1e-8), "beta1", "1.0");
      refused(() -> new Adam(context, good, 0.9, -1, 1e-8), "beta2", "-1");
      refused(() -> new Adam(context, good, 0.9, 0.9, 0), "epsilon", "0");
      refused(() -> new Adam(context, good, 0.9, 0.9, Double.POSITIVE_INFINITY), "epsilon");
      try (Problem narrow = new Problem(DType.F32)) {
        refused(
            () -> new Adam(context, narrow.parameters, 0.9, 0.9, 1e-50),
            "epsilon",
            "f32",
            "1.0E-50");
      }
      refused(() -> new Adam(null, good), "context", "null");
      refused(() -> new Shampoo(context, good, 0, 1), "epsilon", "0");
      refused(() -> new Shampoo(context, good, 1e-4, 0), "interval", "0");
      Parameter odd = new Parameter("odd", cube, cube);
      refused(() -> new Shampoo(context, List.of(odd), 1, 1), "odd", "matrix", "[2, 2, 2]");
    }
  }
}
