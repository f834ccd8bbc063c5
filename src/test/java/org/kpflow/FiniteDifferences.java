package org.kpflow;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.kpflow.RandomModels.Sample;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.flow.ParameterJacobian;
import org.kpflow.linearize.Linearization;
import org.kpflow.model.WeightFamily;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** Derivatives by running a model again a little aside, in f64. */
public final class FiniteDifferences {
  private static final ExecutionContext CONTEXT = ExecutionContext.shared();
  private static final double STEP = 1e-5;

  private FiniteDifferences() {}

  /** The relative error of J in a random direction against the central difference. */
  public static double jacobianError(Sample sample) {
    Linearization linearization = sample.linearize();
    Shape theta = Shape.of(linearization.parameterCount());
    Tensor direction = sample.keep(RandomModels.gaussian(DType.F64, theta, 2));
    Tensor exact = sample.keep(new ParameterJacobian(linearization).matvec(direction));
    Tensor ahead = sample.keep(moved(sample, direction, STEP));
    Tensor behind = sample.keep(moved(sample, direction, -STEP));
    return error(exact, ahead, behind);
  }

  /**
   * The largest relative error over input steps of the transition over that step, from every entry
   * of the state: the step Jacobian where a step of the input is one of the state.
   */
  public static double transitionError(Sample sample) {
    Linearization linearization = sample.linearize();
    Tensor state = sample.keep(linearization.state());
    long stages = sample.model.stepsPerInput();
    double largest = 0;
    for (long t = 1; t < sample.inputs.shape().size(1); t++) {
      Tensor before = sample.keep(atStep(state, stages * t - 1));
      Tensor x = sample.keep(atStep(sample.inputs, t));
      try (Tensor phi = linearization.stateTransition(stages * (t + 1) - 1, stages * t - 1)) {
        for (long j = 0; j < linearization.units(); j++) {
          Tensor exact = sample.keep(column(phi, j));
          Tensor ahead = sample.keep(stepped(sample, x, before, j, STEP));
          Tensor behind = sample.keep(stepped(sample, x, before, j, -STEP));
          largest = Math.max(largest, error(exact, ahead, behind));
        }
      }
    }
    return largest;
  }

  /** ||(ahead - behind) / (2 step) - exact|| relative to exact, or to 1 where that is small. */
  private static double error(Tensor exact, Tensor ahead, Tensor behind) {
    TensorMath.axpby(CONTEXT, -1, behind, 1, ahead);
    double size = Math.max(TensorMath.norm(CONTEXT, exact), 1e-2);
    TensorMath.axpby(CONTEXT, 1, exact, -1 / (2 * STEP), ahead);
    return TensorMath.norm(CONTEXT, ahead) / size;
  }

  /** [B, T, n] at one step, [B, n]. */
  private static Tensor atStep(Tensor states, long t) {
    Tensor out = Tensor.zeros(DType.F64, states.shape().size(0), states.shape().size(2));
    for (long b = 0; b < states.shape().size(0); b++) {
      out.slice(b).copyFrom(states.slice(b).slice(t));
    }
    return out;
  }

  /** Column j of every trial's matrix, [B, n]. */
  private static Tensor column(Tensor matrices, long j) {
    Tensor out = Tensor.zeros(DType.F64, matrices.shape().size(0), matrices.shape().size(1));
    for (long b = 0; b < out.shape().size(0); b++) {
      for (long i = 0; i < out.shape().size(1); i++) {
        out.set(matrices.get(b, i, j), b, i);
      }
    }
    return out;
  }

  /** The state after one input, from a state moved in entry j. */
  private static Tensor stepped(Sample sample, Tensor x, Tensor before, long j, double step) {
    try (Tensor from = before.copy()) {
      for (long b = 0; b < from.shape().size(0); b++) {
        from.set(from.get(b, j) + step, b, j);
      }
      long trials = x.shape().size(0);
      Tensor input = x.reshape(Shape.of(trials, 1, x.shape().size(1)));
      try (Linearization there = Linearization.of(CONTEXT, sample.model, input, from);
          Tensor state = there.state()) {
        return atStep(state, state.shape().size(1) - 1);
      }
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
