package org.kpflow.flow;

import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LinearizedMap;

/**
 * K = D_θf (D_θf)*, self-adjoint on [B, T, n]: what one gradient step on all weights does to each
 * step by itself. It mixes trials, which share the weights.
 */
public final class ParameterOperator extends KernelOperator {
  public ParameterOperator(Linearization linearization) {
    super(given(linearization), LinearizedMap.PARAMETER_OPERATOR);
  }

  @Override
  public String toString() {
    return "K";
  }
}
