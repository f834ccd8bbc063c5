package org.kpflow.tensor;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.Shape;
import org.kpflow.nativelib.Engine;

/**
 * Arithmetic on whole tensors, by native kernels. Shapes, types and devices must agree, the devices
 * with that of the context too; results do not depend on the thread count.
 */
public final class TensorMath {
  private TensorMath() {}

  private static void alike(ExecutionContext context, Tensor x, Tensor y) {
    Checks.notNull(context, "context");
    Checks.notNull(y, "y");
    Checks.shape("y", Checks.notNull(x, "x").shape(), y.shape());
    Checks.dtype("y", x.dtype(), y.dtype());
    onDevice(context, "x", x);
    onDevice(context, "y", y);
  }

  static void onDevice(ExecutionContext context, String name, Tensor tensor) {
    Checks.device(name, context.device(), tensor.device());
  }

  /** y = alpha x + beta y; with beta 0, y is not read. */
  public static void axpby(
      ExecutionContext context, double alpha, Tensor x, double beta, Tensor y) {
    alike(context, x, y);
    Engine.axpby(context.handle(), x.dtype(), x.count(), alpha, x.memory(), beta, y.memory());
  }

  /** x = alpha x. */
  public static void scale(ExecutionContext context, double alpha, Tensor x) {
    alike(context, x, x);
    Engine.axpby(context.handle(), x.dtype(), x.count(), alpha, x.memory(), 0, x.memory());
  }

  /** Inner product over all elements, accumulated in f64. */
  public static double dot(ExecutionContext context, Tensor x, Tensor y) {
    alike(context, x, y);
    return Engine.dot(context.handle(), x.dtype(), 1, x.count(), x.memory(), y.memory())[0];
  }

  /** Inner products of corresponding entries of the leading axis: [s]. */
  public static double[] dots(ExecutionContext context, Tensor x, Tensor y) {
    alike(context, x, y);
    long rows = x.shape().size(0);
    return Engine.dot(
        context.handle(), x.dtype(), rows, x.shape().tail().count(), x.memory(), y.memory());
  }

  /** Euclidean norm of all elements. */
  public static double norm(ExecutionContext context, Tensor x) {
    return Math.sqrt(dot(context, x, x));
  }

  /** C = alpha op(A) op(B) + beta C for matrices; op transposes where asked. */
  public static void gemm(
      ExecutionContext context,
      boolean transposeA,
      boolean transposeB,
      double alpha,
      Tensor a,
      Tensor b,
      double beta,
      Tensor c) {
    Checks.notNull(context, "context");
    for (Tensor matrix : new Tensor[] {a, b, c}) {
      Checks.notNull(matrix, "gemm");
      Checks.that(
          matrix.shape().rank() == 2, "gemm: expected matrices, got shape %s", matrix.shape());
      Checks.dtype("gemm", a.dtype(), matrix.dtype());
      onDevice(context, "gemm", matrix);
    }
    long m = a.shape().size(transposeA ? 1 : 0);
    long k = a.shape().size(transposeA ? 0 : 1);
    long n = b.shape().size(transposeB ? 0 : 1);
    Checks.that(
        b.shape().size(transposeB ? 1 : 0) == k,
        "gemm: inner sizes of %s and %s differ",
        a.shape(),
        b.shape());
    Checks.shape("c", Shape.of(m, n), c.shape());
    Checks.that(
        !c.overlaps(a) && !c.overlaps(b),
        "c: shares memory with a factor; expected a tensor of its own");
    Engine.gemm(
        context.handle(),
        a.dtype(),
        transposeA,
        transposeB,
        m,
        n,
        k,
        alpha,
        a.memory(),
        b.memory(),
        beta,
        c.memory());
  }

