package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.kpflow.Refusals.closed;
import static org.kpflow.Refusals.refused;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

class FlowMisuseTest {
  private Sample sample;
  private Linearization linearization;
  private long live;

  @BeforeEach
  void sampleAGru() {
    ExecutionContext.shared().threads();
    live = Tensor.liveCount();
    sample = new Sample(Kind.GRU, DType.F64, Sizes.SMALL, 1);
    linearization = sample.linearize();
  }

  @AfterEach
  void nothingLeaksFromARefusal() {
    sample.close();
    assertEquals(live, Tensor.liveCount(), "leaks");
  }

  @Test
  void unknownFamiliesAndNullsAreNamed() {
    refused(() -> new CorePropagator(linearization, "w"), "family", "weight_hh_l0", "'w'");
    refused(() -> new GateDerivative(linearization, "w"), "family", "weight_hh_l0", "'w'");
    refused(() -> new CorePropagator(null, "weight_hh_l0"), "linearization", "null");
    refused(() -> new GateDerivative(null, "weight_hh_l0"), "linearization", "null");
    refused(() -> new NeuralTangentKernel(null), "linearization", "null");
    refused(() -> new ParameterOperator(null), "linearization", "null");
    refused(() -> new PropagationOperator(null), "linearization", "null");
    refused(() -> new ParameterJacobian(null), "linearization", "null");
    refused(() -> new LocalParameterJacobian(null), "linearization", "null");
    refused(() -> new TrialJacobian(null), "linearization", "null");
    refused(() -> KroneckerCore.gram((Linearization) null), "linearization", "null");
    refused(() -> ParameterModes.of(null, 0.1), "linearization", "null");
    refused(() -> new ResidualJacobian(null, 0), "modes", "null");
    ParameterModes modes = sample.keep(ParameterModes.of(linearization, 0.1));
    refused(() -> KernelFactor.ofTangentKernel(modes, Double.NaN), "norm of P", "NaN");
    refused(() -> new ResidualJacobian(modes, modes.count() + 1), "modes", "" + modes.count());
    refused(() -> KroneckerCore.proxy(linearization, null), "gram", "null");
    refused(() -> KroneckerCore.familyKernel(linearization, "weight_hh_l0", null), "null");
  }

  @Test
  void aGramMatrixOfTheWrongShapeOrTypeIsRefused() {
    Tensor square = sample.keep(Tensor.zeros(DType.F64, 11, 11));
    Tensor narrow = sample.keep(Tensor.zeros(DType.F32, 12, 12));
    refused(() -> KroneckerCore.proxy(linearization, square), "gram", "[12, 12]", "[11, 11]");
    refused(() -> KroneckerCore.proxy(linearization, narrow), "dtype", "f32", "f64");
    refused(
        () -> KroneckerCore.familyKernel(linearization, "weight_hh_l0", square),
        "[12, 12]",
        "[11, 11]");
    refused(() -> KroneckerCore.familyKernel(linearization, "weight_hh_l0", narrow), "f32", "f64");
  }

  @ParameterizedTest
  @ValueSource(doubles = {-1e-3, 0, 1, 2, Double.NaN})
  void aCutOutsideItsRangeIsRefused(double cut) {
    refused(() -> ParameterModes.of(linearization, cut), "cut", "" + cut);
  }

  @Test
  void aModelWithEveryFamilyFrozenHasAnEmptyThetaAndNoFactor() {
    String[] all = {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"};
    try (Sample frozen = new Sample(Kind.GRU, DType.F64, Sizes.SMALL, 1, all)) {
      Linearization none = frozen.linearize();
      assertEquals(0, none.parameterCount());
      refused(() -> ParameterModes.of(none, 0.1), "every family is frozen");
      assertEquals(0, new NeuralTangentKernel(none).frobeniusNorm());
      assertEquals(0, new ParameterJacobian(none).domain().count());
    }
  }

  /** A frozen family has no part in theta, but its gates can still be perturbed. */
  @Test
  void aFrozenFamilyStillHasItsGateMaps() {
    try (Sample frozen = new Sample(Kind.GRU, DType.F64, Sizes.SMALL, 1, "weight_hh_l0")) {
      LinearOperator own = new CorePropagator(linearization, "weight_hh_l0");
      assertEquals(0, own.compare(new CorePropagator(frozen.linearize(), "weight_hh_l0")));
    }
  }

  @Test
  void aClosedFactorIsRefused() {
    ParameterModes modes = sample.keep(ParameterModes.of(linearization, 1e-10));
    KernelFactor gone = KernelFactor.ofTangentKernel(modes, 1);
    gone.close();
    gone.close();
    Tensor out = sample.keep(Tensor.zeros(DType.F64, linearization.stateShape().block(2)));
    closed(() -> gone.fill(0, out));
    ResidualJacobian residual = new ResidualJacobian(modes, 1);
    residual.close();
    residual.close();
    closed(() -> residual.rmatvec(out.slice(0)));
    KernelFactor factor = sample.keep(KernelFactor.ofTangentKernel(modes, 1));
    modes.close();
    closed(() -> factor.fill(0, out));
  }

  @Test
  void columnsOutsideOfTheFactorAreRefused() {
    ParameterModes modes = sample.keep(ParameterModes.of(linearization, 1e-10));
    KernelFactor factor = sample.keep(KernelFactor.ofTangentKernel(modes, 1));
    Tensor out = sample.keep(Tensor.zeros(DType.F64, linearization.stateShape().block(2)));
    Tensor wrong = sample.keep(Tensor.zeros(DType.F64, 2, 3));
    refused(() -> factor.fill(-1, out), "columns", "-1");
    refused(() -> factor.fill(factor.count() - 1, out), "columns", "" + factor.count());
    refused(() -> factor.fill(0, null), "out", "null");
    refused(() -> factor.fill(0, wrong), "out", "[2, 3]");
  }
}
