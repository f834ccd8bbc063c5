package org.kpflow.flow;

import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LinearizedMap;

/**
 * D_θf, [p] to [B, T, n]: what a change of the weights does to each step with the state before it
 * held fixed.
 */
public final class LocalParameterJacobian extends LinearizationOperator {
  public LocalParameterJacobian(Linearization linearization) {
    super(
        given(linearization),
        LinearizedMap.LOCAL_JACOBIAN,
        null,
        Shape.of(linearization.parameterCount()).named("p"),
        false);
  }

  @Override
  public String toString() {
    return "D_θf";
  }
}
