package org.kpflow.flow;

import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LinearizedMap;
import org.kpflow.operator.LinearOperator;

/**
 * P = (I - D_h f)^{-1}, [B, T, n] to [B, T, n]: how a perturbation of the dynamics at one step
 * spreads to all later ones, (P q)_t = Σ_{s ≤ t} Φ(t, s) q_s. Trials do not mix.
 */
public final class PropagationOperator extends LinearizationOperator {
  public PropagationOperator(Linearization linearization) {
    super(given(linearization), LinearizedMap.PROPAGATION, null, linearization.stateShape(), false);
  }

  /** P^{-1} = I - D_h f, by its own banded product; no system is solved. */
  public LinearOperator inverse() {
    return new Inverse(linearization());
  }

  @Override
  public String toString() {
    return "P";
  }

  private static final class Inverse extends LinearizationOperator {
    Inverse(Linearization linearization) {
      super(
          given(linearization),
          LinearizedMap.PROPAGATION_INVERSE,
          null,
          linearization.stateShape(),
          false);
    }

    @Override
    public String toString() {
      return "P⁻¹";
    }
  }
}
