package org.kpflow.flow;

import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LinearizedMap;

/**
 * D_Q f of one weight family, [k, n_i] to [B, T, n]: from a perturbation of its pre-activations to
 * the same step's state.
 */
public final class GateDerivative extends LinearizationOperator {
  private final String family;

  /**
   * The derivative of a family, frozen or not.
   *
   * @throws IllegalArgumentException for a family the model does not have
   */
  public GateDerivative(Linearization linearization, String family) {
    super(
        given(linearization),
        LinearizedMap.GATE_DERIVATIVE,
        linearization.family(family),
        Shape.of(linearization.rows(), linearization.family(family).outputs()).named("k", "n_i"),
        false);
    this.family = family;
  }

  @Override
  public String toString() {
    return "D_Q[" + family + "]";
  }
}
