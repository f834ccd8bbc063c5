package org.kpflow.operator;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.Random;
import java.util.function.IntToDoubleFunction;
import org.kpflow.base.DType;
import org.kpflow.base.Shape;
import org.kpflow.tensor.Tensor;

/** Dense matrices in plain Java loops: the truth that operators are held against. */
final class Matrices {
  private Matrices() {}

  interface Entry {
    double at(int row, int column);
  }

  static double[][] fill(long rows, long columns, Entry entry) {
    double[][] result = new double[(int) rows][(int) columns];
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < columns; j++) {
        result[i][j] = entry.at(i, j);
      }
    }
    return result;
  }

  /** Entries of order 1 that the type holds exactly. */
  static double[][] random(DType dtype, long rows, long columns, long seed) {
    Random random = new Random(seed);
    return fill(
        rows,
        columns,
        (i, j) -> dtype == DType.F32 ? (float) random.nextGaussian() : random.nextGaussian());
  }

  static int columns(double[][] a) {
    return a.length == 0 ? 0 : a[0].length;
  }

  static double[][] identity(long n) {
    return fill(n, n, (i, j) -> i == j ? 1 : 0);
  }

  static double[][] transpose(double[][] a) {
    return fill(columns(a), a.length, (i, j) -> a[j][i]);
  }

  static double[][] multiply(double[][] a, double[][] b) {
    return fill(a.length, columns(b), (i, j) -> sum(b.length, k -> a[i][k] * b[k][j]));
  }

  /** alpha A + beta B. */
  static double[][] combine(double alpha, double[][] a, double beta, double[][] b) {
    return fill(a.length, columns(a), (i, j) -> alpha * a[i][j] + beta * b[i][j]);
  }

  /** The Kronecker product A ⊗ B. */
  static double[][] kronecker(double[][] a, double[][] b) {
    int m = b.length;
    int n = columns(b);
    return fill(
        (long) a.length * m, (long) columns(a) * n, (i, j) -> a[i / m][j / n] * b[i % m][j % n]);
  }

  static double trace(double[][] a) {
    return sum(a.length, i -> a[i][i]);
  }

  static double norm(double[][] a) {
    return Math.sqrt(sum(a.length, i -> sum(a[i].length, j -> a[i][j] * a[i][j])));
  }

  private static double sum(int count, IntToDoubleFunction term) {
    double result = 0;
    for (int i = 0; i < count; i++) {
      result += term.applyAsDouble(i);
    }
    return result;
  }

  /** The matrix of an operator. */
  static double[][] of(LinearOperator operator) {
    try (Tensor dense = operator.toDense()) {
      return rows(dense, dense.shape().size(0));
    }
  }

  /** The elements of a tensor as a given number of rows. */
  static double[][] rows(Tensor tensor, long rows) {
    double[] values = tensor.toDoubles();
    int columns = values.length / (int) Math.max(rows, 1);
    return fill(rows, columns, (i, j) -> values[i * columns + j]);
  }

  /** A tensor of a block of arrays, one in each row. */
  static Tensor tensor(DType dtype, Shape shape, double[][] rows) {
    double[] values = Arrays.stream(rows).flatMapToDouble(Arrays::stream).toArray();
    return Tensor.of(dtype, shape, values);
  }

  static void assertClose(double[][] expected, double[][] actual, double tolerance, String what) {
    assertEquals(expected.length, actual.length, what + ": rows");
    for (int i = 0; i < expected.length; i++) {
      assertEquals(expected[i].length, actual[i].length, what + ": columns");
      for (int j = 0; j < expected[i].length; j++) {
        // assertEquals refuses a tolerance of 0, which a zero matrix has
        assertEquals(
            expected[i][j],
            actual[i][j],
            Math.max(tolerance, Double.MIN_NORMAL),
            what + " at " + i + ", " + j);
      }
    }
  }
}
