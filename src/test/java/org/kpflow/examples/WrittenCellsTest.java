package org.kpflow.examples;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.FiniteDifferences;
import org.kpflow.RandomModels;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.examples.CellsPageTest.FastTanh;
import org.kpflow.examples.CellsPageTest.GatedRecurrentUnit;
import org.kpflow.examples.CellsPageTest.MinimalGatedUnit;
import org.kpflow.examples.CellsPageTest.RateNetwork;
import org.kpflow.flow.CorePropagator;
import org.kpflow.flow.FlowOperators;
import org.kpflow.flow.KernelFactor;
import org.kpflow.flow.KroneckerCore;
import org.kpflow.flow.NeuralTangentKernel;
import org.kpflow.flow.ParameterJacobian;
import org.kpflow.flow.ParameterModes;
import org.kpflow.flow.PropagationOperator;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.CellFunction;
import org.kpflow.model.Dual;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.NeuralOde;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.IdentityOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.OperatorContract;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Cells written in Java, in one and more layers: against built-in ones and against running again.
 */
class WrittenCellsTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final Sizes[] ONES = {
    new Sizes(1, 4, 2, 3),
    new Sizes(3, 1, 2, 3),
    new Sizes(3, 4, 1, 3),
    new Sizes(3, 4, 2, 1),
    new Sizes(1, 1, 1, 1)
  };

  private long live;

  @BeforeEach
  void count() {
    CONTEXT.threads();
    live = Tensor.liveCount();
  }

  @AfterEach
  void nothingLeaks() {
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  /** Two components, and a site that reads both of them and depends on the step. */
  private record Odd() implements CellFunction {
    @Override
    public int gates() {
      return 2;
    }

    @Override
    public int components() {
      return 2;
    }

    @Override
    public Dual site(Dual[] previous, long step, int unit) {
      return previous[0].plus(previous[1].times(0.3 + 0.1 * step)).sin();
    }

    @Override
    public Dual[] step(Dual[] q, Dual[] p, Dual[] previous, long step, int unit) {
      Dual gate = q[0].minus(p[0].times(0.5)).gelu().tanh();
      Dual slow = previous[1].times(0.7).plus(q[1].plus(p[1]).tanh().times(1.0 / (1 + unit)));
      Dual fast = previous[0].times(gate).plus(slow.cos());
      return new Dual[] {fast, slow};
    }
  }

  private enum Written {
    GRU,
    MGU,
    RATE,
    FAST_TANH,
    ODD,
    EULER,
    RK4;

    boolean stacks() {
      return this != EULER && this != RK4;
    }

    Sample sample(int layers, DType dtype, Sizes sizes, long seed) {
      double[] tau = new double[sizes.units()];
      for (int i = 0; i < tau.length; i++) {
        tau[i] = 0.5 + 0.2 * i;
      }
      NeuralOde.Method method = this == RK4 ? NeuralOde.Method.RK4 : NeuralOde.Method.EULER;
      return switch (this) {
        case GRU -> Cells.sample(new GatedRecurrentUnit(), layers, dtype, sizes, seed);
        case MGU -> Cells.sample(new MinimalGatedUnit(), layers, dtype, sizes, seed);
        case RATE -> Cells.sample(new RateNetwork(0.2, tau), layers, dtype, sizes, seed);
        case FAST_TANH -> Cells.sample(new FastTanh(), layers, dtype, sizes, seed);
        case ODD -> Cells.sample(new Odd(), layers, dtype, sizes, seed);
        case EULER, RK4 ->
            Cells.sample(
                weights -> new NeuralOde(weights, method, 0.3, tau, ModelOptions.of(dtype)),
                1,
                layers,
                sizes,
                seed);
      };
    }
  }

  static Stream<Arguments> cells() {
    return Stream.of(Written.values())
        .flatMap(
            cell ->
                Stream.of(1, 2, 3)
                    .filter(layers -> layers == 1 || cell.stacks())
                    .map(layers -> Arguments.of(cell, layers)));
  }

  @ParameterizedTest
  @MethodSource("cells")
  void theirDerivativesAreCentralDifferences(Written cell, int layers) {
    try (Sample sample = cell.sample(layers, DType.F64, new Sizes(3, 5, 2, 6), 1)) {
      double error = FiniteDifferences.jacobianError(sample);
      assertTrue(error < 1e-6, () -> "J: relative error " + error);
    }
    if (cell != Written.ODD) { // it counts steps, and running it again begins at 0
      try (Sample sample = cell.sample(layers, DType.F64, new Sizes(2, 3, 2, 3), 2)) {
        double error = FiniteDifferences.transitionError(sample);
        assertTrue(error < 1e-6, () -> "step Jacobians: relative error " + error);
      }
    }
    for (Sizes sizes : ONES) {
      try (Sample sample = cell.sample(layers, DType.F64, sizes, 3)) {
        double error = FiniteDifferences.jacobianError(sample);
        assertTrue(error < 1e-6, () -> sizes + ": relative error " + error);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cells")
  void everyOperatorKeepsTheContract(Written cell, int layers) {
    for (DType dtype : DType.values()) {
      try (Sample sample = cell.sample(layers, dtype, new Sizes(2, 3, 2, 3), 4)) {
        for (LinearOperator operator : FlowOperators.of(sample.linearize())) {
          OperatorContract.check(operator, 1, 4);
        }
      }
    }
    try (Sample sample = cell.sample(layers, DType.F64, new Sizes(1, 1, 1, 1), 5)) {
      for (LinearOperator operator : FlowOperators.of(sample.linearize())) {
        OperatorContract.check(operator, 2, 4);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("cells")
  void theCoreAndTheFactorAreExact(Written cell, int layers) {
    try (Sample sample = cell.sample(layers, DType.F64, new Sizes(2, 3, 2, 4), 6)) {
      Linearization linearization = sample.linearize();
      PropagationOperator p = new PropagationOperator(linearization);
      assertEqual(new IdentityOperator(CONTEXT, p.domain(), DType.F64), p.compose(p.inverse()));
      LinearOperator sum = null;
      for (WeightFamily family : linearization.families()) {
        Tensor sites = sample.keep(linearization.sites(family.name()));
        Tensor gram =
            sample.keep(Tensor.zeros(DType.F64, linearization.rows(), linearization.rows()));
        TensorMath.gemm(CONTEXT, false, true, 1, sites, sites, 0, gram);
        LinearOperator part = KroneckerCore.familyKernel(linearization, family.name(), gram);
        sum = sum == null ? part : sum.plus(part);
      }
      NeuralTangentKernel ntk = new NeuralTangentKernel(linearization);
      assertEqual(ntk, sum);
      ParameterModes modes = sample.keep(ParameterModes.of(linearization, 1e-14));
      KernelFactor factor = sample.keep(KernelFactor.ofTangentKernel(modes, 1));
      Tensor columns =
          sample.keep(Tensor.zeros(DType.F64, factor.count(), linearization.stateShape().count()));
      factor.fill(0, columns.reshape(linearization.stateShape().block(factor.count())));
      double trace = Math.pow(TensorMath.norm(CONTEXT, columns), 2);
      double expected = Math.pow(frobeniusOfJacobian(sample, linearization), 2);
      assertEquals(expected, trace, 1e-9 * expected);
    }
  }

  private static double frobeniusOfJacobian(Sample sample, Linearization linearization) {
    Tensor dense = sample.keep(new ParameterJacobian(linearization).adjoint().toDense());
    return TensorMath.norm(CONTEXT, dense);
  }

  private static void assertEqual(LinearOperator expected, LinearOperator actual) {
    double difference = actual.compare(expected);
    assertTrue(difference < 1e-12, () -> actual + " and " + expected + " differ by " + difference);
  }

  private static void assertClose(Tensor expected, Tensor actual, double tolerance, String what) {
    try (expected;
        actual) {
      double size = TensorMath.norm(CONTEXT, expected);
      TensorMath.axpby(CONTEXT, -1, expected, 1, actual);
      double error = TensorMath.norm(CONTEXT, actual) / size;
      assertTrue(error <= tolerance, () -> what + ": " + error);
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3})
  void theWrittenGruIsTheBuiltInOne(int layers) {
    Sizes sizes = new Sizes(40, 9, 3, 17);
    for (DType dtype : DType.values()) {
      double tolerance = dtype == DType.F64 ? 1e-13 : 3e-6;
      try (Sample written = Written.GRU.sample(layers, dtype, sizes, 7);
          Sample builtIn = new Sample(Kind.GRU, layers, dtype, sizes, 7)) {
        Linearization a = builtIn.linearize();
        Linearization b = written.linearize();
        assertClose(a.state(), b.state(), tolerance, "state");
        List<LinearOperator> expected = FlowOperators.of(a);
        List<LinearOperator> found = FlowOperators.of(b);
        for (int i = 0; i < expected.size(); i++) {
          for (boolean adjoint : new boolean[] {false, true}) {
            LinearOperator truth = adjoint ? expected.get(i).adjoint() : expected.get(i);
            LinearOperator own = adjoint ? found.get(i).adjoint() : found.get(i);
            try (Tensor probes = RandomModels.gaussian(dtype, truth.domain().block(3), 8)) {
              assertClose(truth.matmat(probes), own.matmat(probes), tolerance, own.toString());
            }
          }
        }
      }
    }
  }

  /**
   * Only the candidate's input gate is separate, so the two halves of the others agree bit by bit.
   */
  @Test
  void theWrittenGruSharesTheDerivativesThatTheBuiltInOneShares() {
    try (Sample sample = Written.GRU.sample(1, DType.F64, new Sizes(2, 4, 2, 5), 9)) {
      Linearization linearization = sample.linearize();
      Tensor state = sample.keep(Cells.probe(linearization, 1));
      double[] hidden = rmatvec(sample, linearization, "weight_hh_l0", state);
      double[] input = rmatvec(sample, linearization, "weight_ih_l0", state);
      for (int row = 0; row < 8; row++) {
        for (int i = 0; i < 15; i++) {
          assertEquals(i < 10, hidden[row * 15 + i] == input[row * 15 + i]);
        }
      }
    }
  }

  private static double[] rmatvec(
      Sample sample, Linearization linearization, String family, Tensor state) {
    return sample.keep(new CorePropagator(linearization, family).rmatvec(state)).toDoubles();
  }

  @ParameterizedTest
  @EnumSource(Written.class)
  void aGivenTrajectoryTakesThePlaceOfTheModelsOwn(Written cell) {
    try (Sample sample = cell.sample(cell.stacks() ? 2 : 1, DType.F64, new Sizes(2, 3, 2, 4), 10)) {
      Linearization own = sample.linearize();
      Tensor state = sample.keep(own.state());
      Linearization along = along(sample, state);
      Tensor probe = sample.keep(Cells.probe(own, 1));
      assertArrayEquals(
          sample.keep(new NeuralTangentKernel(own).matvec(probe)).toDoubles(),
          sample.keep(new NeuralTangentKernel(along).matvec(probe)).toDoubles());
      Tensor other = sample.keep(RandomModels.gaussian(DType.F64, state.shape(), 2));
      Linearization elsewhere = along(sample, other);
      assertArrayEquals(other.toDoubles(), sample.keep(elsewhere.state()).toDoubles());
      OperatorContract.check(new NeuralTangentKernel(elsewhere), 1, 4);
    }
  }

  private static Linearization along(Sample sample, Tensor trajectory) {
    return sample.keep(
        Linearization.along(CONTEXT, sample.model, sample.inputs, sample.initial, trajectory));
  }

  /** 3000 trials do not go through a step at once. */
  @Test
  void manyTrialsAreCutIntoPanels() {
    Sizes sizes = new Sizes(3000, 2, 1, 40);
    try (Sample written = Written.GRU.sample(1, DType.F64, sizes, 11);
        Sample builtIn = new Sample(Kind.GRU, DType.F64, sizes, 11)) {
      assertClose(builtIn.linearize().state(), written.linearize().state(), 1e-14, "state");
    }
  }
}
