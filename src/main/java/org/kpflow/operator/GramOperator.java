package org.kpflow.operator;

import java.util.Optional;
import org.kpflow.tensor.Tensor;

/** A* A. */
final class GramOperator extends DerivedOperator {
  private final LinearOperator part;

  GramOperator(LinearOperator part) {
    super(part.context(), part.domain(), part.domain(), part.dtype(), true);
    this.part = part;
  }

  @Override
  void product(boolean adjoint, Tensor in, Tensor out) {
    try (Tensor image = scratch(part.range(), in)) {
      part.apply(in, image);
      part.applyAdjoint(image, out);
    }
  }

  @Override
  public Optional<LinearOperator> gramFactor() {
    return Optional.of(part.adjoint());
  }

  @Override
  boolean isCompound() {
    return true;
  }

  @Override
  public String toString() {
    return part.adjoint().factor() + " ∘ " + part.factor();
  }
}