  /**
   * X Yᵀ as a new f64 tensor [m, s] on the CPU: the inner products of all rows of X [m, n] with all
   * rows of Y [s, n], summed over n in f64. For few long rows, where a GEMM would find nothing to
   * share out among threads.
   */
  public static Tensor rowProducts(ExecutionContext context, Tensor x, Tensor y) {
    Checks.notNull(context, "context");
    matrix("x", x);
    matrix("y", y);
    Checks.dtype("y", x.dtype(), y.dtype());
    onDevice(context, "x", x);
    onDevice(context, "y", y);
    long m = x.shape().size(0);
    long n = x.shape().size(1);
    long s = y.shape().size(0);
    Checks.shape("y", Shape.of(s, n), y.shape());
    Tensor out = Tensor.zeros(DType.F64, m, s);
    try {
      Engine.rowProducts(
          context.handle(), x.dtype(), m, s, n, x.memory(), y.memory(), out.memory());
      return out;
    } catch (RuntimeException | Error failure) {
      out.close();
      throw failure;
    }
  }

  /**
   * Replaces the first k rows of X [m, n] by C X, with C [k, m] in f64 on the CPU, rounded to the
   * type of X, and k at most m. The other rows stay; nothing of the size of X is allocated.
   */
  public static void combineRows(ExecutionContext context, Tensor coefficients, Tensor x) {
    Checks.notNull(context, "context");
    matrix("coefficients", coefficients);
    matrix("x", x);
    Checks.dtype("coefficients", DType.F64, coefficients.dtype());
    Checks.device("coefficients", Device.CPU, coefficients.device());
    onDevice(context, "x", x);
    long k = coefficients.shape().size(0);
    long m = x.shape().size(0);
    Checks.shape("coefficients", Shape.of(k, m), coefficients.shape());
    Checks.that(k <= m, "coefficients: expected at most %d rows, got %d", m, k);
    Engine.combineRows(
        context.handle(), x.dtype(), k, m, x.shape().size(1), coefficients.memory(), x.memory());
  }

  private static void matrix(String name, Tensor tensor) {
    Checks.that(
        Checks.notNull(tensor, name).shape().rank() == 2,
        "%s: expected a matrix, got shape %s",
        name,
        tensor.shape());
  }

  /** Replaces the rows of a [m, n], m at most n, by an orthonormal basis of their span. */
  public static void orthonormalizeRows(Tensor a) {
    Checks.notNull(a, "a");
    Checks.that(
        a.shape().rank() == 2 && a.shape().size(0) <= a.shape().size(1),
        "rows: expected a matrix with at most as many rows as columns, got shape %s",
        a.shape());
    Engine.orthonormalize(
        ExecutionContext.serial(a.device()).handle(),
        a.dtype(),
        a.shape().size(0),
        a.shape().size(1),
        a.memory());
  }

  /** y[i . strides] = value for every index i of the shape, in row-major order. */
  public static void fill(long[] sizes, double value, Tensor y, long[] strides) {
    Checks.notNull(y, "y");
    try (Tensor one = Tensor.of(y.device(), DType.F64, Shape.of(1), value)) {
      strided(sizes, 1, one, new long[sizes.length], 0, y, strides);
    }
  }

  /**
   * y = alpha x + beta y with explicit strides per axis of the index space; a zero stride repeats
   * or accumulates. The types may differ, the devices not.
   */
  public static void strided(
      long[] sizes,
      double alpha,
      Tensor x,
      long[] xStrides,
      double beta,
      Tensor y,
      long[] yStrides) {
    Checks.notNull(sizes, "sizes");
    Checks.notNull(xStrides, "xStrides");
    Checks.notNull(yStrides, "yStrides");
    Checks.notNull(x, "x");
    Checks.notNull(y, "y");
    Checks.device("y", x.device(), y.device());
    Engine.stridedAxpby(
        ExecutionContext.serial(x.device()).handle(),
        sizes,
        alpha,
        x.dtype(),
        x.memory(),
        xStrides,
        beta,
        y.dtype(),
        y.memory(),
        yStrides);
  }
}
