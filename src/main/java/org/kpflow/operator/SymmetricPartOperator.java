package org.kpflow.operator;

import java.util.OptionalDouble;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/** (A + A*) / 2. */
final class SymmetricPartOperator extends DerivedOperator {
  private final LinearOperator part;

  SymmetricPartOperator(LinearOperator part) {
    super(part, true);
    this.part = part;
  }

  @Override
  void product(boolean adjoint, Tensor in, Tensor out) {
    part.apply(in, out);
    try (Tensor mirrored = scratch(domain(), in)) {
      part.applyAdjoint(in, mirrored);
      TensorMath.axpby(context(), 0.5, mirrored, 0.5, out);
    }
  }

  @Override
  public OptionalDouble knownTrace() {
    return part.knownTrace();
  }

  @Override
  public String toString() {
    return "sym(" + part + ")";
  }
}
