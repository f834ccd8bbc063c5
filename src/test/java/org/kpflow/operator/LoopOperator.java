package org.kpflow.operator;

import java.util.Arrays;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.ExecutionContext;
import org.kpflow.tensor.Tensor;

/**
 * An operator as a user would write it in Java: a matrix applied by plain loops, nothing shared
 * with the library's own operators.
 */
final class LoopOperator extends LinearOperator {
  final double[][] matrix;
  int largestBlock;

  LoopOperator(DType dtype, Shape domain, Shape range, double[][] matrix, boolean selfAdjoint) {
    super(ExecutionContext.shared(), domain, range, dtype, selfAdjoint);
    this.matrix = matrix;
  }

  static LoopOperator random(DType dtype, Shape domain, Shape range, long seed) {
    return new LoopOperator(
        dtype, domain, range, Matrices.random(dtype, range.count(), domain.count(), seed), false);
  }

  static LoopOperator symmetric(DType dtype, Shape shape, long seed) {
    double[][] a = Matrices.random(dtype, shape.count(), shape.count(), seed);
    double[][] mirrored =
        Matrices.fill(a.length, a.length, (i, j) -> a[Math.min(i, j)][Math.max(i, j)]);
    return new LoopOperator(dtype, shape, shape, mirrored, true);
  }

  @Override
  protected void apply(Tensor in, Tensor out) {
    multiply(in, matrix, out);
  }

  @Override
  protected void applyAdjoint(Tensor in, Tensor out) {
    multiply(in, Matrices.transpose(matrix), out);
  }

  private void multiply(Tensor in, double[][] by, Tensor out) {
    int s = (int) in.shape().size(0);
    double[] y = new double[s * by.length];
    Arrays.fill(y, Double.NaN);
    out.copyFrom(y); // before the input is read: shows where a caller lets the two overlap
    largestBlock = Math.max(largestBlock, s);
    double[][] x = Matrices.rows(in, s);
    Arrays.fill(y, 0);
    for (int row = 0; row < y.length; row++) {
      for (int k = 0; k < by[row % by.length].length; k++) {
        y[row] += by[row % by.length][k] * x[row / by.length][k];
      }
    }
    out.copyFrom(y);
  }

  @Override
  public String toString() {
    return "L";
  }
}
