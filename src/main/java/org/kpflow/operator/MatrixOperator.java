package org.kpflow.operator;

import java.util.Arrays;
import java.util.OptionalDouble;
import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * A dense matrix M as an operator; a block goes through one GEMM. The tensor, on the device of the
 * context, is used, not copied: it stays the caller's to close, and must be neither closed (an
 * IllegalStateException at the next product) nor changed while the operator is in use.
 */
public final class MatrixOperator extends LinearOperator {
  private static final long CHUNK = 1 << 16; // elements brought to Java at a time

  private final Tensor matrix;
  private final String symbol;

  private MatrixOperator(
      ExecutionContext context,
      Shape domain,
      Shape range,
      Tensor matrix,
      boolean selfAdjoint,
      String symbol) {
    super(context, domain, range, matrix.dtype(), selfAdjoint);
    Checks.device("matrix", device(), matrix.device());
    this.matrix = matrix.reshape(Shape.of(range.count(), domain.count()));
    this.symbol = Checks.notNull(symbol, "symbol");
  }

  /**
   * The operator from [n] to [m] of a matrix [m, n]. It is self-adjoint if the matrix equals its
   * transpose exactly.
   *
   * @throws IllegalArgumentException if the tensor is not a matrix
   */
  public static MatrixOperator of(ExecutionContext context, Tensor matrix) {
    Shape shape = Checks.notNull(matrix, "matrix").shape();
    Checks.that(shape.rank() == 2, "matrix: expected shape [m, n], got %s", shape);
    return of(context, Shape.of(shape.size(1)), Shape.of(shape.size(0)), matrix);
  }

  /**
   * The operator of a matrix of shape [range.count, domain.count] or [range, domain]. It is
   * self-adjoint if domain and range agree and the matrix equals its transpose exactly.
   *
   * @throws IllegalArgumentException if the matrix has another shape
   */
  public static MatrixOperator of(
      ExecutionContext context, Shape domain, Shape range, Tensor matrix) {
    requireShape(domain, range, matrix);
    boolean symmetric = domain.equals(range) && asymmetry(context, matrix, domain.count()) == 0;
    return new MatrixOperator(context, domain, range, matrix, symmetric, "M");
  }

  /**
   * A self-adjoint operator of a matrix that is symmetric up to rounding: |M - Mᵀ| within (16 + n)
   * ε max |M|.
   *
   * @throws IllegalArgumentException if the matrix is not symmetric, with the largest difference,
   *     or has another shape
   */
  public static MatrixOperator symmetric(ExecutionContext context, Shape shape, Tensor matrix) {
    requireShape(shape, shape, matrix);
    double found = asymmetry(context, matrix, shape.count());
    double allowed =
        (16 + shape.count()) * matrix.dtype().epsilon() * largest(context, matrix, shape.count());
    Checks.that(
        found <= allowed,
        "matrix: expected a symmetric one, got differences of %.3g to its transpose (%.3g allowed)",
        found,
        allowed);
    return new MatrixOperator(context, shape, shape, matrix, true, "M");
  }

  /** This operator under another symbol in formulas. */
  public MatrixOperator named(String newSymbol) {
    return new MatrixOperator(context(), domain(), range(), matrix, isSelfAdjoint(), newSymbol);
  }

  private static void requireShape(Shape domain, Shape range, Tensor matrix) {
    Checks.notNull(domain, "domain");
    Checks.notNull(range, "range");
    Shape flat = Shape.of(range.count(), domain.count());
    Shape full = range.concat(domain);
    Shape shape = Checks.notNull(matrix, "matrix").shape();
    Checks.that(
        shape.equals(flat) || shape.equals(full),
        "matrix: expected shape %s or %s, got %s",
        flat,
        full,
        shape);
  }

  /** The largest |M - Mᵀ|, by panels of rows. */
  private static double asymmetry(ExecutionContext context, Tensor matrix, long n) {
    double worst = 0;
    long panel = BasisSweep.blockSize(n * matrix.dtype().bytes(), n);
    Tensor flat = matrix.reshape(Shape.of(n * n));
    for (long first = 0; first < n; first += panel) {
      long rows = Math.min(panel, n - first);
      try (Tensor difference = flat.slice(first * n, rows * n).copy()) {
        Tensor columns = flat.slice(first, n * n - first);
        TensorMath.strided(
            new long[] {rows, n}, -1, columns, new long[] {1, n}, 1, difference, new long[] {n, 1});
        worst = Math.max(worst, largest(context, difference, n));
      }
    }
    return worst;
  }

  /**
   * The largest magnitude, or NaN where there is one; on the GPU that of a row of n numbers, which
   * takes no transfer.
   */
  private static double largest(ExecutionContext context, Tensor tensor, long n) {
    if (tensor.device() != Device.CPU) {
      Tensor rows = tensor.reshape(Shape.of(tensor.count() / n, n));
      return Math.sqrt(Arrays.stream(TensorMath.dots(context, rows, rows)).reduce(0, Math::max));
    }
    Tensor flat = tensor.reshape(Shape.of(tensor.count()));
    double worst = 0;
    for (long first = 0; first < tensor.count(); first += CHUNK) {
      for (double value : flat.slice(first, Math.min(CHUNK, tensor.count() - first)).toDoubles()) {
        worst = Math.max(worst, Math.abs(value));
      }
    }
    return worst;
  }

  @Override
  protected void apply(Tensor in, Tensor out) {
    TensorMath.gemm(context(), false, true, 1, rows(in), matrix, 0, rows(out));
  }

  @Override
  protected void applyAdjoint(Tensor in, Tensor out) {
    TensorMath.gemm(context(), false, false, 1, rows(in), matrix, 0, rows(out));
  }

  /** A block as a matrix with an array in each row. */
  private static Tensor rows(Tensor block) {
    long s = block.shape().size(0);
    return block.reshape(Shape.of(s, block.shape().tail().count()));
  }

  /** Σ_i M_ii, summed in f64. */
  @Override
  public OptionalDouble knownTrace() {
    if (!domain().equals(range())) {
      return OptionalDouble.empty();
    }
    long n = domain().count();
    try (Tensor sum = context().zeros(DType.F64, 1)) {
      long[] diagonal = {n + 1};
      TensorMath.strided(new long[] {n}, 1, matrix, diagonal, 1, sum, new long[1]);
      return OptionalDouble.of(sum.get(0));
    }
  }

  @Override
  public OptionalDouble knownFrobeniusNorm() {
    return OptionalDouble.of(TensorMath.norm(context(), matrix));
  }

  @Override
  public String toString() {
    return symbol;
  }
}
