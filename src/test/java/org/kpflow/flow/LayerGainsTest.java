package org.kpflow.flow;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.kpflow.RandomModels;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Progress;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.Activation;
import org.kpflow.model.GraphModel;
import org.kpflow.model.ModelOptions;
import org.kpflow.spectral.DenseEigen;
import org.kpflow.spectral.View;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.RngState;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Modes of K are weighed by what the part of the state sees of their layer. */
class LayerGainsTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final int INPUTS = 20;

  /** A reads x as it is, B reads its layer norm: nothing of A, however large, is seen in B. */
  private static Linearization apart(int trials, int steps, int units, double scale, double decay) {
    Random random = new Random(1);
    double size = 1 / Math.sqrt(INPUTS);
    try (Tensor a = RandomModels.gaussian(random, size, units, INPUTS);
        Tensor b = RandomModels.gaussian(random, size, units, INPUTS);
        Tensor x = RandomModels.gaussian(random, scale, trials, steps, INPUTS);
        GraphModel.Builder builder =
            GraphModel.builder("apart", INPUTS, ModelOptions.of(DType.F64))) {
      for (long row = 0; row < (long) trials * steps; row++) {
        Tensor channels = x.slice(row / steps).slice(row % steps);
        for (long i = 0; i < INPUTS; i++) {
          channels.set(channels.get(i) * Math.pow(10, -i / decay), i);
        }
      }
      builder
          .linear("A", "x", "W_a", a, null, null, Activation.LINEAR)
          .layerNorm("N", "x", null, null, null, null, 1e-5)
          .linear("B", "N", "W_b", b, null, null, Activation.TANH);
      try (GraphModel model = builder.build()) {
        return Linearization.of(CONTEXT, model, x, null);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {1, 300, 1e5})
  void hybridIsAsGoodAsItSaysWhereTheRestOfTheStateIsLarger(double scale) {
    try (Linearization linearization = apart(4, 6, 24, scale, 8)) {
      StateRestriction part = StateSelection.parse("B", null).of(linearization);
      LinearizationViews.Options options =
          new LinearizationViews.Options(
              List.of(View.TEMP), LinearizationViews.Method.HYBRID, 1e-3, 400, RngState.of(1));
      try (LinearizationViews found =
              LinearizationViews.ofTangentKernel(part, options, Progress.NONE);
          Tensor truth = part.tangentKernel().partialAverage(2).toDense();
          Tensor difference = truth.copy()) {
        assertTrue(found.columns() > 0, "nothing was taken exactly");
        TensorMath.axpby(
            CONTEXT, -1, found.matrix(View.TEMP).reshape(truth.shape()), 1, difference);
        double error = TensorMath.norm(CONTEXT, difference) / TensorMath.norm(CONTEXT, truth);
        double said = found.relativeError(View.TEMP);
        assertTrue(error < 4 * said + 1e-9, error + " for " + said);
      }
    }
  }

  @ParameterizedTest
  @ValueSource(doubles = {1, 1e4, 1e6})
  void theRankOfAPartDoesNotDependOnTheRestOfTheState(double scale) {
    try (Linearization linearization = apart(4, 5, 3, scale, 4)) {
      StateRestriction part = StateSelection.parse("B", null).of(linearization);
      try (KernelSpectrum found = KernelSpectrum.of(part, 0, Progress.NONE);
          Tensor dense = part.tangentKernel().toDense();
          ParameterModes modes = ParameterModes.forTangentKernel(part, 1e-14);
          KernelFactor factor = KernelFactor.ofTangentKernel(modes)) {
        double[] truth = DenseEigen.values(dense);
        for (int i = 0; i < found.values().length; i++) {
          assertEquals(truth[i], found.values()[i], 1e-13 * truth[0]);
        }
        assertEquals(
            Arrays.stream(truth).filter(value -> value > found.floor()).count(),
            Arrays.stream(found.values()).filter(value -> value > found.floor()).count());
        assertEquals(57, factor.count()); // 3 units, sites without mean; none of A
        assertTrue(factor.restNorm(factor.count()) < 1e-11 * truth[0]);
      }
    }
  }

  @Test
  void basisIsTakenWhereItCostsLess() {
    try (Sample sample = new Sample(Kind.GRU, DType.F64, new Sizes(8, 12, 2, 48), 1)) {
      StateRestriction part = StateSelection.parse("0:6", null).of(sample.linearize());
      LinearizationViews.Options options =
          new LinearizationViews.Options(
              List.of(View.TEMP), LinearizationViews.Method.AUTO, 1e-5, 0, RngState.of(1));
      try (LinearizationViews found =
          LinearizationViews.ofTangentKernel(part, options, Progress.NONE)) {
        assertEquals(LinearizationViews.Method.BASIS, found.method());
      }
    }
  }

  /** σ_max of the dense R P E_l, for layers of a stack. */
  @ParameterizedTest
  @EnumSource(names = {"GRU_STACK", "LSTM_STACK"})
  void gainsAreBoundsOnWhatIsSeenOfALayer(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, new Sizes(2, 4, 2, 3), 1)) {
      Linearization linearization = sample.linearize();
      for (String units : List.of("h_l0", "h_l1")) {
        StateRestriction part = StateSelection.parse(units, "1:").of(linearization);
        LayerGains gains = LayerGains.of(part);
        for (int l = 0; l < 2; l++) {
          long begin = linearization.layers().get(l).begin();
          long size = linearization.components() * linearization.layers().get(l).units();
          StateRestriction layer =
              StateSelection.parse(begin + ":" + (begin + size), null).of(linearization);
          try (Tensor dense = part.response().compose(layer.adjoint()).gram().toDense()) {
            double truth = DenseEigen.values(dense)[0];
            assertTrue(gains.squares()[l] >= truth * (1 - 1e-12), units + " " + l);
            assertTrue(gains.squares()[l] <= 1.05 * truth + 1e-12, units + " " + l);
          }
        }
      }
      StateRestriction lower = StateSelection.parse("h_l0", null).of(linearization);
      assertEquals(0, LayerGains.of(lower).squares()[1]);
    }
  }
}
