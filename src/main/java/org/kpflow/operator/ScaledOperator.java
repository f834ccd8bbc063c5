package org.kpflow.operator;

import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** alpha A. */
final class ScaledOperator extends DerivedOperator {
  private final double alpha;
  private final LinearOperator part;

  ScaledOperator(double alpha, LinearOperator part) {
    super(part, part.isSelfAdjoint());
    this.alpha = alpha;
    this.part = part;
  }

  @Override
  void product(boolean adjoint, Tensor in, Tensor out) {
    part.apply(adjoint, in, out);
    TensorMath.axpby(context(), alpha, out, 0, out);
  }

  @Override
  boolean isCompound() {
    return true;
  }

  @Override
  public String toString() {
    return alpha + " · " + part.factor();
  }
}
