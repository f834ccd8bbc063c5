package org.kpflow.flow;

import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LinearizedMap;

/**
 * J with weights of its own for every trial, [B, p] to [B, T, n]: block-diagonal over trials. Its
 * adjoint gives the per-trial gradients, whose sum over trials is J*.
 */
public final class TrialJacobian extends LinearizationOperator {
  public TrialJacobian(Linearization linearization) {
    super(
        given(linearization),
        LinearizedMap.TRIAL_JACOBIAN,
        null,
        Shape.of(linearization.trials(), linearization.parameterCount()).named("B", "p"),
        false);
  }

  @Override
  public String toString() {
    return "J_trial";
  }
}
