package org.kpflow.flow;

import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Φ(t, s) = J_t … J_{s+1}, [B, n] to [B, n], without forming it: P applied to a perturbation at
 * step s, read at step t. Block-diagonal over trials, I for t = s and 0 for t before s. In a stack
 * a local perturbation of one layer moves the layers above at the same step, so the one that makes
 * step s move as wanted comes from P^{-1}.
 */
public final class StateTransition extends LinearOperator {
  private final PropagationOperator propagation;
  private final long target;
  private final long source;
  private final boolean stacked;

  /**
   * The transition from step s to step t.
   *
   * @throws IllegalArgumentException if a step is not one of 0 to T - 1, or the model does not step
   *     through time
   */
  public StateTransition(Linearization linearization, long t, long s) {
    super(
        LinearizationOperator.given(linearization).context(),
        space(linearization),
        space(linearization),
        linearization.dtype(),
        false);
    linearization.requireStepsThroughTime("state transitions");
    this.propagation = new PropagationOperator(linearization);
    this.target = Checks.range("t", t, 0, linearization.steps() - 1);
    this.source = Checks.range("s", s, 0, linearization.steps() - 1);
    this.stacked = linearization.layers().size() > 1;
  }

  private static Shape space(Linearization linearization) {
    return Shape.of(linearization.trials(), linearization.units()).named("B", "n");
  }

  @Override
  protected void apply(Tensor in, Tensor out) {
    try (Tensor local = localPerturbation(in);
        Tensor answers = propagation.matmat(local)) {
      copy(answers, target, out, true);
    }
  }

  @Override
  protected void applyAdjoint(Tensor in, Tensor out) {
    try (Tensor states = perturbed(in, target);
        Tensor answers = propagation.rmatmat(states)) {
      copy(answers, source, out, true);
    }
    if (stacked) {
      try (Tensor states = perturbed(out, source);
          Tensor local = propagation.inverse().rmatmat(states)) {
        copy(local, source, out, true);
      }
    }
  }

  /**
   * The local perturbation at step s, zero at other steps, whose effect at step s is {@code in}.
   */
  private Tensor localPerturbation(Tensor in) {
    Tensor states = perturbed(in, source);
    if (!stacked) {
      return states;
    }
    try (states;
        Tensor local = propagation.inverse().matmat(states);
        Tensor part = zeros(in.shape())) {
      copy(local, source, part, true);
      return perturbed(part, source);
    }
  }

  /** A block of states that are zero but for one step. */
  private Tensor perturbed(Tensor in, long step) {
    Tensor states = zeros(propagation.domain().block(in.shape().size(0)));
    copy(states, step, in, false);
    return states;
  }

  /** Between one step of states [s, B, T, n] and a block [s, B, n], reading or writing the step. */
  private void copy(Tensor states, long step, Tensor block, boolean read) {
    long trials = domain().size(0);
    long n = domain().size(1);
    long steps = propagation.domain().size(1);
    Tensor flat = states.reshape(Shape.of(states.count()));
    Tensor part = flat.slice(step * n, flat.count() - step * n);
    long[] sizes = {block.shape().size(0), trials, n};
    long[] inStates = {trials * steps * n, steps * n, 1};
    long[] inBlock = {trials * n, n, 1};
    if (read) {
      TensorMath.strided(sizes, 1, part, inStates, 0, block, inBlock);
    } else {
      TensorMath.strided(sizes, 1, block, inBlock, 0, part, inStates);
    }
  }

  @Override
  public String toString() {
    return "Φ(" + target + ", " + source + ")";
  }
}
