package org.kpflow.spectral;

import org.kpflow.base.Checks;
import org.kpflow.base.DType;
import org.kpflow.base.Device;
import org.kpflow.nativelib.Engine;
import org.kpflow.tensor.Tensor;

/**
 * All eigenpairs of a dense symmetric matrix, by LAPACK in f64 on the CPU.
 *
 * @param values eigenvalues, descending
 * @param vectors [d, d], row i the unit eigenvector of values[i]
 */
public record DenseEigen(double[] values, Tensor vectors) implements AutoCloseable {

  /**
   * Eigenvalues and eigenvectors of the symmetric f64 matrix [d, d] of any device, which is left as
   * it is; its lower triangle is read. The eigenvectors lie on the CPU.
   *
   * @throws IllegalArgumentException if it is not a square f64 matrix
   */
  public static DenseEigen of(Tensor matrix) {
    long d = size(matrix);
    try (Tensor work = matrix.to(Device.CPU)) {
      double[] ascending = Engine.symmetricEigen(d, work.memory(), true);
      Tensor vectors = Tensor.zeros(DType.F64, d, d);
      for (long i = 0; i < d; i++) {
        vectors.slice(i).copyFrom(work.slice(d - 1 - i));
      }
      return new DenseEigen(reversed(ascending), vectors);
    }
  }

  /** Eigenvalues of the symmetric f64 matrix [d, d], descending. */
  public static double[] values(Tensor matrix) {
    long d = size(matrix);
    try (Tensor work = matrix.to(Device.CPU)) {
      return reversed(Engine.symmetricEigen(d, work.memory(), false));
    }
  }

  /** Singular values of an f64 matrix [m, n], descending. */
  public static double[] singularValues(Tensor matrix) {
    Checks.that(
        Checks.notNull(matrix, "matrix").shape().rank() == 2,
        "matrix: expected two axes, got shape %s",
        matrix.shape());
    Checks.dtype("matrix", DType.F64, matrix.dtype());
    try (Tensor work = matrix.to(Device.CPU)) {
      return Engine.svd(matrix.shape().size(0), matrix.shape().size(1), work.memory(), null, null);
    }
  }

  private static long size(Tensor matrix) {
    Checks.that(
        Checks.notNull(matrix, "matrix").shape().rank() == 2
            && matrix.shape().size(0) == matrix.shape().size(1),
        "matrix: expected a square matrix, got shape %s",
        matrix.shape());
    Checks.dtype("matrix", DType.F64, matrix.dtype());
    return matrix.shape().size(0);
  }

  private static double[] reversed(double[] values) {
    double[] result = new double[values.length];
    for (int i = 0; i < values.length; i++) {
      result[i] = values[values.length - 1 - i];
    }
    return result;
  }

  @Override
  public void close() {
    vectors.close();
  }
}
