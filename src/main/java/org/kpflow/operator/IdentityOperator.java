package org.kpflow.operator;

import java.util.OptionalDouble;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** I: gives what it takes. */
public final class IdentityOperator extends LinearOperator {
  /** The identity on arrays of a shape. */
  public IdentityOperator(ExecutionContext context, Shape shape, DType dtype) {
    super(context, shape, shape, dtype, true);
  }

  @Override
  protected void apply(Tensor in, Tensor out) {
    out.copyFrom(in);
  }

  @Override
  protected void applyAdjoint(Tensor in, Tensor out) {
    out.copyFrom(in);
  }

  /** tr I. */
  @Override
  public OptionalDouble knownTrace() {
    return OptionalDouble.of(domain().count());
  }

  @Override
  public OptionalDouble knownFrobeniusNorm() {
    return OptionalDouble.of(Math.sqrt(domain().count()));
  }

  @Override
  public String toString() {
    return "I";
  }
}
