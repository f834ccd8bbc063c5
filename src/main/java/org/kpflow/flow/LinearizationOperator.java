package org.kpflow.flow;

import org.kpflow.base.Checks;
import org.kpflow.base.Shape;
import org.kpflow.linearize.Linearization;
import org.kpflow.linearize.LinearizedMap;
import org.kpflow.model.WeightFamily;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.Tensor;

/**
 * A linear map of a linearization: every product of a block is one native call. Closing the
 * linearization ends the operator.
 */
abstract class LinearizationOperator extends LinearOperator {
  private final Linearization linearization;
  private final LinearizedMap map;
  private final WeightFamily family;

  LinearizationOperator(
      Linearization linearization,
      LinearizedMap map,
      WeightFamily family,
      Shape domain,
      boolean selfAdjoint) {
    super(
        linearization.context(),
        domain,
        linearization.stateShape(),
        linearization.dtype(),
        selfAdjoint);
    this.linearization = linearization;
    this.map = map;
    this.family = family;
  }

  /** A map from the pre-activations of one family, [k, n_i]. */
  LinearizationOperator(Linearization linearization, LinearizedMap map, String family) {
    this(
        linearization,
        map,
        linearization.family(family),
        Shape.of(linearization.rows(), linearization.family(family).outputs()).named("k", "n_i"),
        false);
  }

  /** The argument that comes first in every constructor, before anything is asked of it. */
  static Linearization given(Linearization linearization) {
    return Checks.notNull(linearization, "linearization");
  }

  /** What the operator was built from. */
  public final Linearization linearization() {
    return linearization;
  }

  final LinearizedMap map() {
    return map;
  }

  final WeightFamily family() {
    return family;
  }

  @Override
  protected final void apply(Tensor in, Tensor out) {
    linearization.apply(map, family, false, in, out);
  }

  @Override
  protected final void applyAdjoint(Tensor in, Tensor out) {
    linearization.apply(map, family, true, in, out);
  }
}
