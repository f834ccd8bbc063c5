package org.kpflow.flow;

import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LinearizedMap;

/**
 * D_Q f of one weight family, [k, n_i] to [B, T, n]: from a perturbation of its pre-activations to
 * the same step's state.
 */
public final class GateDerivative extends LinearizationOperator {
  /**
   * The derivative of a family, frozen or not.
   *
   * @throws IllegalArgumentException for a family the model does not have
   */
  public GateDerivative(Linearization linearization, String family) {
    super(given(linearization), LinearizedMap.GATE_DERIVATIVE, family);
  }

  @Override
  public String toString() {
    return "D_Q[" + family().name() + "]";
  }
}
