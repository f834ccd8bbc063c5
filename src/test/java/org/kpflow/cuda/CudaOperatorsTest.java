package org.kpflow.cuda;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.kpflow.ModelKind;
import org.kpflow.ModelSample;
import org.kpflow.RandomModels;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.flow.FlowOperators;
import org.kpflow.flow.KroneckerCore;
import org.kpflow.flow.StateRestriction;
import org.kpflow.flow.StateSelection;
import org.kpflow.flow.StateTransition;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.ModelOptions;
import org.kpflow.model.NeuralOde;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.Tensor;

/** Linearizations and all their operators on the GPU against those on the CPU, at odd sizes. */
class CudaOperatorsTest extends OnCuda {
  private static final long BLOCK = 5;

  @ParameterizedTest
  @MethodSource("org.kpflow.ModelKind#kindsAndTypes")
  void everyOperatorOfEveryModel(ModelKind kind, DType dtype) {
    try (ModelSample<?> sample = kind.sample(dtype, Sizes.AWKWARD, 1)) {
      compare(sample);
    }
  }

  /** Its forward pass is Java's, on the CPU; all else is the GPU's. */
  @ParameterizedTest
  @EnumSource(DType.class)
  void aCellWrittenInJava(DType dtype) {
    ModelOptions options = ModelOptions.of(dtype);
    try (ModelSample<?> sample =
        new RandomModels.Sample(
            weights -> new NeuralOde(weights, NeuralOde.Method.RK4, 0.2, 0.7, options),
            new Random(5),
            random -> RandomModels.weights(1, true, 1, Sizes.AWKWARD, random),
            Sizes.AWKWARD)) {
      compare(sample);
    }
  }

  private void compare(ModelSample<?> sample) {
    Linearization cpu = sample.linearize();
    Linearization cuda = sample.linearize(context);
    try (Tensor expected = cpu.state();
        Tensor found = cuda.state()) {
      Cuda.assertSame("state", expected, found);
    }
    for (WeightFamily family : cpu.families()) {
      try (Tensor expected = cpu.sites(family.name());
          Tensor found = cuda.sites(family.name())) {
        Cuda.assertSame("sites of " + family.name(), expected, found);
      }
    }
    List<LinearOperator> expected = FlowOperators.of(cpu);
    List<LinearOperator> found = FlowOperators.of(cuda);
    for (int i = 0; i < expected.size(); i++) {
      compare(expected.get(i), found.get(i), 10 + i);
    }
  }

  private void compare(LinearOperator cpu, LinearOperator cuda, long seed) {
    try (Tensor x = RandomModels.gaussian(cpu.dtype(), cpu.domain().block(BLOCK), seed);
        Tensor y = RandomModels.gaussian(cpu.dtype(), cpu.range().block(BLOCK), seed + 1);
        Tensor xThere = context.copyOf(x);
        Tensor yThere = context.copyOf(y);
        Tensor forward = cpu.matmat(x);
        Tensor forwardThere = cuda.matmat(xThere);
        Tensor backward = cpu.rmatmat(y);
        Tensor backwardThere = cuda.rmatmat(yThere)) {
      Cuda.assertSame(cuda + " of " + seed, forward, forwardThere);
      Cuda.assertSame(cuda + "*", backward, backwardThere);
    }
  }

  @Test
  void stepsAndTransitions() {
    for (Kind kind : List.of(Kind.GRU, Kind.LSTM_STACK)) {
      try (RandomModels.Sample sample = kind.sample(DType.F64, new Sizes(3, 6, 2, 5), 3)) {
        Linearization cpu = sample.linearize();
        Linearization cuda = sample.linearize(context);
        try (Tensor expected = cpu.stepJacobians(1, 4);
            Tensor found = cuda.stepJacobians(1, 4);
            Tensor transition = cpu.stateTransition(4, 1);
            Tensor transitionThere = cuda.stateTransition(4, 1)) {
          Cuda.assertSame("step Jacobians", expected, found);
          Cuda.assertSame("Φ(4, 1)", transition, transitionThere);
        }
        double[][] exponents = cpu.lyapunov().exponents();
        double[][] exponentsThere = cuda.lyapunov().exponents();
        for (int b = 0; b < exponents.length; b++) {
          for (int i = 0; i < exponents[b].length; i++) {
            assertEquals(exponents[b][i], exponentsThere[b][i], 1e-9);
          }
        }
        compare(new StateTransition(cpu, 4, 1), new StateTransition(cuda, 4, 1), 4);
      }
    }
  }

  @Test
  void operatorsMadeOfOthers() {
    try (RandomModels.Sample sample = Kind.GRU.sample(DType.F64, new Sizes(3, 4, 2, 5), 7)) {
      List<LinearOperator> expected = derived(sample.linearize(), sample);
      List<LinearOperator> found = derived(sample.linearize(context), sample);
      for (int i = 0; i < expected.size(); i++) {
        compare(expected.get(i), found.get(i), 30 + i);
        try (Tensor dense = expected.get(i).toDense();
            Tensor denseThere = found.get(i).toDense()) {
          Cuda.assertSame("" + found.get(i), dense, denseThere);
        }
        Cuda.assertClose(
            "norm of " + found.get(i),
            expected.get(i).frobeniusNorm(),
            found.get(i).frobeniusNorm(),
            1e-11);
      }
    }
  }

  private static List<LinearOperator> derived(Linearization linearization, ModelSample<?> sample) {
    StateRestriction selected =
        new StateSelection(List.of("1:4"), List.of("0:2", "3")).of(linearization);
    LinearOperator ntk = StateRestriction.whole(linearization).tangentKernel();
    Tensor gram = sample.keep(KroneckerCore.gram(linearization));
    return List.of(
        selected,
        selected.tangentKernel(),
        selected.propagation(),
        ntk.partialTrace(2),
        ntk.partialAverage(0, 1),
        ntk.coherentAverage(0),
        ntk.plus(KroneckerCore.proxy(linearization, gram)).scale(0.5),
        ntk.symmetricPart().gram());
  }
}
