package org.kpflow.operator;

import java.util.OptionalDouble;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** A + sign B with sign 1 or -1. */
final class SumOperator extends DerivedOperator {
  private final LinearOperator left;
  private final int sign;
  private final LinearOperator right;

  SumOperator(LinearOperator left, int sign, LinearOperator right) {
    super(left, left.isSelfAdjoint() && right.isSelfAdjoint());
    this.left = left;
    this.sign = sign;
    this.right = right;
  }

  @Override
  void product(boolean adjoint, Tensor in, Tensor out) {
    left.apply(adjoint, in, out);
    try (Tensor term = scratch(target(adjoint), in)) {
      right.apply(adjoint, in, term);
      TensorMath.axpby(context(), sign, term, 1, out);
    }
  }

  /** tr(A + B) = tr A + tr B. */
  @Override
  public OptionalDouble knownTrace() {
    OptionalDouble first = left.knownTrace();
    OptionalDouble second = right.knownTrace();
    return first.isPresent() && second.isPresent()
        ? OptionalDouble.of(first.getAsDouble() + sign * second.getAsDouble())
        : OptionalDouble.empty();
  }

  @Override
  boolean isCompound() {
    return true;
  }

  @Override
  public String toString() {
    String first = left instanceof SumOperator ? left.toString() : left.factor();
    return first + (sign > 0 ? " + " : " - ") + right.factor();
  }
}
