package org.kpflow.estimate;

import org.kpflow.base.Shape;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * Probes z on the traced axes of a square operator, and what they see of its rest R = (I - P) A (I
 * - P): E (I ⊗ z)ᵀ R (I ⊗ z) is the partial trace of R over these axes.
 */
final class TracedProbes {
  private static final long BLOCK_BYTES = 64L << 20;

  private final LinearOperator operator;
  private final AxisOrder order;
  private final Sampler sampler;
  private final Deflation leading; // null for P = 0

  /** What is done with the rows that one probe gives. */
  @FunctionalInterface
  interface Visitor {
    /** Rows [c, κ] are (I ⊗ z)ᵀ R (x ⊗ z) for x {@code first} to {@code first + c - 1}. */
    void visit(long first, Tensor rows);
  }

  TracedProbes(LinearOperator operator, AxisOrder order, Sampler sampler, Deflation leading) {
    this.operator = operator;
    this.order = order;
    this.sampler = sampler;
    this.leading = leading;
  }

  /** How many arrays go through the operator together. */
  long blockRows() {
    long bytes = operator.domain().count() * operator.dtype().bytes();
    return Math.max(1, BLOCK_BYTES / Math.max(1, bytes));
  }

  /**
   * Sends x [s, κ] ⊗ z through R, or R* if {@code adjoint}, for the probes {@code from} to {@code
   * to - 1}; s κ products each in blocks of bounded size.
   */
  void visit(boolean adjoint, Tensor x, int from, int to, Visitor visitor) {
    long s = x.shape().size(0);
    long rows = Math.min(blockRows(), Math.multiplyExact(s, (long) to - from));
    long chunk = Math.min(s, rows);
    long together = Math.max(1, rows / Math.max(1, chunk)); // probes in a block
    Shape matrices = Shape.of(chunk * together, order.kept(), order.traced());
    try (Tensor inputs = operator.zeros(operator.domain().block(chunk * together));
        Tensor images = operator.zeros(operator.domain().block(chunk * together));
        Tensor scratch = operator.zeros(matrices);
        Tensor probes = operator.zeros(together, order.traced())) {
      for (int start = from; start < to; start += (int) together) {
        long count = Math.min(together, to - start);
        Tensor z = probes.slice(0, count);
        sampler.fill(operator.context(), start, z);
        for (long first = 0; first < s; first += chunk) {
          Sampling.stopIfInterrupted();
          long length = Math.min(chunk, s - first);
          Tensor part = x.slice(first, length);
          Tensor in = inputs.slice(0, length * count);
          Tensor out = images.slice(0, length * count);
          expand(part, z, scratch.slice(0, length * count), in);
          apply(adjoint, in, out);
          contract(out, z, scratch.slice(0, length * count), length, first, visitor);
        }
      }
    }
  }

  /** in[(i, a)] = x_a ⊗ z_i for the probes i and the rows a. */
  private void expand(Tensor x, Tensor z, Tensor scratch, Tensor in) {
    long length = x.shape().size(0);
    Tensor column = x.reshape(Shape.of(length * order.kept(), 1));
    for (long i = 0; i < z.shape().size(0); i++) {
      Tensor outer = scratch.slice(i * length, length);
      TensorMath.gemm(
          operator.context(),
          false,
          false,
          1,
          column,
          z.slice(i, 1),
          0,
          outer.reshape(Shape.of(length * order.kept(), order.traced())));
    }
    order.fromMatrices(scratch, in);
  }

  private void apply(boolean adjoint, Tensor in, Tensor out) {
    if (leading != null) {
      leading.project(1, in);
    }
    if (adjoint) {
      operator.rmatmat(in, out);
    } else {
      operator.matmat(in, out);
    }
    if (leading != null) {
      leading.project(1, out);
    }
  }

  private void contract(
      Tensor out, Tensor z, Tensor scratch, long length, long first, Visitor visitor) {
    order.toMatrices(out, scratch);
    try (Tensor rows = operator.zeros(length, order.kept())) {
      for (long i = 0; i < z.shape().size(0); i++) {
        Tensor image = scratch.slice(i * length, length);
        TensorMath.gemm(
            operator.context(),
            false,
            true,
            1,
            image.reshape(Shape.of(length * order.kept(), order.traced())),
            z.slice(i, 1),
            0,
            rows.reshape(Shape.of(length * order.kept(), 1)));
        visitor.visit(first, rows);
      }
    }
  }
}
