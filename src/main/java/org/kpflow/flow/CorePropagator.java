package org.kpflow.flow;

import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LinearizedMap;

/**
 * P_core,i = P D_Q f of one weight family, [k, n_i] to [B, T, n]: from a perturbation of its
 * pre-activations to the state.
 */
public final class CorePropagator extends LinearizationOperator {
  /**
   * The propagator of a family, frozen or not.
   *
   * @throws IllegalArgumentException for a family the model does not have
   */
  public CorePropagator(Linearization linearization, String family) {
    super(given(linearization), LinearizedMap.CORE_PROPAGATOR, family);
  }

  @Override
  public String toString() {
    return "P_core[" + family().name() + "]";
  }
}
