package org.kpflow.linearize;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.kpflow.RandomModels;
import org.kpflow.RandomModels.Kind;
import org.kpflow.RandomModels.Sample;
import org.kpflow.RandomModels.Sizes;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.flow.ParameterJacobian;
import org.kpflow.model.WeightFamily;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** The derivative of the state with respect to the weights, against running the model again. */
class FiniteDifferenceTest {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final double STEP = 1e-5;

  @ParameterizedTest
  @EnumSource(Kind.class)
  void theJacobianIsTheCentralDifferenceOfTheForwardPass(Kind kind) {
    try (Sample sample = new Sample(kind, DType.F64, new Sizes(3, 7, 2, 9), 1)) {
      Linearization linearization = sample.linearize();
      Shape theta = Shape.of(linearization.parameterCount());
      Tensor direction = sample.keep(RandomModels.gaussian(DType.F64, theta, 2));
      Tensor exact = sample.keep(new ParameterJacobian(linearization).matvec(direction));
      Tensor ahead = sample.keep(moved(sample, direction, STEP));
      Tensor behind = sample.keep(moved(sample, direction, -STEP));
      TensorMath.axpby(CONTEXT, -1, behind, 1, ahead);
      double size = TensorMath.norm(CONTEXT, exact);
      TensorMath.axpby(CONTEXT, 1, exact, -1 / (2 * STEP), ahead);
      double error = TensorMath.norm(CONTEXT, ahead) / size;
      assertTrue(error < 1e-6, () -> kind + ": relative error " + error);
    }
  }

  /** The state after the weights have moved by a step along a direction in theta. */
  private static Tensor moved(Sample sample, Tensor direction, double step) {
    shift(sample, direction, step);
    try (Linearization there =
        Linearization.of(CONTEXT, sample.model, sample.inputs, sample.initial)) {
      return there.state();
    } finally {
      shift(sample, direction, -step);
    }
  }

  private static void shift(Sample sample, Tensor direction, double step) {
    long first = 0;
    for (WeightFamily family : sample.model.families()) {
      Tensor weight = sample.model.weight(family.name());
      Tensor part = direction.slice(first, family.size()).reshape(weight.shape());
      TensorMath.axpby(CONTEXT, step, part, 1, weight);
      first += family.size();
    }
    assertEquals(direction.count(), first);
  }
}
