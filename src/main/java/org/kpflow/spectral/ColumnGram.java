package org.kpflow.spectral;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.base.MemoryException;
import org.kpflow.base.Progress;
import org.kpflow.base.Shape;
import org.kpflow.nativelib.Engine;
import org.kpflow.operator.LinearOperator;
import org.kpflow.tensor.Tensor;
import org.kpflow.tensor.TensorMath;

/**
 * The Gram matrix F* F [R, R] of the columns of a factor F, A = F F*: its eigenvalues are all
 * non-zero ones of A, and an eigenvector w lifts to the eigenvector F w / √λ of A.
 */
public final class ColumnGram {
  /** The largest R: a matrix [R, R] in f64 and its eigenvectors have to fit. */
  public static final long MOST_COLUMNS = 16000;

  private static final long PANEL_BYTES = 1L << 30;
  private static final long BLOCK = 128;

  private ColumnGram() {}

  /**
   * <x_c, x_d> for all columns, [R, R] in f64, as a new tensor. Columns that do not fit at once are
   * formed again for every panel of the others.
   *
   * @param progress told the number of column pairs done, in panels
   * @throws MemoryException if there are more than {@value #MOST_COLUMNS} columns
   */
  public static Tensor of(ReducedViews.Columns columns, Progress progress) {
    long count = Checks.notNull(columns, "columns").count();
    Checks.notNull(progress, "progress");
    requireMemory(count);
    LinearOperator owner = columns.owner();
    Shape state = owner.range();
    long vector = state.count() * owner.dtype().bytes();
    long panel = Math.max(1, Math.min(count, PANEL_BYTES / Math.max(1, 2 * vector)));
    long pieces = (count + panel - 1) / panel;
    progress.stage("Gram matrix of the columns", pieces * (pieces + 1) / 2);
    Tensor gram = owner.context().zeros(DType.F64, count, count);
    long done = 0;
    try (Tensor left = owner.zeros(state.block(panel));
        Tensor right = owner.zeros(state.block(pieces > 1 ? panel : 0))) {
      for (long i = 0; i < count; i += panel) {
        Tensor x = filled(columns, i, Math.min(panel, count - i), left);
        for (long j = i; j < count; j += panel) {
          Tensor y = i == j ? x : filled(columns, j, Math.min(panel, count - j), right);
          add(owner, x, y, gram, i, j);
          progress.done(++done);
        }
      }
      return gram;
    } catch (RuntimeException failure) {
      gram.close();
      throw failure;
    }
  }

  private static void requireMemory(long count) {
    long available = Engine.availableMemory(Device.CPU);
    long bytes = 3 * count * count * Double.BYTES;
    if (count > MOST_COLUMNS || (available >= 0 && bytes > available)) {
      throw new MemoryException(
          "all eigenvalues: a matrix of "
              + count
              + " x "
              + count
              + " takes "
              + (bytes >> 30)
              + " GiB with its eigenvectors; use fewer trials or steps, the leading modes, or the spectral density");
    }
  }

  private static Tensor filled(ReducedViews.Columns columns, long first, long count, Tensor room) {
    Tensor out = room.slice(0, count);
    for (long done = 0; done < count; done += BLOCK) { // bounds the scratch of the columns
      long s = Math.min(BLOCK, count - done);
      columns.fill(first + done, out.slice(done, s));
    }
    return out;
  }

  /** gram[i.., j..] = X Yᵀ, and its transpose. */
  private static void add(LinearOperator owner, Tensor x, Tensor y, Tensor gram, long i, long j) {
    long size = owner.range().count();
    long rows = x.shape().size(0);
    long columns = y.shape().size(0);
    long r = gram.shape().size(0);
    Tensor flat = gram.reshape(Shape.of(r * r));
    try (Tensor products = owner.zeros(rows, columns)) {
      Tensor a = x.reshape(Shape.of(rows, size));
      Tensor b = y.reshape(Shape.of(columns, size));
      TensorMath.gemm(owner.context(), false, true, 1, a, b, 0, products);
      long[] sizes = {rows, columns};
      long[] from = {columns, 1};
      Tensor upper = flat.slice(i * r + j, r * r - i * r - j);
      TensorMath.strided(sizes, 1, products, from, 0, upper, new long[] {r, 1});
      if (i != j) {
        Tensor lower = flat.slice(j * r + i, r * r - j * r - i);
        TensorMath.strided(sizes, 1, products, from, 0, lower, new long[] {1, r});
      }
    }
  }
}
