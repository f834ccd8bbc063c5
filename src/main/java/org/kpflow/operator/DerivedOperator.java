package org.kpflow.operator;

import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/** An operator made of others: both directions in one method, and scratch blocks in between. */
abstract class DerivedOperator extends LinearOperator {
  DerivedOperator(
      ExecutionContext context, Shape domain, Shape range, DType dtype, boolean selfAdjoint) {
    super(context, domain, range, dtype, selfAdjoint);
  }

  /** Between the spaces of {@code part}, with its context and type. */
  DerivedOperator(LinearOperator part, boolean selfAdjoint) {
    this(part.context(), part.domain(), part.range(), part.dtype(), selfAdjoint);
  }

  /** out = A in, or A* in if {@code adjoint}; as {@link #apply} and {@link #applyAdjoint}. */
  abstract void product(boolean adjoint, Tensor in, Tensor out);

  @Override
  protected final void apply(Tensor in, Tensor out) {
    product(false, in, out);
  }

  @Override
  protected final void applyAdjoint(Tensor in, Tensor out) {
    product(true, in, out);
  }

  /** A new block of as many arrays as {@code like} has. */
  final Tensor scratch(Shape shape, Tensor like) {
    return zeros(shape.block(like.shape().size(0)));
  }
}
