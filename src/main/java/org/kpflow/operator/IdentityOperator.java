package org.kpflow.operator;

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

  @Override
  public String toString() {
    return "I";
  }
}
