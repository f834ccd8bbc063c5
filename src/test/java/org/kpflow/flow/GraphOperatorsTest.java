package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.stream.DoubleStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.GraphModels;
import org.kpflow.GraphModels.Kind;
import org.kpflow.GraphModels.Sample;
import org.kpflow.GraphModels.Sizes;
import org.kpflow.RandomModels;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Activation;
import org.kpflow.model.GraphModel;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.WeightFamily;
import org.kpflow.nativelib.Engine;
import org.kpflow.nativelib.LinearizationHandle;
import org.kpflow.operator.IdentityOperator;
import org.kpflow.operator.LinearOperator;
import org.kpflow.operator.OperatorContract;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/**
 * The operators of feed-forward models: the contract of operators, and the identities of THEORY.
 */
class GraphOperatorsTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final double SLACK = 16; // a transformer's NTK is some forty products deep

  private static void contract(Kind kind, DType dtype, Sizes sizes, long seed) {
    long before = Tensor.liveCount();
    try (Sample sample = new Sample(kind, dtype, sizes, seed)) {
      for (LinearOperator operator : FlowOperators.of(sample.linearize())) {
        OperatorContract.check(operator, seed, SLACK);
      }
    }
    assertEquals(before, Tensor.liveCount(), "leaks");
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.GraphModels#kindsAndTypes")
  void everyOperatorKeepsTheContract(Kind kind, DType dtype) {
    contract(kind, dtype, Sizes.SMALL, 1);
  }

  @ParameterizedTest
  @EnumSource(Kind.class)
  void everyOperatorKeepsTheContractWhereAnAxisHasOneEntry(Kind kind) {
    for (Sizes sizes : Sizes.degenerate()) {
      contract(kind, DType.F64, sizes, 2);
    }
  }

  private static void assertEqual(LinearOperator expected, LinearOperator actual) {
    double difference = actual.compare(expected);
    assertTrue(
        difference <= 500 * expected.dtype().epsilon(),
        () -> actual + " and " + expected + " differ by " + difference);
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.GraphModels#kindsAndTypes")
  void productsOfTheOperatorsAreTheOthers(Kind kind, DType dtype) {
    try (Sample sample = new Sample(kind, dtype, Sizes.AWKWARD, 3)) {
      Linearization linearization = sample.linearize();
      PropagationOperator p = new PropagationOperator(linearization);
      LinearOperator ntk = new NeuralTangentKernel(linearization);
      LinearOperator k = new ParameterOperator(linearization);
      LinearOperator j = new ParameterJacobian(linearization);
      LinearOperator local = new LocalParameterJacobian(linearization);
      LinearOperator identity = new IdentityOperator(CONTEXT, p.domain(), dtype);
      assertEqual(identity, p.compose(p.inverse()));
      assertEqual(identity, p.inverse().compose(p));
      assertEqual(identity, p.adjoint().compose(p.inverse().adjoint()));
      assertEqual(ntk, j.compose(j.adjoint()));
      assertEqual(ntk, p.compose(k).compose(p.adjoint()));
      assertEqual(k, local.compose(local.adjoint()));
      assertEqual(j, p.compose(local));
    }
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.GraphModels#kindsAndTypes")
  void theTangentKernelIsTheSumOfItsFamiliesCores(Kind kind, DType dtype) {
    try (Sample sample = new Sample(kind, dtype, Sizes.SMALL, 4)) {
      Linearization linearization = sample.linearize();
      LinearOperator whole = null;
      LinearOperator here = null;
      for (WeightFamily family : linearization.families()) {
        Tensor gram = sample.keep(KroneckerCore.familyGram(linearization, family.name()));
        LinearOperator kernel = KroneckerCore.familyKernel(linearization, family.name(), gram);
        LinearOperator inverse = new PropagationOperator(linearization).inverse();
        LinearOperator local = inverse.compose(kernel).compose(inverse.adjoint());
        whole = whole == null ? kernel : whole.plus(kernel);
        here = here == null ? local : here.plus(local);
        LinearOperator gates = new GateDerivative(linearization, family.name());
        assertEqual(
            new CorePropagator(linearization, family.name()),
            new PropagationOperator(linearization).compose(gates));
      }
      assertEqual(new NeuralTangentKernel(linearization), whole);
      assertEqual(new ParameterOperator(linearization), here);
    }
  }

  /** Freezing drops a family's part and leaves the others, in the order of theta. */
  @Test
  void aFrozenFamilyIsLeftOut() {
    String[] frozen = {"W_k_l0", "norm2_weight_l0", "mlp_b_1_l1", "b_in"};
    try (Sample sample = new Sample(Kind.TRANSFORMER, DType.F64, Sizes.SMALL, 5);
        Sample part = new Sample(Kind.TRANSFORMER, DType.F64, Sizes.SMALL, 5, frozen)) {
      Linearization all = sample.linearize();
      Linearization some = part.linearize();
      LinearOperator expected = new NeuralTangentKernel(all);
      for (String name : frozen) {
        Tensor gram = sample.keep(KroneckerCore.familyGram(all, name));
        expected = expected.minus(KroneckerCore.familyKernel(all, name, gram));
        assertTrue(!some.family(name).trainable());
      }
      assertEqual(expected, new NeuralTangentKernel(some));
      assertEqual(new PropagationOperator(all), new PropagationOperator(some));
    }
  }

  /** (1/n) V Vᵀ is the mean over units of v_u v_uᵀ, the projection onto matrices G ⊗ I. */
  @Test
  void elementwiseFamiliesCountInTheCoreWithTheMeanOverTheirUnits() {
    String[] others = {"W", "b", "V"};
    try (Sample sample = new Sample(Kind.SHARED_INPUTS, DType.F64, Sizes.SMALL, 6, others)) {
      Linearization linearization = sample.linearize();
      Tensor gram = sample.keep(KroneckerCore.gram(linearization));
      Tensor sites = sample.keep(linearization.sites("gamma"));
      int units = (int) sites.shape().size(1);
      for (int i = 0; i < linearization.rows(); i++) {
        for (int l = 0; l < linearization.rows(); l++) {
          double sum = 0;
          for (int u = 0; u < units; u++) {
            sum += sites.get(i, u) * sites.get(l, u);
          }
          assertEquals(sum / units, gram.get(i, l), 1e-14);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("org.kpflow.GraphModels#kindsAndTypes")
  void theNumberOfThreadsChangesNoBit(Kind kind, DType dtype) {
    for (int s : new int[] {1, 2, 19}) {
      threads(kind, dtype, Sizes.AWKWARD, s);
    }
    threads(kind, dtype, new Sizes(3, 200, 2, 4, 2, 2), 3); // a trial is more than a panel's rows
  }

  private static void threads(Kind kind, DType dtype, Sizes sizes, int s) {
    double[][] results = new double[2][];
    for (int i = 0; i < 2; i++) {
      try (ExecutionContext context = ExecutionContext.withThreads(1 + 2 * i);
          Sample sample = new Sample(kind, dtype, sizes, 7)) {
        Linearization linearization = sample.linearize(context);
        Shape block = linearization.stateShape().block(s);
        Tensor probes = sample.keep(RandomModels.gaussian(dtype, block, 8));
        results[i] = sample.keep(new NeuralTangentKernel(linearization).matmat(probes)).toDoubles();
      }
    }
    assertArrayEquals(results[0], results[1], kind + ", block of " + s);
  }

  /** One sequence is one task: one worker's scratch [T, T] is needed, however many wait. */
  @Test
  void scratchIsAskedForByTheWorkersThatHaveATask() {
    int threads = 256;
    double available = Engine.availableMemory(Device.CPU);
    int steps = (int) Math.sqrt(1.2 * available / (threads * DType.F32.bytes()));
    Sizes sizes = new Sizes(1, steps, 1, 1, 1, 1);
    try (ExecutionContext context = ExecutionContext.withThreads(threads);
        Sample sample = new Sample(Kind.ATTENTION, DType.F32, sizes, 11)) {
      Linearization linearization = sample.linearize(context);
      Tensor probe = sample.keep(GraphModels.probe(linearization, 12));
      PropagationOperator p = new PropagationOperator(linearization);
      sample.keep(p.matvec(probe));
      sample.keep(p.adjoint().matvec(probe));
    }
  }

  /** A packed weight has its units padded to whole vectors: 16 or 32 times one unit in f32. */
  @Test
  void blocksAreCutWhereTheirPackedWeightsGrowTooLarge() throws IOException {
    int inputs = 1 << 14;
    int s = 1 << 10;
    try (Tensor weight = Tensor.zeros(DType.F32, 1, inputs);
        Tensor x = Tensor.zeros(DType.F32, 1, 1, inputs)) {
      x.set(2, 0, 0, inputs - 1);
      try (GraphModel.Builder builder =
              GraphModel.builder("one unit", inputs, ModelOptions.of(DType.F32));
          GraphModel model =
              builder.linear("Y", "x", "W", weight, null, null, Activation.LINEAR).build();
          Linearization linearization = Linearization.of(CONTEXT, model, x, null);
          Tensor theta = Tensor.zeros(DType.F32, s, inputs)) {
        for (int i = 0; i < s; i++) {
          theta.set(i, i, inputs - 1);
        }
        long before = residentBytes();
        try (Tensor out = new ParameterJacobian(linearization).matmat(theta)) {
          long grown = residentBytes() - before;
          assertTrue(grown < 700L << 20, () -> "grown by " + grown); // they would take 1 or 2 GiB
          for (int i = 0; i < s; i++) {
            assertEquals(2 * i, out.get(i, 0, 0, 0));
          }
        }
      }
    }
  }

  private static long residentBytes() throws IOException {
    for (String line : Files.readAllLines(Path.of("/proc/self/status"))) {
      if (line.startsWith("VmRSS:")) {
        return Long.parseLong(line.replaceAll("\\D", "")) << 10;
      }
    }
    throw new IOException("no VmRSS");
  }

  /** Units with the same block of K get the modes that each would get alone, bit by bit. */
  @ParameterizedTest
  @EnumSource(Kind.class)
  void modesOfAllUnitsOfANodeAreThoseOfEachAlone(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, Sizes.SMALL, 13)) {
      Linearization linearization = sample.linearize();
      for (LinearizationHandle.Layer layer : linearization.layers()) {
        for (boolean second : new boolean[] {false, true}) {
          double[] all = modes(linearization, layer.first(), layer.units(), second);
          int each = all.length / (int) layer.units();
          for (int u = 0; u < layer.units(); u++) {
            assertArrayEquals(
                modes(linearization, layer.first() + u, 1, second),
                Arrays.copyOfRange(all, u * each, (u + 1) * each),
                kind + ", " + layer + ", unit " + u);
          }
        }
      }
    }
  }

  /** Per unit: rank, bounds of the rest, values and modes; G of all families stands for both. */
  private static double[] modes(
      Linearization linearization, long first, long count, boolean second) {
    long most = linearization.rows();
    try (Tensor gram = KroneckerCore.gram(linearization);
        Tensor modes = Tensor.zeros(DType.F64, count, most, most);
        Tensor values = Tensor.zeros(DType.F64, count, most)) {
      LinearizationHandle.UnitModes found =
          linearization
              .handle()
              .unitModes(
                  gram.memory(),
                  second ? gram.memory() : null,
                  first,
                  count,
                  1e-9,
                  1e-9,
                  most,
                  modes.memory(),
                  values.memory());
      DoubleStream out = DoubleStream.empty();
      for (int u = 0; u < count; u++) {
        double[] head = {found.ranks()[u], found.rest()[2 * u], found.rest()[2 * u + 1]};
        out = DoubleStream.concat(out, Arrays.stream(head));
        out = DoubleStream.concat(out, Arrays.stream(values.slice(u).toDoubles()));
        out = DoubleStream.concat(out, Arrays.stream(modes.slice(u).toDoubles()));
      }
      return out.toArray();
    }
  }

  /** Every trial by itself gives the rows of the trial Jacobian; a block cuts no probe. */
  @Test
  void aStateOfOneTrialIsThatOfTheTrialAlone() {
    try (Sample sample = new Sample(Kind.CAUSAL_TRANSFORMER, DType.F64, Sizes.AWKWARD, 9)) {
      Linearization all = sample.linearize();
      for (int b = 0; b < 3; b++) {
        Tensor input = sample.inputs.slice(b, 1);
        Linearization one = sample.keep(Linearization.of(CONTEXT, sample.model, input, null));
        Tensor probe = sample.keep(GraphModels.probe(one, 10));
        Tensor wide = sample.keep(Tensor.zeros(DType.F64, all.stateShape()));
        wide.slice(b, 1).copyFrom(probe);
        Tensor expected = sample.keep(new NeuralTangentKernel(one).matvec(probe));
        Tensor found = sample.keep(new NeuralTangentKernel(all).matvec(wide));
        double[] part = found.slice(b, 1).toDoubles();
        for (int i = 0; i < part.length; i++) {
          assertEquals(expected.toDoubles()[i], part[i], 1e-9 * (1 + Math.abs(part[i])));
        }
      }
    }
  }
}
