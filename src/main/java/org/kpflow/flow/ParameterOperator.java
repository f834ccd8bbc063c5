package org.kpflow.flow;

import java.util.Optional;
import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LinearizedMap;
import org.kpflow.operator.LinearOperator;

/**
 * K = D_θf (D_θf)*, self-adjoint on [B, T, n]: what one gradient step on all weights does to each
 * step by itself. It mixes trials, which share the weights.
 */
public final class ParameterOperator extends KernelOperator {
  public ParameterOperator(Linearization linearization) {
    super(given(linearization), LinearizedMap.PARAMETER_OPERATOR);
  }

  /** D_θf, as K = D_θf (D_θf)*. */
  @Override
  public Optional<LinearOperator> gramFactor() {
    return Optional.of(new LocalParameterJacobian(linearization()));
  }

  @Override
  public String toString() {
    return "K";
  }
}
