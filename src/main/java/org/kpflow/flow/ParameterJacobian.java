package org.kpflow.flow;

import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LinearizedMap;

/**
 * J = D_θ h(θ) = P D_θf, [p] to [B, T, n]: what a change of the weights does to the whole state, to
 * first order. J* err is the loss gradient.
 */
public final class ParameterJacobian extends LinearizationOperator {
  public ParameterJacobian(Linearization linearization) {
    super(
        given(linearization),
        LinearizedMap.JACOBIAN,
        null,
        Shape.of(linearization.parameterCount()).named("p"),
        false);
  }

  @Override
  public String toString() {
    return "J";
  }
}
