package org.kpflow.operator;

import java.util.Optional;
import java.util.OptionalDouble;
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
  public OptionalDouble knownTrace() {
    return product(OptionalDouble.of(alpha), part.knownTrace());
  }

  @Override
  public OptionalDouble knownFrobeniusNorm() {
    return product(OptionalDouble.of(Math.abs(alpha)), part.knownFrobeniusNorm());
  }

  /** alpha F F* = (√alpha F)(√alpha F)*. */
  @Override
  public Optional<LinearOperator> gramFactor() {
    return alpha > 0
        ? part.gramFactor().map(factor -> factor.scale(Math.sqrt(alpha)))
        : Optional.empty();
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
