package org.kpflow.operator;

import java.util.Locale;
import org.kpflow.base.CancelledException;
import org.kpflow.base.MemoryException;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * What is known exactly once an operator has been applied to every basis vector of its domain; in
 * blocks of bounded size.
 */
final class BasisSweep {
  private static final long SCRATCH_BYTES = 64L << 20;
  private static final long MOST_VECTORS =
      64; // more gains nothing in a GEMM, and operators have scratch of their own

  private BasisSweep() {}

  /** Takes the basis vectors from {@code first} on: [c, domain]. */
  @FunctionalInterface
  private interface Visitor {
    void visit(long first, Tensor basis);
  }

  /**
   * How many vectors to send through an operator together, at least 1, when each takes the given
   * bytes of scratch.
   */
  static long blockSize(long bytesPerVector, long wanted) {
    long fitting = SCRATCH_BYTES / Math.max(bytesPerVector, 1);
    return Math.max(1, Math.min(wanted, Math.min(fitting, MOST_VECTORS)));
  }

  /**
   * Between blocks: native calls stop by themselves, but an operator written in Java may make none.
   */
  static void stopIfInterrupted() {
    if (Thread.currentThread().isInterrupted()) {
      throw new CancelledException("cancelled: the thread was interrupted");
    }
  }

  static Tensor toDense(LinearOperator a) {
    long rows = a.range().count();
    long columns = a.domain().count();
    Tensor dense = allocate(a, rows, columns);
    try {
      long size = blockSize(a, 1);
      Tensor flat = dense.reshape(Shape.of(dense.count()));
      try (Tensor images = a.zeros(a.range().block(size))) {
        sweep(
            a,
            size,
            (first, basis) -> {
              long count = basis.shape().size(0);
              a.apply(basis, images.slice(0, count));
              TensorMath.strided(
                  new long[] {rows, count},
                  1,
                  images,
                  new long[] {1, rows},
                  0,
                  flat.slice(first, flat.count() - first),
                  new long[] {columns, 1});
            });
      }
      return dense;
    } catch (RuntimeException | Error failure) {
      dense.close();
      throw failure;
    }
  }

  static double compare(LinearOperator a, LinearOperator b) {
    double[] squares = new double[3]; // of A, B, A - B
    long size = blockSize(a, 2);
    try (Tensor left = a.zeros(a.range().block(size));
        Tensor right = a.zeros(a.range().block(size))) {
      sweep(
          a,
          size,
          (first, basis) -> {
            Tensor ofA = left.slice(0, basis.shape().size(0));
            Tensor ofB = right.slice(0, basis.shape().size(0));
            a.apply(basis, ofA);
            b.apply(basis, ofB);
            squares[0] += TensorMath.dot(a.context(), ofA, ofA);
            squares[1] += TensorMath.dot(a.context(), ofB, ofB);
            TensorMath.axpby(a.context(), -1, ofB, 1, ofA);
            squares[2] += TensorMath.dot(a.context(), ofA, ofA);
          });
    }
    double scale = Math.max(squares[0], squares[1]);
    return scale == 0 ? 0 : Math.sqrt(squares[2] / scale);
  }

  static double frobeniusNorm(LinearOperator a) {
    double[] square = new double[1];
    long size = blockSize(a, 1);
    try (Tensor images = a.zeros(a.range().block(size))) {
      sweep(
          a,
          size,
          (first, basis) -> {
            Tensor image = images.slice(0, basis.shape().size(0));
            a.apply(basis, image);
            square[0] += TensorMath.dot(a.context(), image, image);
          });
    }
    return Math.sqrt(square[0]);
  }

  private static long blockSize(LinearOperator a, int images) {
    return blockSize(
        (a.domain().count() + images * a.range().count()) * a.dtype().bytes(), a.domain().count());
  }

  /** Visits the basis of the domain of {@code a} in blocks of at most {@code size} vectors. */
  private static void sweep(LinearOperator a, long size, Visitor visitor) {
    long count = a.domain().count();
    long[] diagonal = {count + 1};
    try (Tensor basis = a.zeros(a.domain().block(size))) {
      for (long first = 0; first < count; first += size) {
        stopIfInterrupted();
        long length = Math.min(size, count - first);
        Tensor block = basis.slice(0, length);
        Tensor flat = block.reshape(Shape.of(block.count()));
        Tensor corner = flat.slice(first, flat.count() - first);
        TensorMath.fill(new long[] {length}, 1, corner, diagonal);
        visitor.visit(first, block);
        TensorMath.fill(new long[] {length}, 0, corner, diagonal);
      }
    }
  }

  private static Tensor allocate(LinearOperator a, long rows, long columns) {
    double bytes = (double) rows * columns * a.dtype().bytes();
    if (bytes < Long.MAX_VALUE / 2) {
      try {
        return a.zeros(rows, columns);
      } catch (MemoryException refused) {
        throw tooLarge(a, bytes, ": " + refused.getMessage(), refused);
      }
    }
    throw tooLarge(a, bytes, "", null);
  }

  private static MemoryException tooLarge(
      LinearOperator a, double bytes, String why, Throwable cause) {
    String message =
        String.format(
            Locale.ROOT,
            "toDense: %s as a matrix [%d, %d] of %s takes %.3g bytes%s; keep it matrix-free or reduce it first",
            a,
            a.range().count(),
            a.domain().count(),
            a.dtype(),
            bytes,
            why);
    return new MemoryException(message, cause);
  }
}
