package org.kpflow.operator;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/**
 * An operator given by functions on blocks. The functions must be linear, write every element of
 * {@code out}, leave {@code in} alone and bear being called by several threads; shapes and types
 * are checked before they are called. They get tensors of the context's device: with a context on
 * the GPU, {@code TensorMath} works on them where they are, and reading their elements is a
 * transfer.
 */
public final class FunctionOperator extends LinearOperator {
  private final String symbol;
  private final BlockFunction forward;
  private final BlockFunction backward;

  /** A product with a block: in [s, source], out [s, target], s at least 1. */
  @FunctionalInterface
  public interface BlockFunction {
    void apply(Tensor in, Tensor out);
  }

  private FunctionOperator(
      ExecutionContext context,
      Shape domain,
      Shape range,
      DType dtype,
      boolean selfAdjoint,
      String symbol,
      BlockFunction forward,
      BlockFunction backward) {
    super(context, domain, range, dtype, selfAdjoint);
    this.symbol = Checks.notNull(symbol, "symbol");
    this.forward = Checks.notNull(forward, "apply");
    this.backward = backward;
  }

  /**
   * An operator with its adjoint: {@code apply} maps [s, domain] to [s, range], {@code
   * applyAdjoint} the other way.
   */
  public static FunctionOperator of(
      ExecutionContext context,
      Shape domain,
      Shape range,
      DType dtype,
      BlockFunction apply,
      BlockFunction applyAdjoint) {
    Checks.notNull(applyAdjoint, "applyAdjoint");
    return new FunctionOperator(context, domain, range, dtype, false, "A", apply, applyAdjoint);
  }

  /**
   * An operator without an adjoint: {@code rmatvec} and what needs it throw an
   * UnsupportedOperationException.
   */
  public static FunctionOperator forwardOnly(
      ExecutionContext context, Shape domain, Shape range, DType dtype, BlockFunction apply) {
    return new FunctionOperator(context, domain, range, dtype, false, "A", apply, null);
  }

  /** An operator that is its own adjoint; the caller vouches for that. */
  public static FunctionOperator selfAdjoint(
      ExecutionContext context, Shape shape, DType dtype, BlockFunction apply) {
    return new FunctionOperator(context, shape, shape, dtype, true, "A", apply, apply);
  }

  /** This operator under another symbol in formulas. */
  public FunctionOperator named(String newSymbol) {
    return new FunctionOperator(
        context(), domain(), range(), dtype(), isSelfAdjoint(), newSymbol, forward, backward);
  }

  @Override
  protected void apply(Tensor in, Tensor out) {
    forward.apply(in, out);
  }

  @Override
  protected void applyAdjoint(Tensor in, Tensor out) {
    if (backward == null) {
      throw new UnsupportedOperationException(
          symbol
              + ": this operator has no adjoint; make it with FunctionOperator.of and both functions, or with selfAdjoint");
    }
    backward.apply(in, out);
  }

  @Override
  public String toString() {
    return symbol;
  }
}
