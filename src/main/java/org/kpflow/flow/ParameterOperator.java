package org.kpflow.flow;

import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LinearizedMap;
import org.kpflow.nativelib.LinearizationHandle;
import org.kpflow.nativelib.NativeOperator;

/**
 * K = D_θf (D_θf)*, self-adjoint on [B, T, n]: what one gradient step on all weights does to each
 * step by itself. It mixes trials, which share the weights.
 */
public final class ParameterOperator extends LinearizationOperator implements NativeOperator {
  public ParameterOperator(Linearization linearization) {
    super(
        given(linearization),
        LinearizedMap.PARAMETER_OPERATOR,
        null,
        linearization.stateShape(),
        true);
  }

  @Override
  public LinearizationHandle handle() {
    return linearization().handle();
  }

  @Override
  public int operatorCode() {
    return map().ordinal();
  }

  @Override
  public String toString() {
    return "K";
  }
}
