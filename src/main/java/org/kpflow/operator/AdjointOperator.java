package org.kpflow.operator;

import java.util.OptionalDouble;
import org.kpflow.tensor.Tensor;

/** A* of an operator that is not known to be self-adjoint. */
final class AdjointOperator extends DerivedOperator {
  private final LinearOperator original;

  AdjointOperator(LinearOperator original) {
    super(original.context(), original.range(), original.domain(), original.dtype(), false);
    this.original = original;
  }

  LinearOperator original() {
    return original;
  }

  @Override
  public LinearOperator adjoint() {
    return original;
  }

  @Override
  void product(boolean adjoint, Tensor in, Tensor out) {
    original.apply(!adjoint, in, out);
  }

  @Override
  public OptionalDouble knownTrace() {
    return original.knownTrace();
  }

  @Override
  public OptionalDouble knownFrobeniusNorm() {
    return original.knownFrobeniusNorm();
  }

  @Override
  public String toString() {
    return original.factor() + "*";
  }
}
